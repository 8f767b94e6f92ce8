"""The journal's writer: every input, in order, before anything is derived from it."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path

import pyarrow as pa

from kitetui.engine.feed.journal_reader import SCHEMA
from kitetui.engine.feed.records import Place, RecordBatch
from kitetui.settings import JournalSettings

_SYNC_NS = {"always": 0, "10ms": 10_000_000, "1s": 1_000_000_000}


class JournalWriter:
    """Appends engine batches to one Arrow IPC stream.

    `write` hands a batch to the kernel before it returns: a killed process loses nothing of it.
    `journal.sync` bounds what a power cut may cost.

    Attributes:
        failed: why writing stopped ('' while it works); a full disk does not stop the engine.
    """

    def __init__(self, path: Path, settings: JournalSettings, source: bytes = b"") -> None:
        """Create the file, mode 0600; an existing one is an error.

        Args:
            source: what the file says of where its frames come from.

        Raises:
            OSError: the file cannot be made.
        """
        self.path = path
        self.failed = ""
        self.batches = 0
        self._sync_ns = _SYNC_NS[settings.sync]
        self.synced_ns = 0
        self._dirty = False
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        self._file = os.fdopen(self._fd, "wb", buffering=0)
        codec = None if settings.compression == "none" else settings.compression
        self._sink = io.BytesIO()
        schema = SCHEMA.with_metadata({**SCHEMA.metadata, b"source": source})
        self._stream = pa.ipc.new_stream(
            self._sink, schema,
            # Threads would have to be waited for: a batch is small.
            options=pa.ipc.IpcWriteOptions(compression=codec, use_threads=False),
        )  # fmt: skip
        # The schema goes out with the first batch: an empty one, so that the places of all others
        # are where the file ended before them.
        self._stream.write_batch(pa.RecordBatch.from_pylist([], schema=SCHEMA))
        self._size = 0
        self._hand_over()

    @property
    def bytes(self) -> int:
        """Bytes in the file so far."""
        return self._size

    def write(self, batch: RecordBatch, now_ns: int) -> None:
        """Write one batch, and tell it its place; `now_ns` is monotonic, for the sync policy."""
        if self.failed or not len(batch):
            return
        table = pa.record_batch(
            [
                pa.array(batch.kind, pa.uint8()),
                pa.array(batch.connection, pa.uint8()),
                pa.array(batch.recv_ns, pa.int64()),
                pa.array(batch.payload, pa.binary()),
            ],
            schema=SCHEMA,
        )
        try:
            place = Place(self.path, self._size)
            self._stream.write_batch(table)
            self._hand_over()
        except OSError as error:
            self.failed = error.strerror or type(error).__name__
            return
        batch.place = place
        self.batches += 1
        self._dirty = True
        if now_ns - self.synced_ns >= self._sync_ns:
            self.sync(now_ns)

    def _hand_over(self) -> None:
        """Give the kernel what the stream was given, in one piece.

        Raises:
            OSError: it takes not all of it; the file ends where it did before.
        """
        data = self._sink.getvalue()
        self._sink.seek(0)
        self._sink.truncate()
        try:
            done = 0
            while done < len(data):
                done += os.write(self._fd, data[done:])
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, self._size)
            raise
        self._size += len(data)

    def sync(self, now_ns: int) -> None:
        """Make everything written durable."""
        if self._dirty and not self.failed:
            try:
                os.fsync(self._fd)
            except OSError as error:
                self.failed = error.strerror or type(error).__name__
            self._dirty = False
        self.synced_ns = now_ns

    def close(self) -> None:
        """End the stream and close the file; safe to call twice."""
        if self._file.closed:
            return
        if not self.failed:
            try:
                self._stream.close()
                self._hand_over()
                os.fsync(self._fd)
            except OSError as error:
                self.failed = error.strerror or type(error).__name__
        self._file.close()


def remove_old(folder: Path, keep_days: int, now_s: float) -> int:
    """Remove journals last written more than `keep_days` ago; how many went."""
    removed = 0
    for path in folder.glob("*.arrows"):
        try:
            if now_s - path.stat().st_mtime > keep_days * 86_400:
                path.unlink()
                removed += 1
        except OSError:
            continue
    return removed
