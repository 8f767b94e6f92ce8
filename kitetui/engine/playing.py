"""Plays a recording in the place of a feed: from an hour on, where one is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kitetui.engine.feed.replay import Replay, ReplaySource
from kitetui.engine.restart import made_by
from kitetui.engine.sinks.keyframes import Keyframes
from kitetui.engine.state import thaw
from kitetui.settings import Settings


class Playing:
    """One replay, from its opening to its end."""

    def __init__(self, settings: Settings, replay: Replay, source: ReplaySource, keyframes: Path,
                 note: Callable[[str, str], None]) -> None:  # fmt: skip
        self._settings = settings
        self._replay = replay
        self._source = source
        self._keyframes = Keyframes(keyframes)
        self._note = note

    async def open_hour(self, held: dict[str, Any]) -> bool:
        """Take in the latest keyframe before the hour, where one fits; else all is played.

        Args:
            held: what a keyframe fills, by name.

        Raises:
            StateError: it should fit, and does not.
        """
        hour = self._replay.begin
        if not hour:
            return False
        journals = {path.name: path for path in self._replay.paths}
        found = await asyncio.to_thread(
            lambda: next(self._keyframes.before(hour, journals, made_by(self._settings)), None)
        )
        if found is None:
            return False
        place, state = found
        thaw(held, state)
        self._source.begin_behind(place)
        self._note("replay", f"opened at {self._source.opened_at}; "
                             "before it nothing is played again")  # fmt: skip
        return True

    async def run(self) -> None:
        """Play to the end.

        Raises:
            JournalError: as `ReplaySource.run`.
        """
        await self._source.run()
        files = self._source.files
        if files.lost():
            self._note("replay", f"{files.lost()}; everything else was played")
        self._note("replay", f"played {files.records} records")
