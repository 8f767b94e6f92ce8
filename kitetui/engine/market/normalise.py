"""Normalisation: raw ticks to rows, flags, event times and volume increments."""

from __future__ import annotations

import msgspec
import numpy as np

from kitetui.engine.calendar import SEGMENTS, Calendar, ist_day
from kitetui.engine.feed.batch import FULL, I64, QUOTE, U16, Bool, Flag, TickBatch
from kitetui.engine.market.instruments import Rows

IST_OFFSET_S = 19_800
DAY_S = 86_400
NS = 1_000_000_000
_NEVER = -(1 << 62)
_AHEAD_S = 900
"""A packet this far ahead of session time is believed only when others confirm it."""
_CONFIRMATIONS = 3
_CONFIRM_WITHIN_S = 60
_TRADE_AHEAD_S = 60
"""A trade cannot be later than its packet; the exchange's two clocks differ by seconds."""


class Gap(msgspec.Struct, frozen=True):
    """A silence of the whole feed inside the session, in exchange seconds."""

    from_s: int
    to_s: int

    @property
    def seconds(self) -> int:
        return self.to_s - self.from_s


class Clean(msgspec.Struct):
    """A batch with what normalisation found out, in arrival order.

    Attributes:
        at_s: i64 (n,), the second each tick belongs to.
        exch_s: i64 (n,), the exchange second that moves the watermark; `_NEVER` moves nothing.
        increment: i64 (n,), volume since the row's last tick.
        folds: bool (n,), whether the tick is a trade (or an index value) to put into a bar.
        gaps: silences that ended in this batch.
    """

    ticks: TickBatch
    at_s: I64
    exch_s: I64
    increment: I64
    folds: Bool
    gaps: list[Gap]


class TickCounts(msgspec.Struct):
    """Ticks by what became of them; the others were used."""

    received: int = 0
    duplicates: int = 0
    late: int = 0
    rejected: int = 0
    reasons: dict[str, int] = msgspec.field(default_factory=dict)

    def reject(self, reason: str, count: int) -> None:
        """Count ticks kept out of every derivation."""
        if count:
            self.rejected += count
            self.reasons[reason] = self.reasons.get(reason, 0) + count


class Normaliser:
    """State of normalisation: one entry per row.

    Attributes:
        newest_s: the newest second seen over the feed; 0 before any. The exchange's, or where no
            packet ever carried one (quote and ltp modes) ours.
        session_ns: session time of the last TIMER; stamps packets that carry no time.
        first_volume, last_volume: i64 (rows,), cumulative volume at baseline and now.
        out_of_session_volume: i64 (rows,).
    """

    def __init__(self, rows: Rows, calendar: Calendar, gap_after_s: float) -> None:
        capacity = rows.capacity
        self._rows = rows
        self._calendar = calendar
        self._gap_after_s = int(gap_after_s)
        self.counts = TickCounts()
        self.newest_s = 0
        self._timed_s = 0
        self._doubted: list[int] = []
        self._unbased: Bool = np.zeros(capacity, np.bool_)
        self.session_ns = 0
        self.gap_count = 0
        self.epoch_day: I64 = np.full(capacity, -1, np.int64)
        self.first_volume: I64 = np.zeros(capacity, np.int64)
        self.last_volume: I64 = np.zeros(capacity, np.int64)
        self.out_of_session_volume: I64 = np.zeros(capacity, np.int64)
        self.last_exch_s: I64 = np.zeros(capacity, np.int64)
        self.last_seen_s: I64 = np.zeros(capacity, np.int64)
        self._packets = np.zeros((capacity, 23), np.uint64)
        self._gap_seen: I64 = np.zeros(capacity, np.int64)
        self._first_of_day: dict[int, int] = {}
        self._hours_day = -1
        self._open_s: I64 = np.zeros(len(SEGMENTS), np.int64)
        self._close_s: I64 = np.zeros(len(SEGMENTS), np.int64)

    def connection_live(self, first_row: int, rows: int) -> None:
        """A connection came up: each of its rows gets the server's cached tick first."""
        self._gap_seen[first_row : first_row + rows] = -1

    def apply(self, ticks: TickBatch) -> Clean:
        """Normalise one run of ticks; sets their rows and flags."""
        n = len(ticks)
        self.counts.received += n
        ticks.row = self._rows.admit(ticks.token)
        timed_before = self._timed_s
        bad = self._quarantine(ticks)
        stamp, exch_s = self._times(ticks, bad, timed_before)
        gaps, gap_index = self._gaps(exch_s)
        increment = np.zeros(n, np.int64)
        valid = np.flatnonzero(~bad)
        order = valid[np.argsort(ticks.row[valid], kind="stable")]
        if len(order):
            self._walk_rows(ticks, order, gap_index, stamp, increment)
        folds, at_s = self._destination(ticks, stamp, exch_s, increment, bad)
        if len(exch_s):
            self.newest_s = max(self.newest_s, int(exch_s.max()))
        return Clean(ticks, at_s, exch_s, increment, folds, gaps)

    def _quarantine(self, ticks: TickBatch) -> Bool:
        unknown: Bool = ticks.row < 0
        zero = (ticks.ltp == 0) & ~unknown
        ahead = self._ahead(ticks.exch_s, unknown | zero)
        self.counts.reject("no_row_left", int(unknown.sum()))
        self.counts.reject("zero_price", int(zero.sum()))
        self.counts.reject("time_ahead", int(ahead.sum()))
        bad: Bool = unknown | zero | ahead
        ticks.flags[bad] |= Flag.REJECTED
        return bad

    def _ahead(self, exch_s: I64, bad: Bool) -> Bool:
        """Packets whose time nobody confirms: one wrong clock must not close every bar.

        After a long silence the first packets are ahead too: the third that agrees is believed.
        """
        out = np.zeros(len(exch_s), np.bool_)
        known = max(self._timed_s, self.session_ns // NS if self._timed_s else 0)
        timed = (exch_s > 0) & ~bad
        if not timed.any():
            return out
        if known and int(exch_s[timed].max()) <= known + _AHEAD_S:
            self._timed_s = max(self._timed_s, int(exch_s[timed].max()))
            self._doubted.clear()
            return out
        for at in np.flatnonzero(timed).tolist():
            second = int(exch_s[at])
            if known and second > known + _AHEAD_S:
                self._doubted = [
                    d for d in self._doubted if abs(d - second) <= _CONFIRM_WITHIN_S
                ] + [second]
                if len(self._doubted) < _CONFIRMATIONS:
                    out[at] = True
                    continue
            self._doubted.clear()
            known = max(known, second)
            self._timed_s = max(self._timed_s, second)
        return out

    def _times(self, ticks: TickBatch, bad: Bool, timed_before: int) -> tuple[I64, I64]:
        """Each tick's own second, and the second that moves the watermark (or never)."""
        timed = (ticks.exch_s > 0) & ~bad
        exch_s = np.where(timed, ticks.exch_s, _NEVER)
        if timed.all():
            return ticks.exch_s, exch_s
        known = max(timed_before, self.session_ns // NS if timed_before else 0) or _NEVER
        running = np.maximum(np.maximum.accumulate(exch_s), known)
        ours = ticks.recv_ns // NS
        untimed = ~timed & (running < 0)
        stamp = np.where(timed, ticks.exch_s, np.where(untimed, ours, running))
        return stamp, np.where(untimed & ~bad, ours, exch_s)

    def _gaps(self, exch_s: I64) -> tuple[list[Gap], I64]:
        """Silences that end here, and for each tick how many silences lie before it."""
        before = np.empty_like(exch_s)
        before[0:1] = self.newest_s or _NEVER
        np.maximum.accumulate(exch_s[:-1], out=before[1:])
        np.maximum(before, self.newest_s or _NEVER, out=before)
        found: list[Gap] = []
        index = np.full(len(exch_s), self.gap_count, np.int64)
        for at in np.flatnonzero((exch_s - before > self._gap_after_s) & (before > 0)):
            gap = self._inside_session(int(before[at]), int(exch_s[at]))
            if gap is not None and gap.seconds > self._gap_after_s:
                found.append(gap)
                self.gap_count += 1
                index[at:] += 1
        return found, index

    def _inside_session(self, from_s: int, to_s: int) -> Gap | None:
        session = self._calendar.session("equity_derivatives", ist_day(to_s))
        if session is None:
            return None
        start, end = max(from_s, session.open_s), min(to_s, session.close_s)
        return Gap(start, end) if end > start else None

    def _walk_rows(
        self, ticks: TickBatch, order: I64, gap_index: I64, stamp: I64, increment: I64
    ) -> None:
        """Everything that compares a tick with its row's previous one; `order` sorts by row."""
        row = ticks.row[order].astype(np.int64)
        first = np.empty(len(row), np.bool_)
        first[0] = True
        np.not_equal(row[1:], row[:-1], out=first[1:])
        last = np.append(first[1:], True)
        flags = ticks.flags[order]

        packets = ticks.packets[order].view(np.uint64)
        same = np.empty(len(row), np.bool_)
        same[1:] = (packets[1:] == packets[:-1]).all(axis=1)
        same[first] = (packets[first] == self._packets[row[first]]).all(axis=1)
        self._packets[row[last]] = packets[last]
        flags[same] |= Flag.DUPLICATE

        seen = np.empty(len(row), np.int64)
        ordered_gaps = gap_index[order]
        seen[1:] = ordered_gaps[:-1]
        seen[first] = self._gap_seen[row[first]]
        self._gap_seen[row[last]] = ordered_gaps[last]
        flags[seen < ordered_gaps] |= Flag.GAP_BEFORE
        flags[seen < 0] |= Flag.CACHED_FIRST

        ticks.flags[order] = flags  # the rule of the first tick reads flags in arrival order
        self._volumes(ticks, order, row, flags, stamp, increment)
        ticks.flags[order] = flags
        self.last_seen_s[row[last]] = stamp[order][last]

    def _volumes(
        self, ticks: TickBatch, order: I64, row: I64, flags: U16, stamp: I64, increment: I64
    ) -> None:
        """Cumulative volume to increments against the running maximum of (row, date)."""
        days = (stamp[order] + IST_OFFSET_S) // DAY_S
        odd_row = np.zeros(self._rows.capacity, np.bool_)
        bearing = ticks.length[order] >= QUOTE
        odd_row[row[days != self.epoch_day[row]]] = True
        odd_row[row[bearing & self._unbased[row]]] = True
        odd_row[row[self._stepped_back(ticks, order, row)]] = True
        odd = odd_row[row]
        for at in np.flatnonzero(odd).tolist():
            self._first_of_epoch(
                ticks, order, at, int(row[at]), int(days[at]), flags, increment, bool(bearing[at])
            )
        plain = np.flatnonzero(bearing & ~odd)
        if not len(plain):
            return
        plain_row = row[plain].astype(np.int64)
        volume = ticks.volume[order[plain]]
        first = np.empty(len(plain), np.bool_)
        first[0] = True
        np.not_equal(plain_row[1:], plain_row[:-1], out=first[1:])
        group = np.cumsum(first) - 1
        lift = group << 33
        before = self.last_volume[plain_row[first]]
        running = volume + lift
        running[first] = np.maximum(running[first], before + lift[first])
        running = np.maximum.accumulate(running) - lift
        previous = np.empty_like(running)
        previous[1:] = running[:-1]
        previous[first] = before
        increment[order[plain]] = running - previous
        last = np.append(first[1:], True)
        self.last_volume[plain_row[last]] = running[last]
        uncertain = ((flags[plain] & Flag.GAP_BEFORE) != 0) & (running > previous)
        flags[plain[uncertain]] |= Flag.VOLUME_UNCERTAIN

    def _stepped_back(self, ticks: TickBatch, order: I64, row: I64) -> Bool:
        """Quote packets, which carry no time, whose volume is below what their row had."""
        quote: Bool = ticks.length[order] == QUOTE
        if not quote.any():
            return quote
        volume = ticks.volume[order]
        before = np.append(0, volume[:-1])
        same = np.append(False, row[1:] == row[:-1])
        return quote & ((volume < self.last_volume[row]) | (same & (volume < before)))

    def _first_of_epoch(
        self, ticks: TickBatch, order: I64, at: int, row: int, day: int, flags: U16,
        increment: I64, bearing: bool,
    ) -> None:  # fmt: skip
        """A tick of a row whose date or baseline changes in this run, one at a time."""
        if day < self.epoch_day[row]:
            flags[at] |= Flag.STALE
            return
        position = int(order[at])
        if day > self.epoch_day[row]:
            self.epoch_day[row] = day
            self._unbased[row] = True
            self.first_volume[row] = self.last_volume[row] = 0
        if not bearing:
            return
        volume = int(ticks.volume[position])
        if self._unbased[row]:
            self._unbased[row] = False
            if not self._connected_since_open(ticks, position, day, row):
                self.first_volume[row] = self.last_volume[row] = volume
                flags[at] |= Flag.VOLUME_UNCERTAIN
        elif ticks.length[position] == QUOTE and volume * 2 < self.last_volume[row]:
            # Without a time, a fall to less than half is a new day's count, not a late packet.
            self.first_volume[row] += volume - self.last_volume[row]
            self.last_volume[row] = volume
            flags[at] |= Flag.VOLUME_UNCERTAIN
        if volume > self.last_volume[row]:
            increment[position] = volume - self.last_volume[row]
            self.last_volume[row] = volume
            if flags[at] & Flag.GAP_BEFORE:
                flags[at] |= Flag.VOLUME_UNCERTAIN

    def _connected_since_open(self, ticks: TickBatch, position: int, day: int, row: int) -> bool:
        """Whether any earlier packet of that date came before the row's session opened."""
        session = self._calendar.session(SEGMENTS[self._rows.hours[row]], day)
        if session is None:
            return False
        earliest = self._first_of_day.get(day, 1 << 62)
        before = ticks.exch_s[:position]
        usable = (before > 0) & (
            (ticks.flags[:position] & (Flag.CACHED_FIRST | Flag.REJECTED)) == 0
        )
        usable &= (before + IST_OFFSET_S) // DAY_S == day
        if usable.any():
            earliest = min(earliest, int(before[usable].min()))
        return earliest <= session.open_s

    def _destination(
        self, ticks: TickBatch, stamp: I64, exch_s: I64, increment: I64, bad: Bool
    ) -> tuple[Bool, I64]:
        """Which ticks go into a bar, and of which second; session and counters on the way."""
        flags = ticks.flags
        row = np.maximum(ticks.row, 0)
        trade_time = (ticks.length == FULL) & (ticks.ltt_s > 0)
        trade_time &= ticks.ltt_s <= stamp + _TRADE_AHEAD_S
        at_s = np.where(trade_time, ticks.ltt_s, stamp)
        out = ((flags & (Flag.DUPLICATE | Flag.STALE)) != 0) | bad
        bearing = ticks.length >= QUOTE
        cached = (flags & Flag.CACHED_FIRST) != 0
        fresh = ~cached | (exch_s > np.maximum(self.last_exch_s[row], 1))
        fresh &= ~(cached & (self.last_exch_s[row] == 0))
        folds = np.where(bearing, increment > 0, fresh) & ~out
        self._flag_session(ticks, at_s, row)
        outside = folds & ((flags & Flag.OUT_OF_SESSION) != 0)
        np.add.at(self.out_of_session_volume, row[outside], increment[outside])
        folds &= ~outside

        counts = self.counts
        counts.duplicates += int(((flags & Flag.DUPLICATE) != 0).sum())
        counts.late += int(((flags & (Flag.STALE | Flag.DUPLICATE)) == Flag.STALE).sum())
        timed = (exch_s > 0) & ~out
        np.maximum.at(self.last_exch_s, row[timed], exch_s[timed])
        counted = (exch_s > 0) & ~bad & ~cached
        if counted.any():
            seconds = exch_s[counted]
            for day in np.unique((seconds + IST_OFFSET_S) // DAY_S).tolist():
                earliest = int(seconds[(seconds + IST_OFFSET_S) // DAY_S == day].min())
                self._first_of_day[day] = min(self._first_of_day.get(day, earliest), earliest)
        return folds, at_s

    def _flag_session(self, ticks: TickBatch, at_s: I64, row: I64) -> None:
        days = (at_s + IST_OFFSET_S) // DAY_S
        hours = self._rows.hours[row]
        unique = [int(days[0])] if len(days) and (days == days[0]).all() else np.unique(days)
        for day in unique:
            self._set_hours(int(day))
            of_day = days == day
            inside = (at_s >= self._open_s[hours]) & (at_s < self._close_s[hours])
            ticks.flags[of_day & ~inside] |= Flag.OUT_OF_SESSION

    def _set_hours(self, day: int) -> None:
        if day == self._hours_day:
            return
        self._hours_day = day
        for at, segment in enumerate(SEGMENTS):
            session = self._calendar.session(segment, day) if 0 <= day < 1 << 17 else None
            self._open_s[at] = session.open_s if session else 0
            self._close_s[at] = session.close_s if session else 0
