"""The market: everything we know of it, and the one order in which ticks change that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec
import numpy as np

from kitetui.config import Settings
from kitetui.engine.calendar import Calendar, ist_day
from kitetui.engine.feed import wire
from kitetui.engine.feed.batch import COLUMNS, I64, TickBatch
from kitetui.engine.feed.records import HistoryAnswer
from kitetui.engine.market.bars import (
    CLOSE,
    VOLUME,
    ClosedBars,
    Closing,
    LongerBars,
    MinuteBars,
)
from kitetui.engine.market.book import BookFlow
from kitetui.engine.market.instruments import Instrument, Rows
from kitetui.engine.market.normalise import Clean, Normaliser
from kitetui.engine.market.options import chains_of
from kitetui.engine.market.profile import SessionProfiles
from kitetui.engine.market.straddle import ChainMinutes
from kitetui.engine.market.timeframe import DAY, DEPTHS, Timeframe, warm_up
from kitetui.engine.market.vpin import VolumeBuckets
from kitetui.engine.market.warmup import longer_bars, minute_bars, segment_of

NS = 1_000_000_000
FOREVER = 1 << 40
BUILT_FROM: Mapping[int, tuple[int, ...]] = {1: (3, 5), 3: (), 5: (15,), 15: (DAY,), DAY: ()}
"""Bars of one length, in minutes, and the longer ones that are made of them."""


class FrameBars(msgspec.Struct):
    """Bars that a timeframe took; its indicators have advanced.

    Attributes:
        opened: i64 (n,), first minute of each row's session.
    """

    frame: Timeframe
    bars: ClosedBars
    opened: I64


class LastPacket:
    """The last packet of every row, for views: the values that only packets carry.

    Attributes:
        cols: i64 (rows, 18); length: u8 (rows,).
    """

    def __init__(self, capacity: int) -> None:
        self.cols: I64 = np.zeros((capacity, len(COLUMNS)), np.int64)
        self.length = np.zeros(capacity, np.uint8)

    def keep(self, clean: Clean) -> None:
        """Remember the last packet of each row."""
        rows = clean.by.row
        # Repeated indices take the last value, which is the newest packet of the row.
        self.cols[rows] = clean.ticks.cols.T
        self.length[rows] = clean.ticks.length


class Market:
    """All rows' state. Every method is a function of the state and its arguments alone.

    For any partition of the same ticks into runs the state afterwards is identical.

    Attributes:
        warmed: rows whose history was told.
    """

    def __init__(self, settings: Settings, capacity: int) -> None:
        self.calendar = Calendar(settings.calendar)
        self.rows = Rows(capacity, {**wire.DIVISORS, **settings.feed.divisors})
        self.normaliser = Normaliser(
            self.rows, self.calendar, settings.feed.gap_after_s, settings.normalise
        )
        self.minutes = MinuteBars(self.rows)
        self.longer = {m: LongerBars(m, self.rows) for m in DEPTHS if m > 1}
        self.frames = {minutes: Timeframe(minutes, self.rows) for minutes in DEPTHS}
        self.packets = LastPacket(capacity)
        self.flow = BookFlow(capacity)
        self.profiles = SessionProfiles(self.rows)
        self.buckets = VolumeBuckets(capacity)
        self.chains = ChainMinutes(self.rows)
        self.warmed: set[int] = set()

    @property
    def session_s(self) -> int:
        """Session time in seconds: the last TIMER, or the newest packet if that is later."""
        return max(self.normaliser.session_ns // NS, self.normaliser.newest_s)

    def add_instruments(self, instruments: Sequence[Instrument]) -> int:
        """Give instruments their rows; how many found none."""
        refused = self.rows.add(instruments)
        self.chains.chains(chains_of(self.rows.instruments))
        return refused

    def normalise(self, ticks: TickBatch) -> Clean:
        """Look at a run of ticks; `take` puts it into everything else."""
        return self.normaliser.apply(ticks)

    def take(self, clean: Clean) -> Iterator[FrameBars]:
        """Bars, profiles, buckets and books, part by part: a closing sees what came before it."""
        if not len(clean.ticks):
            return
        trades = self.minutes.read(clean)
        flow = self.flow.read(clean, trades)
        unique = clean.by.unique
        for step in self.minutes.apply(clean, trades):
            if isinstance(step, Closing):
                yield from self._close_all(step)
                continue
            self.flow.add(clean.by.row[step], clean.exch_s[step], flow[step], unique=unique)
            traded = clean.folds[step] & (clean.increment[step] > 0)
            if not traded.any():
                continue
            row, at_s, ltp, shares, side = (
                values[step][traded]
                for values in (clean.by.row, clean.at_s, clean.ticks.ltp, clean.increment,
                               trades.side)
            )  # fmt: skip
            self.profiles.apply(row, at_s, ltp, shares)
            self.buckets.apply(row, at_s, ltp, shares, side, unique=unique)
        self.packets.keep(clean)

    def timer(self, session_ns: int) -> Iterator[FrameBars]:
        """Session time passes without a packet."""
        self.normaliser.session_ns = max(self.normaliser.session_ns, session_ns)
        for closing in self.minutes.timer(session_ns // NS):
            yield from self._close_all(closing)

    def take_bars(self, minutes: int, bars: ClosedBars) -> Iterator[FrameBars]:
        """Bars that came as bars, from a file: everything that follows from them."""
        yield from self.close_until(bars.start)
        yield from self._closed(minutes, bars)

    def close_until(self, upto: int) -> Iterator[FrameBars]:
        """Close the longer bars that end at or before a minute."""
        for length in self.longer:
            yield from self._close(length, upto)

    def learn(self, answer: HistoryAnswer) -> None:
        """Warm a row up with its history; an unknown token teaches nothing.

        Raises:
            ValueError: the answer's columns are cut off.
        """
        row = int(self.rows.find(np.array([answer.token], np.int64))[0])
        if row < 0:
            return
        upto = self.session_s // 60 if self.session_s else FOREVER
        today = ist_day(self.session_s) if self.session_s else FOREVER
        segment = segment_of(int(self.rows.hours[row]))
        minutes = minute_bars(answer, segment, self.calendar, upto, today)
        past = {length: longer_bars(minutes, length) for length in self.longer}
        warm_up(self.frames, {row: {1: minutes, **past}}, self.rows.divisor)
        now = slice(minutes.past, None)
        self.profiles.seed(row, today, minutes.starts[now], minutes.values[:, now])
        usual = past[DAY].values[VOLUME, : past[DAY].past]
        if len(usual):
            self.buckets.set_size(row, int(usual.mean()))
        self.warmed.add(row)

    def session_minutes(self, minute: int, rows: I64) -> tuple[I64, I64]:
        """First minute of the rows' session on a minute's day, and the one after its last.

        i64 (n,) each; zeros where it is closed.
        """
        hours = self.rows.hours[rows]
        opens, closes = self.calendar.session_minutes(ist_day(minute * 60))
        return np.array(opens, np.int64)[hours], np.array(closes, np.int64)[hours]

    def _close_all(self, closing: Closing) -> Iterator[FrameBars]:
        for bars in closing.minutes:
            yield from self._closed(1, bars)
        yield from self.close_until(closing.upto)

    def _close(self, minutes: int, upto: int) -> Iterator[FrameBars]:
        for bars in self.longer[minutes].close(upto):
            yield from self._closed(minutes, bars)

    def _closed(self, minutes: int, bars: ClosedBars) -> Iterator[FrameBars]:
        """Bars of one length closed: they go into the longer ones and the indicators."""
        opened, closes = self.session_minutes(bars.start, bars.rows)
        for longer in BUILT_FROM[minutes]:
            yield from self._close(longer, bars.start)
            self.longer[longer].fold(bars, opened, closes)
        frame = self.frames[minutes]
        fresh = frame.commit(bars, opened)
        if not len(fresh.rows):
            return
        if fresh is not bars:
            opened, _ = self.session_minutes(fresh.start, fresh.rows)
        if minutes == 1:
            self.profiles.first_close(fresh.rows, fresh.values[CLOSE])
            self.chains.close(fresh, opened)
        yield FrameBars(frame, fresh, opened)
