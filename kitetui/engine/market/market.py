"""The market: everything we know of it, and the one order in which ticks change that."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import msgspec
import numpy as np

from kitetui.engine.calendar import Calendar, ist_day
from kitetui.engine.feed import wire
from kitetui.engine.feed.batch import F64, I64, TickBatch
from kitetui.engine.feed.records import HistoryAnswer, PastLevels, Remembered
from kitetui.engine.market.bar_ring import BarRing
from kitetui.engine.market.bars import (
    CLOSE,
    FLAGS,
    HIGH,
    LOW,
    VOLUME,
    BarFlag,
    ClosedBars,
)
from kitetui.engine.market.book import BookFlow, BookShares
from kitetui.engine.market.chain_reader import ChainReader
from kitetui.engine.market.day_levels import OPENING_MINUTES, DayLevels, levels_of
from kitetui.engine.market.filling import mend, uncertain, warm_up
from kitetui.engine.market.indicators import ATR_BEFORE
from kitetui.engine.market.instruments import Instrument, Rows
from kitetui.engine.market.landmarks import Landmarks
from kitetui.engine.market.last_packet import ASK, ATP, BID, LastPacket
from kitetui.engine.market.longer import LongerBars
from kitetui.engine.market.minutes import Closing, MinuteBars
from kitetui.engine.market.normalise import Clean, Normaliser
from kitetui.engine.market.options import (
    ChainNow,
    chains_of,
)
from kitetui.engine.market.profile import (
    Levels,
    Profile,
    Shapes,
    composite,
    levels,
    spread_bars,
)
from kitetui.engine.market.session_profiles import SessionProfiles
from kitetui.engine.market.straddle import ChainMinutes
from kitetui.engine.market.timeframe import DAY, DEPTHS, Timeframe
from kitetui.engine.market.vpin import VolumeBuckets
from kitetui.engine.market.warmup import PastBars, longer_bars, minute_bars, segment_of
from kitetui.engine.market.zones import ENTRY_MINUTES, Zones
from kitetui.settings import Settings

NS = 1_000_000_000
FOREVER = 1 << 40
COMPOSITE_ROWS = 500
"""Rows that have one, the first to be warmed up: each takes some tens of kilobytes."""
POC_BARS = 32
"""Bars for which the POC is kept as it was."""
RECALLED_AT_ONCE = 64
"""Rows whose landmarks are found together: a step over few costs as much as over many."""
COMPOSITE_SESSIONS = 5
"""Past sessions whose volume the composite profile holds beside today's."""
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


def _one_by_one(bars: PastBars, row: int, places: I64) -> list[ClosedBars]:
    """Some of a row's past bars, each by itself."""
    rows = np.array([row], np.int64)
    return [ClosedBars(int(bars.starts[at]), rows, bars.values[:, [at]]) for at in places.tolist()]


def _last_sessions(minutes: PastBars) -> tuple[I64, I64, I64]:
    """Lows, highs and volumes of the last sessions before today."""
    opens = minutes.opens[: minutes.past]
    first = np.unique(opens)[-COMPOSITE_SESSIONS:][:1]
    kept = slice(int(np.searchsorted(opens, first[0])) if len(first) else 0, minutes.past)
    low, high, volume = minutes.values[[LOW, HIGH, VOLUME]][:, kept]
    return low, high, volume


class Market:
    """All rows' state. Every method is a function of the state and its arguments alone.

    For any partition of the same ticks into runs the state afterwards is identical.

    Attributes:
        warmed: rows whose history was told.
        past: levels of each row's last session, where one is known.
        past_minutes: lows, highs and volumes of each warmed row's last sessions, minute by minute.
    """

    def __init__(self, settings: Settings, capacity: int,
                 followed: Collection[int] = ()) -> None:  # fmt: skip
        """`followed`: lengths in minutes of the timeframes that detectors look at closely."""
        self.calendar = Calendar(settings.calendar)
        self.rows = Rows(capacity, {**wire.DIVISORS, **settings.feed.divisors})
        self.normaliser = Normaliser(
            self.rows, self.calendar, settings.feed.gap_after_s, settings.normalise
        )
        self.minutes = MinuteBars(self.rows)
        self.longer = {m: LongerBars(m, self.rows) for m in DEPTHS if m > 1}
        self.frames = {minutes: Timeframe(minutes, self.rows) for minutes in DEPTHS}
        self.landmarks = {minutes: Landmarks(capacity) for minutes in followed}
        self.pocs = {minutes: BarRing(capacity, POC_BARS) for minutes in followed}
        self.book_shares = BookShares(capacity, followed)
        self.day_levels = DayLevels(self.rows)
        self.zones = Zones(settings.zones, capacity)
        self.packets = LastPacket(capacity)
        self.flow = BookFlow(capacity)
        self.profiles = SessionProfiles(self.rows)
        self.buckets = VolumeBuckets(capacity)
        self.chains = ChainMinutes(self.rows)
        self.chain_reader = ChainReader(self.rows, self.packets, self.calendar, settings.options)
        self.warmed: set[int] = set()
        self.past: dict[int, PastLevels] = {}
        self.past_minutes: dict[int, tuple[I64, I64, I64]] = {}

    def quote(self, row: int) -> tuple[float, float]:
        """A row's best bid and ask now, rupees; 0 where there is none."""
        cols = self.packets.cols[row]
        return self.rows.price(row, cols[BID]), self.rows.price(row, cols[ASK])

    def trades_at(self, at_s: int) -> bool:
        """Whether anything that is watched trades at a second."""
        segments = self.rows.segments or ["equity"]
        return any(self.calendar.is_open(segment, at_s) for segment in segments)

    @property
    def session_s(self) -> int:
        """Session time in seconds: the last TIMER, or the newest packet if that is later."""
        return max(self.normaliser.session_ns // NS, self.normaliser.newest_s)

    def add_instruments(self, instruments: Sequence[Instrument]) -> int:
        """Give instruments their rows; how many found none."""
        refused = self.rows.add(instruments)
        self.normaliser.quarantine.learn_rows()
        self.chains.chains(chains_of(self.rows.instruments))
        return refused

    def normalise(self, ticks: TickBatch) -> Clean:
        """Look at a run of ticks; `take` puts it into everything else."""
        return self.normaliser.apply(ticks)

    def take(self, clean: Clean) -> Iterator[FrameBars | None]:
        """Bars, profiles, buckets and books, part by part: a closing sees what came before it.

        None marks a point where the caller may do something else for a moment.
        """
        if not len(clean.ticks):
            return
        trades = self.minutes.read(clean)
        flow = self.flow.read(clean, trades)
        shares_of_bids = self.book_shares.read(clean)
        self.day_levels.collecting = False
        unique = clean.by.unique
        for step in self.minutes.apply(clean, trades):
            if isinstance(step, Closing):
                yield from self._close_all(step)
                continue
            self.flow.add(clean.by.row[step], clean.exch_s[step], flow[step], unique=unique)
            self.packets.keep(clean, step)
            self.book_shares.add(clean.by.row[step], shares_of_bids[step], unique=unique)
            traded = np.flatnonzero(clean.folds[step] & (clean.increment[step] > 0))
            if not len(traded):
                continue
            row, at_s, ltp, shares, side = (
                values[step][traded]
                for values in (clean.by.row, clean.at_s, clean.ticks.ltp, clean.increment,
                               trades.side)
            )  # fmt: skip
            self.profiles.apply(row, at_s, ltp, shares, clean.day, unique=unique)
            self.buckets.apply(row, at_s, ltp, shares, side, unique=unique)

    def timer(self, session_ns: int) -> Iterator[FrameBars | None]:
        """Session time passes without a packet."""
        self.normaliser.unscheduled.sync()
        self.normaliser.session_ns = max(self.normaliser.session_ns, session_ns)
        for closing in self.minutes.timer(session_ns // NS):
            yield from self._close_all(closing)

    def take_bars(self, minutes: int, bars: ClosedBars) -> Iterator[FrameBars | None]:
        """Bars that came as bars, from a file: everything that follows from them."""
        yield from self.close_until(bars.start)
        self.day_levels.collect(bars)
        yield from self._closed(minutes, bars)

    def close_until(self, upto: int) -> Iterator[FrameBars | None]:
        """Close the longer bars that end at or before a minute."""
        for length in self.longer:
            yield from self._close(length, upto)

    def learn(self, answer: HistoryAnswer) -> list[ClosedBars]:
        """Warm a row up with its history; an unknown token teaches nothing.

        Returns:
            Minutes of today that were told where their volume was uncertain.

        Raises:
            ValueError: the answer's columns are cut off.
        """
        row = int(self.rows.find(np.array([answer.token], np.int64))[0])
        if row < 0:
            return []
        upto = self.session_s // 60 if self.session_s else FOREVER
        today = ist_day(self.session_s) if self.session_s else FOREVER
        segment = segment_of(int(self.rows.hours[row]))
        minutes = minute_bars(answer, segment, self.calendar, upto, today)
        doubted = np.flatnonzero(np.isin(minutes.starts, uncertain(self.frames[1], row)))
        within = doubted[doubted >= minutes.past]
        minutes.values[FLAGS, within] |= BarFlag.BACKFILLED
        past = {length: longer_bars(minutes, length) for length in self.longer}
        warm_up(self.frames, row, {1: minutes, **past}, self.rows.divisor)
        self._forget(row)
        self._learn_value_area(row, minutes)
        self.zones.learn(row, past[ENTRY_MINUTES])
        now = slice(minutes.past, None)
        self.profiles.seed(row, today, minutes.starts[now], minutes.values[:, now])
        if row in self.past_minutes or len(self.past_minutes) < COMPOSITE_ROWS:
            self.past_minutes[row] = _last_sessions(minutes)
        usual = past[DAY].values[VOLUME, : past[DAY].past]
        if len(usual):
            self.buckets.set_size(row, int(usual.mean()))
        self.warmed.add(row)
        return _one_by_one(minutes, row, within)

    def mend(self, answer: HistoryAnswer,
             gap: tuple[int, int]) -> tuple[int, list[ClosedBars]]:  # fmt: skip
        """Bars of a row as its history tells them, where a gap lies in them; nothing fires.

        Args:
            gap: its first and its last minute.

        Returns:
            The row, -1 for an unknown token, and the minutes that were told.

        Raises:
            ValueError: the answer's columns are cut off.
        """
        row = int(self.rows.find(np.array([answer.token], np.int64))[0])
        if row < 0:
            return row, []
        segment = segment_of(int(self.rows.hours[row]))
        minutes = minute_bars(answer, segment, self.calendar, self.minutes.upto,
                              ist_day(self.session_s))  # fmt: skip
        within = np.flatnonzero((minutes.starts >= gap[0]) & (minutes.starts <= gap[1]))
        if not len(within):
            return row, []
        minutes.values[FLAGS, within] |= BarFlag.BACKFILLED
        past = {length: longer_bars(minutes, length) for length in self.longer}
        mend(self.frames, row, {1: minutes, **past}, self.rows.divisor, gap)
        self._forget(row)
        rows = np.array([row], np.int64)
        opened, closes = self.session_minutes(self.minutes.upto - 1, rows)
        hours = int(opened[0]), int(closes[0])
        for source, built in BUILT_FROM.items():
            for length in built:
                self.longer[length].mend(
                    row, self.frames[source].history, hours, self.minutes.upto, gap
                )
        return row, _one_by_one(minutes, row, within)

    def _learn_value_area(self, row: int, minutes: PastBars) -> None:
        """The value area of the last past session, unless one of its ticks is known."""
        if not minutes.past:
            return
        day = ist_day(int(minutes.opens[minutes.past - 1]) * 60)
        tick = int(self.rows.tick[row])
        if not tick or day <= self.day_levels.value_area_day[row]:
            return
        of_day = minutes.opens[: minutes.past] == minutes.opens[minutes.past - 1]
        found = levels_of(minutes.values[:, : minutes.past][:, of_day], tick,
                          float(self.rows.divisor[row]))  # fmt: skip
        if found is not None:
            self.day_levels.tell(row, day, found.val, found.vah, found.poc)

    def _forget(self, row: int) -> None:
        """A row's history was replaced: its landmarks are to be found again."""
        for length, landmarks in self.landmarks.items():
            landmarks.forget(row)
            if landmarks.forgotten >= RECALLED_AT_ONCE:
                self._recall(length)

    def _recall(self, minutes: int) -> None:
        """Find the landmarks of rows whose history was replaced."""
        frame, every = self.frames[minutes], np.arange(self.rows.capacity)
        atr = frame.indicators.value(ATR_BEFORE, every)
        self.landmarks[minutes].recall(frame.history, atr, self.rows.tick)

    def remember(self, told: Remembered) -> None:
        """Take what the store of past sessions knows."""
        tokens = np.array([level.token for level in told.levels], np.int64)
        for level, row in zip(told.levels, self.rows.find(tokens).tolist(), strict=True):
            if row >= 0:
                self.past[row] = level
                self.day_levels.tell(row, level.day, level.val, level.vah, level.poc)
        told_days = {name: np.array(days, np.float64) for name, days in told.volatility.items()}
        self.chain_reader.volatility = {**self.chain_reader.volatility, **told_days}

    def levels_now(self, row: int) -> PastLevels:
        """What the row's session says so far, to be kept for the days to come."""
        starts, values = self.frames[DAY].history.last(row, 1)
        nan = float("nan")
        profile = self.profiles.profile(row)
        found = levels(profile) if profile else None
        price = self.rows.price
        return PastLevels(
            token=int(self.rows.token[row]),
            day=ist_day(int(starts[0]) * 60) if len(starts) else -1,
            poc=found.poc if found else nan,
            vah=found.vah if found else nan,
            val=found.val if found else nan,
            high=price(row, int(values[HIGH, 0])) if len(starts) else nan,
            low=price(row, int(values[LOW, 0])) if len(starts) else nan,
            close=price(row, int(values[CLOSE, 0])) if len(starts) else nan,
        )

    def composite(self, row: int) -> Profile | None:
        """Volume by price of the last sessions and this one, in this session's bins.

        None without a developing profile, or without a history.
        """
        now = self.profiles.profile(row)
        if now is None or row not in self.past_minutes:
            return None
        divisor = float(self.rows.divisor[row])
        size = round(now.size * divisor)
        past = spread_bars(*self.past_minutes[row], size)
        base, volume = composite([past, (round(now.low * divisor) // size, now.volume)])
        return Profile(base * size / divisor, now.size, volume)

    def levels_around(self, row: int) -> Levels | None:
        """Levels of the composite profile, or of the session's where there is none."""
        profile = self.composite(row)
        if profile is None and self.day_levels.collecting:
            profile = self.day_levels.collected_profile(row)
        if profile is None:
            profile = self.profiles.profile(row)
        return levels(profile) if profile is not None else None

    def shapes(self, rows: I64) -> Shapes:
        """The profiles of the rows' sessions at a glance."""
        held = self.day_levels if self.day_levels.collecting else self.profiles
        return held.shapes(rows)

    def thinnest(self, rows: I64, one: F64, other: F64) -> F64:
        """The least volume of a bin of each session's profile between two prices: f64 (n,)."""
        held = self.day_levels if self.day_levels.collecting else self.profiles
        return held.thinnest(rows, one, other)

    def average_gap(self, row: int) -> float | None:
        """How far our tick VWAP lies from the exchange's average price, as a share of it.

        None unless every trade since the open was ours to see.
        """
        volume, turnover, _ = self.minutes.session[row].tolist()
        average = int(self.packets.cols[row][ATP])
        whole = self.normaliser.volumes.first[row] == 0 and not self.minutes.late_volume[row]
        whole &= volume == self.normaliser.volumes.last[row]
        return turnover / volume / average - 1 if whole and volume and average else None

    def chain_now(self, name: str, expiry: str) -> ChainNow | None:
        """Everything a chain says now; None where there is no such chain."""
        for series in self.chains.straddles:
            if (series.chain.name, series.chain.expiry) == (name, expiry):
                return self.chain_reader.now(series.chain, self.session_s)
        return None

    def session_minutes(self, minute: int, rows: I64) -> tuple[I64, I64]:
        """First minute of the rows' session on a minute's day, and the one after its last.

        i64 (n,) each; zeros where it is closed.
        """
        hours = self.rows.hours[rows]
        opens, closes = self.calendar.session_minutes(ist_day(minute * 60))
        return np.array(opens, np.int64)[hours], np.array(closes, np.int64)[hours]

    def _close_all(self, closing: Closing) -> Iterator[FrameBars | None]:
        for bars in closing.minutes:
            yield from self._closed(1, bars)
        yield from self.close_until(closing.upto)

    def _close(self, minutes: int, upto: int) -> Iterator[FrameBars | None]:
        for bars in self.longer[minutes].close(upto):
            yield from self._closed(minutes, bars)

    def _closed(self, minutes: int, bars: ClosedBars) -> Iterator[FrameBars | None]:
        """Bars of one length closed: they go into the longer ones and the indicators."""
        opened, closes = self.session_minutes(bars.start, bars.rows)
        for longer in BUILT_FROM[minutes]:
            yield from self._close(longer, bars.start)
            self.longer[longer].fold(bars, opened, closes)
        frame, landmarks = self.frames[minutes], self.landmarks.get(minutes)
        if landmarks is not None and landmarks.forgotten:
            self._recall(minutes)
        fresh = frame.commit(bars, opened)
        if not len(fresh.rows):
            return
        if fresh is not bars:
            opened, closes = self.session_minutes(fresh.start, fresh.rows)
        yield None
        if minutes == ENTRY_MINUTES:
            self.zones.take(fresh, opened, closes)
        if minutes <= OPENING_MINUTES:
            self.day_levels.fold(fresh, opened)
        yield None
        if landmarks is not None:
            atr = frame.indicators.value(ATR_BEFORE, fresh.rows)
            landmarks.advance(frame.history, fresh.rows, atr, self.rows.tick[fresh.rows])
            yield None
            count = frame.history.count[fresh.rows]
            shapes = self.shapes(fresh.rows)
            self.pocs[minutes].put(fresh.rows, count, shapes.low + shapes.poc * shapes.size)
            self.book_shares.close(minutes, fresh.rows, count)
        if minutes == 1:
            self.profiles.first_close(fresh.rows, fresh.values[CLOSE])
            self.chains.close(fresh, opened)
        yield FrameBars(frame, fresh, opened)
