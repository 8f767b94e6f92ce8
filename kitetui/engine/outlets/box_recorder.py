"""Makes a black box when something grave happens: a P1 alert, or what ends the engine."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from kitetui.engine.calendar import ist
from kitetui.engine.clock import monotonic_ns, sleep, wall_ns
from kitetui.engine.day.recording import Recording
from kitetui.engine.flow.pipeline import Pipeline
from kitetui.engine.sinks.black_box import make_room, write_box

NS = 1_000_000_000
AFTER_S = 2.0
"""What follows at once is in the box too."""
EVERY_S = 60
"""From one box to the next: an hour of trouble is no hundred boxes."""
OLD_S = 60.0
"""A box begins with the state of at least so long ago, where there is one."""
NAME_MAX = 60
REPORTED = 100
"""Alerts and events that a box tells."""
_UNFIT = re.compile(r"[^A-Za-z0-9]+")


class BoxRecorder:
    """Watches for nothing itself: it is told, and writes when it is time."""

    def __init__(self, folder: Path, room_mb: int, recording: Recording,
                 pipeline: Pipeline, status: Callable[[], dict[str, Any]]) -> None:  # fmt: skip
        """`status`: the status document, as it is now."""
        self._folder = folder
        self._most_bytes = room_mb << 20
        self._recording = recording
        self._pipeline = pipeline
        self._status = status
        self._why = ""
        self._wanted = asyncio.Event()
        self._next_ns = 0

    @property
    def _on(self) -> bool:
        """Whether there is room, and a state to begin with."""
        return self._most_bytes > 0 and self._recording.restart is not None

    def want(self, why: str) -> None:
        """Something grave happened."""
        if self._on and not self._why and monotonic_ns() >= self._next_ns:
            self._why = why
            self._wanted.set()

    async def run(self) -> None:
        """Write what is wanted, for ever."""
        while True:
            await self._wanted.wait()
            await sleep(AFTER_S)
            await self.write(self._why)

    async def write(self, why: str) -> None:
        """Write one now."""
        self._wanted.clear()
        self._why = ""
        self._next_ns = monotonic_ns() + EVERY_S * NS
        if not self._on:
            return
        report = self._report(why)
        try:
            path = await asyncio.to_thread(self._write, why, report)
            self._pipeline.note("black box", f"{path}: {why}")
        except (OSError, RuntimeError) as error:
            self._pipeline.note(
                "black box", f"not written: {getattr(error, 'strerror', None) or error}"
            )

    def _report(self, why: str) -> bytes:
        """What a box says of the engine: its alerts, its events, and how it does."""
        desk, events = self._pipeline.desk, self._pipeline.events
        newest = sorted((*desk, *desk.closed), key=lambda alert: alert.at_s)[-REPORTED:]
        return msgspec.json.encode({"why": why, "alerts": newest,
                                    "events": list(events)[-REPORTED:],
                                    "status": self._status()})  # fmt: skip

    def _write(self, why: str, report: bytes) -> Path:
        restart, journal = self._recording.restart, self._recording.journal
        assert restart is not None and journal is not None
        keeper = restart.keeper
        states = [keeper.before, keeper.path]
        if _age_s(keeper.path) >= OLD_S:
            states.reverse()
        run = journal.path.parent.glob(f"{journal.run}*.arrows")
        name = f"{ist(wall_ns() / NS):%Y%m%d-%H%M%S}-{_UNFIT.sub('-', why)[:NAME_MAX]}".strip("-")
        done = write_box(self._folder, name, states, [*restart.paths, *run], report,
                         self._most_bytes)  # fmt: skip
        make_room(self._folder, self._most_bytes)
        return done


def _age_s(path: Path) -> float:
    try:
        return wall_ns() / NS - path.stat().st_mtime
    except OSError:
        return 0.0
