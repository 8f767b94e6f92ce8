"""The newest bars of every row, in a ring of fixed size."""

from __future__ import annotations

import numpy as np

from kitetui.engine.feed.batch import I32, I64
from kitetui.engine.market.bars import FIELDS, TURNOVER, ClosedBars, span
from kitetui.engine.market.instruments import Rows


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

    def replace(self, row: int, starts: I64, values: I64, count: int | None = None) -> None:
        """Give one row other bars, oldest first: i64 (k,) and (fields, k).

        `count`: the number that they are counted to, k by default; at least k.
        """
        self.count[row] = len(starts) if count is None else count
        self.newest[row] = starts[-1] if len(starts) else -1
        kept = slice(max(len(starts) - self.depth, 0), None)
        first = int(self.count[row]) - len(starts)
        at = (first + np.arange(len(starts))[kept]) % self.depth
        self._start[at, row] = starts[kept]
        self._values[at, :, row] = values[:, kept].T
        self._turnover[at, row] = values[TURNOVER, kept]

    def window(self, field: int, rows: I64 | I32, n: int, back: int = 0) -> I64:
        """The newest n values before the last `back`, oldest first: i64 (len(rows), n).

        Needs count >= n + back, and n + back <= depth.
        """
        if field == TURNOVER:
            at = (self.count[rows] - back - n + np.arange(n)[:, None]) % self.depth
            turnover: I64 = self._turnover[at, rows].T
            return turnover
        return self.read(field, self.places(rows, n, back)).T

    def places(self, rows: I64 | I32, n: int, back: int = 0) -> I64:
        """Where the newest n bars before the last `back` lie, for `read`: i64 (n, len(rows))."""
        first = (self.count[rows] - back - n) % self.depth
        slot = first + np.arange(n)[:, None]
        slot -= self.depth * (slot >= self.depth)
        place: I64 = slot * self._values[0].size + rows
        return place

    def read(self, field: int, places: I64) -> I64:
        """A field of the bars at `places`, any but the turnover."""
        flat = self._values.reshape(-1)
        found: I64 = flat.take(places + field * self._values.shape[2]).astype(np.int64)
        return found

    def starts(self, rows: I64, n: int, back: int = 0) -> I64:
        """First minutes of the newest n bars before the last `back`: i64 (len(rows), n)."""
        at = (self.count[rows] - back - n + np.arange(n)[:, None]) % self.depth
        found: I64 = self._start[at, rows].astype(np.int64).T
        return found

    def last(self, row: int, n: int) -> tuple[I64, I64]:
        """Up to n newest bars of one row, oldest first: starts (k,), values (fields, k)."""
        k = min(n, int(self.count[row]), self.depth)
        at = (int(self.count[row]) - k + np.arange(k)) % self.depth
        values = self._values[at, :, row].astype(np.int64).T
        values[TURNOVER] = self._turnover[at, row]
        return self._start[at, row].astype(np.int64), values
