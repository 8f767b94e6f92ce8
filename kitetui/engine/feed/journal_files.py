"""Journal files: the files of a day, or of a folder, read as one recording."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

from kitetui.engine.calendar import ist
from kitetui.engine.feed.journal_format import FIRST
from kitetui.engine.feed.journal_reader import JournalError, JournalReader
from kitetui.engine.feed.records import Place, RecordBatch

STAMP = "%Y%m%d-%H%M%S-%f"
STAMP_LENGTH = len("20261126-091500-123456")
_STAMP = re.compile(r"\d{8}-\d{6}-\d{6}-")
_SEGMENT = re.compile(r"\.\d{3}\.arrows$")
"""What the names of a run's files end with."""


class JournalFiles:
    """Files in the order of their names: when each run began, then one after the other.

    Attributes:
        files: those that were read to their end, as far as they can be.
        errors: why others could not be read at all.
        share: how much was read, 0 to 1.
    """

    def __init__(self, paths: Iterable[Path], after: Place | None = None) -> None:
        """`after`: a batch; what is behind it is read, and neither it nor what is before."""
        self._readers = [
            JournalReader(path, after.offset if after is not None and path == after.path else 0)
            for path in sorted(paths) if after is None or path.name >= after.path.name
        ]  # fmt: skip
        self._begins_in = after.path if after is not None else None
        self._total = sum(_size(reader.path) for reader in self._readers) or 1
        self._between = 0
        self.files = 0
        self.errors: list[str] = []

    @property
    def batches(self) -> int:
        """Batches that were read."""
        return sum(reader.batches for reader in self._readers)

    @property
    def records(self) -> int:
        """Records that were read."""
        return sum(reader.records for reader in self._readers)

    @property
    def unread_bytes(self) -> int:
        """Bytes that could not be read."""
        return sum(reader.unread_bytes for reader in self._readers)

    @property
    def lost_batches(self) -> int:
        """Batches that are missing before others of their run: damaged, or in a file that is."""
        return self._between + sum(reader.lost_batches for reader in self._readers)

    @property
    def share(self) -> float:
        """How much was read, 0 to 1."""
        return sum(reader.position for reader in self._readers) / self._total

    @property
    def bytes(self) -> int:
        """Bytes of all files."""
        return self._total

    @property
    def paths(self) -> list[Path]:
        """The files."""
        return [reader.path for reader in self._readers]

    def __iter__(self) -> Iterator[RecordBatch]:
        """Batches in order. A file that cannot be read is named in `errors`; others go on.

        Raises:
            JournalError: the only file cannot be read.
        """
        run, expected = "", 0
        for reader in self._readers:
            try:
                yield from reader
            except JournalError as error:
                if len(self._readers) == 1:
                    raise
                self.errors.append(str(error))
                continue
            self.files += 1
            if reader.first < 0:
                continue
            name = _run(reader.path)
            if name == run:
                self._between += max(reader.first - expected, 0)
            elif name != reader.path.name and reader.path != self._begins_in:
                self._between += reader.first  # a run begins with 0
            run, expected = name, reader.next

    def lost(self) -> str:
        """What could not be read, in words; '' where all was."""
        words = []
        if self.unread_bytes:
            words.append(f"{self.unread_bytes:,} bytes could not be read")
        if self.lost_batches:
            words.append(f"{self.lost_batches:,} batches before others are missing")
        return "; ".join([*words, *self.errors])


def whole_runs(folder: Path, wanted: Callable[[Path], bool]) -> list[Path]:
    """All files of the runs that have a wanted one: the first holds the instruments."""
    paths = sorted(folder.glob("*.arrows"))
    runs = {_run(path) for path in paths if wanted(path)}
    return [path for path in paths if _run(path) in runs]


def is_first(path: Path) -> bool:
    """Whether a file is the first of its run."""
    return path.name.endswith(f"{FIRST}.arrows") or _run(path) == path.name


def first_of(path: Path) -> Path:
    """The first file of a file's run."""
    return path.with_name(f"{_run(path)}{FIRST}.arrows") if _SEGMENT.search(path.name) else path


def _run(path: Path) -> str:
    return _SEGMENT.sub("", path.name)


def next_name(folder: Path, now_s: float) -> str:
    """The name of a run's first file: behind all that are there, even if a clock was set back."""
    begins = ist(now_s)
    newest = max((p.name[:STAMP_LENGTH] for p in folder.glob("*.arrows")
                  if _STAMP.match(p.name)), default="")  # fmt: skip
    if newest and f"{begins:{STAMP}}" <= newest:
        begins = datetime.strptime(newest, STAMP) + timedelta(microseconds=1)
    return f"{begins:{STAMP}}-{os.getpid()}{FIRST}.arrows"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
