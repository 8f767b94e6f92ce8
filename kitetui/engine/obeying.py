"""Obeying: what a person asks is journalled and applied first, then done by whom it concerns."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable

import msgspec

from kitetui.engine import commands
from kitetui.engine.clock import wall_ns
from kitetui.engine.commands import Command, Result
from kitetui.engine.day.following import Following
from kitetui.engine.day.playing import Playing
from kitetui.engine.day.recording import Recording
from kitetui.engine.feed.records import Kind, RecordBatch
from kitetui.engine.flow.intake import Intake
from kitetui.engine.flow.pipeline import Pipeline
from kitetui.engine.outlets.redis import RedisOutlet
from kitetui.engine.sinks.desk_log import DeskLog

NS = 1_000_000_000


class Obeying:
    """Carries commands out, in the order of all inputs.

    Attributes:
        playing, following: of a recording, or of Kite's feed; None where there is none.
    """

    def __init__(self, pipeline: Pipeline, intake: Intake, recording: Recording,
                 redis: RedisOutlet, log: DeskLog | None,
                 restoring: Callable[[], bool]) -> None:  # fmt: skip
        """
        Args:
            log: has what operators did to Redis and to thresholds; restoring: whether the day's
                earlier journals are still being taken in.
        """
        self._pipeline = pipeline
        self._intake = intake
        self._recording = recording
        self._redis = redis
        self._log = log
        self._restoring = restoring
        self._waiting: deque[tuple[bytes, asyncio.Future[Result]]] = deque()
        """Commands that were put in, as their own records, and who waits for each."""
        self.playing: Playing | None = None
        self.following: Following | None = None

    async def obey(self, command: Command) -> Result:
        """Do what is asked, or say why not."""
        if isinstance(command, commands.RedisAction):
            return await self._operate(command)
        if isinstance(command, commands.Play):
            if self.playing is None:
                return Result(False, "nothing is replayed: the feed is live")
            return self.playing.obey(command, self._pipeline.session_s)
        if isinstance(command, commands.FeedCommand):
            if self.following is None:
                return Result(False, "the feed is not Kite's: nothing is subscribed here")
            asked = await self._applied(command)
            if not asked.done:
                return asked
            result = await self.following.obey(command)
            self._intake.flush()  # what it led to is kept before anybody is told that it is done
            return result
        result = await self._applied(command)
        if isinstance(command, commands.Tune | commands.Untune) and result.done:
            self._keep(command.actor, command.words, result)
        return result

    async def _applied(self, command: Command) -> Result:
        if self._restoring():
            return Result(False, "today's journals are still being taken in; try again")
        return await self.apply(command)

    async def apply(self, command: Command) -> Result:
        """Have a command journalled and applied; its result."""
        answer: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        payload = commands.encode(command)
        self._waiting.append((payload, answer))
        self._intake.put(Kind.COMMAND, payload)
        self._intake.flush()
        result = await answer
        if result.done and not self._recording.durable():
            words = f"{result.text}; not durable: the journal cannot be written"
            return msgspec.structs.replace(result, text=words)
        return result

    def answer(self, batch: RecordBatch, results: Iterable[Result]) -> None:
        """The commands of a batch were applied, with these results, in their order.

        Those of a recording that is played are nobody's here.
        """
        given = (p for kind, p in zip(batch.kind, batch.payload, strict=True)
                 if kind == Kind.COMMAND)  # fmt: skip
        for payload, result in zip(given, results, strict=True):
            if self._waiting and self._waiting[0][0] is payload:
                _, answer = self._waiting.popleft()
                if not answer.done():
                    answer.set_result(result)

    def close(self) -> None:
        """Nobody gets an answer any more."""
        for _, answer in self._waiting:
            answer.cancel()

    async def _operate(self, action: commands.RedisAction) -> Result:
        """Redis is outside: what is asked is journalled, done, and what came of it kept."""
        if action.dry or action.action == "inspect":
            return await self._redis.control.obey(action)
        asked = await self._applied(action)
        if not asked.done:
            return asked
        result = await self._redis.control.obey(action)
        self._pipeline.note("redis", f"{action.actor}: {result.text}")
        self._keep(action.actor, action.words, result)
        return result

    def _keep(self, actor: str, words: str, result: Result) -> None:
        """What an operator did, into the day's ledger."""
        if self._log is None:
            return
        try:
            at_s = self._pipeline.session_s or wall_ns() // NS
            self._log.control(at_s, actor, words, result, wall_ns() // 1_000_000)
        except OSError as error:
            self._pipeline.note("ledger", error.strerror or str(error))
