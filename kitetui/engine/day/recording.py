"""The recording of a running engine: its journal, kept durable, and checkpoints with it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from kitetui.engine.clock import monotonic_ns, sleep, wall_ns
from kitetui.engine.day.restart import Keeper, Restart
from kitetui.engine.feed.journal_files import next_name
from kitetui.engine.feed.records import Place, RecordBatch
from kitetui.engine.flow.intake import Intake
from kitetui.engine.sinks.journal import JournalWriter, remove_old
from kitetui.engine.sinks.keyframes import Keyframes
from kitetui.engine.state import StateError
from kitetui.places import Places
from kitetui.settings import Settings

NS = 1_000_000_000
SYNC_S = 1.0
TIDY_S = 5.0

Held = Callable[[], dict[str, object]]
"""What a checkpoint keeps, by name."""


class Recording:
    """Keeps what comes in, once it began; where no journal is wanted it keeps nothing.

    Attributes:
        journal: None where none is wanted.
        restart: what earlier engines of the day left; None where that is not to be taken in.
        applied: where the journal has the last batch that was applied; None where it has not.
    """

    def __init__(self, settings: Settings, places: Places, source: bytes,
                 note: Callable[[str, str], None]) -> None:  # fmt: skip
        """`source`: what journals say of where their frames come from."""
        self._settings = settings
        self._places = places
        self._source = source
        self._note = note
        self._failed = ""
        self.journal: JournalWriter | None = None
        self.restart: Restart | None = None
        self.applied: Place | None = None

    def begin(self, *, restores: bool) -> None:
        """Begin the journal.

        Args:
            restores: take in what earlier engines of the day left, if the settings want it.

        Raises:
            OSError: it cannot be made.
        """
        settings, folder = self._settings.journal, self._places.journals
        if not settings.enabled:
            return
        now_s = wall_ns() / NS
        name = next_name(folder, now_s)
        if settings.restore and restores:
            keeper = Keeper(self._places.checkpoint, self._settings, self._places.keyframes)
            feed = self._settings.feed
            begins_s = feed.new_day_s if feed.speed_factor == 1.0 else None
            self.restart = Restart(folder, self._source, now_s, keeper, name, begins_s)
        self.journal = JournalWriter(folder / name, settings, self._source)

    async def tidy(self) -> None:
        """Remove what is kept no longer; a start does not wait for it."""
        if self.journal is not None:
            await sleep(TIDY_S)
            await asyncio.to_thread(self._tidy)

    def _tidy(self) -> None:
        folder = self._places.journals
        remove_old(folder, self._settings.journal.retention_days, wall_ns() / NS)
        Keyframes(self._places.keyframes).remove_left(folder)

    def durable(self) -> bool:
        """Whether the journal has what it was given, or none is wanted."""
        return self.journal is None or not self.journal.failed

    def keep(self, batch: RecordBatch) -> None:
        """A batch closed: the journal has it before anything follows from it."""
        if self.journal is None:
            return
        self.journal.write(batch, monotonic_ns())
        self._tell(self.journal)

    def _tell(self, journal: JournalWriter) -> None:
        """Say when the journal fails, and when it no longer does."""
        if journal.failed and not self._failed:
            self._note("journal", f"not durable: {journal.failed}")
        elif self._failed and not journal.failed:
            lost = journal.lost_batches
            words = f"; {lost:,} batches found no room in memory" if lost else ""
            self._note("journal", f"durable again: what waited is written{words}")
        self._failed = journal.failed

    async def sync(self) -> None:
        """Make the journal durable, as often as is wanted, for ever; the disk keeps nobody
        waiting."""
        while self.journal is not None:
            await sleep(self.journal.sync_s or SYNC_S)
            if self.journal.dirty:
                try:
                    await asyncio.to_thread(self.journal.sync, monotonic_ns())
                except RuntimeError:  # the system gives no thread: it is done here
                    self.journal.sync(monotonic_ns())
            else:
                self.journal.sync(monotonic_ns())
            self._tell(self.journal)

    async def keep_state(self, intake: Intake, settle: Callable[[], None],
                         still: Callable[[], int], held: Held) -> None:  # fmt: skip
        """Write checkpoints, at once and every now and then, for ever.

        Args:
            settle: has what followed so far on the disk; any thread may call it.
            still: is called once nothing is applied any more, and gives the session second; what
                looks at the state from then on changes nothing of it.
        """

        def applied() -> tuple[Place | None, int]:
            session_s = still()
            return self.applied, session_s

        failed = ""
        while self.restart is not None:
            try:
                await self.restart.keep(intake, settle, held(), applied, wall_ns() / NS)
                failed = ""
            except (OSError, StateError) as error:
                words = str(error) or type(error).__name__
                if words != failed:
                    self._note("checkpoint", f"not kept: {words}")
                failed = words
            await sleep(self._settings.journal.checkpoint_s)

    def close(self) -> None:
        """End the journal."""
        if self.journal is not None:
            self.journal.close()
