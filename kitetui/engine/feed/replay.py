"""The driver that plays recordings: their records, in order, at a pace."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from kitetui.engine.calendar import ist
from kitetui.engine.clock import monotonic_ns
from kitetui.engine.feed.journal_files import JournalFiles
from kitetui.engine.feed.journal_reader import JournalError
from kitetui.engine.feed.records import Place, RecordBatch
from kitetui.engine.feed.sources import NS, Inbox

PART_NS = 50_000_000
"""A packed journal's batches hold minutes of a quiet feed; at a pace they are played in parts."""


class Replay(msgspec.Struct, frozen=True):
    """What is played instead of a feed.

    Attributes:
        paths: journals; speed: times their own pace, None for as fast as possible.
        begin: an hour of the day, HH:MM: what comes before is played as fast as possible.
        states: where a black box keeps the state that it begins with.
    """

    paths: tuple[Path, ...]
    speed: float | None = None
    begin: str = ""
    states: Path | None = None


def short(batch: RecordBatch) -> Iterator[RecordBatch]:
    """Parts of a batch that took no longer to come in than a live one does."""
    times = batch.recv_ns
    if times[-1] - times[0] <= PART_NS:
        yield batch
        return
    start = 0
    for at, now_ns in enumerate(times):
        if now_ns - times[start] > PART_NS:
            yield batch.part(start, at)
            start = at
    yield batch.part(start, len(times))


class ReplaySource:
    """Plays recordings: the same records, at a multiple of their pace or as fast as possible.

    Attributes:
        done: set when the last record has been given.
        files: counts what was read and what was not.
        opened_at: session time from which it was played; '' for from the beginning.
    """

    def __init__(self, replay: Replay, inbox: Inbox, session_s: Callable[[], int]) -> None:
        """`session_s`: the session second that the market has reached; 0 before any."""
        self._paths = replay.paths
        self.files = JournalFiles(replay.paths)
        self.done = asyncio.Event()
        self.opened_at = ""
        self._speed = replay.speed
        self._begin = replay.begin
        self._inbox = inbox
        self._session_s = session_s

    def begin_behind(self, place: Place) -> None:
        """Play only what lies behind a batch: what came before is known already."""
        self.files = JournalFiles(self._paths, place)
        self.opened_at = ist(self._session_s()).isoformat()

    async def run(self) -> None:
        """Give every record to the inbox.

        Raises:
            JournalError: there is no journal to play, or its day does not reach `begin`.
        """
        began_ns = first_ns = 0
        waits = bool(self._begin)
        try:
            for batch in self.files:
                for part in (batch,) if self._speed is None else short(batch):
                    waits = waits and not self._reached()
                    if self._speed is not None and not waits:
                        began_ns, first_ns = began_ns or monotonic_ns(), first_ns or part.recv_ns[0]
                        due_ns = (part.recv_ns[0] - first_ns) / self._speed
                        await asyncio.sleep(max(due_ns - (monotonic_ns() - began_ns), 0) / NS)
                    await self._inbox.play(part)
            if waits and not self._reached():
                raise JournalError(
                    f"--from {self._begin} is outside of what was recorded: it ends at "
                    f"{ist(self._session_s()):%H:%M} of {ist(self._session_s()):%Y-%m-%d}"
                )
        finally:
            self.done.set()

    def _reached(self) -> bool:
        now_s = self._session_s()
        return now_s > 0 and f"{ist(now_s):%H:%M}" >= self._begin
