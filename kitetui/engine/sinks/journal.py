"""The journal's writer: every input, in order, before anything is derived from it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import io
import os
import threading
from collections import deque
from pathlib import Path

from kitetui.engine.arrow import pa
from kitetui.engine.calendar import ist_day
from kitetui.engine.feed.journal_format import FIRST, FORMAT, SCHEMA, to_table
from kitetui.engine.feed.records import Place, RecordBatch
from kitetui.settings import JournalSettings

NS = 1_000_000_000
_SYNC_S = {"always": 0.0, "10ms": 0.01, "1s": 1.0}
FULL = (errno.ENOSPC, errno.EDQUOT)
RETRY_NS = NS
"""How often a journal that could not be written is tried again."""


class JournalWriter:
    """Appends engine batches to Arrow IPC streams, one file after the other.

    `write` hands a batch to the kernel before it returns: a killed process loses nothing of it.
    `sync`, called as often as `journal.sync` says, bounds what a power cut may cost. While the
    disk takes nothing, batches are held in memory up to `journal.held_mb`, and written once it
    does again.

    Attributes:
        path: the file that is written to.
        failed: why nothing can be written now ('' while it can); it is tried again by itself.
        batches: those that are in files; lost_batches: those that found no room in memory.
        held_bytes: what waits in memory for the disk.
        synced_ns: monotonic time when all that was written was durable; sync_s: how often it is
            to be made so, 0 for at every write.
    """

    def __init__(self, path: Path, settings: JournalSettings, source: bytes = b"") -> None:
        """Create the file, mode 0600; an existing one is an error. A full disk is waited for.

        Args:
            path: a name that ends with `.000` is followed by others, by size and by date.
            source: what the files say of where their frames come from.

        Raises:
            OSError: the file cannot be made.
        """
        self.path = path
        self.failed = ""
        self.batches = 0
        self.lost_batches = 0
        self.held_bytes = 0
        self.synced_ns = 0
        self.sync_s = _SYNC_S[settings.sync]
        self._most_bytes = settings.segment_mb << 20
        self._most_held = settings.held_mb << 20
        codec = None if settings.compression == "none" else settings.compression
        # Threads would have to be waited for: a batch is small.
        self._options = pa.ipc.IpcWriteOptions(compression=codec, use_threads=False)
        self._schema = SCHEMA.with_metadata({b"format": FORMAT, b"source": source})
        self._stem = path.name.removesuffix(".arrows").removesuffix(FIRST)
        self._segmented = path.name != f"{self._stem}.arrows"
        self._segment = 0
        self._day = -1
        self._number = 0
        self._before = 0
        self._held: deque[tuple[RecordBatch, int, int]] = deque()
        self._retry_ns = 0
        self._dirty = False
        self._closed = False
        self._first_fd = -1
        """The run's first file, held open as long as this process lives: its lock says so."""
        self._turning = threading.Lock()
        """Held while a file is let go: its number may be another's then."""
        self._fd = -1
        self._size = 0
        try:
            self._begin(path, 0)
        except OSError as error:
            if error.errno not in FULL:
                raise
            self._failed(error, 0)

    def _begin(self, path: Path, number: int) -> None:
        """Begin a file, whose first batch will have a number.

        Raises:
            OSError: it cannot be made; the one before is still written to.
        """
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with contextlib.suppress(OSError):  # where files cannot be locked they are not
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        sink = io.BytesIO()
        stream = pa.ipc.new_stream(sink, self._schema, options=self._options)
        # The schema goes out now, so that the places of all batches are where the file ended.
        stream.write_batch(to_table(RecordBatch(), number))
        try:
            size = _give(fd, sink, 0)
        except OSError:
            os.close(fd)
            path.unlink(missing_ok=True)
            raise
        self.path, self._fd, self._sink, self._stream, self._size = path, fd, sink, stream, size

    @property
    def run(self) -> str:
        """What the names of all its files begin with."""
        return self._stem

    @property
    def dirty(self) -> bool:
        """Whether something was written that is not durable yet."""
        return self._dirty

    @property
    def bytes(self) -> int:
        """Bytes in all files so far."""
        return self._before + self._size

    def write(self, batch: RecordBatch, now_ns: int) -> None:
        """Write one batch, and tell it its place; `now_ns` is monotonic, for the sync policy.

        A batch that the disk does not take has no place; it is written later, if memory holds it.
        """
        if self._closed or not len(batch):
            return
        number, self._number = self._number, self._number + 1
        if self.failed:
            self._hold(batch, number)
            if now_ns >= self._retry_ns:
                self._try_again(now_ns)
            return
        try:
            self._turn(batch, number)
            self._append(batch, number)
        except OSError as error:
            self._failed(error, now_ns)
            self._hold(batch, number)
            return
        if not self.sync_s:
            self.sync(now_ns)

    def _append(self, batch: RecordBatch, number: int) -> None:
        """Write a batch, and tell it its place.

        Raises:
            OSError: the disk takes not all of it; the file ends where it did before.
        """
        place = Place(self.path, self._size, number)
        self._stream.write_batch(to_table(batch, number))
        self._size += _give(self._fd, self._sink, self._size)
        self.batches += 1
        self._dirty = True
        batch.kept.place, batch.kept.awaited = place, False

    def _turn(self, batch: RecordBatch, number: int) -> None:
        """Begin another file, where this one is full or of another date, or there is none yet.

        Raises:
            OSError: it cannot be made.
        """
        day = ist_day(batch.recv_ns[0] // NS)
        if self._fd < 0:
            self._begin(self.path, number)
        full = self._size >= self._most_bytes
        if self._segmented and (full or day > self._day >= 0):
            old, size = (self._fd, self._stream, self._sink), self._size
            self._begin(self.path.with_name(f"{self._stem}.{self._segment + 1:03}.arrows"), number)
            self._segment += 1
            self._before += size
            with self._turning:
                if self._first_fd < 0:
                    self._first_fd = os.dup(old[0])
                _end(*old)
        self._day = max(day, self._day)

    def _hold(self, batch: RecordBatch, number: int) -> None:
        """Keep a batch in memory until the disk takes it; where they are many, the oldest leave."""
        size = sum(map(len, batch.payload))
        self._held.append((batch, number, size))
        batch.kept.awaited = True
        self.held_bytes += size
        while self.held_bytes > self._most_held:
            lost, _, size = self._held.popleft()
            lost.kept.awaited = False
            self.held_bytes -= size
            self.lost_batches += 1

    def _try_again(self, now_ns: int) -> None:
        """Write what was held, in order."""
        try:
            while self._held:
                batch, number, size = self._held[0]
                self._turn(batch, number)
                self._append(batch, number)
                self._held.popleft()
                self.held_bytes -= size
        except OSError as error:
            self._failed(error, now_ns)
            return
        self.failed = ""
        self.sync(now_ns)

    def _failed(self, error: OSError, now_ns: int) -> None:
        self.failed = error.strerror or type(error).__name__
        self._retry_ns = now_ns + RETRY_NS

    def sync(self, now_ns: int) -> None:
        """Make everything written durable. A disk may take long: any thread may call this.

        A file that ends meanwhile is made durable by its end.
        """
        if self.failed:
            return
        if self._dirty and not self._closed:
            self._dirty = False  # what is written from now on is for the next time
            try:
                with self._turning:
                    held = os.dup(self._fd)
                try:
                    os.fsync(held)
                finally:
                    os.close(held)
            except OSError as error:
                self._dirty = True
                self._failed(error, now_ns)
                return
        self.synced_ns = now_ns

    def close(self) -> None:
        """Write what is held, end the stream and close the file; safe to call twice."""
        if self._closed:
            return
        if self._held:
            self._try_again(0)
            self.lost_batches += len(self._held)
        self._closed = True
        if self._fd < 0:
            return
        with self._turning:
            _end(self._fd, self._stream, self._sink)
        if self._first_fd >= 0:
            os.close(self._first_fd)
            self._first_fd = -1


def _give(fd: int, sink: io.BytesIO, size: int) -> int:
    """Give the kernel what a sink holds, in one piece; the bytes.

    Raises:
        OSError: it takes not all of it; the file ends at its `size` as before.
    """
    data = sink.getvalue()
    sink.seek(0)
    sink.truncate()
    try:
        done = 0
        while done < len(data):
            done += os.write(fd, data[done:])
    except OSError:
        with contextlib.suppress(OSError):
            os.ftruncate(fd, size)
            os.lseek(fd, size, os.SEEK_SET)
        raise
    return len(data)


def _end(fd: int, stream: pa.RecordBatchStreamWriter, sink: io.BytesIO) -> None:
    """End a file: nothing follows in it. One that cannot be ended can be read all the same."""
    with contextlib.suppress(OSError):
        stream.close()
        os.write(fd, sink.getvalue())
    with contextlib.suppress(OSError):
        os.fsync(fd)
    os.close(fd)


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
