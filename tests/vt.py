"""A strict reader of what goes to a terminal: every byte is text, or a sequence that it names."""

from __future__ import annotations

import re
from collections import Counter

_CSI = re.compile(rb"\x1b\[([<-?]*)([0-9;:]*)([ -/]*)([@-~])")
_STRING = re.compile(rb"\x1b([\]PX^_])(.*?)(?:\x07|\x1b\\)", re.DOTALL)
_SHORT = re.compile(rb"\x1b([ -/]*)([0-~])")


def sequences(data: bytes) -> Counter[str]:
    """Sequences by what they are: `CSI m`, `CSI ?25h`, `OSC 52`, `C1 ...`; text is not counted.

    A sequence that is cut off at the end is left out; a byte that belongs to nothing is counted
    as a `C0` or `C1`.
    """
    found: Counter[str] = Counter()
    at = 0
    while at < len(data):
        byte = data[at]
        if byte == 0x1B:
            for pattern, name in ((_CSI, _csi), (_STRING, _string), (_SHORT, _short)):
                match = pattern.match(data, at)
                if match is not None:
                    found[name(match)] += 1
                    at = match.end()
                    break
            else:
                return found
            continue
        if byte < 0x20 or byte == 0x7F:
            found[f"C0 {byte:02x}"] += 1
        elif byte == 0xC2 and at + 1 < len(data) and 0x80 <= data[at + 1] <= 0x9F:
            found[f"C1 {data[at + 1]:02x}"] += 1
            at += 1
        at += 1
    return found


def _csi(match: re.Match[bytes]) -> str:
    private, numbers, between, final = (part.decode() for part in match.groups())
    moves = final in "mHABCDGJKXr" and not private  # how far and in which colours is the picture
    return f"CSI {private}{'' if moves else numbers}{between}{final}"


def _string(match: re.Match[bytes]) -> str:
    kind = {b"]": "OSC", b"P": "DCS", b"X": "SOS", b"^": "PM", b"_": "APC"}[match[1]]
    return f"{kind} {match[2].split(b';')[0][:20].decode('latin-1')}"


def _short(match: re.Match[bytes]) -> str:
    return f"ESC {match[1].decode()}{match[2].decode()}"
