"""Candles in characters: half a cell is the least that is told apart."""

from __future__ import annotations

import math
from typing import NamedTuple

WICK, BODY = 1, 2
_GLYPHS = {
    (0, 0): " ", (WICK, WICK): "│", (BODY, BODY): "┃", (WICK, BODY): "╽", (BODY, WICK): "╿",
    (WICK, 0): "╵", (0, WICK): "╷", (BODY, 0): "╹", (0, BODY): "╻",
}  # fmt: skip
_FALLING = {"┃": "║", "╽": "║", "╿": "║", "╹": "║", "╻": "║"}
"""A body that fell, told by more than its colour."""


class Scale(NamedTuple):
    """Prices on rows: `top` is the upper edge of row 0, each row `step` rupees."""

    top: float
    step: float

    def half(self, price: float) -> int:
        """Half rows from the top, the first is 0."""
        return math.floor((self.top - price) / self.step * 2)

    def row(self, price: float) -> int:
        """The row of a price."""
        return math.floor((self.top - price) / self.step)

    def price(self, row: int) -> float:
        """The price in the middle of a row."""
        return self.top - (row + 0.5) * self.step


def scale(low: float, high: float, rows: int) -> Scale:
    """Rows that hold all of a range, with a little room."""
    span = max(high - low, abs(high) * 1e-6, 1e-9)
    step = span * 1.02 / max(rows, 1)
    return Scale(high + span * 0.01, step)


def column(open_: float, high: float, low: float, close: float, on: Scale, rows: int) -> list[str]:
    """A candle as a character a row, from the top."""
    halves = [0] * (rows * 2)
    falls = close < open_

    def fill(above: float, below: float, kind: int) -> None:
        first, last = on.half(above), on.half(below)
        for at in range(max(first, 0), min(last, len(halves) - 1) + 1):
            halves[at] = kind

    fill(high, low, WICK)
    fill(max(open_, close), min(open_, close), BODY)
    glyphs = [_GLYPHS[halves[at], halves[at + 1]] for at in range(0, len(halves), 2)]
    return [_FALLING.get(glyph, glyph) for glyph in glyphs] if falls else glyphs
