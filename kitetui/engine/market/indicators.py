"""Indicators over rows, advanced on bar close only. Undefined is NaN inside, never 0 or 50."""

from __future__ import annotations

import math

import numpy as np

from kitetui.engine.feed.batch import F64, I64

MAD_SCALE = 1.4826
"""Makes the median absolute deviation of a normal sample estimate its standard deviation."""


class WilderAtr:
    """Average true range (Wilder, 1978), seeded as TA-Lib does: mean of the first n ranges.

    Attributes:
        value: f64 (rows,), rupees; NaN before n + 1 bars.
        before: the value as it stood before the newest bar.
    """

    def __init__(self, capacity: int, n: int = 14) -> None:
        self.n = n
        self.value: F64 = np.full(capacity, np.nan)
        self.before: F64 = np.full(capacity, np.nan)
        self._close: F64 = np.full(capacity, np.nan)
        self._sum: F64 = np.zeros(capacity)
        self._seen: I64 = np.zeros(capacity, np.int64)

    def relearn(self, row: int, high: F64, low: F64, close: F64) -> None:
        """Start one row anew from its bars, oldest first; the same steps as `advance`."""
        value = before = last = math.nan
        total, seen = 0.0, 0
        for h, low_, c in zip(high.tolist(), low.tolist(), close.tolist(), strict=True):
            before = value
            if not math.isnan(last):
                true_range = max(h, last) - min(low_, last)
                seen += 1
                if seen <= self.n:
                    total += true_range
                    value = total / self.n if seen == self.n else math.nan
                else:
                    value = ((self.n - 1) * value + true_range) / self.n
            last = c
        self.value[row], self.before[row], self._close[row] = value, before, last
        self._sum[row], self._seen[row] = total, seen

    def advance(self, rows: I64, high: F64, low: F64, close: F64) -> None:
        """Commit one closed bar of each row."""
        last = self._close[rows]
        known = ~np.isnan(last)
        true_range = np.where(known, np.fmax(high, last) - np.fmin(low, last), np.nan)
        self.before[rows] = self.value[rows]
        self._close[rows] = close
        seen = self._seen[rows] + known
        self._seen[rows] = seen
        seeding = known & (seen <= self.n)
        self._sum[rows] += np.where(seeding, true_range, 0.0)
        seeded = seen == self.n
        smoothed = ((self.n - 1) * self.value[rows] + true_range) / self.n
        value = np.where(seen > self.n, smoothed, np.nan)
        self.value[rows] = np.where(seeded, self._sum[rows] / self.n, value)


def trailing_mean_ratio(volume: I64) -> F64:
    """Newest volume over the mean of the ones before it: (n, k+1) -> f64 (n,).

    NaN where the mean is 0.
    """
    mean = volume[:, :-1].mean(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(mean > 0, volume[:, -1] / mean, np.nan)


def robust_z(volume: I64) -> F64:
    """Robust z of the newest log volume against the ones before it: (n, k+1) -> f64 (n,).

    (log1p V - median) / (1.4826 MAD); NaN where the deviation is 0.
    """
    logs = np.log1p(volume.astype(np.float64))
    past = logs[:, :-1]
    middle = np.median(past, axis=1)
    mad = np.median(np.abs(past - middle[:, None]), axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(mad > 0, (logs[:, -1] - middle) / (MAD_SCALE * mad), np.nan)


def close_location(high: F64, low: F64, close: F64) -> F64:
    """Where the close lies in its bar, -1 at the low, 1 at the high, 0 for a flat bar."""
    height = high - low
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(height > 0, (2 * close - high - low) / height, 0.0)


class MinuteOfDayVolume:
    """Mean volume of the same bar of the day over past sessions.

    Attributes:
        slots: bars a day that are kept, counted from the row's open.
    """

    def __init__(self, capacity: int, slots: int) -> None:
        self.slots = slots
        self._sum: I64 = np.zeros((capacity, slots), np.int64)
        self._sessions = np.zeros((capacity, slots), np.uint8)

    def learn(self, row: int, slots: I64, volumes: I64) -> None:
        """Add past bars of one row; each (session, slot) once."""
        inside = (slots >= 0) & (slots < self.slots)
        np.add.at(self._sum[row], slots[inside], volumes[inside])
        np.add.at(self._sessions[row], slots[inside], 1)

    def usual(self, rows: I64, slots: I64, min_sessions: int = 5) -> F64:
        """Mean volume at a slot, NaN where fewer than `min_sessions` are known: f64 (n,)."""
        inside = (slots >= 0) & (slots < self.slots)
        at = np.where(inside, slots, 0)
        sessions = self._sessions[rows, at].astype(np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = self._sum[rows, at] / sessions
        return np.where(inside & (sessions >= min_sessions), mean, np.nan)
