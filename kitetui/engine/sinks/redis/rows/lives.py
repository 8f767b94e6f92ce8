"""Lives: which keys need to be told how long they live, so that not every write tells it."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np

from kitetui.engine.clock import monotonic_ns
from kitetui.engine.feed.batch import I64

NS = 1_000_000_000
SHARED_MAX = 1_000


class Lives:
    """A key is told its life when it is first written, and again after a quarter of it."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._period: dict[str, I64] = {}
        self._again_ns: dict[str, I64] = {}
        self._shared: OrderedDict[bytes, int] = OrderedDict()

    def due(self, name: str, rows: I64, period: int, life_s: int) -> I64:
        """Places of rows whose key of a period must be told; they count as told from now on."""
        if name not in self._period:
            self._period[name] = np.full(self._capacity, -1, np.int64)
            self._again_ns[name] = np.zeros(self._capacity, np.int64)
        held, again_ns = self._period[name], self._again_ns[name]
        now_ns = monotonic_ns()
        fresh = np.flatnonzero((held[rows] != period) | (again_ns[rows] < now_ns))
        held[rows[fresh]] = period
        again_ns[rows[fresh]] = now_ns + life_s * NS // 4
        return fresh

    def due_once(self, key: bytes, life_s: int) -> bool:
        """The same for a key that many rows share."""
        now_ns = monotonic_ns()
        if self._shared.get(key, 0) > now_ns:
            return False
        self._shared[key] = now_ns + life_s * NS // 4
        if len(self._shared) > SHARED_MAX:
            self._shared.popitem(last=False)
        return True

    def forget(self) -> None:
        """Nothing was told."""
        for again_ns in self._again_ns.values():
            again_ns.fill(0)
        self._shared.clear()
