"""Levels of the day and of the session before: opening range, value area."""

from __future__ import annotations

import numpy as np

from kitetui.engine.calendar import ist_day
from kitetui.engine.feed.batch import F64, I64
from kitetui.engine.market.bars import CLOSE, HIGH, LOW, VOLUME, ClosedBars
from kitetui.engine.market.instruments import Rows
from kitetui.engine.market.profile import Levels, Profile, Shapes, bin_size, levels, spread_bars

OPENING_MINUTES = 15
_COLLECTED_ROWS = 64
"""Bar files hold few instruments: their bars are kept and read anew each time."""
_MOST_BINS = 1 << 16
"""A bar that would need more is left out of the profile: one wrong price asks for no memory."""


class _Growing:
    """A profile that bars are added to, each spread evenly over the bins it spans."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.base = 0
        self.volume: F64 = np.zeros(0)

    def add(self, low: int, high: int, shares: int) -> None:
        """Take one bar, raw prices."""
        if shares <= 0:
            return
        first, last = low // self.size, high // self.size
        if last - first >= _MOST_BINS:
            return
        if not len(self.volume):
            self.base, self.volume = first, np.zeros(last - first + 1)
        before = max(self.base - first, 0)
        after = max(last + 1 - self.base - len(self.volume), 0)
        if before or after:
            if len(self.volume) + before + after > _MOST_BINS:
                return
            self.volume = np.pad(self.volume, (before, after))
            self.base -= before
        self.volume[first - self.base : last - self.base + 1] += shares / (last - first + 1)


class DayLevels:
    """What the session's first minutes and the session before say of every row.

    Attributes:
        opening_high, opening_low: i64 (rows,), raw range of the first 15 minutes so far.
        opening_day: i64 (rows,), the date they belong to; -1 before any.
        value_area: f64 (2, rows), rupees: VAL and VAH of the row's last session; NaN unknown.
        poc: f64 (rows,), rupees, of the same session.
        value_area_day: i64 (rows,), the date of that session; -1 unknown.
        collecting: whether bars of a file were the last that came.
    """

    def __init__(self, rows: Rows) -> None:
        capacity = rows.capacity
        self._rows = rows
        self.opening_high: I64 = np.zeros(capacity, np.int64)
        self.opening_low: I64 = np.zeros(capacity, np.int64)
        self.opening_day: I64 = np.full(capacity, -1, np.int64)
        self.value_area: F64 = np.full((2, capacity), np.nan)
        self.poc: F64 = np.full(capacity, np.nan)
        self.collecting = False
        self.value_area_day: I64 = np.full(capacity, -1, np.int64)
        self._collected: dict[int, _Growing] = {}
        self._collected_day = -1

    def fold(self, bars: ClosedBars, opened: I64) -> None:
        """Bars of the shortest length closed; `opened`: i64 (n,), their sessions' first minutes."""
        inside = bars.start < opened + OPENING_MINUTES
        if not np.count_nonzero(inside):
            return
        day = ist_day(bars.start * 60)
        rows, high, low = bars.rows[inside], bars.values[HIGH, inside], bars.values[LOW, inside]
        begun = self.opening_day[rows] == day
        self.opening_high[rows] = np.where(begun, np.maximum(self.opening_high[rows], high), high)
        self.opening_low[rows] = np.where(begun, np.minimum(self.opening_low[rows], low), low)
        self.opening_day[rows] = day

    def tell(self, row: int, day: int, val: float, vah: float, poc: float) -> None:
        """The levels of a row's session on a date; older ones than are known are left."""
        if day >= self.value_area_day[row]:
            self.value_area[:, row] = val, vah
            self.poc[row] = poc
            self.value_area_day[row] = day

    def collect(self, bars: ClosedBars) -> None:
        """Bars of a file: their session's levels are told when the next one begins."""
        self.collecting = self._rows.count <= _COLLECTED_ROWS
        if not self.collecting:
            return
        day = ist_day(bars.start * 60)
        if day != self._collected_day:
            for row in self._collected:
                profile = self.collected_profile(row)
                found = levels(profile) if profile else None
                if found is not None:
                    self.tell(row, self._collected_day, found.val, found.vah, found.poc)
            self._collected = {}
            self._collected_day = day
        for row, close, low, high, volume in zip(
            bars.rows.tolist(), *bars.values[[CLOSE, LOW, HIGH, VOLUME]].tolist(), strict=True
        ):
            tick = int(self._rows.tick[row])
            if tick and row not in self._collected:
                self._collected[row] = _Growing(int(bin_size(close, tick)))
            if tick:
                self._collected[row].add(low, high, volume)

    def collected_profile(self, row: int) -> Profile | None:
        """The profile of a row's session as far as the bars of a file go."""
        held = self._collected.get(row)
        if held is None or not held.volume.any():
            return None
        divisor = float(self._rows.divisor[row])
        return Profile(held.base * held.size / divisor, held.size / divisor, held.volume.copy())

    def shapes(self, rows: I64) -> Shapes:
        """The profiles of rows of bar files at a glance."""
        found = [self.collected_profile(row) for row in rows.tolist()]
        nan = float("nan")
        lines = [
            (p.low, p.size, len(p.volume), p.volume.argmax(), p.volume.mean(), p.volume[0],
             p.volume[-1]) if p is not None else (nan, nan, 0, 0, nan, nan, nan)
            for p in found
        ]  # fmt: skip
        low, size, bins, poc, mean, lowest, highest = np.array(lines).reshape(-1, 7).T
        return Shapes(low, size, bins.astype(np.int64), poc.astype(np.int64), mean, lowest, highest)

    def thinnest(self, rows: I64, one: F64, other: F64) -> F64:
        """As `SessionProfiles.thinnest`, of rows of bar files."""
        out = np.full(len(rows), np.nan)
        for at, row in enumerate(rows.tolist()):
            profile = self.collected_profile(row)
            if profile is None:
                continue
            first, last = (
                int((price - profile.low) / profile.size + 1e-9)
                for price in sorted((float(one[at]), float(other[at])))
            )
            between = profile.volume[max(first + 1, 0) : max(last, 0)]
            out[at] = between.min() if len(between) else np.nan
        return out


def profile_of(bars: I64, tick: int, divisor: float) -> Profile | None:
    """The profile of one session's bars i64 (fields, k), oldest first; None without volume."""
    if not bars.shape[1]:
        return None
    size = int(bin_size(int(bars[CLOSE, 0]), tick))
    base, volume = spread_bars(bars[LOW], bars[HIGH], bars[VOLUME], size)
    return Profile(base * size / divisor, size / divisor, volume) if volume.any() else None


def levels_of(bars: I64, tick: int, divisor: float) -> Levels | None:
    """POC and value area of one session's bars."""
    profile = profile_of(bars, tick, divisor)
    return levels(profile) if profile else None
