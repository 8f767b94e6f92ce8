"""Plays a recording in the place of a feed: from an hour on, to its end, there and back again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import datetime, time
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

from kitetui.engine.calendar import DAY_S, IST, ist
from kitetui.engine.commands import Play, Result
from kitetui.engine.day.restart import made_by
from kitetui.engine.feed.records import Place
from kitetui.engine.feed.replay import Replay, ReplaySource
from kitetui.engine.flow.intake import Intake
from kitetui.engine.sinks.keyframes import Keyframes
from kitetui.engine.state import Frozen, freeze, thaw
from kitetui.settings import Settings

REMEMBER_S = 600
"""Session seconds from one remembered state to the next."""
REMEMBERED_BYTES = 256 << 20
"""What states may take that are held in memory, to go back to."""
SPEEDS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0)
"""Faster than the last is as fast as possible."""
CLOCKS = ("%H:%M:%S", "%H:%M")


class _Moment(NamedTuple):
    """A state to go back to."""

    at_s: int
    place: Place | None
    state: Frozen
    size: int


class Theatre(NamedTuple):
    """What a recording is played into.

    Attributes:
        held: what follows from it, by name; session_s: the session second that it has reached.
        settle: has everything that followed in what is held; called while nothing is applied.
        went_back: told when what is held is of an earlier second.
    """

    held: dict[str, Any]
    session_s: Callable[[], int]
    settle: Callable[[], None]
    went_back: Callable[[], None]


class Playing:
    """One replay, from its opening to its end."""

    def __init__(self, settings: Settings, replay: Replay, source: ReplaySource, intake: Intake,
                 keyframes: Path, note: Callable[[str, str], None]) -> None:  # fmt: skip
        self._settings = settings
        self._intake = intake
        self._replay = replay
        self._source = source
        self._keyframes = Keyframes(replay.states or keyframes)
        self._note = note
        self._returns = False
        self._moments: list[_Moment] = []

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

    async def run(self, theatre: Theatre, *, looked_on: bool) -> None:
        """Play to the end; then, where somebody looks on, wait for what they want to see again.

        Raises:
            JournalError: as `ReplaySource.play`.
            StateError: a state cannot be told.
        """
        if not looked_on:
            await self._source.play()
            self._tell()
            return

        async def passed(place: Place | None) -> None:
            if theatre.session_s() >= self._moments[-1].at_s + REMEMBER_S:
                await self._remember(place, theatre)

        self._returns = True
        await self._remember(self._source.opened_behind, theatre)
        transport = self._source.transport
        while True:
            if await self._source.play(passed):
                self._tell()
            while not transport.back_s:
                transport.until_s = 0
                await transport.change()
            await self._go_back(theatre, transport.back_s)
            transport.went_back(theatre.session_s())
            theatre.went_back()

    async def _remember(self, place: Place | None, theatre: Theatre) -> None:
        """Hold the state, between two batches."""
        state = Frozen()

        def steps() -> Iterator[None]:
            theatre.settle()
            yield from freeze(theatre.held, state)

        await self._intake.between(steps())
        self._moments.append(_Moment(theatre.session_s(), place, state, state.size))
        while len(self._moments) > 2 and sum(m.size for m in self._moments) > REMEMBERED_BYTES:
            del self._moments[1]  # the beginning stays, the oldest of the others goes

    async def _go_back(self, theatre: Theatre, at_s: int) -> None:
        """To the latest state that is not behind a second; the recording goes on from there."""
        while len(self._moments) > 1 and self._moments[-1].at_s > at_s:
            self._moments.pop()
        moment = self._moments[-1]

        def steps() -> Iterator[None]:
            theatre.settle()
            thaw(theatre.held, moment.state)
            yield

        await self._intake.between(steps())
        self._source.begin_behind(moment.place)

    def _tell(self) -> None:
        files = self._source.files
        if files.lost():
            self._note("replay", f"{files.lost()}; everything else was played")
        self._note("replay", f"played {files.records} records")

    def obey(self, asked: Play, now_s: int) -> Result:
        """Do what an operator asks of the player; `now_s`: the session second that it is at."""
        transport = self._source.transport
        try:
            if asked.action == "pause":
                transport.pause(held=not transport.paused)
                return Result(True, "held" if transport.paused else "plays")
            if asked.action == "step":
                return self._step(int(asked.value or 1))
            if asked.action == "speed":
                transport.pace(_pace(asked.value, transport.speed))
                return Result(True, "plays " + " ".join(self._source.state()).lower())
            return self._seek(asked.value, now_s)
        except ValueError:
            return Result(False, f"{asked.action} {asked.value}: a number is expected")

    def _step(self, seconds: int) -> Result:
        """On by some seconds, or back where they are below 0."""
        if seconds <= 0 and not self._returns:
            return Result(False, "only a replay with a screen goes back")
        seconds = min(max(seconds, -DAY_S), DAY_S)
        self._source.transport.step(seconds)
        return Result(True, f"{abs(seconds)} s {'on' if seconds > 0 else 'back'}")

    def _seek(self, text: str, now_s: int) -> Result:
        """To a time of the day that is played."""
        if not now_s:
            return Result(False, "nothing was played yet")
        for form in CLOCKS:
            try:
                wanted = datetime.strptime(text.strip(), form).time()
            except ValueError:
                continue
            at_s = _second(now_s, wanted)
            if at_s <= now_s and not self._returns:
                return Result(False, "only a replay with a screen goes back")
            self._source.transport.seek(at_s)
            return Result(True, f"goes to {wanted:%H:%M:%S}")
        return Result(False, f"{text!r} is no time; expected HH:MM or HH:MM:SS")


def _pace(text: str, now: float | None) -> float | None:
    """A speed, or the next one to the present."""
    if text in ("faster", "slower"):
        held = float("inf") if now is None else now
        if text == "faster":
            return next((speed for speed in SPEEDS if speed > held), None)
        return max((speed for speed in SPEEDS if speed < held), default=SPEEDS[0])
    speed = None if text == "max" else float(text)
    if speed is not None and not isfinite(speed):
        raise ValueError(text)
    return speed


def _second(now_s: int, wanted: time) -> int:
    """A time of the day that a session second lies in."""
    return int(datetime.combine(ist(now_s).date(), wanted, IST).timestamp())
