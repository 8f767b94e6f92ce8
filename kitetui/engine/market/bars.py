"""Minute bars from ticks, longer bars from minutes, and a fixed history per row."""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntFlag

import msgspec
import numpy as np

from kitetui.engine.calendar import DAY_S, IST_OFFSET_S
from kitetui.engine.feed.batch import FULL, I32, I64, Bool, Flag
from kitetui.engine.market.by_row import put_rows
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


def span(rows: I64) -> I64 | slice:
    """Ascending rows as a slice where they have no holes: numpy moves a slice much faster."""
    if len(rows) and rows[-1] - rows[0] == len(rows) - 1:
        return slice(int(rows[0]), int(rows[-1]) + 1)
    return rows


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


class Trades(msgspec.Struct):
    """What each tick of a run reports: i64 (n,).

    Attributes:
        side: +1 buy, -1 sell, 0 unknown.
        high, low: raw, the range of its trades.
    """

    side: I64
    high: I64
    low: I64


class MinuteBars:
    """The open minutes of every row: at most two, told apart by the minute's parity.

    Attributes:
        upto: minutes before this one are closed.
        minute: i64 (2, rows), the open minutes, -1 for none.
        values: i64 (2, rows, len(FIELDS)), their bars.
        late_volume: i64 (rows,), volume of trades whose minute was closed; `late_ticks` counts.
        session: i64 (rows, 3), volume, turnover and ticks of the row's day.
    """

    def __init__(self, rows: Rows) -> None:
        capacity = rows.capacity
        self.upto = _NEVER
        self.minute: I64 = np.full((2, capacity), -1, np.int64)
        self.values: I64 = np.zeros((2, capacity, len(FIELDS)), np.int64)
        self.late_volume: I64 = np.zeros(capacity, np.int64)
        self.late_ticks = 0
        self.bar_volume: I64 = np.zeros(capacity, np.int64)
        self.session_day: I64 = np.full(capacity, -1, np.int64)
        self.session: I64 = np.zeros((capacity, 3), np.int64)
        self._last: I64 = np.zeros((capacity, 5), np.int64)
        self._sign: I64 = np.zeros(capacity, np.int64)
        self._uncertain: I64 = np.full((2, capacity), -1, np.int64)
        self._gapped: I64 = np.full((2, capacity), -1, np.int64)

    @property
    def session_volume(self) -> I64:
        """i64 (rows,), shares traded in the row's day."""
        return self.session[:, 0]

    @property
    def session_ticks(self) -> I64:
        """i64 (rows,), trades seen in the row's day."""
        return self.session[:, 2]

    def apply(self, clean: Clean, trades: Trades) -> Iterator[Closing | slice]:
        """Fold ticks in order; yields each part folded, and each closing at its very point.

        Whoever else takes the ticks takes them part by part, so that a closing sees what came
        before it and nothing more.
        """
        if not len(clean.ticks):
            return
        minute = clean.at_s // 60
        # A tick is folded before its own time moves the watermark; a trade two minutes ahead
        # closes what lies before, so that two open minutes a row are enough.
        reached = (int(clean.exch_s.max()) - ALLOWANCE_S) // 60
        if reached <= self.upto and self._open_are(minute, clean.folds):
            self._take(clean, slice(0, len(minute)), minute, trades)
            yield slice(0, len(minute))
            return
        passed = np.full(len(minute), _NEVER, np.int64)
        moves = np.where(clean.exch_s > 0, (clean.exch_s - ALLOWANCE_S) // 60, _NEVER)
        passed[1:] = moves[:-1]
        reached_by = np.maximum(np.maximum.accumulate(passed), self.upto)
        passed = np.maximum(passed, np.where(clean.folds, minute - 1, _NEVER))
        passed = np.maximum(np.maximum.accumulate(passed), self.upto)
        late = clean.folds & (minute < passed)
        clean.ticks.flags[late] |= Flag.LATE
        self.late_ticks += int(late.sum())
        np.add.at(self.late_volume, clean.by.row[late], clean.increment[late])
        cuts = (np.flatnonzero(np.diff(passed)) + 1).tolist()
        for start, stop in zip([0, *cuts], [*cuts, len(minute)], strict=True):
            for upto in (int(reached_by[start]), int(passed[start])):
                if upto > self.upto:
                    yield self._close(upto)
            self._take(clean, slice(start, stop), minute, trades)
            yield slice(start, stop)
        if int(moves.max()) > self.upto:
            yield self._close(int(moves.max()))

    def _open_are(self, minute: I64, folds: Bool) -> bool:
        """Whether every tick that goes into a bar goes into one that is open."""
        if minute.min() < self.upto or minute.max() > self.upto + 1:
            minute = minute[folds]
        return not len(minute) or bool(self.upto <= minute.min() and minute.max() <= self.upto + 1)

    def timer(self, session_s: int) -> Iterator[Closing]:
        """Session time passes without a packet."""
        upto = (session_s - ALLOWANCE_S) // 60
        if session_s > 0 and upto > self.upto:
            yield self._close(upto)

    def open_bars(self, row: int) -> list[tuple[int, I64]]:
        """The row's open minutes, oldest first, as (minute, values)."""
        found = [
            (int(self.minute[slot, row]), self.values[slot, row].copy())
            for slot in (0, 1)
            if self.minute[slot, row] >= 0
        ]
        return sorted(found, key=lambda item: item[0])

    def read(self, clean: Clean) -> Trades:
        """Side, highest and lowest price of what each tick reports; once for each run, in order.

        The side is +1 buy, -1 sell, 0 unknown: at or above the ask before the trade is a buy, at
        or below the bid a sell, between them the tick rule (Lee and Ready, 1991). A snapshot
        lumps trades: a new high or low of the day in the packet is one of them.
        """
        ticks, by = clean.ticks, clean.by
        ltp, day_high, day_low = ticks.ltp, ticks.high, ticks.low
        now = np.empty((len(ltp), 5), np.int64)
        now[:, 0], now[:, 1], now[:, 2] = ltp, day_high, day_low
        now[:, 3], now[:, 4] = ticks.depth[:, 0, 1], ticks.depth[:, 5, 1]
        before = by.previous(now, self._last)
        ltp_before, high_before, low_before, bid, ask = before.T
        change = np.sign(ltp - ltp_before)
        if np.count_nonzero(ltp_before) < len(ltp):
            change[ltp_before == 0] = 0
        carried = by.carried(change, self._sign)
        side = np.where(
            (ask > 0) & (ltp >= ask), 1, np.where((bid > 0) & (ltp <= bid), -1, carried)
        )
        higher = (high_before > 0) & (day_high > high_before)
        lower = (day_low > 0) & (day_low < low_before)
        if not (np.count_nonzero(higher) or np.count_nonzero(lower)):
            return Trades(side, ltp, ltp)
        sure = (ticks.flags & (Flag.GAP_BEFORE | Flag.VOLUME_UNCERTAIN)) == 0
        if not clean.full:
            sure &= ticks.length == FULL
        high = np.where(sure & higher, np.maximum(day_high, ltp), ltp)
        low = np.where(sure & lower, np.minimum(day_low, ltp), ltp)
        return Trades(side, high, low)

    def _take(self, clean: Clean, part: slice, minute: I64, trades: Trades) -> None:
        """Ticks between two closings: marks, session totals, bars."""
        flags, folds = clean.ticks.flags[part], clean.folds[part]
        row, minute = clean.by.row[part], minute[part]
        ltp, shares = clean.ticks.ltp[part], clean.increment[part]
        marked = np.count_nonzero(flags) > 0
        if marked:
            for bit, bar_bit, marks in (
                (Flag.VOLUME_UNCERTAIN, BarFlag.VOLUME_UNCERTAIN, self._uncertain),
                (Flag.GAP_BEFORE, BarFlag.AFTER_GAP, self._gapped),
            ):
                at = np.flatnonzero(flags & bit)
                slot, of_row = minute[at] & 1, row[at]
                held = self.minute[slot, of_row]
                kept = (held >= 0) & (held < minute[at]) & (marks[slot, of_row] == held)
                self.values[slot[kept], of_row[kept], FLAGS] |= bar_bit
                np.maximum.at(marks, (slot, of_row), minute[at])
        keep = np.flatnonzero(folds)
        if not len(keep):
            return
        row, ltp, shares = row[keep], ltp[keep], shares[keep]
        self._count_session(clean, row, clean.at_s[part][keep], ltp, shares)
        if marked:
            timely = (flags[keep] & Flag.LATE) == 0
            keep, row, ltp, shares = keep[timely], row[timely], ltp[timely], shares[timely]
        if len(row):
            chosen = Trades(trades.side[part][keep], trades.high[part][keep],
                            trades.low[part][keep])  # fmt: skip
            self._fold(row, minute[keep], ltp, shares, chosen, clean.ticks.oi[part][keep],
                       clean.by.unique)  # fmt: skip

    def _fold(self, row: I64, minute: I64, ltp: I64, shares: I64, trades: Trades, oi: I64,
              unique: bool) -> None:  # fmt: skip
        """Put trades into their bars; no closing lies between them."""
        capacity = self.minute.shape[1]
        key = (minute & 1) * capacity + row
        bar = np.empty((len(row), len(FIELDS)), np.int64)
        bar[:, OPEN] = bar[:, CLOSE] = ltp
        bar[:, HIGH], bar[:, LOW] = trades.high, trades.low
        bar[:, VOLUME] = bar[:, LARGEST] = shares
        bar[:, BUY] = shares * (trades.side > 0)
        bar[:, SELL] = shares * (trades.side < 0)
        bar[:, TURNOVER] = ltp * shares
        bar[:, OI], bar[:, TICKS], bar[:, FLAGS] = oi, 1, 0
        if not unique:
            order = np.argsort(key, kind="stable")
            heads = np.flatnonzero(np.append(True, np.diff(key[order]) != 0))
            bar = merge_runs(bar[order].T, heads).T
            key, minute = key[order[heads]], minute[order[heads]]
        if unique:
            self.bar_volume[row] += shares
        else:
            np.add.at(self.bar_volume, row, shares)
        minutes = self.minute.reshape(-1)
        values = self.values.reshape(-1, len(FIELDS))
        begun = minutes[key] == minute
        if np.count_nonzero(begun) == len(begun):
            put_rows(values, key, merge(values.take(key, axis=0).T, bar.T).T)
            return
        bar[begun] = merge(values[key[begun]].T, bar[begun].T).T
        put_rows(values, key, bar)
        minutes[key] = minute

    def _count_session(self, clean: Clean, row: I64, at_s: I64, ltp: I64, shares: I64) -> None:
        held = self.session_day[row]
        if clean.day is None or np.count_nonzero(held != clean.day):
            days = (at_s + IST_OFFSET_S) // DAY_S
            turned = days > held
            np.maximum.at(self.session_day, row, days)
            self.session[row[turned]] = 0
            current = days == self.session_day[row]
            row, ltp, shares = row[current], ltp[current], shares[current]
        more = np.empty((len(row), 3), np.int64)
        more[:, 0], more[:, 1], more[:, 2] = shares, shares * ltp, 1
        if clean.by.unique:
            put_rows(self.session, row, self.session.take(row, axis=0) + more)
        else:
            np.add.at(self.session, row, more)

    def _close(self, upto: int) -> Closing:
        done: list[ClosedBars] = []
        for slot in (0, 1):
            held = self.minute[slot]
            rows = np.flatnonzero((held >= 0) & (held < upto))
            for start in np.unique(held[rows]).tolist():
                of_minute = rows[held[rows] == start]
                values = self.values[slot][span(of_minute)].T.copy()
                values[FLAGS] |= np.where(
                    self._uncertain[slot, of_minute] == start, BarFlag.VOLUME_UNCERTAIN, 0
                ) | np.where(self._gapped[slot, of_minute] == start, BarFlag.AFTER_GAP, 0)
                done.append(ClosedBars(start, of_minute, values))
            held[rows] = -1
        self.upto = upto
        return Closing(upto, sorted(done, key=lambda bars: bars.start))


class LongerBars:
    """Bars of several minutes, built from shorter closed ones, anchored at the session's open.

    Attributes:
        minutes: their length; a whole session is `calendar.DAY_MINUTES`.
        start, end: i64 (rows,), the open bar's first minute (-1 for none) and the one after its
            last; a bar never outlives its session.
        values: i64 (len(FIELDS), rows).
    """

    def __init__(self, minutes: int, rows: Rows) -> None:
        self.minutes = minutes
        self.start: I64 = np.full(rows.capacity, -1, np.int64)
        self.end: I64 = np.full(rows.capacity, -1, np.int64)
        self.values: I64 = np.zeros((len(FIELDS), rows.capacity), np.int64)

    def fold(self, bars: ClosedBars, opened: I64, closes: I64) -> None:
        """Take closed bars, after `close(bars.start)`.

        Args:
            opened, closes: i64 (n,), first minute of each row's session, and the one after its
                last; 0 where it has none.
        """
        rows = span(bars.rows)
        fresh = self.start[rows] < 0
        if fresh.all():
            self.values[:, rows] = bars.values
        elif not fresh.any():
            self.values[:, rows] = merge(self.values[:, rows], bars.values)
        else:
            self.values[:, rows] = np.where(
                fresh, bars.values, merge(self.values[:, rows], bars.values)
            )
        start = bars.start - (bars.start - opened) % self.minutes
        end = start + self.minutes
        self.start[rows] = start
        self.end[rows] = np.where(closes > start, np.minimum(end, closes), end)

    def close(self, upto: int) -> Iterator[ClosedBars]:
        """Yield bars that end at or before minute `upto`."""
        done = np.flatnonzero((self.start >= 0) & (self.end <= upto))
        starts = self.start[done]
        for start in np.unique(starts).tolist():
            rows = done[starts == start]
            yield ClosedBars(start, rows, self.values[:, span(rows)].copy())
        self.start[done] = -1


def merge(earlier: I64, later: I64) -> I64:
    """Two adjacent bars (or columns of bars) as one: i64 (fields, ...)."""
    out = earlier + later
    out[OPEN] = earlier[OPEN]
    out[HIGH] = np.maximum(earlier[HIGH], later[HIGH])
    out[LOW] = np.minimum(earlier[LOW], later[LOW])
    out[CLOSE] = later[CLOSE]
    out[OI] = later[OI]
    out[FLAGS] = earlier[FLAGS] | later[FLAGS]
    out[LARGEST] = np.maximum(earlier[LARGEST], later[LARGEST])
    return out


def merge_runs(values: I64, heads: I64) -> I64:
    """Adjacent bars i64 (fields, n), merged from each of `heads` up to the next."""
    tails = np.append(heads[1:], values.shape[1]) - 1
    out = np.add.reduceat(values, heads, axis=1)
    out[OPEN], out[CLOSE], out[OI] = values[OPEN, heads], values[CLOSE, tails], values[OI, tails]
    out[HIGH] = np.maximum.reduceat(values[HIGH], heads)
    out[LOW] = np.minimum.reduceat(values[LOW], heads)
    out[FLAGS] = np.bitwise_or.reduceat(values[FLAGS], heads)
    out[LARGEST] = np.maximum.reduceat(values[LARGEST], heads)
    return out


class History:
    """The newest bars of every row in a ring of fixed size, values as the wire's 32 bits.

    Attributes:
        count: i64 (rows,), bars ever appended; the newest lies at (count - 1) % depth.
        newest: i64 (rows,), first minute of the newest bar; -1 before any.
    """

    def __init__(self, rows: Rows, depth: int) -> None:
        self.depth = depth
        self.count: I64 = np.zeros(rows.capacity, np.int64)
        self.newest: I64 = np.full(rows.capacity, -1, np.int64)
        # Filled, not merely reserved: memory first touched in the session would cost time there.
        self._start: I32 = np.full((depth, rows.capacity), 0, np.int32)
        self._values = np.full((depth, len(FIELDS), rows.capacity), 0, np.uint32)
        self._turnover: I64 = np.full((depth, rows.capacity), 0, np.int64)

    def append(self, bars: ClosedBars) -> None:
        """Add one bar to each of the rows."""
        if not len(bars.rows):
            return
        rows = span(bars.rows)
        at = self.count[rows] % self.depth
        if (at == at[0]).all():
            slot = int(at[0])
            self._values[slot][:, rows] = bars.values
            self._turnover[slot, rows] = bars.values[TURNOVER]
            self._start[slot, rows] = bars.start
        else:
            self._values[at, :, bars.rows] = bars.values.T
            self._turnover[at, bars.rows] = bars.values[TURNOVER]
            self._start[at, bars.rows] = bars.start
        self.newest[rows] = bars.start
        self.count[rows] += 1

    def replace(self, row: int, starts: I64, values: I64) -> None:
        """Give one row other bars, oldest first: i64 (k,) and (fields, k)."""
        self.count[row] = len(starts)
        self.newest[row] = starts[-1] if len(starts) else -1
        kept = slice(max(len(starts) - self.depth, 0), None)
        at = np.arange(len(starts))[kept] % self.depth
        self._start[at, row] = starts[kept]
        self._values[at, :, row] = values[:, kept].T
        self._turnover[at, row] = values[TURNOVER, kept]

    def window(self, field: int, rows: I64 | I32, n: int) -> I64:
        """The newest n values, oldest first: i64 (len(rows), n); needs count >= n."""
        at = (self.count[rows] - n + np.arange(n)[:, None]) % self.depth
        if field == TURNOVER:
            turnover: I64 = self._turnover[at, rows].T
            return turnover
        found: I64 = self._values[at, field, rows].astype(np.int64).T
        return found

    def starts(self, rows: I64, n: int) -> I64:
        """First minutes of the newest n bars, oldest first: i64 (len(rows), n)."""
        at = (self.count[rows] - n + np.arange(n)[:, None]) % self.depth
        found: I64 = self._start[at, rows].astype(np.int64).T
        return found

    def last(self, row: int, n: int) -> tuple[I64, I64]:
        """Up to n newest bars of one row, oldest first: starts (k,), values (fields, k)."""
        k = min(n, int(self.count[row]), self.depth)
        at = (int(self.count[row]) - k + np.arange(k)) % self.depth
        values = self._values[at, :, row].astype(np.int64).T
        values[TURNOVER] = self._turnover[at, row]
        return self._start[at, row].astype(np.int64), values
