"""Longer bars from minutes, anchored at the session's open."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kitetui.engine.feed.batch import I64
from kitetui.engine.market.bars import FIELDS, ClosedBars, merge, span
from kitetui.engine.market.instruments import Rows


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
