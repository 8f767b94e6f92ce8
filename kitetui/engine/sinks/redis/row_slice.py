"""Slice: rows that are written together, in steps that may go out with different flushes."""

from __future__ import annotations

from collections import deque

from kitetui.engine.clock import monotonic_ns
from kitetui.engine.feed.batch import I64
from kitetui.engine.sinks.redis.outgoing import Stores
from kitetui.engine.sinks.redis.row_writer import RowWriter


class Slice:
    """Rows on their way, and what is still to be told of them.

    Attributes:
        steps: those not yet taken; spent_ns: what the others cost.
    """

    def __init__(self, writer: RowWriter, rows: I64) -> None:
        """The rows count as written from here on."""
        self._writer = writer
        self._held = writer.clear(rows)
        self.rows = rows
        self.steps = deque(writer.steps())
        self.spent_ns = 0

    def step(self, out: Stores) -> None:
        """One step more."""
        began_ns = monotonic_ns()
        self.steps.popleft()(out, self.rows)
        self.spent_ns += monotonic_ns() - began_ns

    def give_back(self) -> None:
        """What was told may not have arrived: the rows have been due ever since."""
        self._writer.undo(self.rows, self._held)
