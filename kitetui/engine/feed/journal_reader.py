"""Reads recorded journals: Arrow IPC streams of input records. A torn tail is no error."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from kitetui.engine.feed.records import Place, RecordBatch

FORMAT = b"kitetui-journal-1"
SCHEMA = pa.schema(
    [
        pa.field("kind", pa.uint8(), nullable=False),
        pa.field("connection", pa.uint8(), nullable=False),
        pa.field("recv_ns", pa.int64(), nullable=False),
        pa.field("payload", pa.binary(), nullable=False),
    ],
    metadata={b"format": FORMAT},
)
"""One Arrow record batch per engine batch; any pyarrow reads it."""


class JournalError(Exception):
    """A file that is no journal, or none that this version reads."""


def source_of(path: Path) -> bytes:
    """Where a journal's frames came from, as its writer called it; empty where it says nothing."""
    try:
        with pa.OSFile(str(path), "rb") as source:
            metadata = pa.ipc.open_stream(source).schema.metadata or {}
            return bytes(metadata.get(b"source", b""))
    except (pa.ArrowException, OSError, ValueError):
        return b""


class JournalReader:
    """Iterates a journal's batches up to the first broken one.

    Attributes:
        batches, records: what has been read so far.
        position: bytes read so far.
        unread_bytes: size of the tail that could not be read; known at the end.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.batches = 0
        self.records = 0
        self.position = 0
        self.unread_bytes = 0

    def __iter__(self) -> Iterator[RecordBatch]:
        """Batches in order.

        Raises:
            JournalError: the file is missing, unreadable, or not a journal at all.
        """
        try:
            source = pa.OSFile(str(self.path), "rb")
        except OSError as error:
            raise JournalError(f"{self.path}: cannot be read: {error.strerror or error}") from None
        with source:
            size = source.size()
            try:
                reader = pa.ipc.open_stream(source)
            except (pa.ArrowException, OSError, ValueError):
                raise JournalError(
                    f"{self.path}: is not a kitetui journal (an Arrow IPC stream); "
                    "`kitetui import` turns recorded ticks into one"
                ) from None
            metadata = reader.schema.metadata or {}
            if metadata.get(b"format") != FORMAT or not reader.schema.equals(SCHEMA):
                found = metadata.get(b"format", b"none").decode(errors="replace")[:40]
                raise JournalError(f"{self.path}: expected {FORMAT.decode()}, found {found!r}")
            good = source.tell()
            while True:
                try:
                    table = reader.read_next_batch()
                    table.validate(full=True)
                    batch = _records(table)
                except StopIteration:
                    break
                except (pa.ArrowException, OSError, ValueError, MemoryError):
                    self.unread_bytes = size - good
                    break
                batch.place = Place(self.path, good)
                good = self.position = source.tell()
                if not len(batch):
                    continue
                self.batches += 1
                self.records += len(batch)
                yield batch


def read_at(place: Place) -> RecordBatch:
    """One batch of a journal that may still be written to.

    Raises:
        JournalError: there is none at that place, or the file is gone.
    """
    try:
        with pa.OSFile(str(place.path), "rb") as source:
            source.seek(place.offset)
            table = pa.ipc.read_record_batch(pa.ipc.read_message(source), SCHEMA)
            table.validate(full=True)
            batch = _records(table)
    except (pa.ArrowException, OSError, ValueError, EOFError, MemoryError) as error:
        raise JournalError(f"{place.path}: no batch at byte {place.offset}: {error}") from None
    batch.place = place
    return batch


def _records(table: pa.RecordBatch) -> RecordBatch:
    out = RecordBatch()
    out.kind = table.column(0).to_pylist()
    out.connection = table.column(1).to_pylist()
    out.recv_ns = table.column(2).to_pylist()
    out.payload = table.column(3).to_pylist()
    return out
