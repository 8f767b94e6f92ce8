"""Due bars: which closed and were not written yet, and what is told of them."""

from __future__ import annotations

import numpy as np

from kitetui.engine.feed.batch import F64, I64, Bool
from kitetui.engine.market.timeframe import DAY
from kitetui.engine.sinks.redis.rows.columns import Bars, BarsTold, RowSource

BAR_MINUTES = (1, 5, DAY)
"""Timeframes whose closed bars have streams."""
CACHED_MINUTES = (1, 5, 15)
"""Timeframes whose indicators are cached."""


class DueBars:
    """The bar of each row and timeframe that was written last."""

    def __init__(self, source: RowSource, capacity: int) -> None:
        self._source = source
        self._written = {m: np.full(capacity, -1, np.int64) for m in BAR_MINUTES}
        self._spoken: I64 = np.full(capacity, -1, np.int64)

    def __bool__(self) -> bool:
        """Whether any bar is due."""
        newest = self._source.newest_bars
        return any(bool((newest(m) > held).any()) for m, held in self._written.items())

    def forget(self) -> None:
        """The server may hold nothing any more: all bars of today are due."""
        for written in self._written.values():
            written.fill(-1)

    def read(self, limit: int, quiet: bool) -> BarsTold | None:
        """Bars of at most so many rows, which count as written; None where none is due.

        Args:
            quiet: they closed a while ago, and are told on no channel.
        """
        closed: list[tuple[int, Bars]] = []
        before: list[tuple[int, I64, I64]] = []
        moved: I64 = np.zeros(0, np.int64)
        for minutes in BAR_MINUTES:
            written, newest = self._written[minutes], self._source.newest_bars(minutes)
            rows = np.flatnonzero(newest > written)[:limit]
            limit -= len(rows)
            if not len(rows):
                continue
            closed += [(minutes, bars) for bars in
                       self._source.bars_since(minutes, rows, written[rows])]  # fmt: skip
            before.append((minutes, rows, written[rows].copy()))
            written[rows] = newest[rows]
            moved = rows if minutes == 1 else moved
        if not before:
            return None
        newest = self._source.newest_bars(1)[moved]
        speaks: Bool = newest > self._spoken[moved]  # each once, also where it is written again
        self._spoken[moved] = newest
        values: dict[int, F64] = {m: self._source.indicators(m, moved) for m in CACHED_MINUTES}
        return BarsTold(closed, before, moved, newest, values, speaks & (not quiet))

    def undo(self, told: BarsTold) -> None:
        """They were not written."""
        for minutes, rows, before in told.before:
            self._written[minutes][rows] = before
