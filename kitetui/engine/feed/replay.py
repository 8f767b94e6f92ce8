"""The driver that plays recordings: their records, in order, at a pace."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import msgspec

from kitetui.engine.calendar import ist
from kitetui.engine.feed.journal_files import JournalFiles
from kitetui.engine.feed.journal_reader import JournalError
from kitetui.engine.feed.records import Place, RecordBatch
from kitetui.engine.feed.sources import Inbox
from kitetui.engine.feed.transport import Transport


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


def parts(batch: RecordBatch, part_ns: Callable[[], int]) -> Iterator[RecordBatch]:
    """Parts of a batch, each of no more of the recording than is to be played at once then.

    A packed journal's batches hold minutes of a quiet feed.
    """
    times = batch.recv_ns
    start = 0
    while start < len(times):
        last_ns = times[start] + part_ns()
        end = next((at for at in range(start, len(times)) if times[at] > last_ns), len(times))
        yield batch.part(start, end) if end - start < len(times) else batch
        start = end


class ReplaySource:
    """Plays recordings: the same records, at a multiple of their pace or as fast as possible.

    Attributes:
        transport: its controls.
        done: set while the last record has been given.
        files: counts what was read and what was not.
        opened_at: session time from which it was played; '' for from the beginning.
        opened_behind: the batch that it begins behind; None for from the beginning.
    """

    def __init__(self, replay: Replay, inbox: Inbox, session_s: Callable[[], int]) -> None:
        """`session_s`: the session second that the market has reached; 0 before any."""
        self._paths = replay.paths
        self.files = JournalFiles(replay.paths)
        self.transport = Transport(replay.speed, session_s)
        self.done = asyncio.Event()
        self.opened_at = ""
        self.opened_behind: Place | None = None
        self._begin = replay.begin
        self._inbox = inbox
        self._session_s = session_s

    def begin_behind(self, place: Place | None) -> None:
        """Play only what lies behind a batch: what came before is known already; None for all."""
        self.files = JournalFiles(self._paths, place)
        self.opened_behind = place
        self.opened_at = ist(self._session_s()).isoformat() if place is not None else ""

    async def play(self, passed: Callable[[Place | None], Awaitable[None]] | None = None) -> bool:
        """Give every record to the inbox; False where the operator wants to go back.

        Args:
            passed: told after each batch that was given whole, and where it lies.

        Raises:
            JournalError: there is no journal to play, or its day does not reach `begin`.
        """
        self.done.clear()
        transport = self.transport
        waits = bool(self._begin)
        try:
            for batch in self.files:
                for part in parts(batch, lambda: transport.part_ns):
                    waits = waits and not self._reached()
                    if not waits and not await transport.due(part.recv_ns[0]):
                        return False
                    await self._inbox.play(part)
                if passed is not None:
                    await passed(batch.kept.place)
            if waits and not self._reached():
                raise JournalError(
                    f"--from {self._begin} is outside of what was recorded: it ends at "
                    f"{ist(self._session_s()):%H:%M} of {ist(self._session_s()):%Y-%m-%d}"
                )
        finally:
            self._begin = ""
            self.done.set()
        return True

    def state(self) -> tuple[str, str]:
        """How it goes in one word, and what there is to say of it."""
        transport = self.transport
        pace = "max" if transport.speed is None else f"{transport.speed:g}x"
        if transport.until_s or transport.back_s:
            return "SEEKING", f"to {ist(transport.until_s or transport.back_s):%H:%M:%S}"
        if self.done.is_set():
            return "REPLAYED", ""
        return ("PAUSED", "") if transport.paused else ("REPLAY", pace)

    def _reached(self) -> bool:
        now_s = self._session_s()
        return now_s > 0 and f"{ist(now_s):%H:%M}" >= self._begin
