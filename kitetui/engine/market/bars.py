"""Minute bars from ticks, longer bars from minutes, and a fixed history per row."""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntFlag

import msgspec
import numpy as np

from kitetui.engine.feed.batch import FULL, I32, I64, Flag
from kitetui.engine.market.instruments import Rows
from kitetui.engine.market.normalise import Clean

ALLOWANCE_S = 2
"""Seconds that trades may lag behind the newest packet before their minute closes."""
_NEVER = -(1 << 40)

FIELDS = ("open", "high", "low", "close", "volume", "buy", "sell", "turnover", "oi", "ticks",
          "flags", "largest")  # fmt: skip
"""Columns of a bar, integers: raw prices; shares; turnover = sum of price times shares;
`largest` is the biggest volume increment of one tick."""
OPEN, HIGH, LOW, CLOSE, VOLUME, BUY, SELL, TURNOVER, OI, TICKS, FLAGS, LARGEST = range(12)


class BarFlag(IntFlag):
    """What is known to be wrong with a bar."""

    VOLUME_UNCERTAIN = 1
    AFTER_GAP = 2


class ClosedBars(msgspec.Struct):
    """Bars of one period that closed together.

    Attributes:
        start: their first minute (minutes since the epoch).
        rows: i64 (n,), ascending.
        values: i64 (len(FIELDS), n).
    """

    start: int
    rows: I64
    values: I64


class Closing(msgspec.Struct):
    """All minutes before `upto` are closed; `minutes` holds those that had trades, in order."""

    upto: int
    minutes: list[ClosedBars]


class MinuteBars:
    """The open minutes of every row: at most two, told apart by the minute's parity.

    Attributes:
        upto: minutes before this one are closed.
        late_volume: i64 (rows,), volume of trades whose minute was closed; `late_ticks` counts.
        session_*: totals of the row's day.
    """

    def __init__(self, rows: Rows) -> None:
        capacity = rows.capacity
        self.upto = _NEVER
        self.minute: I64 = np.full((2, capacity), -1, np.int64)
        self.values: I64 = np.zeros((2, len(FIELDS), capacity), np.int64)
        self.late_volume: I64 = np.zeros(capacity, np.int64)
        self.late_ticks = 0
        self.bar_volume: I64 = np.zeros(capacity, np.int64)
        self.session_day: I64 = np.full(capacity, -1, np.int64)
        self.session_volume: I64 = np.zeros(capacity, np.int64)
        self.session_turnover: I64 = np.zeros(capacity, np.int64)
        self.session_ticks: I64 = np.zeros(capacity, np.int64)
        self.ltp: I64 = np.zeros(capacity, np.int64)
        self._day_high: I64 = np.zeros(capacity, np.int64)
        self._day_low: I64 = np.zeros(capacity, np.int64)
        self._bid: I64 = np.zeros(capacity, np.int64)
        self._ask: I64 = np.zeros(capacity, np.int64)
        self._sign: I64 = np.zeros(capacity, np.int64)
        self._uncertain: I64 = np.full((2, capacity), -1, np.int64)
        self._gapped: I64 = np.full((2, capacity), -1, np.int64)

    def apply(self, clean: Clean) -> Iterator[Closing]:
        """Fold ticks in order; yields each closing at the very point where it happens."""
        minute = clean.at_s // 60
        trades = self._trades(clean)
        # A tick is folded before its own time moves the watermark; a trade two minutes ahead
        # closes what lies before, so that two open minutes a row are enough.
        passed = np.full(len(minute), _NEVER, np.int64)
        moves = np.where(clean.exch_s > 0, (clean.exch_s - ALLOWANCE_S) // 60, _NEVER)
        passed[1:] = moves[:-1]
        passed = np.maximum(passed, np.where(clean.folds, minute - 1, _NEVER))
        passed = np.maximum(np.maximum.accumulate(passed), self.upto)
        late = clean.folds & (minute < passed)
        clean.ticks.flags[late] |= Flag.LATE
        self.late_ticks += int(late.sum())
        folds = clean.folds & ~late
        cuts = (np.flatnonzero(np.diff(passed)) + 1).tolist()
        for start, stop in zip([0, *cuts], [*cuts, len(minute)], strict=True):
            if start == stop:
                continue
            if passed[start] > self.upto:
                yield self._close(int(passed[start]))
            run = np.arange(start, stop)
            self._mark(clean, run, minute)
            self._count_session(clean, run[clean.folds[start:stop]])
            self._fold(clean, run[folds[start:stop]], minute, trades)
            missed = run[late[start:stop]]
            np.add.at(self.late_volume, clean.ticks.row[missed], clean.increment[missed])
        if len(moves) and int(moves.max()) > self.upto:
            yield self._close(int(moves.max()))

    def timer(self, session_s: int) -> Iterator[Closing]:
        """Session time passes without a packet."""
        upto = (session_s - ALLOWANCE_S) // 60
        if session_s > 0 and upto > self.upto:
            yield self._close(upto)

    def open_bars(self, row: int) -> list[tuple[int, I64]]:
        """The row's open minutes, oldest first, as (minute, values)."""
        found = [
            (int(self.minute[slot, row]), self.values[slot, :, row].copy())
            for slot in (0, 1)
            if self.minute[slot, row] >= 0
        ]
        return sorted(found, key=lambda item: item[0])

    def _mark(self, clean: Clean, run: I64, minute: I64) -> None:
        """Remember the minutes whose volume cannot be trusted, traded or not."""
        flags = clean.ticks.flags[run]
        for bit, marks in (
            (Flag.VOLUME_UNCERTAIN, self._uncertain),
            (Flag.GAP_BEFORE, self._gapped),
        ):
            at = run[(flags & bit) != 0]
            np.maximum.at(marks, (minute[at] & 1, clean.ticks.row[at]), minute[at])

    def _trades(self, clean: Clean) -> tuple[I64, I64, I64]:
        """Side, highest and lowest price of what each tick reports.

        The side is +1 buy, -1 sell, 0 unknown: at or above the ask before the trade is a buy, at
        or below the bid a sell, between them the tick rule (Lee and Ready, 1991). A snapshot
        lumps trades: a new high or low of the day in the packet is one of them.
        """
        ticks = clean.ticks
        side = np.zeros(len(ticks), np.int64)
        high = ticks.ltp.copy()
        low = ticks.ltp.copy()
        usable = np.flatnonzero((ticks.flags & (Flag.REJECTED | Flag.STALE)) == 0)
        if not len(usable):
            return side, high, low
        order = usable[np.argsort(ticks.row[usable], kind="stable")]
        row = ticks.row[order].astype(np.int64)
        first = np.append(True, row[1:] != row[:-1])
        last = np.append(first[1:], True)

        def previous(values: I64, stored: I64) -> I64:
            out = np.empty_like(values)
            out[1:] = values[:-1]
            out[first] = stored[row[first]]
            stored[row[last]] = values[last]
            return out

        ltp = ticks.ltp[order]
        ltp_before = previous(ltp, self.ltp)
        change = np.where(ltp_before > 0, np.sign(ltp - ltp_before), 0)
        bid = previous(ticks.depth[order, 0, 1], self._bid)
        ask = previous(ticks.depth[order, 5, 1], self._ask)
        place = np.arange(len(row))
        anchor = np.maximum.accumulate(np.where((change != 0) | first, place, 0))
        carried = np.where(change[anchor] != 0, change[anchor], self._sign[row])
        self._sign[row[last]] = carried[last]
        side[order] = np.where(
            (ask > 0) & (ltp >= ask), 1, np.where((bid > 0) & (ltp <= bid), -1, carried)
        )

        sure = (ticks.flags[order] & (Flag.GAP_BEFORE | Flag.VOLUME_UNCERTAIN)) == 0
        sure &= ticks.length[order] == FULL
        day_high, day_low = ticks.high[order], ticks.low[order]
        high_before = previous(day_high, self._day_high)
        low_before = previous(day_low, self._day_low)
        higher = sure & (high_before > 0) & (day_high > high_before)
        lower = sure & (day_low > 0) & (day_low < low_before)
        high[order] = np.where(higher, np.maximum(day_high, ltp), ltp)
        low[order] = np.where(lower, np.minimum(day_low, ltp), ltp)
        return side, high, low

    def _fold(self, clean: Clean, run: I64, minute: I64, trades: tuple[I64, I64, I64]) -> None:
        """Put trades into their bars; no closing lies between them."""
        if not len(run):
            return
        ticks = clean.ticks
        capacity = self.minute.shape[1]
        key = (minute[run] & 1) * capacity + ticks.row[run]
        order = np.argsort(key, kind="stable")
        run, key = run[order], key[order]
        starts = np.flatnonzero(np.append(True, key[1:] != key[:-1]))
        stops = np.append(starts[1:], len(run)) - 1
        slot, row = np.divmod(key[starts], capacity)
        side, high, low = (values[run] for values in trades)
        ltp = ticks.ltp[run]
        shares = clean.increment[run]
        head = minute[run[starts]]
        begun = self.minute[slot, row] != head
        values = self.values[slot, :, row].T
        values[:, begun] = 0
        values[LOW, begun] = 1 << 62
        values[OPEN, begun] = ltp[starts[begun]]
        values[HIGH] = np.maximum(values[HIGH], np.maximum.reduceat(high, starts))
        values[LOW] = np.minimum(values[LOW], np.minimum.reduceat(low, starts))
        values[CLOSE] = ltp[stops]
        values[VOLUME] += np.add.reduceat(shares, starts)
        values[BUY] += np.add.reduceat(np.where(side > 0, shares, 0), starts)
        values[SELL] += np.add.reduceat(np.where(side < 0, shares, 0), starts)
        values[TURNOVER] += np.add.reduceat(ltp * shares, starts)
        values[OI] = ticks.oi[run[stops]]
        values[TICKS] += stops - starts + 1
        values[LARGEST] = np.maximum(values[LARGEST], np.maximum.reduceat(shares, starts))
        self.minute[slot, row] = head
        self.values[slot, :, row] = values.T
        np.add.at(self.bar_volume, ticks.row[run], shares)

    def _count_session(self, clean: Clean, run: I64) -> None:
        rows = clean.ticks.row[run]
        days = (clean.at_s[run] + 19_800) // 86_400
        turned = days > self.session_day[rows]
        if turned.any():
            np.maximum.at(self.session_day, rows, days)
            for total in (self.session_volume, self.session_turnover, self.session_ticks):
                total[rows[turned]] = 0
        current = days == self.session_day[rows]
        rows, run = rows[current], run[current]
        shares = clean.increment[run]
        np.add.at(self.session_volume, rows, shares)
        np.add.at(self.session_turnover, rows, shares * clean.ticks.ltp[run])
        np.add.at(self.session_ticks, rows, 1)

    def _close(self, upto: int) -> Closing:
        done: list[ClosedBars] = []
        for slot in (0, 1):
            held = self.minute[slot]
            rows = np.flatnonzero((held >= 0) & (held < upto))
            for start in np.unique(held[rows]).tolist():
                of_minute = rows[held[rows] == start]
                values = self.values[slot][:, of_minute].copy()
                values[FLAGS] = np.where(
                    self._uncertain[slot, of_minute] == start, BarFlag.VOLUME_UNCERTAIN, 0
                ) | np.where(self._gapped[slot, of_minute] == start, BarFlag.AFTER_GAP, 0)
                done.append(ClosedBars(start, of_minute, values))
            held[rows] = -1
        self.upto = upto
        return Closing(upto, sorted(done, key=lambda bars: bars.start))


class LongerBars:
    """Bars of several minutes, built from closed minutes and anchored at the session's open."""

    def __init__(self, minutes: int, rows: Rows) -> None:
        self.minutes = minutes
        self.start: I64 = np.full(rows.capacity, -1, np.int64)
        self.values: I64 = np.zeros((len(FIELDS), rows.capacity), np.int64)

    def fold(self, bars: ClosedBars, anchor: I64) -> None:
        """Take closed minutes, after `close(bars.start)`; `anchor`: their rows' open minutes."""
        rows = bars.rows
        fresh = self.start[rows] < 0
        self.values[:, rows] = np.where(
            fresh, bars.values, merge(self.values[:, rows], bars.values)
        )
        self.start[rows] = bars.start - (bars.start - anchor) % self.minutes

    def close(self, upto: int) -> Iterator[ClosedBars]:
        """Yield bars that end at or before minute `upto`."""
        done = np.flatnonzero((self.start >= 0) & (self.start + self.minutes <= upto))
        starts = self.start[done]
        for start in np.unique(starts).tolist():
            rows = done[starts == start]
            yield ClosedBars(start, rows, self.values[:, rows].copy())
        self.start[done] = -1


def merge(earlier: I64, later: I64) -> I64:
    """Two adjacent bars (or columns of bars) as one."""
    out = earlier + later
    out[OPEN] = earlier[OPEN]
    out[HIGH] = np.maximum(earlier[HIGH], later[HIGH])
    out[LOW] = np.minimum(earlier[LOW], later[LOW])
    out[CLOSE] = later[CLOSE]
    out[OI] = later[OI]
    out[FLAGS] = earlier[FLAGS] | later[FLAGS]
    out[LARGEST] = np.maximum(earlier[LARGEST], later[LARGEST])
    return out


class History:
    """The newest bars of every row in a ring of fixed size.

    Attributes:
        count: i64 (rows,), bars ever appended; the newest lies at (count - 1) % depth.
        newest: i64 (rows,), first minute of the newest bar; -1 before any.
        start: i64 (rows, depth), first minutes.
        values: i64 (len(FIELDS), rows, depth).
    """

    def __init__(self, rows: Rows, depth: int = 128) -> None:
        self.depth = depth
        self.count: I64 = np.zeros(rows.capacity, np.int64)
        self.newest: I64 = np.full(rows.capacity, -1, np.int64)
        self.start: I64 = np.zeros((rows.capacity, depth), np.int64)
        self.values: I64 = np.zeros((len(FIELDS), rows.capacity, depth), np.int64)

    def append(self, bars: ClosedBars) -> None:
        """Add one bar to each of the rows."""
        at = self.count[bars.rows] % self.depth
        self.start[bars.rows, at] = bars.start
        self.values[:, bars.rows, at] = bars.values
        self.newest[bars.rows] = bars.start
        self.count[bars.rows] += 1

    def replace(self, row: int, starts: I64, values: I64) -> None:
        """Give one row other bars, oldest first: i64 (k,) and (fields, k)."""
        self.count[row] = len(starts)
        self.newest[row] = starts[-1] if len(starts) else -1
        kept = slice(max(len(starts) - self.depth, 0), None)
        at = np.arange(len(starts))[kept] % self.depth
        self.start[row, at] = starts[kept]
        self.values[:, row, at] = values[:, kept]

    def window(self, field: int, rows: I64 | I32, n: int) -> I64:
        """The newest n values, oldest first: i64 (len(rows), n); needs count >= n."""
        at = (self.count[rows][:, None] - n + np.arange(n)) % self.depth
        found: I64 = self.values[field][np.asarray(rows)[:, None], at]
        return found

    def last(self, row: int, n: int) -> tuple[I64, I64]:
        """Up to n newest bars of one row, oldest first: starts (k,), values (fields, k)."""
        k = min(n, int(self.count[row]), self.depth)
        at = (int(self.count[row]) - k + np.arange(k)) % self.depth
        return self.start[row, at], self.values[:, row, at]
