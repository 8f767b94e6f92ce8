"""Minute bars from ticks: the open minutes of every row, and when they close."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np

from kitetui.engine.calendar import DAY_S, IST_OFFSET_S
from kitetui.engine.feed.batch import FULL, I64, Bool, Flag
from kitetui.engine.market.bars import (
    BUY,
    CLOSE,
    FIELDS,
    FLAGS,
    HIGH,
    LARGEST,
    LOW,
    OI,
    OPEN,
    SELL,
    TICKS,
    TURNOVER,
    VOLUME,
    BarFlag,
    ClosedBars,
    merge,
    merge_runs,
    span,
)
from kitetui.engine.market.by_row import put_rows
from kitetui.engine.market.instruments import Rows
from kitetui.engine.market.normalise import Clean

ALLOWANCE_S = 2
"""Seconds that trades may lag behind the newest packet before their minute closes."""
_NEVER = -(1 << 40)


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
