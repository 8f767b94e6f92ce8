"""Reads recorded journals. What was torn or changed is passed over and counted, never believed."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kitetui.engine.arrow import pa
from kitetui.engine.feed.journal_format import (
    FAMILY,
    FORMAT,
    SCHEMA,
    UNSEALED,
    DamagedError,
    JournalError,
    from_table,
)
from kitetui.engine.feed.records import Place, RecordBatch

ALIGNED = 8
"""Batches begin at multiples of so many bytes."""
MARK = b"\xff\xff\xff\xff"
"""What every batch begins with."""
END = MARK + bytes(4)
UNREADABLE = (pa.ArrowException, OSError, ValueError, EOFError, MemoryError, DamagedError)


def source_of(path: Path) -> bytes:
    """Where a journal's frames came from, as its writer called it; empty where it says nothing."""
    try:
        with pa.OSFile(str(path), "rb") as source:
            metadata = pa.ipc.open_stream(source).schema.metadata or {}
            return bytes(metadata.get(b"source", b""))
    except (pa.ArrowException, OSError, ValueError):
        return b""


class JournalReader:
    """Iterates a journal's batches.

    Attributes:
        batches, records: what has been read so far.
        position: the byte up to which was read.
        unread_bytes: bytes that could not be read, so far.
        lost_batches: batches that these bytes held, as far as the numbers of others tell.
        first, next: number of the first batch that was read, and of the one that should follow;
            -1 before any, and in journals without numbers.
    """

    def __init__(self, path: Path, after: int = 0) -> None:
        """`after`: a byte where a batch begins; those behind it are read, and not it."""
        self.path = path
        self._after = after
        self.batches = 0
        self.records = 0
        self.position = 0
        self.unread_bytes = 0
        self.lost_batches = 0
        self.first = -1
        self.next = -1
        self._sealed = True

    def __iter__(self) -> Iterator[RecordBatch]:
        """Batches in order.

        Raises:
            JournalError: the file is missing, unreadable, or not a journal at all.
        """
        with self._open() as source:
            size = source.size()
            good = begun = self._begin(source)
            if self._after:
                good = begun = min(self._after, size)
            while good < size:
                try:
                    number, span, batch, end = self._read(source, good)
                except UNREADABLE:
                    if size - good == len(END) and source.read_at(len(END), good) == END:
                        break
                    # Where the batch before ends may be what was changed.
                    again = self._resume(source, begun)
                    self.unread_bytes += max(again - good, 0)
                    good = self.position = again
                    continue
                if 0 <= number < self.next:  # it was told before, and stands here again
                    self.unread_bytes += end - good
                    begun = good = self.position = end
                    continue
                batch.kept.place = Place(self.path, good, number + span - 1)
                begun, good = good, end
                self.position = end
                self._count(number, span)
                if begun == self._after > 0:
                    continue
                if len(batch):
                    self.batches += 1
                    self.records += len(batch)
                    yield batch
            self.position = size

    def begin(self) -> int:
        """Where the first batch begins.

        Raises:
            JournalError: the file is missing, unreadable, or not a journal at all.
        """
        with self._open() as source:
            return self._begin(source)

    def _open(self) -> Any:
        try:
            return pa.OSFile(str(self.path), "rb")
        except OSError as error:
            raise JournalError(f"{self.path}: cannot be read: {error.strerror or error}") from None

    def _begin(self, source: Any) -> int:
        """Where the first batch begins."""
        try:
            schema = pa.ipc.open_stream(source).schema
        except (pa.ArrowException, OSError, ValueError):
            raise JournalError(
                f"{self.path}: is not a kitetui journal (an Arrow IPC stream); "
                "`kitetui import` turns recorded ticks into one"
            ) from None
        found = (schema.metadata or {}).get(b"format", b"none")
        if found not in (FORMAT, UNSEALED) or not schema.equals(SCHEMA):
            said = found.decode(errors="replace")[:40]
            words = f"{self.path}: expected {FORMAT.decode()}, found {said!r}"
            if found.startswith(FAMILY) and found > FORMAT:
                words += "; a later kitetui wrote it: upgrade this one to read it"
            raise JournalError(words)
        self._sealed = found == FORMAT
        return int(source.tell())

    def _read(self, source: Any, at: int) -> tuple[int, int, RecordBatch, int]:
        """Number and span of the batch that begins at a byte, it, and where the next one begins."""
        source.seek(at)
        table = pa.ipc.read_record_batch(pa.ipc.read_message(source), SCHEMA)
        table.validate(full=True)
        return *from_table(table, self._sealed), int(source.tell())

    def _resume(self, source: Any, at: int) -> int:
        """Where the next batch begins, behind a byte, that can be read and was not; or the end."""
        size = int(source.size())
        if not self._sealed:
            return size  # there is no telling what to believe
        with self.path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as held:
            end = size - len(END) if held[-len(END) :] == END else size
            while 0 <= (at := held.find(MARK, at + 1)) < end:
                if at % ALIGNED:
                    continue
                try:
                    number, *_ = self._read(source, at)
                except UNREADABLE:
                    continue
                if number >= self.next:
                    return at
        return end

    def _count(self, number: int, span: int) -> None:
        """Compare a batch's number with the one that was expected; empty ones have the next's."""
        if number < 0:
            return
        if self.first < 0:
            self.first = number
        elif number > self.next:
            self.lost_batches += number - self.next
        self.next = number + span


def begin_of(path: Path) -> int:
    """Where a journal's first batch begins.

    Raises:
        JournalError: the file is missing, unreadable, or not a journal at all.
    """
    return JournalReader(path).begin()


def read_at(place: Place) -> RecordBatch:
    """One batch of a journal that may still be written to.

    Raises:
        JournalError: there is none at that place, or the file is gone.
    """
    _, batch = _at(place)
    batch.kept.place = place
    return batch


def number_at(place: Place) -> int:
    """The number of the batch at a place, of a packed one the last.

    Raises:
        JournalError: there is none at that place, or the file is gone.
    """
    return _at(place)[0]


def _at(place: Place) -> tuple[int, RecordBatch]:
    try:
        with pa.OSFile(str(place.path), "rb") as source:
            source.seek(place.offset)
            table = pa.ipc.read_record_batch(pa.ipc.read_message(source), SCHEMA)
            table.validate(full=True)
            number, span, batch = from_table(table, True)
    except UNREADABLE as error:
        raise JournalError(f"{place.path}: no batch at byte {place.offset}: {error}") from None
    return number + span - 1, batch


__all__ = ["JournalError", "JournalReader", "begin_of", "number_at", "read_at", "source_of"]
