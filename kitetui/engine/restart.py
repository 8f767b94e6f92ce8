"""A restart within the session: the journals of today are played before the feed is opened."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path

from kitetui.engine.calendar import ist
from kitetui.engine.feed.journal_reader import JournalError, JournalReader, source_of
from kitetui.engine.intake import Intake, Taken
from kitetui.engine.pipeline import Pipeline


def source_name(url: str) -> bytes:
    """What a journal says of where its frames came from: a digest, since a URL may hold secrets."""
    return blake2b(url.encode(), digest_size=8).hexdigest().encode()


class Restart:
    """Brings the pipeline to where an earlier engine of the same day and feed left it.

    Journals last written today count, also one that was begun the day before.

    The same code takes the same records in the same order, so every value is as if the engine
    had never stopped.

    Attributes:
        journals, records, unread_bytes: what was played, and what could not be read.
        share: how much of it is done, 0 to 1.
    """

    def __init__(self, folder: Path, source: bytes, now_s: float) -> None:
        today = ist(now_s).date()
        self._paths = [
            path
            for path in sorted(folder.glob("*.arrows"))
            if ist(path.stat().st_mtime).date() == today and source_of(path) == source
        ]
        self.journals = 0
        self.records = 0
        self.unread_bytes = 0
        self.share = 0.0

    async def play(self, pipeline: Pipeline, intake: Intake, taken: Taken) -> None:
        """Play all journals; `taken` is told what followed from each batch."""
        total = sum(path.stat().st_size for path in self._paths) or 1
        done = 0
        for path in self._paths:
            reader = JournalReader(path)
            try:
                for batch in reader:
                    await intake.play(batch, taken)
                    self.share = (done + reader.position) / total
            except JournalError as error:
                pipeline.note("restart", str(error))
                continue
            self.journals += 1
            self.records += reader.records
            self.unread_bytes += reader.unread_bytes
            done += path.stat().st_size
            if reader.unread_bytes:
                pipeline.note("restart", f"{path.name}: the last {reader.unread_bytes} bytes could "
                              "not be read; everything before was taken in")  # fmt: skip
        if self.journals:
            pipeline.note("restart", f"took {self.records} records of {self.journals} earlier "
                          "journals of today in")  # fmt: skip
        self.share = 1.0
