"""One timeframe of the market: its history and the indicators that advance with it."""

from __future__ import annotations

import numpy as np

from kitetui.engine.feed.batch import F64, I64
from kitetui.engine.market.bars import CLOSE, FLAGS, HIGH, LOW, VOLUME, BarFlag, ClosedBars, History
from kitetui.engine.market.indicators import MinuteOfDayVolume, WilderAtr
from kitetui.engine.market.instruments import Rows
from kitetui.engine.market.warmup import PastBars

SESSION_MINUTES = 405
"""Longest session whose minutes are kept apart: 09:00 to 15:45."""

WARM_BARS = 300
"""Bars of history put through the indicators: Wilder's smoothing is settled after 250."""


class Timeframe:
    """Bars of one length for all rows.

    Attributes:
        name: `1m` or `5m`; minutes: its length.
    """

    def __init__(self, minutes: int, rows: Rows, depth: int = 128) -> None:
        self.name = f"{minutes}m"
        self.minutes = minutes
        self.history = History(rows, depth)
        self._divisor = rows.divisor
        self.atr = WilderAtr(rows.capacity)
        self.usual_volume = MinuteOfDayVolume(rows.capacity, SESSION_MINUTES // minutes)

    def commit(self, bars: ClosedBars) -> ClosedBars:
        """Take bars that closed together; indicators advance here and only here.

        A bar that REST history has already told, whole, is left out; the rest is given back.
        """
        known = self.history.newest[bars.rows] >= bars.start
        if known.any():
            bars = ClosedBars(bars.start, bars.rows[~known], bars.values[:, ~known])
        self.history.append(bars)
        high, low, close = bars.values[[HIGH, LOW, CLOSE]] / self._divisor[bars.rows]
        self.atr.advance(bars.rows, high, low, close)
        return bars

    def learn(self, row: int, past: PastBars) -> None:
        """Warm one row up with bars of REST history; its own live bars stay the newest."""
        earlier = slice(0, past.past)
        self.usual_volume.learn(row, past.slots[earlier], past.values[VOLUME, earlier])
        live_starts, live = self.history.last(row, self.history.depth)
        sure = (live[FLAGS] & BarFlag.VOLUME_UNCERTAIN) == 0
        bars = dict(
            zip(past.starts[-WARM_BARS:].tolist(), past.values[:, -WARM_BARS:].T, strict=True)
        )
        for start, bar, whole in zip(live_starts.tolist(), live.T, sure, strict=True):
            if whole or start not in bars:
                bars[start] = bar
        if not bars:
            return
        starts = np.array(sorted(bars), np.int64)
        values = np.stack([bars[start] for start in starts.tolist()], axis=1)
        self.history.replace(row, starts, values)
        self.atr.relearn(row, *(values[[HIGH, LOW, CLOSE]] / self._divisor[row]))

    def slot(self, start: int, anchor: I64) -> I64:
        """The place of a bar in its day for rows with the given open minutes."""
        slots: I64 = (start - anchor) // self.minutes
        return slots

    def volume_window(self, rows: I64, n: int) -> I64:
        """The newest n volumes of rows: i64 (len(rows), n)."""
        return self.history.window(VOLUME, rows, n)

    def prices(self, field: int, rows: I64, n: int) -> F64:
        """The newest n prices of rows, rupees: f64 (len(rows), n)."""
        found: F64 = self.history.window(field, rows, n) / self._divisor[rows][:, None]
        return found
