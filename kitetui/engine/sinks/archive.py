"""The archive of minute bars: appended as they close, sorted by token when the session is over."""

from __future__ import annotations

import contextlib
import os
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from kitetui.engine.arrow import pa, pc, pq
from kitetui.engine.calendar import day_date, ist_day
from kitetui.engine.feed.batch import I64
from kitetui.engine.market.bars import CLOSE, FLAGS, HIGH, LOW, OI, OPEN, VOLUME, ClosedBars
from kitetui.private_file import open_private, write_private

SCHEMA = pa.schema(
    [
        pa.field("token", pa.uint32(), nullable=False),
        pa.field("minute", pa.int32(), nullable=False),
        *(pa.field(name, pa.uint32(), nullable=False)
          for name in ("open", "high", "low", "close", "volume", "oi")),
        pa.field("flags", pa.uint8(), nullable=False),
    ],
    metadata={b"format": b"kitetui-bars-1"},
)  # fmt: skip
"""`minute` counts from the epoch; prices are raw, as on the wire."""
_FIELDS = (OPEN, HIGH, LOW, CLOSE, VOLUME, OI, FLAGS)
ROW_GROUP = 1 << 16
HELD_BYTES = 64 << 20
"""Of what waits for room on the disk."""
GAPS = ".gaps.json"
"""What the names of the files end with that tell what of a session was not seen."""
UNREADABLE = (pa.ArrowException, OSError, ValueError)


class BarArchive:
    """Writes one folder: `YYYY-MM-DD.N.part.arrows` while a session runs, then `.parquet`.

    Every start has a part of its own; `finish` joins them.

    What cannot be written waits, and goes into a part of its own as soon as there is room again.

    Attributes:
        failed: why something waits ('' while nothing does); the journal has everything.
        left_out: batches that had to leave before there was room.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.failed = ""
        self.left_out = 0
        self._day = -1
        self._path = folder
        self._file: BinaryIO | None = None
        self._sink: pa.PythonFile | None = None
        self._stream: pa.RecordBatchStreamWriter | None = None
        self._waiting: deque[tuple[int, pa.RecordBatch]] = deque()
        self._held_bytes = 0

    def take(self, bars: ClosedBars, tokens: I64) -> None:
        """Append minute bars; `tokens`: i64 (n,), of their rows."""
        n = len(bars.rows)
        if not n:
            return
        columns = [tokens, np.full(n, bars.start), *bars.values[list(_FIELDS)]]
        arrays = [pa.array(column.astype(field.type.to_pandas_dtype()), field.type)
                  for column, field in zip(columns, SCHEMA, strict=True)]  # fmt: skip
        batch = pa.record_batch(arrays, schema=SCHEMA)
        self._waiting.append((ist_day(bars.start * 60), batch))
        self._held_bytes += batch.nbytes
        self.write()
        while self._held_bytes > HELD_BYTES:
            self._held_bytes -= self._waiting.popleft()[1].nbytes
            self.left_out += 1

    def write(self) -> None:
        """Append what waits, as far as the disk takes it."""
        try:
            while self._waiting:
                day, batch = self._waiting[0]
                if day != self._day:
                    self._begin(day)
                assert self._stream is not None and self._file is not None
                self._stream.write_batch(batch)
                self._file.flush()
                self._waiting.popleft()
                self._held_bytes -= batch.nbytes
        except UNREADABLE as error:
            self.failed = getattr(error, "strerror", None) or type(error).__name__
            self._give_up_part()
        else:
            self.failed = ""

    def sync(self) -> None:
        """Make durable what was appended.

        Raises:
            OSError: the disk does not take it.
        """
        if self._file is not None:
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """End the open file; safe to call twice."""
        for part in (self._stream, self._sink, self._file):
            if part is not None:
                with contextlib.suppress(*UNREADABLE):
                    part.close()
        self._stream = self._sink = self._file = None
        self._day = -1

    def _give_up_part(self) -> None:
        """What was cut off is passed over; what follows goes into another part."""
        opened = self._file is not None
        self.close()
        if opened and not _holds_anything(self._path):
            with contextlib.suppress(OSError):
                self._path.unlink()

    def _begin(self, day: int) -> None:
        self.close()
        name = day_date(day).isoformat()
        taken = [int(p.name.split(".")[1]) for p in self.folder.glob(f"{name}.*.part.arrows")]
        path = self.folder / f"{name}.{max(taken, default=0) + 1:04}.part.arrows"
        self._path, self._file = path, open_private(path, "xb")
        self._sink = pa.PythonFile(self._file, "w")
        self._stream = pa.ipc.new_stream(
            self._sink, SCHEMA, options=pa.ipc.IpcWriteOptions(compression="zstd")
        )
        self._day = day


def parts_of(folder: Path) -> list[Path]:
    """The parts that no session's file holds yet."""
    return sorted(folder.glob("*.part.arrows"))


def finish(folder: Path, parts: Sequence[Path]) -> list[Path]:
    """Join and sort the parts of sessions; blocking. Gives the files that were made.

    What a session's file holds already stays in it.

    Args:
        parts: files that nobody writes any more.

    Raises:
        OSError: a file cannot be written.
    """
    made = []
    by_date: dict[str, list[Path]] = {}
    for part in parts:
        by_date.setdefault(part.name.partition(".")[0], []).append(part)
    for name, paths in by_date.items():
        table = _whole(folder / f"{name}.parquet", paths)
        if table.num_rows:
            target = folder / f"{name}.parquet"
            temporary = folder / f"{name}.parquet.new"
            with open_private(temporary, "wb") as file:
                os.fchmod(file.fileno(), 0o600)
                pq.write_table(table, file, compression="zstd", row_group_size=ROW_GROUP)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(target)
            made.append(target)
        for part in paths:
            part.unlink()
    return made


def _read_part(part: Path) -> Iterator[pa.RecordBatch]:
    """A part's batches; of a file whose writer was killed, or had no room, what is whole counts."""
    with contextlib.suppress(*UNREADABLE), pa.OSFile(str(part), "rb") as source:
        for batch in pa.ipc.open_stream(source):
            batch.validate(full=True)
            yield batch


def _holds_anything(part: Path) -> bool:
    return next(_read_part(part), None) is not None


def _whole(finished: Path, parts: Sequence[Path]) -> pa.Table:
    """A session's bars by token and time; of a minute told twice the last counts."""
    tables = []
    if finished.exists():
        with contextlib.suppress(*UNREADABLE):
            tables.append(pq.read_table(finished).cast(SCHEMA))
    tables += [pa.Table.from_batches(list(_read_part(part)), SCHEMA) for part in parts]
    table = pa.concat_tables(tables)
    numbers = np.arange(table.num_rows)
    order = np.lexsort((numbers, table["minute"].to_numpy(), table["token"].to_numpy()))
    table = table.take(pa.array(order))
    token, minute = table["token"].to_numpy(), table["minute"].to_numpy()
    repeated = (token[1:] == token[:-1]) & (minute[1:] == minute[:-1])
    return table.filter(pa.array(np.append(~repeated, np.ones(min(len(token), 1), np.bool_))))


def read_bars(folder: Path, tokens: Sequence[int], days: Sequence[int]) -> dict[int, I64]:
    """What the archive holds of tokens on days, as `HistoryAnswer` has it; blocking.

    Gives i64 (7, k) for each token that has any: minute, open, high, low, close, volume, open
    interest. A file that cannot be read counts as not there.
    """
    found: dict[int, list[I64]] = {}
    wanted = pa.array(sorted(tokens), pa.uint32())
    for day in sorted(days):
        path = folder / f"{day_date(day).isoformat()}.parquet"
        if not path.exists():
            continue
        try:
            table = pq.read_table(path, filters=pc.field("token").isin(wanted))
            columns = np.stack([table[name].to_numpy().astype(np.int64) for name in (
                "minute", "open", "high", "low", "close", "volume", "oi")])  # fmt: skip
            owner = table["token"].to_numpy().astype(np.int64)
        except (*UNREADABLE, KeyError):
            continue
        for token in np.unique(owner).tolist():
            found.setdefault(token, []).append(columns[:, owner == token])
    return {token: np.concatenate(parts, axis=1) for token, parts in found.items()}


def keep_gaps(folder: Path, day: int, told: bytes) -> None:
    """Put a session's gaps beside its bars, mode 0600; blocking.

    Raises:
        OSError: the file cannot be written.
    """
    write_private(folder / f"{day_date(day).isoformat()}{GAPS}", told)


def remove_old(folder: Path, keep: int) -> int:
    """Remove the oldest sessions beyond `keep`; how many went."""
    files = sorted(folder.glob("*.parquet"))
    old = files[: max(len(files) - keep, 0)]
    for path in old:
        for one in (path, path.with_suffix(GAPS)):
            with contextlib.suppress(OSError):
                one.unlink()
    return len(old)
