"""BarRing: one number a bar and row, as it was some bars ago."""

from __future__ import annotations

import numpy as np

from kitetui.engine.feed.batch import F64, I64


class BarRing:
    """The newest values of every row, each with the number of its bar."""

    def __init__(self, capacity: int, depth: int) -> None:
        self._depth = depth
        self._value: F64 = np.full((depth, capacity), np.nan)
        self._bar: I64 = np.full((depth, capacity), -1, np.int64)

    def put(self, rows: I64, bars: I64, values: F64) -> None:
        """Keep what holds after each row's newest bar; `bars`: i64 (n,), bars it has seen."""
        at = (bars - 1) % self._depth
        self._value[at, rows] = values
        self._bar[at, rows] = bars - 1

    def before(self, rows: I64, bars: I64, back: int) -> F64:
        """What held `back` bars before the newest: f64 (n,), NaN where it was not kept."""
        number = bars - 1 - back
        at = number % self._depth
        return np.where(self._bar[at, rows] == number, self._value[at, rows], np.nan)
