"""Keeps what happened: the engine's events, on their way into the log's files."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from kitetui.engine.clock import sleep, wall_ns
from kitetui.engine.flow.derived import Event
from kitetui.engine.flow.pipeline import Pipeline
from kitetui.engine.sinks.event_log import EventLog, Said

LOG_S, AGAIN_S = 1.0, 60.0


class EventKeeping:
    """Finds events that are not in the log yet; the disk is waited for on another thread."""

    def __init__(self, log: EventLog, pipeline: Pipeline, restoring: Callable[[], bool]) -> None:
        """`restoring`: whether a day is taken in again, whose events were written then."""
        self._log = log
        self._p = pipeline
        self._restoring = restoring
        self._logged: Event | None = None

    async def run(self) -> None:
        """Write what happened, every second, for ever."""
        while True:
            await sleep(LOG_S)
            if self._restoring():
                continue
            fresh, newest = self._fresh()
            try:
                await asyncio.to_thread(self._log.write, fresh, wall_ns())
                self._logged = newest
            except OSError as error:
                self._p.note("log", f"cannot be written: {error.strerror}")
                await sleep(AGAIN_S)

    def at_once(self, source: str, text: str) -> None:
        """Write a line now, also while a day is taken in again."""
        with contextlib.suppress(OSError):
            self._log.write([Said(0, source, text)], wall_ns())

    def close(self) -> None:
        """Write an engine's last words."""
        with contextlib.suppress(OSError):
            self._log.write(self._fresh()[0], wall_ns())

    def known(self) -> None:
        """What was said so far is in the log: an earlier engine of the day wrote it."""
        self._logged = self._p.events[-1] if self._p.events else None

    def _fresh(self) -> tuple[list[Said], Event | None]:
        """Events that are not in the log, oldest first, and the newest one there is."""
        if self._restoring():
            return [], self._logged
        out: list[Said] = []
        for event in reversed(self._p.events):
            if event is self._logged:
                break
            out.append(Said(event.at_s, event.source, event.text))
        return out[::-1], self._p.events[-1] if self._p.events else None
