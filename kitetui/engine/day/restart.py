"""A restart within the session: the journals of today are played before the feed is opened."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec

from kitetui.engine.calendar import DAY_S, IST_OFFSET_S, ist, ist_day
from kitetui.engine.feed.journal_files import STAMP, JournalFiles, whole_runs
from kitetui.engine.feed.journal_reader import JournalError, number_at, source_of
from kitetui.engine.feed.records import Place, RecordBatch
from kitetui.engine.flow.intake import Intake, Taken
from kitetui.engine.flow.pipeline import Pipeline
from kitetui.engine.sinks import checkpoint
from kitetui.engine.sinks.keyframes import Keyframes
from kitetui.engine.state import Frozen, StateError, freeze, thaw
from kitetui.settings import Settings

GATHERED_BYTES = 1 << 20


def source_name(url: str) -> bytes:
    """What a journal says of where its frames came from: a digest, since a URL may hold secrets."""
    return blake2b(url.encode(), digest_size=8).hexdigest().encode()


class Keeper:
    """The checkpoint's file, for whom checkpoints in it are, and those that are kept."""

    def __init__(self, path: Path, settings: Settings, keyframes: Path) -> None:
        self.path = path
        self.before = path.with_suffix(".before")
        self.made_by = made_by(settings)
        self.keyframes = Keyframes(keyframes, settings.journal.keyframe_min * 60)

    def write(self, mark: checkpoint.Mark, frozen: Frozen) -> None:
        """Keep a checkpoint, the one before beside it, and one of every so many; blocking.

        Raises:
            OSError, StateError: it cannot be kept; those before stay.
        """
        with contextlib.suppress(OSError):
            self.before.unlink(missing_ok=True)
            checkpoint.keep_also(self.path, self.before)
        checkpoint.write(self.path, mark, frozen)
        self.keyframes.keep(self.path, mark)


class Restart:
    """Brings the pipeline to where an earlier engine of the same day and feed left it.

    Journals last written today count, also one that was begun the evening before, but none from
    before the day began that the engine is in. Where a checkpoint of today fits, only what is
    behind it is played.

    The same code takes the same records in the same order, so every value is as if the engine
    had never stopped.

    Attributes:
        paths: the earlier journals; keeper: where checkpoints are.
        files: what is played, and how far it is.
        resumed: whether it went on from a checkpoint.
        last: where the journals have the last batch that was taken in.
    """

    def __init__(self, folder: Path, source: bytes, now_s: float, keeper: Keeper,
                 own: str = "", begins_s: int | None = None) -> None:  # fmt: skip
        """Where to look for earlier engines of the day.

        Args:
            own: the name of this engine's own journal, which is no earlier one.
            begins_s: the second of a day, in India, at which a running engine begins a day: runs
                from before the last one are of another, however long they went on. None where days
                do not turn.
        """
        self._day = ist_day(int(now_s))
        self._folder = folder
        self._source = source
        self._own = own
        self.keeper = keeper
        self._today = ist(now_s).date()
        self._began = ""
        if begins_s is not None:
            day_s = ist_day(int(now_s) - begins_s) * DAY_S - IST_OFFSET_S + begins_s
            self._began = f"{ist(day_s):{STAMP}}"
        self.paths: list[Path] = []
        self.files = JournalFiles(())
        self.resumed = False
        self.last: Place | None = None

    def _find(self) -> list[Path]:
        """The journals of today and of this feed; blocking."""
        return [
            path
            for path in whole_runs(self._folder, self._is_todays)
            if path.name >= self._began
            and (not self._own or path.name < self._own)
            and source_of(path) == self._source
        ]

    def _is_todays(self, path: Path) -> bool:
        return ist(path.stat().st_mtime).date() == self._today

    async def play(self, pipeline: Pipeline, intake: Intake, taken: Taken, held: dict[str, Any],
                   known: Callable[[], None] = lambda: None) -> None:  # fmt: skip
        """Play all journals, or those behind a checkpoint.

        Args:
            taken: is told what followed from each batch.
            held: what a checkpoint fills.
            known: called when all that was said so far was said by an earlier engine.
        """
        self.paths = await asyncio.to_thread(self._find)
        self.files = JournalFiles(self.paths)
        if not self.paths:
            return
        why_not = await self._resume(held)
        try:
            for batch in self._gathered():
                await intake.play(batch, taken)
        except JournalError as error:
            known()
            pipeline.note("restart", str(error))
            return
        known()
        if why_not:
            pipeline.note("restart", f"{why_not}: the journals were played from the beginning")
        lost = self.files.lost()
        if lost:
            pipeline.note("restart", f"{lost}; everything else was taken in")
        began = "from a checkpoint on, " if self.resumed else ""
        pipeline.note("restart", f"{began}took {self.files.records} records of {self.files.files} "
                      "earlier journals of today in")  # fmt: skip

    async def _resume(self, held: dict[str, Any]) -> str:
        """Go on from the checkpoint, if it is of this day, feed, code and configuration; why one
        that should fit does not.

        Raises:
            StateError: it should fit, and does not.
        """
        try:
            kept = await asyncio.to_thread(checkpoint.read, self.keeper.path)
        except checkpoint.CheckpointError as error:
            return str(error)
        if kept is None:
            return ""
        mark, state = kept
        place = Place(self._folder / mark.journal, mark.offset, mark.number)
        wanted = (self._day, self._source, self.keeper.made_by)
        if (mark.day, mark.source, mark.made_by) != wanted or place.path not in self.paths:
            return ""
        if not await asyncio.to_thread(_lies_there, place):
            return "the checkpoint's journal was rewritten"
        try:
            thaw(held, state)
        except StateError:
            with contextlib.suppress(OSError):  # a bug: what is half filled is of no use
                self.keeper.path.unlink()
            raise
        self.files = JournalFiles(self.paths, place)
        self.last = place
        self.resumed = True
        return ""

    def _gathered(self) -> Iterator[RecordBatch]:
        """Records in larger batches: what follows from them is the same, and sooner there."""
        out, size = RecordBatch(), 0
        for batch in self.files:
            self.last = batch.kept.place
            out.extend(batch)
            size += sum(map(len, batch.payload))
            if size >= GATHERED_BYTES:
                yield out
                out, size = RecordBatch(), 0
        if len(out):
            yield out

    async def keep(self, intake: Intake, settle: Callable[[], None], held: dict[str, Any],
                   applied: Callable[[], tuple[Place | None, int]],
                   now_s: float) -> None:  # fmt: skip
        """Write a checkpoint, between two batches; `now_s` tells of which day it is.

        Args:
            settle: has what followed so far on the disk; any thread may call it.
            applied: where the journal has the last batch that was applied, if it has, and the
                session second.

        Raises:
            OSError, StateError: it cannot be kept; the one before stays.
        """
        frozen = Frozen()
        reached: list[tuple[Place, int]] = []
        errors: list[Exception] = []

        def steps() -> Iterator[None]:
            try:
                settle()
                place, session_s = applied()
                if place is not None:
                    yield from freeze(held, frozen)
                    reached.append((place, session_s))
            except Exception as error:  # noqa: BLE001 - not the intake's: the feed goes on
                errors.append(error)

        await asyncio.to_thread(settle)  # most of it; what is left then takes no time
        await intake.between(steps())
        for error in errors:
            raise error
        for place, session_s in reached:
            mark = checkpoint.Mark(
                place.path.name, place.offset, place.number, session_s, ist_day(int(now_s)),
                self._source, self.keeper.made_by,
            )  # fmt: skip
            await asyncio.to_thread(self.keeper.write, mark, frozen)


def _lies_there(place: Place) -> bool:
    try:
        return number_at(place) == place.number
    except JournalError:
        return False


def made_by(settings: Settings) -> str:
    """A digest of the code and the settings: with others a state would go on otherwise."""
    return f"{_digest_of_code()} {_digest(settings)}"


def _digest(settings: Settings) -> str:
    text = msgspec.json.encode(settings, order="deterministic")
    return blake2b(text, digest_size=16).hexdigest()


@cache
def _digest_of_code() -> str:
    """Of what a state's meaning depends on: another version may hold other things."""
    found = blake2b(digest_size=16)
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        found.update(path.read_bytes())
    return found.hexdigest()
