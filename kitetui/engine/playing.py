"""Plays a recording in the place of a feed: from an hour on, where one is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from kitetui.engine.feed.records import Place
from kitetui.engine.feed.replay import Replay, ReplaySource
from kitetui.engine.restart import made_by
from kitetui.engine.sinks.keyframes import Keyframes
from kitetui.engine.state import Frozen, thaw
from kitetui.settings import Settings


class Playing:
    """One replay, from its opening to its end."""

    def __init__(self, settings: Settings, replay: Replay, source: ReplaySource, keyframes: Path,
                 note: Callable[[str, str], None]) -> None:  # fmt: skip
        self._settings = settings
        self._replay = replay
        self._source = source
        self._keyframes = Keyframes(replay.states or keyframes)
        self._note = note

    async def open_hour(self, held: dict[str, Any]) -> bool:
        """Take in the latest keyframe before the hour, where one fits; else all is played.

        Args:
            held: what a keyframe fills, by name.

        Raises:
            StateError: it should fit, and does not.
        """
        if not self._replay.begin and self._replay.states is None:
            return False
        found = await asyncio.to_thread(lambda: next(self._states(), None))
        if found is None:
            if self._replay.states is not None:
                self._note("replay", "the box's state is of another version or other settings; "
                                     "its frames are played without it")  # fmt: skip
            return False
        place, state = found
        thaw(held, state)
        self._source.begin_behind(place)
        self._note("replay", f"opened at {self._source.opened_at}; "
                             "before it nothing is played again")  # fmt: skip
        return True

    def _states(self) -> Iterator[tuple[Place, Frozen]]:
        """The states that it can begin with, the best first."""
        journals = {path.name: path for path in self._replay.paths}
        made = made_by(self._settings)
        if self._replay.begin:
            yield from self._keyframes.before(self._replay.begin, journals, made)
        if self._replay.states is not None:
            yield from self._keyframes.newest(journals, made)

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
