"""Longer bars from minutes, anchored at the session's open."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kitetui.engine.feed.batch import I64
from kitetui.engine.market.bars import FIELDS, HIGH, LOW, ClosedBars, merge, merge_runs, span
from kitetui.engine.market.history import History
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

    def mend(self, row: int, parts: History, hours: tuple[int, int], upto: int,
             gap: tuple[int, int]) -> None:  # fmt: skip
        """The open bar of a row anew, where a gap lies in it.

        Args:
            parts: the closed bars that it is made of, as they are known now.
            hours: first minute of the row's session, and the one after its last.
            upto: minutes before this one are closed; gap: its first and its last minute.
        """
        start = hours[0] + (upto - 1 - hours[0]) // self.minutes * self.minutes
        end = min(start + self.minutes, hours[1])
        starts, values = parts.last(row, parts.depth)
        inside = starts >= start
        if end <= upto or start > gap[1] or not inside.any():
            return
        bar = merge_runs(values[:, inside], np.zeros(1, np.int64))[:, 0]
        if inside.all() and parts.count[row] > parts.depth:  # its first parts are not kept
            held = self.values[:, row]
            held[HIGH], held[LOW] = max(held[HIGH], bar[HIGH]), min(held[LOW], bar[LOW])
            return
        self.start[row], self.end[row] = start, end
        self.values[:, row] = bar
