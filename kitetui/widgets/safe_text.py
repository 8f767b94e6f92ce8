"""The only way text reaches the screen: cleaned of everything a terminal would obey."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from rich.cells import cell_len, set_cell_size

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
COMBINING_MAX = 4
LENGTH_MAX = 512
_FORBIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def clean(text: str) -> str:
    """Text fit for a terminal: control, format, private and unassigned characters are replaced
    (visibly), combining marks are capped, the whole is cut at 512 characters."""
    if text.isascii() and text.isprintable() and len(text) <= LENGTH_MAX:
        return text
    return _clean(text[:LENGTH_MAX])


@lru_cache(4096)
def _clean(text: str) -> str:
    out: list[str] = []
    marks = 0
    for char in unicodedata.normalize("NFC", text):
        category = unicodedata.category(char)
        if category in _FORBIDDEN:
            out.append(REPLACEMENT)
            marks = 0
        elif category.startswith("M"):
            marks += 1
            if marks <= COMBINING_MAX:
                out.append(char)
        else:
            out.append(char)
            marks = 0
    return "".join(out)


def fit(text: str, width: int, right: bool = False) -> str:
    """Cleaned text of exactly `width` cells; what is cut is marked with an ellipsis."""
    text = clean(text)
    if text.isascii():
        if len(text) > width:
            return text[: max(width - 1, 0)] + "…" if width else ""
        return text.rjust(width) if right else text.ljust(width)
    size = cell_len(text)
    if size > width:
        return set_cell_size(text, max(width - 1, 0)) + "…" if width else ""
    return " " * (width - size) + text if right else text + " " * (width - size)


def fit_ends(text: str, width: int) -> str:
    """Text of exactly `width` cells whose end stays where it does not fit: an option's strike and
    kind stand there."""
    text = clean(text)
    if not text.isascii() or len(text) <= width or width < 8:
        return fit(text, width)
    tail = width * 2 // 3
    return f"{text[: width - tail - 1]}…{text[-tail:]}"
