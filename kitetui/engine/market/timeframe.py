"""One timeframe of the market: its history and the indicators that advance with it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from kitetui.engine.feed.batch import F64, I64, Bool
from kitetui.engine.market.bars import (
    CLOSE,
    HIGH,
    LOW,
    VOLUME,
    ClosedBars,
    span,
)
from kitetui.engine.market.history import History
from kitetui.engine.market.indicators import EVERY, Closed, Indicators
from kitetui.engine.market.instruments import Rows
from kitetui.engine.market.volume import (
    MinuteOfDayVolume,
    robust_z,
    trailing_mean_ratio,
)

SESSION_MINUTES = 405
"""Longest session whose minutes are kept apart: 09:00 to 15:45."""
DAY = 1440
"""The length of the timeframe whose bar is a whole session."""
LEARNED_BARS = 300
"""Bars of history put through the indicators: Wilder's smoothing is settled after 250."""
RATIO_BARS = 20
Z_BARS = 60
SAME_MINUTE_SESSIONS = 5
"""Past sessions of the same minute from which on they are the baseline of the volume ratio."""

DEPTHS = {1: 96, 3: 32, 5: 96, 15: 32, DAY: 24}
"""Timeframes in minutes, and the bars of each that are kept."""
SAME_MINUTE = (1, 5)
"""Timeframes that know the usual volume of each of their bars of the day."""


def timeframe_name(minutes: int) -> str:
    """`1m` ... or `day`."""
    return "day" if minutes == DAY else f"{minutes}m"


class VolumeRatio(msgspec.Struct):
    """Volume of the newest bar over its usual, for n rows.

    Attributes:
        ratio: f64 (n,), NaN where undefined.
        same_minute: bool (n,), whether the usual is the same bar of past sessions; else it is
            the mean of the 20 bars before.
    """

    ratio: F64
    same_minute: Bool


class Timeframe:
    """Bars of one length for all rows.

    Attributes:
        name: such as `5m` or `day`; minutes: its length.
    """

    def __init__(self, minutes: int, rows: Rows) -> None:
        self.name = timeframe_name(minutes)
        self.minutes = minutes
        self.history = History(rows, DEPTHS[minutes])
        self._divisor = rows.divisor
        self.indicators = Indicators(rows.capacity)
        slots = SESSION_MINUTES // minutes if minutes in SAME_MINUTE else 1
        self.usual_volume = MinuteOfDayVolume(rows.capacity, slots)

    def commit(self, bars: ClosedBars, day: I64) -> ClosedBars:
        """Take bars that closed together; indicators advance here and only here.

        A bar that history has already told, whole, is left out; the rest is given back.

        Args:
            day: i64 (n,), what tells the rows' sessions apart: their open minute.
        """
        known = self.history.newest[bars.rows] >= bars.start
        if known.any():
            bars = ClosedBars(bars.start, bars.rows[~known], bars.values[:, ~known])
            day = day[~known]
        if not len(bars.rows):
            return bars
        self.history.append(bars)
        rows = span(bars.rows)
        self.indicators.advance(rows, self.closed(bars.values, self._divisor[rows], day))
        return bars

    @staticmethod
    def closed(values: I64, divisor: I64, day: I64) -> Closed:
        """Raw bars i64 (fields, n) as indicators take them: rupees, and what tells days apart."""
        high, low, close = values[HIGH] / divisor, values[LOW] / divisor, values[CLOSE] / divisor
        return Closed(high, low, close, values[VOLUME].astype(np.float64), day)

    def peek(self, rows: I64, forming: I64, day: I64,
             names: Sequence[int] = EVERY) -> F64:  # fmt: skip
        """Indicators as if the forming bars i64 (fields, n) closed now: f64 (len(names), n)."""
        return self.indicators.peek(rows, self.closed(forming, self._divisor[rows], day), names)

    def volume_ratio(self, rows: I64, start: int, opened: I64) -> VolumeRatio:
        """Volume of the newest bar over its usual; rows need more than 20 bars.

        The usual is the same bar of past sessions where at least five are known, else the mean of
        the 20 bars before; the session's first bar has no second baseline.
        """
        recent = self.history.window(VOLUME, rows, RATIO_BARS + 1)
        slots = self.slot(start, opened)
        usual = self.usual_volume.usual(rows, slots, SAME_MINUTE_SESSIONS)
        if self.minutes not in SAME_MINUTE:
            usual = np.full(len(rows), np.nan)
        same_minute = np.isfinite(usual)
        with np.errstate(divide="ignore", invalid="ignore"):
            by_minute = np.where(usual > 0, recent[:, -1] / usual, np.nan)
        ratio = np.where(same_minute, by_minute, trailing_mean_ratio(recent))
        ratio = np.where(~same_minute & (slots == 0) & (opened > 0), np.nan, ratio)
        return VolumeRatio(ratio, same_minute)

    def volume_z(self, rows: I64) -> F64:
        """Robust z of the newest bar's log volume over 60 bars; rows need more than 60."""
        return robust_z(self.history.window(VOLUME, rows, Z_BARS + 1))

    def slot(self, start: int, opened: I64) -> I64:
        """The place of a bar in its day for rows with the given open minutes."""
        slots: I64 = (start - opened) // self.minutes
        return slots

    def prices(self, field: int, rows: I64, n: int) -> F64:
        """The newest n prices of rows, rupees: f64 (len(rows), n)."""
        found: F64 = self.history.window(field, rows, n) / self._divisor[rows][:, None]
        return found
