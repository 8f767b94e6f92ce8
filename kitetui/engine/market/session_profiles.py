"""SessionProfiles: volume by price of every row's session, kept while trades come in."""

from __future__ import annotations

from collections import deque

import numpy as np

from kitetui.engine.calendar import DAY_S, IST_OFFSET_S
from kitetui.engine.feed.batch import F64, I64, Bool
from kitetui.engine.market.bars import CLOSE, HIGH, LOW, VOLUME
from kitetui.engine.market.instruments import Rows
from kitetui.engine.market.profile import BIN_SHARE, Profile, Shapes, bin_size, spread_bars

BINS = 512
"""Price bins kept for each instrument; where a session spans more, bins are joined in pairs."""
PENDING_TICKS = 2_000_000
"""Trades kept from before a session's first close, which decides the size of its bins."""
SETTLED_AT_ONCE = 4
_NEVER = 1 << 40


class SessionProfiles:
    """The developing profile of every row: one bin is added to per trade.

    Bins are as `bin_size` says, from the session's first close on; trades before it wait. Where a
    session outgrows its bins they are joined in pairs, until it fits: the same for any order.

    Attributes:
        day: i64 (rows,), the session's date; size: i64 (rows,), raw height of a bin, 0 unknown.
        since: i64 (rows,), the minute of the session's first trade that came as a tick.
        unsized: trades that could not be kept waiting and are in no profile.
    """

    def __init__(self, rows: Rows) -> None:
        capacity = rows.capacity
        self._rows = rows
        self.day: I64 = np.full(capacity, -1, np.int64)
        self.size: I64 = np.zeros(capacity, np.int64)
        self.since: I64 = np.full(capacity, _NEVER, np.int64)
        self.unsized = 0
        self._volume: F64 = np.full((capacity, BINS), 0.0)  # filled: see history.History
        self._filled: Bool = np.zeros(capacity, np.bool_)
        self._base: I64 = np.zeros(capacity, np.int64)
        self._joined: I64 = np.zeros(capacity, np.int64)
        self._first: I64 = np.zeros(capacity, np.int64)
        self._last: I64 = np.zeros(capacity, np.int64)
        self._poc: I64 = np.zeros(capacity, np.int64)
        self._total: F64 = np.zeros(capacity)
        self._pending: deque[tuple[I64, I64, I64]] = deque()
        self._pending_ticks = 0
        self._to_settle = 0

    def apply(self, row: I64, at_s: I64, ltp: I64, shares: I64, day: int | None = None, *,
              unique: bool = False) -> None:  # fmt: skip
        """Take trades, in order; a row's later day begins a profile of its own.

        Args:
            day: the date of all of them, where they have but one.
            unique: whether no row occurs twice.
        """
        if day is None or np.count_nonzero(self.day[row] != day):
            current = self._turn(row, (at_s + IST_OFFSET_S) // DAY_S)
            row, at_s, ltp, shares = row[current], at_s[current], ltp[current], shares[current]
        fresh = self.since[row] == _NEVER
        if np.count_nonzero(fresh):  # backwards, so that a row's first trade is the one that stays
            self.since[row[fresh][::-1]] = at_s[fresh][::-1] // 60
        size = self.size[row]
        if np.count_nonzero(size) < len(size):
            waiting = size == 0
            self._wait(row[waiting], ltp[waiting], shares[waiting])
            row, ltp, shares = row[~waiting], ltp[~waiting], shares[~waiting]
        if len(row):
            self._add(row, ltp, shares, unique=unique)
        if self._to_settle:
            self._settle(SETTLED_AT_ONCE)

    def first_close(self, rows: I64, close: I64) -> None:
        """Bars closed at raw prices: rows that have no bins yet get theirs."""
        fresh = self.size[rows] == 0
        if not fresh.any():
            return
        rows, close = rows[fresh], close[fresh]
        tick = self._rows.tick[rows]
        fit = (tick > 0) & (self.day[rows] >= 0)
        rows, close, tick = rows[fit], close[fit], tick[fit]
        self.size[rows] = np.maximum(np.rint(BIN_SHARE * close / tick), 1).astype(np.int64) * tick
        self._to_settle = len(self._pending)

    def seed(self, row: int, day: int, starts: I64, bars: I64) -> None:
        """Add the minutes of a row's session that came before its own first trade.

        Args:
            starts: i64 (k,), first minutes, oldest first; bars: i64 (fields, k), of that session.
        """
        tick = self._rows.tick[row]
        if not tick or not len(starts) or day < self.day[row]:
            return
        if day > self.day[row]:
            self._turn(np.array([row]), np.array([day]))
        if not self.size[row]:
            self.size[row] = bin_size(int(bars[CLOSE, 0]), int(tick))
        earlier = starts < self.since[row]
        low, high, shares = bars[[LOW, HIGH, VOLUME]][:, earlier]
        base, volume = spread_bars(low, high, shares, int(self.size[row]))
        if len(volume):
            self._fit(row, base, base + len(volume) - 1)
            bins = (base + np.arange(len(volume)) >> self._joined[row]) - self._base[row]
            # In 1024ths all sums are exact, and so the same in any order.
            np.add.at(self._volume[row], bins, np.rint(volume * 1024) / 1024)
            self._filled[row] = True
            self._survey(np.array([row]))
        self._to_settle = len(self._pending)

    def settle(self) -> None:
        """Add all waiting trades: looking at a profile changes nothing then."""
        self._settle(self._to_settle)

    def profile(self, row: int) -> Profile | None:
        """The row's profile so far, in rupees; None without volume or without a tick size."""
        if not self.size[row]:
            return None
        self._settle_row(row)
        filled = np.flatnonzero(self._volume[row])
        if not len(filled):
            return None
        first, last = int(filled[0]), int(filled[-1])
        size = int(self.size[row]) << int(self._joined[row])
        low = (int(self._base[row]) + first) * size
        divisor = float(self._rows.divisor[row])
        return Profile(low / divisor, size / divisor, self._volume[row, first : last + 1].copy())

    def shapes(self, rows: I64) -> Shapes:
        """The profiles of many rows at a glance."""
        self._settle(self._to_settle)
        known = (self.size[rows] > 0) & self._filled[rows]
        first, last = self._first[rows], self._last[rows]
        size = (self.size[rows] << self._joined[rows]) / self._rows.divisor[rows]
        bins = last - first + 1
        return Shapes(
            low=np.where(known, (self._base[rows] + first) * size, np.nan),
            size=np.where(known, size, np.nan),
            bins=np.where(known, bins, 0),
            poc=self._poc[rows] - first,
            mean=np.where(known, self._total[rows] / bins, np.nan),
            lowest=self._volume[rows, first],
            highest=self._volume[rows, last],
        )

    def thinnest(self, rows: I64, one: F64, other: F64) -> F64:
        """The least volume of a bin between two prices, rupees: f64 (n,); NaN without a profile."""
        size = np.maximum(self.size[rows], 1) << self._joined[rows]
        low, high = (
            np.rint(price * self._rows.divisor[rows]).astype(np.int64) // size - self._base[rows]
            for price in (np.minimum(one, other), np.maximum(one, other))
        )
        at = np.arange(BINS)
        between = (at > low[:, None]) & (at < high[:, None])
        least = np.where(between, self._volume[rows], np.inf).min(axis=1)
        return np.where(np.isfinite(least) & (self.size[rows] > 0), least, np.nan)

    def _turn(self, row: I64, day: I64) -> Bool:
        """Begin new sessions; False for trades of an earlier date than their row's."""
        held = self.day[row]
        np.maximum.at(self.day, row, day)
        later = self.day[row] > held
        turned, first = np.unique(row[later], return_index=True)
        again = turned[held[later][first] >= 0]
        self._volume[turned[self._filled[turned]]] = 0.0
        self._filled[turned] = False
        self.size[turned] = self._joined[turned] = 0
        self.since[turned] = _NEVER
        if len(again) and self._pending:
            self._pending = deque(_part(part, ~np.isin(part[0], again)) for part in self._pending)
            self._pending_ticks = sum(len(row) for row, _, _ in self._pending)
        current: Bool = day == self.day[row]
        return current

    def _wait(self, row: I64, ltp: I64, shares: I64) -> None:
        sizable = self._rows.tick[row] > 0
        row, ltp, shares = row[sizable], ltp[sizable], shares[sizable]
        if self._pending_ticks + len(row) > PENDING_TICKS:
            self.unsized += len(row)
        elif len(row):
            self._pending.append((row, ltp, shares))
            self._pending_ticks += len(row)

    def _settle(self, parts: int) -> None:
        """Add waiting trades of rows that have their bins now; a few parts at a time.

        Sums are exact, so it does not matter when: a profile that is asked for is settled first.
        """
        parts = min(parts, self._to_settle)
        if not parts:
            return
        self._to_settle -= parts
        taken = [self._pending.popleft() for _ in range(parts)]
        row, ltp, shares = (np.concatenate(column) for column in zip(*taken, strict=True))
        ready = self.size[row] > 0
        self._pending_ticks -= int(ready.sum())
        if ready.any():
            self._add(row[ready], ltp[ready], shares[ready])
        if not ready.all():
            self._pending.append(_part((row, ltp, shares), ~ready))

    def _settle_row(self, row: int) -> None:
        """Add one row's waiting trades."""
        if not self._to_settle:
            return
        for at, part in enumerate(self._pending):
            mine = part[0] == row
            if mine.any():
                self._add(*_part(part, mine))
                self._pending[at] = _part(part, ~mine)
                self._pending_ticks -= int(mine.sum())

    def _add(self, row: I64, ltp: I64, shares: I64, *, unique: bool = False) -> None:
        number = ltp // self.size[row]
        bins = (number >> self._joined[row]) - self._base[row]
        if int(bins.min()) < 0 or int(bins.max()) >= BINS:
            self._make_room(row, number, (bins < 0) | (bins >= BINS))
            bins = (number >> self._joined[row]) - self._base[row]
        if not unique:
            self._filled[row] = True
            np.add.at(self._volume.reshape(-1), row * BINS + bins, shares)
            self._survey(np.unique(row))
            return
        place, volume = row * BINS + bins, self._volume.reshape(-1)
        now = volume[place] + shares
        volume[place] = now
        fresh = ~self._filled[row]
        if np.count_nonzero(fresh):
            begun = row[fresh]
            self._filled[begun] = True
            self._first[begun] = self._last[begun] = self._poc[begun] = bins[fresh]
            self._total[begun] = 0.0
        self._first[row] = np.minimum(self._first[row], bins)
        self._last[row] = np.maximum(self._last[row], bins)
        self._total[row] += shares
        poc = self._poc[row]
        most = volume[row * BINS + poc]
        ahead = (now > most) | ((now == most) & (bins < poc))
        self._poc[row[ahead]] = bins[ahead]

    def _survey(self, rows: I64) -> None:
        """Find the ends, the fullest bin and the sum of rows' profiles anew."""
        volume = self._volume[rows]
        filled = volume > 0
        self._first[rows] = filled.argmax(axis=1)
        self._last[rows] = BINS - 1 - filled[:, ::-1].argmax(axis=1)
        self._poc[rows] = volume.argmax(axis=1)
        self._total[rows] = volume.sum(axis=1)

    def _make_room(self, row: I64, number: I64, outside: Bool) -> None:
        """Room for trades outside their rows' bins."""
        rows, place = np.unique(row, return_inverse=True)
        low, high = np.full(len(rows), _NEVER), np.full(len(rows), -1)
        np.minimum.at(low, place, number)
        np.maximum.at(high, place, number)
        wanting = np.unique(place[outside])
        empty = ~self._filled[rows[wanting]] & (high - low < BINS)[wanting]
        first = wanting[empty]
        self._base[rows[first]] = low[first] - (BINS - 1 - (high - low)[first]) // 2
        for at in wanting[~empty].tolist():
            self._fit(int(rows[at]), int(low[at]), int(high[at]))

    def _fit(self, row: int, low: int, high: int) -> None:
        """Make room for bins numbered `low` to `high` of the original size."""
        joined, base = int(self._joined[row]), int(self._base[row])
        filled = np.flatnonzero(self._volume[row])
        held = self._volume[row, filled].copy()
        numbers = filled + base
        if len(filled):
            low = min(low, int(numbers[0]) << joined)
            high = max(high, int(numbers[-1]) << joined)
        wider = joined
        while (high >> wider) - (low >> wider) >= BINS:
            wider += 1
        span = (high >> wider) - (low >> wider)
        base = (low >> wider) - (BINS - 1 - span) // 2
        self._joined[row], self._base[row] = wider, base
        self._volume[row] = 0.0
        np.add.at(self._volume[row], (numbers >> (wider - joined)) - base, held)
        self._survey(np.array([row]))


def _part(trades: tuple[I64, I64, I64], keep: Bool) -> tuple[I64, I64, I64]:
    """Some of the waiting trades: rows, prices, shares."""
    row, ltp, shares = trades
    return row[keep], ltp[keep], shares[keep]
