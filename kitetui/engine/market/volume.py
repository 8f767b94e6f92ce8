"""Volume against its usual: ratios, robust z, and the same minute of past sessions."""

from __future__ import annotations

import numpy as np

from kitetui.engine.feed.batch import F64, I64

MAD_SCALE = 1.4826
"""Makes the median absolute deviation of a normal sample estimate its standard deviation."""


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


class MinuteOfDayVolume:
    """Mean volume of the same bar of the day over past sessions.

    Attributes:
        slots: bars a day that are kept, counted from the row's open.
    """

    def __init__(self, capacity: int, slots: int) -> None:
        self.slots = slots
        self._sum: I64 = np.zeros((slots, capacity), np.int64)
        self._sessions = np.zeros((slots, capacity), np.uint8)

    def learn(self, row: int, slots: I64, volumes: I64) -> None:
        """Tell one row's past bars, all of them; each (session, slot) once."""
        inside = (slots >= 0) & (slots < self.slots)
        self._sum[:, row] = np.bincount(slots[inside], volumes[inside], self.slots)
        self._sessions[:, row] = np.bincount(slots[inside], minlength=self.slots)

    def usual(self, rows: I64, slots: I64, min_sessions: int = 5) -> F64:
        """Mean volume at a slot, NaN where fewer than `min_sessions` are known: f64 (n,)."""
        inside = (slots >= 0) & (slots < self.slots)
        at = np.where(inside, slots, 0)
        sessions = self._sessions[at, rows].astype(np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = self._sum[at, rows] / sessions
        return np.where(inside & (sessions >= min_sessions), mean, np.nan)

    def sessions(self, rows: I64, slots: I64) -> I64:
        """Sessions known at a slot: i64 (n,)."""
        inside = (slots >= 0) & (slots < self.slots)
        known = self._sessions[np.where(inside, slots, 0), rows].astype(np.int64)
        return np.where(inside, known, 0)


def close_location(high: F64, low: F64, close: F64) -> F64:
    """Where the close lies in its bar, -1 at the low, 1 at the high, 0 for a flat bar."""
    height = high - low
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(height > 0, (2 * close - high - low) / height, 0.0)
