"""Supervision: which of the engine's tasks may fail alone, how often, and what follows.

A task of the first kind carries the feed to the journal and to the detectors: where it fails the
engine ends in order, and whoever started it starts it again. One of the second kind is begun again;
where it fails too often it is given up, the engine goes on without it, and people are told.
"""

from __future__ import annotations

import asyncio
import traceback
from collections import deque
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from kitetui.engine.clock import monotonic_ns, sleep

NS = 1_000_000_000
MOST, WITHIN_S = 5, 60
"""A part that failed so often in so many seconds is given up."""
AGAIN_S = 1.0
CANCELS = 5

Work = Coroutine[Any, Any, None]


class Supervisor:
    """The tasks of one engine.

    Attributes:
        error: what failed that the engine cannot do without; None while nothing has.
        given_up: parts that it does without, and how they failed last.
        failures: how often parts of the second kind failed.
    """

    def __init__(self, stop: Callable[[], None], note: Callable[[str, str], None]) -> None:
        """`stop` is called when the engine has to end."""
        self._stop = stop
        self._note = note
        self._tasks: list[asyncio.Task[None]] = []
        self.error: BaseException | None = None
        self.given_up: dict[str, str] = {}
        self.failures = 0

    def need(self, work: Work) -> None:
        """Run what the engine cannot do without."""
        task = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(self.ended)
        self._tasks.append(task)

    def keep(self, name: str, begin: Callable[[], Work]) -> None:
        """Run what the engine can do without, and begin it again where it fails."""
        self.need(self._keep(name, begin))

    def ended(self, task: asyncio.Task[None]) -> None:
        """A task that dies takes the engine down in order: never alive but deaf."""
        if not task.cancelled() and task.exception() is not None:
            self.fail(task.exception())

    def fail(self, error: BaseException | None) -> None:
        """Something happened that the engine has to end for; the first counts."""
        self.error = self.error or error
        self._stop()

    async def _keep(self, name: str, begin: Callable[[], Work]) -> None:
        failed: deque[int] = deque(maxlen=MOST)
        while True:
            try:
                await begin()
                return
            except Exception as error:  # noqa: BLE001 - whatever it is, the feed goes on
                words = where(error)
            self.failures += 1
            failed.append(monotonic_ns())
            if len(failed) == MOST and failed[-1] - failed[0] < WITHIN_S * NS:
                self.given_up[name] = words
                self._note(name, f"given up after {MOST} failures: {words}")
                return
            self._note(name, f"failed and begins again: {words}")
            await sleep(AGAIN_S)

    async def cancel(self) -> None:
        """End all tasks; a library may swallow a cancellation, so it is repeated."""
        waiting = set(self._tasks)
        for _ in range(CANCELS):
            for task in waiting:
                task.cancel()
            if waiting:
                _, waiting = await asyncio.wait(waiting, timeout=0.2)
        for task in waiting:
            self._note("core", f"{task.get_name()} does not end")


def where(error: BaseException) -> str:
    """What failed and where, without its message: that may hold anything, also a secret."""
    called = traceback.extract_tb(error.__traceback__)
    place = called[-1] if called else None
    at = f" in {place.name} ({Path(place.filename).name}:{place.lineno})" if place else ""
    return f"{type(error).__name__}{at}"
