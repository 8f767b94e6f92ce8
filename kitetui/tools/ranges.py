"""Ranges: whether prices moved farther after a bar than is usual at its time of day.

It is what an alert without a side is measured by: it names no target.
"""

from __future__ import annotations

import numpy as np

from kitetui.engine.alerts.null import HALF_HOUR
from kitetui.engine.feed.batch import F64, I64, Bool

AHEAD = 15
"""Bars after the entry's whose range counts."""
TIMES = 1.5
"""Of the usual range: what counts as moved."""
SESSIONS, LEAST = 20, 5
"""Past sessions whose median is the usual; with fewer than the least there is none."""


class Ranges:
    """Every bar of one series: how far prices went after it, and how far they usually do."""

    def __init__(self, prices: F64, minute: I64, last: I64) -> None:
        """Take a series.

        Args:
            prices: f64 (4, k), open, high, low, close, rupees.
            minute: i64 (k,), of each bar in its session, counted from the open.
            last: i64 (k,), number of the last bar that each bar's session allows.
        """
        k = prices.shape[1]
        number = np.arange(k)
        highest, lowest = np.full(k, -np.inf), np.full(k, np.inf)
        for ahead in range(1, AHEAD + 1):
            at = np.minimum(number + ahead, k - 1)
            seen = number + ahead <= last
            highest = np.where(seen, np.maximum(highest, prices[1, at]), highest)
            lowest = np.where(seen, np.minimum(lowest, prices[2, at]), lowest)
        went = np.where(last > number, highest - lowest, np.nan)
        usual = np.full(k, np.nan)
        for slot in np.unique(minute).tolist():
            of = number[(minute == slot) & np.isfinite(went)]
            for place in range(LEAST, len(of)):
                usual[of[place]] = np.median(went[of[max(place - SESSIONS, 0) : place]])
        self._known: Bool = np.isfinite(usual) & np.isfinite(went)
        with np.errstate(invalid="ignore"):
            self._moved: Bool = self._known & (went >= TIMES * usual)
        self._half_hour = minute // HALF_HOUR

    def moved(self, bar: int) -> bool | None:
        """Whether prices moved far after a bar; None where the usual is not known."""
        return bool(self._moved[bar]) if self._known[bar] else None

    def null(self, bar: int) -> float:
        """The share of all bars of the same half-hour after which they did; NaN without any."""
        of = self._known & (self._half_hour == self._half_hour[bar])
        n = int(np.count_nonzero(of))
        return int(np.count_nonzero(self._moved & of)) / n if n else float("nan")
