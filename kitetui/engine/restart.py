"""A restart within the session: the journals of today are played before the feed is opened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path

from kitetui.engine.calendar import ist
from kitetui.engine.feed.journal_files import JournalFiles
from kitetui.engine.feed.journal_reader import JournalError, source_of
from kitetui.engine.feed.records import RecordBatch
from kitetui.engine.intake import Intake, Taken
from kitetui.engine.pipeline import Pipeline

GATHERED_BYTES = 1 << 20


def source_name(url: str) -> bytes:
    """What a journal says of where its frames came from: a digest, since a URL may hold secrets."""
    return blake2b(url.encode(), digest_size=8).hexdigest().encode()


class Restart:
    """Brings the pipeline to where an earlier engine of the same day and feed left it.

    Journals last written today count, also one that was begun the day before.

    The same code takes the same records in the same order, so every value is as if the engine
    had never stopped.

    Attributes:
        files: what is played, and how far it is.
    """

    def __init__(self, folder: Path, source: bytes, now_s: float) -> None:
        today = ist(now_s).date()
        self.files = JournalFiles(
            path
            for path in folder.glob("*.arrows")
            if ist(path.stat().st_mtime).date() == today and source_of(path) == source
        )

    async def play(self, pipeline: Pipeline, intake: Intake, taken: Taken) -> None:
        """Play all journals; `taken` is told what followed from each batch."""
        if not self.files.paths:
            return
        try:
            for batch in _gathered(self.files):
                await intake.play(batch, taken)
        except JournalError as error:
            pipeline.note("restart", str(error))
            return
        lost = self.files.lost()
        if lost:
            pipeline.note("restart", f"{lost}; everything else was taken in")
        pipeline.note("restart", f"took {self.files.records} records of {self.files.files} "
                      "earlier journals of today in")  # fmt: skip


def _gathered(batches: Iterable[RecordBatch]) -> Iterator[RecordBatch]:
    """The same records in larger batches: what follows from them is the same, and sooner there."""
    out, size = RecordBatch(), 0
    for batch in batches:
        out.extend(batch)
        size += sum(map(len, batch.payload))
        if size >= GATHERED_BYTES:
            yield out
            out, size = RecordBatch(), 0
    if len(out):
        yield out
