"""Rates and latencies, kept in fixed memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

NS = 1_000_000_000


class Reservoir:
    """The newest samples of a quantity."""

    def __init__(self, size: int = 2048) -> None:
        self._values = np.zeros(size)
        self.count = 0
        self.max = 0.0
        self._sorted = (0, np.zeros(0))

    def add(self, value: float) -> None:
        """Take a sample."""
        self._values[self.count % len(self._values)] = value
        self.count += 1
        self.max = max(self.max, value)

    def counts(self, ends: Sequence[float]) -> tuple[int, ...]:
        """How many of the samples held are up to each end, and above the one before; the last
        count is of those beyond all."""
        held = self._values[: min(self.count, len(self._values))]
        places = np.searchsorted(np.asarray(ends), held)
        return tuple(np.bincount(places, minlength=len(ends) + 1).tolist())

    def quantile(self, q: float) -> float:
        """A quantile of the samples held, between the nearest two; 0 before any.

        They are sorted anew once a sixty-fourth of them is fresh: everybody who looks asks for it.
        """
        at, held = self._sorted
        if self.count - at > len(held) // 64:
            held = np.sort(self._values[: min(self.count, len(self._values))])
            self._sorted = (self.count, held)
        if not len(held):
            return 0.0
        place = q * (len(held) - 1)
        low = int(place)
        high = min(low + 1, len(held) - 1)
        return float(held[low] + (held[high] - held[low]) * (place - low))


class Rate:
    """Events a second, smoothed over a few seconds; `update` is called about once a second."""

    def __init__(self) -> None:
        self.per_s = 0.0
        self._total = 0
        self._at_ns = 0

    def update(self, total: int, now_ns: int) -> None:
        """Take the running total at a monotonic time."""
        if self._at_ns and now_ns > self._at_ns:
            fresh = max(total - self._total, 0) * NS / (now_ns - self._at_ns)  # a replay goes back
            self.per_s = fresh if not self.per_s else 0.5 * self.per_s + 0.5 * fresh
        self._total, self._at_ns = total, now_ns
