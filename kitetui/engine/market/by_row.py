"""ByRow: the ticks of a run against the state of their rows, each with its row's one before."""

from __future__ import annotations

from functools import cache, cached_property
from typing import Any

import numpy as np

from kitetui.engine.feed.batch import I32, I64, Bool


@cache
def _block(size: int) -> np.dtype[np.void]:
    return np.dtype((np.void, size))


def put_rows(table: Any, row: I64, values: Any) -> None:
    """`table[row] = values` for a table of several columns, each row moved as one block.

    Of a row that occurs twice the last value stays. numpy's own way takes twice as long.

    Args:
        table: (rows, ...), contiguous; values: (n, ...), of the same type.
    """
    width = table[0].size
    block = _block(width * table.itemsize)
    values = np.ascontiguousarray(values).reshape(-1, width)
    table.reshape(-1, width).view(block)[:, 0][row] = values.view(block)[:, 0]


class ByRow:
    """Answers in arrival order; state arrays have the rows on their first axis.

    In most runs no row occurs twice, and then nothing has to be sorted.

    Attributes:
        row: i64 (n,), the row of each tick.
        unique: whether no row occurs twice.
    """

    __slots__ = ("__dict__", "row", "unique")

    def __init__(self, row: I32, stamp: I32) -> None:
        """`stamp` is scratch space, one entry a row."""
        place = np.arange(len(row), dtype=np.int32)
        self.row: I64 = row.astype(np.int64)
        stamp[self.row] = place
        self.unique = not np.count_nonzero(stamp[self.row] != place)

    @cached_property
    def order(self) -> I64:
        """Positions sorted by row, arrival order within a row."""
        return np.argsort(self.row, kind="stable")

    @cached_property
    def first(self) -> Bool:
        """In sorted order: whether a tick is its row's first in the run."""
        row = self.row[self.order]
        return np.append(True, row[1:] != row[:-1])

    @cached_property
    def last(self) -> Bool:
        """In sorted order: whether a tick is its row's last in the run."""
        return np.append(self.first[1:], True)

    def previous(self, values: Any, stored: Any) -> Any:
        """What each tick's row held before it; afterwards `stored` holds the last value.

        Args:
            values: (n, ...); stored: (rows, ...).
        """
        if self.unique:
            before = stored.take(self.row, axis=0)
            if stored.ndim > 1:
                put_rows(stored, self.row, values)
            else:
                stored[self.row] = values
            return before
        row = self.row[self.order]
        ordered = values[self.order]
        before = np.empty_like(ordered)
        before[1:] = ordered[:-1]
        before[self.first] = stored[row[self.first]]
        stored[row[self.last]] = ordered[self.last]
        out = np.empty_like(before)
        out[self.order] = before
        return out

    def running_maximum(self, values: I64, stored: I64) -> tuple[I64, I64]:
        """The row's maximum before and after each tick; values and maxima below 2^33."""
        if self.unique:
            before = stored[self.row]
            after = np.maximum(values, before)
            stored[self.row] = after
            return before, after
        row = self.row[self.order]
        lift = (np.cumsum(self.first) - 1) << 33
        held = stored[row[self.first]]
        running = values[self.order] + lift
        running[self.first] = np.maximum(running[self.first], held + lift[self.first])
        running = np.maximum.accumulate(running) - lift
        stored[row[self.last]] = running[self.last]
        before = np.empty_like(running)
        before[1:] = running[:-1]
        before[self.first] = held
        out = np.empty((2, len(running)), np.int64)
        out[:, self.order] = before, running
        return out[0], out[1]

    def carried(self, values: I64, stored: I64) -> I64:
        """Each value, or where it is 0 the row's last that was not; `stored` keeps it."""
        if self.unique:
            out = np.where(values != 0, values, stored[self.row])
            stored[self.row] = out
            return out
        row = self.row[self.order]
        ordered = values[self.order]
        place = np.arange(len(row))
        anchor = np.maximum.accumulate(np.where((ordered != 0) | self.first, place, 0))
        found = np.where(ordered[anchor] != 0, ordered[anchor], stored[row])
        stored[row[self.last]] = found[self.last]
        out = np.empty_like(found)
        out[self.order] = found
        return out
