"""What differs between two pictures of a pane, character by character."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from kitetui.widgets.lines import Line

CHANGED = "accent"


def marked(before: Sequence[Line], after: Sequence[Line]) -> list[Line]:
    """The later lines, with the characters that differ from the earlier ones marked."""
    return [
        _line(before[y] if y < len(before) else (), line) for y, line in enumerate(after)
    ]  # fmt: skip


def count(before: Sequence[Line], after: Sequence[Line]) -> int:
    """Lines that differ."""
    pairs = [(_text(a), _text(b)) for a, b in zip(before, after, strict=False)]
    return sum(a != b for a, b in pairs) + abs(len(before) - len(after))


def _text(line: Line) -> str:
    return "".join(text for text, _ in line).rstrip()


def _line(before: Line, after: Line) -> Line:
    old = "".join(text for text, _ in before)
    cells = [(char, style) for text, style in after for char in text]
    told = [
        (char, style if (at < len(old) and old[at] == char) or char == " " else CHANGED)
        for at, (char, style) in enumerate(cells)
    ]
    return tuple(
        ("".join(char for char, _ in run), style)
        for style, run in groupby(told, key=lambda cell: cell[1])
    )
