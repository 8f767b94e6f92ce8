"""Has ticks archived when their day is over, by a process that takes what time is left."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable
from datetime import date

from kitetui.engine.calendar import day_date, ist_day
from kitetui.engine.clock import sleep, wall_ns
from kitetui.engine.sinks.days import recorded_days
from kitetui.places import Places
from kitetui.settings import Settings

NS = 1_000_000_000
END_S = 2.0
SAID_MAX = 300
LATER_S = 5.0
"""After the start, which has better things to do."""


class TickArchiving:
    """One day after the other; what could not be archived, and what came in after that, is so at
    the next start.
    """

    def __init__(self, settings: Settings, where: Places, note: Callable[[str, str], None]) -> None:
        self._settings = settings
        self._where = where
        self._note = note
        self._wanted: asyncio.Queue[date] = asyncio.Queue()

    def over(self, day: int) -> None:
        """All sessions of a day are over."""
        self._wanted.put_nowait(day_date(day))

    async def run(self) -> None:
        """What earlier engines did not come to, then what is over, for ever."""
        if not self._settings.archive.ticks:
            return
        await sleep(LATER_S)
        today = day_date(ist_day(wall_ns() // NS))
        where = self._where
        try:
            for day in await asyncio.to_thread(recorded_days, where.journals, where.archive):
                if day.day < today and day.journals and not day.archived:
                    await self._archive(day.day)
        except OSError as error:
            self._note("archive", f"{error.filename}: {error.strerror or error}")
        while True:
            await self._archive(await self._wanted.get())

    async def _archive(self, day: date) -> None:
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command(day), stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            self._note("archive", f"ticks of {day}: {error.strerror or error}")
            return
        try:
            said, _ = await process.communicate()
        except asyncio.CancelledError:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), END_S)
            raise
        words = said.decode("utf-8", "replace").strip().splitlines() or [""]
        self._note("archive", words[-1].removeprefix("kitetui: ")[:SAID_MAX])

    def _command(self, day: date) -> list[str]:
        archive = self._settings.archive
        divisors = ", ".join(f"{k}: {v}" for k, v in self._settings.feed.divisors.items())
        kept = {
            "archive.journals": archive.journals,
            "archive.tick_days": str(archive.tick_days),
            "feed.divisors": f"{{{divisors}}}",
        }
        given = [part for key, value in kept.items() for part in ("--set", f"{key}={value}")]
        return [sys.executable, "-m", "kitetui", "archive", f"{day}", "--background", "--state",
                str(self._where.state), *given]  # fmt: skip
