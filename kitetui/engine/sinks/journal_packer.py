"""Packs journals that nobody writes any more: small batches become large ones, record by record."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from pathlib import Path

import msgspec

from kitetui.engine.arrow import pa
from kitetui.engine.feed.journal_format import FORMAT, SCHEMA, to_table
from kitetui.engine.feed.journal_reader import JournalError, JournalReader, source_of
from kitetui.engine.feed.records import RecordBatch

PACKED_BYTES = 256 << 10
"""Payload of a batch: larger ones save nothing more, and a changed byte would cost more."""
PACKED = b"packed"
"""What a packed journal's schema says."""
FRESH = ".fresh"
LEVEL = 6


def is_packed(path: Path) -> bool:
    """Whether a journal was packed.

    Raises:
        JournalError: it cannot be read.
    """
    try:
        with pa.OSFile(str(path), "rb") as source:
            return PACKED in (pa.ipc.open_stream(source).schema.metadata or {})
    except (pa.ArrowException, OSError, ValueError) as error:
        raise JournalError(f"{path}: cannot be read: {error}") from None


def is_sealed(path: Path) -> bool:
    """Whether a journal's batches have numbers and seals."""
    with pa.OSFile(str(path), "rb") as source:
        return (pa.ipc.open_stream(source).schema.metadata or {}).get(b"format") == FORMAT


class Packed(msgspec.Struct):
    """What packing came to.

    Attributes:
        before, after: bytes; the same where the file was left as it is.
        offsets: where the batches lie now that end with a number which was asked for.
    """

    before: int
    after: int
    offsets: dict[int, int] = msgspec.field(default_factory=dict)


def pack(path: Path, ends: Collection[int] = ()) -> Packed:
    """Rewrite a closed journal in its place.

    Records, their order, their times and what is missing among them stay as they are. A file that
    is damaged, of the first format, or packed already, stays as it is.

    Args:
        ends: numbers of batches behind which nothing is packed with what is before.

    Raises:
        JournalError: it cannot be read.
        OSError: the disk does not take it; the file stays as it is.
    """
    was = path.stat()
    found = Packed(was.st_size, was.st_size)
    if is_packed(path) or not is_sealed(path):
        return found
    fresh = path.with_suffix(FRESH)
    fresh.unlink(missing_ok=True)
    reader = JournalReader(path)
    schema = SCHEMA.with_metadata({b"format": FORMAT, b"source": source_of(path), PACKED: b"1"})
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            options = pa.ipc.IpcWriteOptions(
                compression=pa.Codec("zstd", compression_level=LEVEL), use_threads=False
            )
            with pa.ipc.new_stream(file, schema, options=options) as out:

                def write(batch: RecordBatch, number: int, span: int) -> None:
                    if number + span - 1 in ends:
                        found.offsets[number + span - 1] = file.tell()
                    out.write_batch(to_table(batch, number, span))

                _copy(reader, ends, write)
            file.flush()
            os.fsync(file.fileno())
        size = fresh.stat().st_size
        if reader.unread_bytes or reader.first < 0 or size >= was.st_size:
            fresh.unlink()
            return Packed(was.st_size, was.st_size)
        os.utime(fresh, ns=(was.st_atime_ns, was.st_mtime_ns))  # the date it belongs to
        fresh.replace(path)
        found.after = size
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    return found


def _copy(reader: JournalReader, ends: Collection[int],
          write: Callable[[RecordBatch, int, int], None]) -> None:  # fmt: skip
    held, size, begins, upto = RecordBatch(), 0, -1, 0
    for batch in reader:
        number = reader.next - 1
        if begins < 0:
            write(RecordBatch(), reader.first, 0)  # a file's first batch is empty
        if len(held) and (number != upto or size >= PACKED_BYTES or upto - 1 in ends):
            write(held, begins, upto - begins)
            held, size = RecordBatch(), 0
        if not len(held):
            begins = number
        held.extend(batch)
        size += sum(map(len, batch.payload))
        upto = number + 1
    if len(held):
        write(held, begins, upto - begins)
