"""View: what a detector may look at, the bars that just closed and what came before them.

Windows are time-major, (bars, rows), oldest first: every step of a detector runs along the rows.
What several detectors ask for is read once.
"""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from typing import Any

import msgspec
import numpy as np

from kitetui.engine.calendar import DAY_S, IST_OFFSET_S, SEGMENTS
from kitetui.engine.feed.batch import F64, I64, Bool
from kitetui.engine.market.bars import CLOSE, FLAGS, HIGH, LOW, OPEN, ClosedBars
from kitetui.engine.market.day_levels import OPENING_MINUTES
from kitetui.engine.market.indicators import ATR_BEFORE, WILDER
from kitetui.engine.market.landmarks import Landmarks
from kitetui.engine.market.market import Market
from kitetui.engine.market.profile import Shapes
from kitetui.engine.market.timeframe import DAY, RATIO_BARS, Timeframe

PRICES = frozenset({OPEN, HIGH, LOW, CLOSE})
_USUAL_WINDOW = 26
"""Bars that are read at once: most detectors ask for fewer."""


class Silence(msgspec.Struct):
    """Why rows or chains could not fire at a pattern's last look, how many by reason.

    The others simply did not.
    """

    counts: Counter[str] = msgspec.field(default_factory=Counter)


class SwingOf(msgspec.Struct):
    """One swing of each row of a view.

    Attributes:
        known: bool (n,); bar, side: i64 (n,); level: f64 (n,), rupees.
    """

    known: Bool
    bar: I64
    side: I64
    level: F64


class View:
    """Bars of one timeframe that closed together, each of another row.

    Attributes:
        market: everything known, for detectors that look beyond the timeframe.
        frame: the timeframe: its history and indicators.
        start: the closed bars' first minute.
        rows: i64 (n,), ascending; opened: i64 (n,), first minute of each row's session.
        flags: i64 (n,), `BarFlag` bits of the closed bars.
        silence: where a detector of chains counts why they could not fire.
        memory: what detectors keep from one look to the next, by keys of their own.
    """

    def __init__(self, market: Market, frame: Timeframe, start: int, rows: I64, opened: I64,
                 flags: I64) -> None:  # fmt: skip
        self.market = market
        self.frame = frame
        self.start = start
        self.rows = rows
        self.opened = opened
        self.flags = flags
        self.silence = Silence()
        self.memory: dict[object, Any] = {}
        self._windows: dict[int, F64] = {}
        self._places: I64 | None = None

    @classmethod
    def of(cls, market: Market, frame: Timeframe, bars: ClosedBars, opened: I64) -> View:
        """The view of bars that a timeframe took."""
        return cls(market, frame, bars.start, bars.rows, opened, bars.values[FLAGS])

    def __len__(self) -> int:
        return len(self.rows)

    def only(self, keep: Bool | I64) -> View:
        """The same view of fewer rows."""
        return View(self.market, self.frame, self.start, self.rows[keep], self.opened[keep],
                    self.flags[keep])  # fmt: skip

    @cached_property
    def bars(self) -> I64:
        """Bars each row has seen, the closed one included: i64 (n,)."""
        return self.frame.history.count[self.rows]

    @cached_property
    def is_index(self) -> Bool:
        """Rows that trade no volume: bool (n,)."""
        found: Bool = self.market.rows.hours[self.rows] == SEGMENTS.index("index")
        return found

    @cached_property
    def tick(self) -> F64:
        """Price step, rupees; the wire's own where the table has none: f64 (n,)."""
        tick: F64 = np.maximum(self.market.rows.tick[self.rows], 1) / self.divisor
        return tick

    @cached_property
    def divisor(self) -> F64:
        """Raw prices to rupees: f64 (n,)."""
        return self.market.rows.divisor[self.rows].astype(np.float64)

    def window(self, field: int, n: int) -> F64:
        """The newest n values of a bar's field: f64 (n, rows), rupees or shares.

        Where a row has fewer bars the values mean nothing: look at `bars` first.
        """
        held = self._windows.get(field)
        if held is None or len(held) < n:
            history = self.frame.history
            depth = min(max(n, _USUAL_WINDOW), history.depth)
            if self._places is None or len(self._places) < depth:
                self._places = history.places(self.rows, depth)
            raw = history.read(field, self._places[-depth:])
            held = raw / self.divisor if field in PRICES else raw.astype(np.float64)
            self._windows[field] = held
        return held[-n:]

    @property
    def open(self) -> F64:
        """The closed bar's open: f64 (n,)."""
        opens: F64 = self.window(OPEN, 1)[0]
        return opens

    def indicator(self, name: int) -> F64:
        """An indicator after the close: f64 (n,), NaN where undefined."""
        return self.frame.indicators.value(name, self.rows)

    @cached_property
    def atr(self) -> F64:
        """ATR as it stood before the closed bar: f64 (n,); NaN where undefined or 0."""
        atr = self.indicator(ATR_BEFORE)
        atr[atr <= 0] = np.nan
        return atr

    def atr_before(self, back: int) -> F64:
        """ATR as it stood before the bar `back` bars ago: Wilder's step, taken backwards."""
        atr = self.atr
        if back:
            high, low = self.window(HIGH, back + 1), self.window(LOW, back + 1)
            close = self.window(CLOSE, back + 2)
            for at in range(back):
                ranged = np.maximum(high[-2 - at], close[-3 - at])
                ranged = ranged - np.minimum(low[-2 - at], close[-3 - at])
                atr = (WILDER * atr - ranged) / (WILDER - 1)
        return atr

    def rsi(self, n: int) -> F64:
        """RSI after each of the newest n bars, oldest first: f64 (n, rows)."""
        return self.frame.indicators.rsi_before(self.rows, self.window(CLOSE, n))

    @cached_property
    def relative_volume(self) -> F64:
        """Volume over its usual (`Timeframe.volume_ratio`): f64 (n,), NaN where undefined."""
        return self._volume_ratio[0]

    @cached_property
    def same_minute(self) -> Bool:
        """Whether the usual is that of the same bar of past sessions: bool (n,)."""
        return self._volume_ratio[1]

    @cached_property
    def _volume_ratio(self) -> tuple[F64, Bool]:
        found = self.frame.volume_ratio(self.rows, self.start, self.opened)
        known = (self.bars > RATIO_BARS) & ~self.is_index
        return np.where(known, found.ratio, np.nan), found.same_minute

    @cached_property
    def landmarks(self) -> Landmarks:
        """Swings, pivots and gaps of this timeframe."""
        return self.market.landmarks[self.frame.minutes]

    def swing(self, back: int) -> SwingOf:
        """Each row's newest confirmed swing (0), the one before it (1), and so on."""
        swings = self.landmarks.swings
        count = swings.count[self.rows]
        place = (self.rows, (count - 1 - back) % swings.depth)
        known = (count > back) & (swings.side[place] != 0)
        return SwingOf(known, swings.bar[place], swings.side[place],
                       swings.level[place] / self.divisor)  # fmt: skip

    def last_swing(self, side: I64) -> SwingOf:
        """Each row's newest confirmed swing on a side, +1 high or -1 low."""
        newer, older = self.swing(0), self.swing(1)
        first = newer.side == side
        return SwingOf(
            np.where(first, newer.known, older.known),
            np.where(first, newer.bar, older.bar),
            side,
            np.where(first, newer.level, older.level),
        )

    def inside_gap(self, side: int) -> Bool:
        """Whether the close lies in a fair value gap of a side that is not filled: bool (n,)."""
        gaps = self.landmarks.gaps
        close = self.window(CLOSE, 1)[0][:, None] * self.divisor[:, None]
        held = (gaps.side[self.rows] == side) & (gaps.filled[self.rows] < 0)
        held &= (gaps.bottom[self.rows] <= close) & (close <= gaps.top[self.rows])
        found: Bool = held.any(axis=1)
        return found

    def ema_slope(self, name: int, span: int, n: int) -> F64:
        """How far an EMA moved over the last n bars, rupees: its step taken backwards."""
        now = self.indicator(name)
        close, factor, then = self.window(CLOSE, n), 2.0 / (span + 1), now
        for at in range(n - 1, -1, -1):
            then = (then - factor * close[at]) / (1 - factor)
        return np.where(self.bars >= span + n, now - then, np.nan)

    @cached_property
    def day(self) -> int:
        """The IST date of the closed bars."""
        return (self.start * 60 + IST_OFFSET_S) // DAY_S

    @cached_property
    def bars_today(self) -> I64:
        """Bars of the row's session before the closed one, as many as history holds: i64 (n,)."""
        history = self.frame.history
        starts = history.starts(self.rows, history.depth).T
        today = (starts * 60 + IST_OFFSET_S) // DAY_S == self.day
        held = np.minimum(self.bars, history.depth)
        today &= np.arange(history.depth)[:, None] >= history.depth - held
        before: I64 = today.sum(axis=0) - 1
        return before

    @cached_property
    def closes(self) -> I64:
        """The minute after each row's session: i64 (n,)."""
        return self.market.session_minutes(self.start, self.rows)[1]

    @cached_property
    def session_open(self) -> F64:
        """The first price of each row's session: f64 (n,), NaN before it is known."""
        day = self.market.longer[DAY]
        known = day.start[self.rows] >= 0
        return np.where(known, day.values[OPEN, self.rows] / self.divisor, np.nan)

    def earlier_bars(self, n: int) -> Bool:
        """Whether the n-th bar before the closed one lies in the same session: bool (n,)."""
        start = self.frame.history.starts(self.rows, 1, n)[:, 0]
        same: Bool = (start * 60 + IST_OFFSET_S) // DAY_S == self.day
        return same & (self.bars > n)

    @cached_property
    def previous_day(self) -> tuple[F64, F64]:
        """High and low of the session before: f64 (n,) each, NaN where unknown."""
        days = self.market.frames[DAY].history
        known = days.count[self.rows] > 0
        started = days.starts(self.rows, 1)[:, 0]
        known &= (started * 60 + IST_OFFSET_S) // DAY_S < self.day
        high, low = (days.window(f, self.rows, 1)[:, 0] / self.divisor for f in (HIGH, LOW))
        return np.where(known, high, np.nan), np.where(known, low, np.nan)

    @cached_property
    def previous_value_area(self) -> tuple[F64, F64]:
        """VAL and VAH of the session before: f64 (n,) each, NaN where unknown."""
        told = self.market.day_levels
        known = (told.value_area_day[self.rows] < self.day) & (told.value_area_day[self.rows] >= 0)
        val, vah = told.value_area[:, self.rows]
        return np.where(known, val, np.nan), np.where(known, vah, np.nan)

    @cached_property
    def previous_poc(self) -> F64:
        """POC of the session before: f64 (n,), NaN where unknown."""
        told = self.market.day_levels
        known = (told.value_area_day[self.rows] < self.day) & (told.value_area_day[self.rows] >= 0)
        return np.where(known, told.poc[self.rows], np.nan)

    @cached_property
    def shapes(self) -> Shapes:
        """The profiles of the rows' sessions at a glance."""
        return self.market.shapes(self.rows)

    def thinnest(self, one: F64, other: F64) -> F64:
        """The least volume of a bin of the session's profile between two prices: f64 (n,)."""
        return self.market.thinnest(self.rows, one, other)

    def developing_poc(self, back: int) -> F64:
        """The session's POC so far, or as it was some bars ago: f64 (n,), NaN where unknown."""
        return self.market.pocs[self.frame.minutes].before(self.rows, self.bars, back)

    def book_share(self, n: int) -> tuple[F64, F64]:
        """Mean share of the bids in five levels over the newest n bars, and of how many books."""
        return self.market.book_shares.over(self.frame.minutes, self.rows, self.bars, n)

    @cached_property
    def opening_range(self) -> tuple[F64, F64]:
        """High and low of the session's first 15 minutes, once they are over: f64 (n,), or NaN."""
        told = self.market.day_levels
        known = told.opening_day[self.rows] == self.day
        known &= self.start >= self.opened + OPENING_MINUTES
        high, low = told.opening_high[self.rows], told.opening_low[self.rows]
        return (np.where(known, high / self.divisor, np.nan),
                np.where(known, low / self.divisor, np.nan))  # fmt: skip
