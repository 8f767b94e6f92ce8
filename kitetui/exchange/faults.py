"""Faults on demand: what a feed can suffer, scheduled in seconds after the first subscription."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum

import msgspec


class FaultKind(StrEnum):
    """What goes wrong."""

    DROP = "drop"
    """All sockets are cut."""
    MUTE = "mute"
    """Sockets stay open and say nothing, not even heartbeats, for the given seconds."""
    GARBLE = "garble"
    """One frame of noise to everybody."""
    TRUNCATE = "truncate"
    """The next frame loses its end."""
    EXPIRE = "expire"
    """Access tokens are refused with 403 for the given seconds; open sockets go on."""
    BUSY = "busy"
    """Handshakes are refused with 429 for the given seconds."""


class Fault(msgspec.Struct, frozen=True):
    """One fault: at `at_s`, lasting `for_s` where it lasts."""

    kind: FaultKind
    at_s: float
    for_s: float = 0.0

    def active(self, now_s: float) -> bool:
        """Whether a lasting fault is in force."""
        return self.at_s <= now_s < self.at_s + self.for_s


def parse(text: str) -> list[Fault]:
    """Faults of a text such as `drop@30,mute@60:8`.

    Raises:
        ValueError: names the part that is not KIND@SECONDS[:DURATION].
    """
    out = []
    for part in filter(None, text.split(",")):
        found = re.fullmatch(r"([a-z]+)@([0-9.]+)(?::([0-9.]+))?", part.strip())
        if found is None or found[1] not in list(FaultKind):
            raise ValueError(
                f"{part!r} is no fault; expected KIND@SECONDS[:DURATION] with one of "
                + ", ".join(FaultKind)
            )
        out.append(Fault(FaultKind(found[1]), float(found[2]), float(found[3] or 0)))
    return sorted(out, key=lambda fault: fault.at_s)


class Schedule:
    """Faults and which of the momentary ones are still to come."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self._faults = list(faults)
        self._pending = [f for f in faults if not f.for_s]

    def due(self, now_s: float) -> list[FaultKind]:
        """Momentary faults that happen now, each once."""
        found = [f.kind for f in self._pending if f.at_s <= now_s]
        self._pending = [f for f in self._pending if f.at_s > now_s]
        return found

    def active(self, kind: FaultKind, now_s: float) -> bool:
        """Whether a lasting fault of a kind is in force."""
        return any(f.kind is kind and f.active(now_s) for f in self._faults)
