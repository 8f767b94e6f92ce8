"""MatchedNull: what entries at any time would have done, by the same rule at the same hour."""

from __future__ import annotations

import numpy as np

from kitetui.engine.alerts.barriers import Entries, Outcome, walk
from kitetui.engine.feed.batch import F64, I64

STEP = 0.25
"""Distances are taken in quarters of an ATR: so that entries share what they are compared with."""
HALF_HOUR = 30


class MatchedNull:
    """Every admissible bar of one series as an entry: exhaustive, so nothing is drawn at random.

    An entry is matched by side, half-hour of the session and horizon, and its target and stop by
    their distances in ATRs, each bar's own; none reaches into another session.
    """

    def __init__(self, prices: F64, atr: F64, minute: I64, last: I64, tick: float) -> None:
        """Take a series.

        Args:
            prices: f64 (4, k), open, high, low, close, rupees.
            atr: f64 (k,), as it stood before each bar; NaN where undefined.
            minute: i64 (k,), of each bar in its session, counted from the open.
            last: i64 (k,), number of the last bar that each bar's session allows.
            tick: price step, rupees: the least distance.
        """
        self._prices = prices
        self._atr = atr
        self._half_hour = minute // HALF_HOUR
        self._last = last
        self._tick = tick
        self._admissible = (atr > 0) & (last > np.arange(len(atr)))
        self._known: dict[tuple[int, int, int, int, int], tuple[int, int]] = {}

    def rate(self, bar: int, side: int, target: float, stop: float, horizon: int) -> float:
        """Share of the matched entries that reach the target first; NaN without any.

        Args:
            bar: number of the entry's bar; target, stop: its distances, rupees.
        """
        hits, n = self.count(bar, side, target, stop, horizon)
        return hits / n if n else float("nan")

    def count(self, bar: int, side: int, target: float, stop: float,
              horizon: int) -> tuple[int, int]:  # fmt: skip
        """Matched entries that reach the target first, and all of them."""
        atr = float(self._atr[bar])
        if not atr > 0:
            return 0, 0
        steps = tuple(max(round(distance / atr / STEP), 1) for distance in (target, stop))
        half_hour = int(self._half_hour[bar])
        key = (side, half_hour, horizon, steps[0], steps[1])
        if key not in self._known:
            at = np.flatnonzero(self._admissible & (self._half_hour == half_hour))
            of = self._atr[at]
            entries = Entries(
                np.full(len(at), side), self._prices[3, at],
                np.maximum(steps[0] * STEP * of, self._tick),
                np.maximum(steps[1] * STEP * of, self._tick),
            )  # fmt: skip
            found = walk(entries, at, self._prices, np.full(len(at), horizon), self._last[at])
            self._known[key] = int(np.count_nonzero(found.outcome == Outcome.TARGET)), len(at)
        return self._known[key]
