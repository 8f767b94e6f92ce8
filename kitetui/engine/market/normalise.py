"""Normalisation: raw ticks to rows, flags, event times and volume increments."""

from __future__ import annotations

from hashlib import blake2b

import msgspec
import numpy as np
import numpy.typing as npt

from kitetui.engine.calendar import DAY_S, IST_OFFSET_S, Calendar, ist_day
from kitetui.engine.feed.batch import FULL, I32, I64, PACKET_MAX, QUOTE, U8, Bool, Flag, TickBatch
from kitetui.engine.market.by_row import ByRow
from kitetui.engine.market.hours import SessionHours
from kitetui.engine.market.increments import Increments
from kitetui.engine.market.instruments import Rows
from kitetui.engine.market.quarantine import NEVER, Quarantine, TickCounts
from kitetui.engine.market.unscheduled import Opened, Unscheduled
from kitetui.settings import NormaliseSettings

NS = 1_000_000_000
U64 = npt.NDArray[np.uint64]
_FACTORS: U64 = np.array(
    [int.from_bytes(blake2b(bytes([n]), digest_size=8).digest(), "big") | 1
     for n in range(PACKET_MAX // 8)], np.uint64,
)  # fmt: skip
_TRADE_AHEAD_S = 60
"""A trade cannot be later than its packet; the exchange's two clocks differ by seconds."""


def fingerprints(packets: U8) -> U64:
    """64 bits of each packet, u8 (n, 184): two that differ share one in 2^63 cases.

    A multilinear hash over fixed odd factors; remembered instead of the packets, since a look at
    each row's last 184 bytes would cost more than all else that is asked of a tick.
    """
    found: U64 = np.ascontiguousarray(packets).view(np.uint64) @ _FACTORS
    found ^= found >> np.uint64(29)
    mixed: U64 = found * _FACTORS[0]
    return mixed


class Silence(msgspec.Struct, frozen=True):
    """A silence of the whole feed inside the session, in exchange seconds.

    `at`: the place in its run of the tick that ended it.
    """

    from_s: int
    to_s: int
    at: int = 0

    @property
    def seconds(self) -> int:
        return self.to_s - self.from_s


class Clean(msgspec.Struct):
    """Ticks that can be used, with what normalisation found out, in arrival order.

    Attributes:
        by: the ticks against the state of their rows.
        at_s: i64 (n,), the second each tick belongs to.
        exch_s: i64 (n,), the exchange second that moves the watermark; `NEVER` moves nothing.
        increment: i64 (n,), volume since the row's last tick.
        folds: bool (n,), whether the tick is a trade (or an index value) to put into a bar.
        silences: those that ended in this run.
        run: all ticks that arrived, refused ones included; kept: the places of the usable ones
            among them, None where all are usable.
        full: whether all usable ones are full packets.
        day: the IST date of every `at_s`; None where there are several.
    """

    ticks: TickBatch
    by: ByRow
    at_s: I64
    exch_s: I64
    increment: I64
    folds: Bool
    silences: list[Silence]
    run: TickBatch
    kept: I64 | None = None
    full: bool = False
    day: int | None = None

    def whole(self) -> Run:
        """The run as it arrived, refused ticks at their places."""
        if self.kept is None:
            return Run(self.ticks, self.increment)
        self.run.flags[self.kept] = self.ticks.flags
        increment = np.zeros(len(self.run), np.int64)
        increment[self.kept] = self.increment
        return Run(self.run, increment)


class Run(msgspec.Struct):
    """A run of ticks as sinks take it: with rows, flags and volume increments."""

    ticks: TickBatch
    increment: I64


class Normaliser:
    """State of normalisation: one entry per row.

    Attributes:
        newest_s: the newest second seen over the feed; 0 before any. The exchange's, or where no
            packet ever carried one (quote and ltp modes) ours.
        session_ns: session time of the last TIMER; stamps packets that carry no time.
        out_of_session_volume: i64 (rows,).
    """

    def __init__(self, rows: Rows, calendar: Calendar, gap_after_s: float,
                 settings: NormaliseSettings) -> None:  # fmt: skip
        capacity = rows.capacity
        self._rows = rows
        self._calendar = calendar
        self._gap_after_s = int(gap_after_s)
        self.counts = TickCounts()
        self.quarantine = Quarantine(rows, settings, self.counts)
        self._hours = SessionHours(calendar)
        self.unscheduled = Unscheduled(rows, calendar)
        self.volumes = Increments(rows, self._hours)
        self.newest_s = 0
        self.session_ns = 0
        self.gap_count = 0
        self.out_of_session_volume: I64 = np.zeros(capacity, np.int64)
        self.last_exch_s: I64 = np.zeros(capacity, np.int64)
        self.last_seen_s: I64 = np.zeros(capacity, np.int64)
        self._fingerprints: U64 = np.zeros(capacity, np.uint64)
        self._gap_seen: I64 = np.zeros(capacity, np.int64)
        self._stamp: I32 = np.zeros(capacity, np.int32)

    def connection_live(self, rows: I64 | I32) -> None:
        """A connection came up: each of its rows gets the server's cached tick first."""
        self._gap_seen[rows] = -1

    def join(self, rows: I64 | I32) -> None:
        """Rows are subscribed while others are already: their first tick is the server's memory,
        and nothing is known of their volume before it."""
        self.connection_live(rows)
        self.volumes.join(rows)

    def apply(self, run: TickBatch) -> Clean:
        """Normalise one run of ticks; sets their rows and flags."""
        self.unscheduled.sync()
        self.counts.received += len(run)
        run.row = self._rows.admit(run.token)
        timed_before = self.quarantine.timed_s
        bad = self.quarantine.look(run, self.session_ns // NS)
        kept = np.flatnonzero(~bad) if bad is not None else None
        ticks = run if kept is None else run.take(kept)
        stamp, exch_s = self._times(ticks, timed_before)
        day = _only_day(stamp)
        stale = self._stale(ticks, stamp, day)
        if stale is not None:
            run.flags[stale if kept is None else kept[stale]] |= Flag.STALE
            fresh = np.flatnonzero(~stale)
            kept = fresh if kept is None else kept[fresh]
            ticks, stamp, exch_s = ticks.take(fresh), stamp[fresh], exch_s[fresh]
            day = _only_day(stamp)
        silences, gap_index = self._silences(exch_s)
        by = ByRow(ticks.row, self._stamp)
        self._compare(ticks, by, gap_index)
        full = np.count_nonzero(ticks.length == FULL) == len(ticks)
        increment = self.volumes.read(ticks, by, stamp, exch_s, day, full)
        clean = Clean(ticks, by, stamp, exch_s, increment, np.zeros(0, np.bool_), silences, run,
                      kept, full)  # fmt: skip
        if len(ticks):
            self._destination(clean, stamp)
            self.newest_s = max(self.newest_s, int(exch_s.max()))
        return clean

    def _times(self, ticks: TickBatch, timed_before: int) -> tuple[I64, I64]:
        """Each tick's own second, and the second that moves the watermark (or never)."""
        if np.count_nonzero(ticks.exch_s) == len(ticks):
            return ticks.exch_s, ticks.exch_s
        timed = ticks.exch_s > 0
        exch_s = np.where(timed, ticks.exch_s, NEVER)
        running = np.maximum.accumulate(exch_s)
        if timed_before:
            running = np.maximum(running, timed_before)
        # Session time counts once any packet has told the exchange's.
        running = np.where(running > 0, np.maximum(running, self.session_ns // NS), running)
        ours = ticks.recv_ns // NS
        untimed = ~timed & (running < 0)
        stamp = np.where(timed, ticks.exch_s, np.where(untimed, ours, running))
        return stamp, np.where(untimed, ours, exch_s)

    def _stale(self, ticks: TickBatch, stamp: I64, day: int | None) -> Bool | None:
        """Ticks of a date before their row's own, or None where there is none."""
        row = ticks.row
        if not len(row) or (day is not None and int(self.volumes.epoch_day[row].max()) <= day):
            return None
        days = (stamp + IST_OFFSET_S) // DAY_S
        newest: dict[int, int] = {}
        held = self.volumes.epoch_day[row].tolist()
        out = np.zeros(len(days), np.bool_)
        for at, (r, day) in enumerate(zip(row.tolist(), days.tolist(), strict=True)):
            newest[r] = max(newest.get(r, held[at]), day)
            out[at] = day < newest[r]
        self.counts.late += int(out.sum())
        return out if out.any() else None

    def _silences(self, exch_s: I64) -> tuple[list[Silence], I64 | None]:
        """Silences that end here, and for each tick how many silences lie before it.

        None stands for the same number at every tick: `gap_count`.
        """
        newest_s = self.newest_s or NEVER
        if not len(exch_s) or (self.newest_s and int(exch_s.max()) - newest_s <= self._gap_after_s):
            return [], None
        before = np.empty_like(exch_s)
        before[0] = newest_s
        np.maximum.accumulate(exch_s[:-1], out=before[1:])
        np.maximum(before, newest_s, out=before)
        found: list[Silence] = []
        index = np.full(len(exch_s), self.gap_count, np.int64)
        for at in np.flatnonzero((exch_s - before > self._gap_after_s) & (before > 0)):
            gap = self.inside_session(int(before[at]), int(exch_s[at]), closed_too=True)
            if gap is not None and gap.seconds > self._gap_after_s:
                found.append(msgspec.structs.replace(gap, at=int(at)))
                self.gap_count += 1
                index[at:] += 1
        return found, index

    def inside_session(self, from_s: int, to_s: int, *, closed_too: bool = False) -> Silence | None:
        """What of a stretch lies in the sessions of the day it ends on; None where nothing does.

        `closed_too`: of a closed day the usual hours count: a packet of it may just open it.
        """
        day = ist_day(to_s)
        sessions = [self._calendar.session(segment, day)
                    or (self._calendar.usual(segment, day) if closed_too else None)
                    for segment in self._rows.segments]  # fmt: skip
        kept = [session for session in sessions if session is not None]
        if not kept:
            return None
        start = max(from_s, min(session.open_s for session in kept))
        end = min(to_s, max(session.close_s for session in kept))
        return Silence(start, end) if end > start else None

    def _compare(self, ticks: TickBatch, by: ByRow, gap_index: I64 | None) -> None:
        """Duplicates, and silences since the row's last packet."""
        prints = fingerprints(ticks.packets)
        same = prints == by.previous(prints, self._fingerprints)
        if np.count_nonzero(same):
            ticks.flags[same] |= Flag.DUPLICATE
            self.counts.duplicates += int(same.sum())
        if gap_index is None and not np.count_nonzero(self._gap_seen[by.row] != self.gap_count):
            return
        gaps = np.full(len(by.row), self.gap_count) if gap_index is None else gap_index
        seen = by.previous(gaps, self._gap_seen)
        missed = seen < gaps
        if missed.any():
            ticks.flags[missed] |= Flag.GAP_BEFORE
            ticks.flags[seen < 0] |= Flag.CACHED_FIRST

    def _destination(self, clean: Clean, stamp: I64) -> None:
        """Which ticks go into a bar, and of which second; session and counters on the way."""
        ticks, row, flags = clean.ticks, clean.by.row, clean.ticks.flags
        traded_s = ticks.ltt_s
        trade_time: Bool = (traded_s > 0) & (traded_s <= stamp + _TRADE_AHEAD_S)
        if not clean.full:
            trade_time &= ticks.length == FULL
        clean.at_s = np.where(trade_time, traded_s, stamp)
        clean.folds = clean.increment > 0
        marked = np.count_nonzero(flags) > 0
        cached = (flags & Flag.CACHED_FIRST) != 0 if marked else None
        if not clean.full:
            fresh = np.ones(len(row), np.bool_)
            if cached is not None:  # the server's memory is a trade only where it is news to us
                seen_s = self.last_exch_s[row]
                fresh = ~cached | ((seen_s > 0) & (clean.exch_s > seen_s))
            clean.folds = np.where(ticks.length >= QUOTE, clean.folds, fresh)
        told_s = clean.exch_s
        if marked:
            duplicate = (flags & Flag.DUPLICATE) != 0
            clean.folds &= ~duplicate
            told_s = np.where(duplicate, NEVER, told_s)
        self._mark_session(clean)
        if clean.by.unique:
            self.last_exch_s[row] = np.maximum(self.last_exch_s[row], told_s)
        else:
            np.maximum.at(self.last_exch_s, row, told_s)
        self.last_seen_s[row] = stamp  # the last of a row's ticks stays
        self.volumes.note_times(clean.exch_s if cached is None else clean.exch_s[~cached])

    def _mark_session(self, clean: Clean) -> None:
        """Flag ticks outside the continuous session; they go into no bar."""
        at_s = clean.at_s
        first_s, last_s = int(at_s.min()), int(at_s.max())
        if ist_day(first_s) == ist_day(last_s):
            clean.day = ist_day(first_s)
            of = self._hours.on(clean.day)
            if of.all_from_s <= first_s and last_s < of.all_until_s:
                return
        hours = self._rows.hours[clean.by.row]
        days = (at_s + IST_OFFSET_S) // DAY_S
        opened = self._open_days(clean, hours, days)
        for day in np.unique(days).tolist():
            of = self._hours.on(day)
            of_day = days == day
            inside = (at_s >= of.open_s[hours]) & (at_s < of.close_s[hours])
            for one in opened:  # what came before a day was opened stays outside
                if one.day == day:
                    inside[: one.at + 1] &= hours[: one.at + 1] != one.hours
            clean.ticks.flags[of_day & ~inside] |= Flag.OUT_OF_SESSION
            early = of_day & (at_s >= of.pre_open_s[hours]) & (at_s < of.open_s[hours])
            clean.ticks.flags[early] |= Flag.PRE_OPEN
        outside = clean.folds & ((clean.ticks.flags & Flag.OUT_OF_SESSION) != 0)
        np.add.at(self.out_of_session_volume, clean.by.row[outside], clean.increment[outside])
        clean.folds &= ~outside

    def _open_days(self, clean: Clean, hours: I32, days: I64) -> list[Opened]:
        """Days that the calendar has closed, and that trades in a run show to be open."""
        closed = np.zeros(len(days), np.bool_)
        for day in np.unique(days).tolist():
            closed |= (days == day) & (self._hours.on(day).close_s[hours] == 0)
        if not closed.any():
            return []
        ticks = clean.ticks
        closed &= clean.folds & (ticks.length == FULL) & (ticks.ltt_s == clean.at_s)
        return self.unscheduled.look(clean.by.row, clean.at_s, np.flatnonzero(closed))


def _only_day(seconds: I64) -> int | None:
    """The IST date of all seconds, None where there are several or none."""
    if not len(seconds):
        return None
    first, last = ist_day(int(seconds.min())), ist_day(int(seconds.max()))
    return first if first == last else None
