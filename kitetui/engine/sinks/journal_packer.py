"""Packs journals that nobody writes any more: small batches become large ones, record by record."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa

from kitetui.engine.feed.journal_format import FORMAT, SCHEMA, to_table
from kitetui.engine.feed.journal_reader import JournalError, JournalReader, source_of
from kitetui.engine.feed.records import RecordBatch

PACKED_BYTES = 256 << 10
"""Payload of a batch: larger ones save nothing more, and a changed byte would cost more."""
MARK = b"packed"


def is_packed(path: Path) -> bool:
    """Whether a journal was packed.

    Raises:
        JournalError: it cannot be read.
    """
    try:
        with pa.OSFile(str(path), "rb") as source:
            return MARK in (pa.ipc.open_stream(source).schema.metadata or {})
    except (pa.ArrowException, OSError, ValueError) as error:
        raise JournalError(f"{path}: cannot be read: {error}") from None


def pack(path: Path) -> tuple[int, int]:
    """Rewrite a closed journal in its place; its bytes before and after.

    Records, their order, their times and what is missing among them stay as they are. A file that
    is damaged, or packed already, stays as it is.

    Raises:
        JournalError: it cannot be read.
        OSError: the disk does not take it; the file stays as it is.
    """
    was = path.stat()
    if is_packed(path):
        return was.st_size, was.st_size
    fresh = path.with_suffix(".fresh")
    fresh.unlink(missing_ok=True)
    reader = JournalReader(path)
    schema = SCHEMA.with_metadata({b"format": FORMAT, b"source": source_of(path), MARK: b"1"})
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            options = pa.ipc.IpcWriteOptions(compression="zstd", use_threads=False)
            with pa.ipc.new_stream(file, schema, options=options) as out:
                _copy(reader, lambda batch, number, span: out.write_batch(
                    to_table(batch, number, span)))  # fmt: skip
            file.flush()
            os.fsync(file.fileno())
        size = fresh.stat().st_size
        if reader.unread_bytes or reader.first < 0 or size >= was.st_size:
            fresh.unlink()
            return was.st_size, was.st_size
        os.utime(fresh, ns=(was.st_atime_ns, was.st_mtime_ns))  # the date it belongs to
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    return was.st_size, size


def _copy(reader: JournalReader, write: Callable[[RecordBatch, int, int], None]) -> None:
    held, size, begins, upto = RecordBatch(), 0, -1, 0
    for batch in reader:
        number = reader.next - 1
        if begins < 0:
            write(RecordBatch(), reader.first, 0)  # a file's first batch is empty
        if len(held) and (number != upto or size >= PACKED_BYTES):
            write(held, begins, upto - begins)
            held, size = RecordBatch(), 0
        if not len(held):
            begins = number
        held.extend(batch)
        size += sum(map(len, batch.payload))
        upto = number + 1
    if len(held):
        write(held, begins, upto - begins)


def pack_all(paths: Sequence[Path]) -> tuple[int, int]:
    """Pack closed journals; bytes before and after, of those that could be.

    Raises:
        OSError: the disk takes no more; what was packed is.
    """
    before = after = 0
    for path in paths:
        try:
            was, now = pack(path)
        except JournalError:
            continue
        before, after = before + was, after + now
    return before, after
