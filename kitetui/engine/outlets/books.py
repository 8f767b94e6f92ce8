"""The books: what is kept of a real day beside its journal: firings, the desk, what was said."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from kitetui.engine.clock import monotonic_ns, wall_ns
from kitetui.engine.flow.derived import Derived
from kitetui.engine.flow.pipeline import Pipeline
from kitetui.engine.outlets.event_keeping import EventKeeping
from kitetui.engine.sinks.desk_log import DeskLog
from kitetui.engine.sinks.event_log import EventLog
from kitetui.engine.sinks.ledger import Ledger
from kitetui.places import Places

WAITING_MOST = 1000
"""Batches that wait for the disk."""
AGAIN_NS = 1_000_000_000
"""When it is tried again, while nothing else changes."""


class Books:
    """Kept together, or not at all: a replay or a simulation leaves nothing behind.

    Attributes:
        ledger: firings and what came of them; desk: alerts and who did what with them.
        events: what the engine said.
        unwritten: why something of the desk is not on the disk; empty while all of it is.
    """

    def __init__(self, places: Places, sessions: int, pipeline: Pipeline,
                 restoring: Callable[[], bool]) -> None:  # fmt: skip
        """`sessions`: how many are kept; `restoring`: whether a day is taken in again."""
        self.ledger = Ledger(places.ledger, sessions)
        self.desk = DeskLog(places.desk, sessions)
        log = EventLog(places.logs, f"{wall_ns() // 1_000_000:x}")
        self.events = EventKeeping(log, pipeline, restoring)
        self.unwritten = ""
        self._pipeline = pipeline
        self._waiting: deque[tuple[Any, Any, Any, int]] = deque()
        self._again_ns = self._left_out = 0

    def take(self, derived: Derived) -> None:
        """What became of alerts, on the disk; where that fails people are told all the same."""
        changed = derived.alerts, derived.transitions, derived.departures
        if any(changed):
            self._waiting.append((*changed, wall_ns() // 1_000_000))
        elif not self._waiting or monotonic_ns() < self._again_ns:
            return
        before = self.unwritten
        self._write()
        if self.unwritten and self.unwritten != before:
            self._pipeline.note("ledger", self.unwritten)
        if len(self._waiting) > WAITING_MOST:
            self._waiting.popleft()
            self._left_out += 1

    def _write(self) -> None:
        """Write what waits, as far as the disk takes it."""
        try:
            while self._waiting:
                self.desk.write(*self._waiting[0])
                self._waiting.popleft()
        except OSError as error:
            self.unwritten = error.strerror or str(error)
            self._again_ns = monotonic_ns() + AGAIN_NS
        else:
            lacks = f"{self._left_out} changes of the desk found no room in time"
            self.unwritten = lacks if self._left_out else ""
