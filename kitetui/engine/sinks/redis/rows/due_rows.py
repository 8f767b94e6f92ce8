"""Due rows: which had a tick and were not written since, and what is told of them.

What is due follows from the state alone; after a failure the same is due again.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from kitetui.engine.feed.batch import I64, Bool
from kitetui.engine.market.instruments import Rows
from kitetui.engine.market.normalise import Run
from kitetui.engine.sinks.redis.rows.columns import RowSource, RowsTold
from kitetui.engine.sinks.redis.rows.newest import Newest

FOCUS_MINUTES = 1
"""The timeframe whose indicators stand beside a tick in focus."""


class DueRows:
    """Rows since when they wait. One that was never seen, or is written, waits for nothing."""

    def __init__(self, rows: Rows, source: RowSource, focus: Iterable[str],
                 focus_rows: int) -> None:  # fmt: skip
        """
        Args:
            focus: symbols with streams of their own; focus_rows: all have, up to so many.
        """
        self._rows = rows
        self._source = source
        self._newest = Newest(rows.capacity)
        self._since: I64 = np.zeros(rows.capacity, np.int64)
        self._focus_symbols = frozenset(focus)
        self._focus_rows = focus_rows
        self._focus: Bool = np.zeros(0, np.bool_)

    @property
    def focus(self) -> Bool:
        """Rows that have streams of their own: bool (rows.count,)."""
        if len(self._focus) != self._rows.count:
            few = self._rows.count <= self._focus_rows
            self._focus = np.array(
                [few or i.symbol in self._focus_symbols for i in self._rows.instruments], np.bool_
            )
        return self._focus

    def take(self, run: Run, now_ns: int) -> None:
        """Ticks came: their rows are due."""
        row = self._newest.keep(run)
        self._since[row[self._since[row] == 0]] = now_ns

    def forget(self, now_ns: int) -> None:
        """The server may hold nothing any more: every row that had a tick is due."""
        seen = self._newest.length(np.arange(self._rows.capacity)) > 0
        self._since[seen & (self._since == 0)] = now_ns

    def before(self, at_ns: int, limit: int) -> I64:
        """Rows that wait since that time or longer, those that wait longest first."""
        rows = np.flatnonzero((self._since > 0) & (self._since <= at_ns))
        if len(rows) > limit:
            rows = rows[np.argpartition(self._since[rows], limit)[:limit]]
        return rows

    def oldest_ns(self) -> int:
        """Since when the row waits that waits longest; 0 for none."""
        waiting = self._since[self._since > 0]
        return int(waiting.min()) if len(waiting) else 0

    def clear(self, rows: I64) -> I64:
        """Rows are being written; what `undo` needs, should that fail."""
        held = self._since[rows]
        self._since[rows] = 0
        return held

    def undo(self, rows: I64, held: I64) -> None:
        """They were not written: they have been due ever since."""
        self._since[rows] = held

    def read(self, rows: I64) -> RowsTold:
        """What is told of rows, as it is now: all of it copies."""
        focused = rows[self.focus[rows]]
        return RowsTold(
            rows=rows,
            newest=self._newest.ticks(rows),
            sessions=self._source.sessions(rows),
            buckets=self._source.buckets(rows),
            books=self._source.books(rows),
            focused=self._newest.ticks(focused) if len(focused) else None,
            indicators=self._source.indicators(FOCUS_MINUTES, focused),
        )
