"""The archive of ticks: a day's packets by token in one Parquet file, checked against the journal.

Every packet of the day's frames that can be told apart is in it, also those that were refused
later: from the file the journal's packets follow byte for byte, but for the padding of levels.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from kitetui.engine.arrow import pa, pq
from kitetui.engine.calendar import DAY_S, IST_OFFSET_S
from kitetui.engine.feed import wire
from kitetui.engine.feed.batch import COLUMNS, FULL, PACKET_MAX, TickBatch
from kitetui.engine.feed.journal_files import JournalFiles
from kitetui.engine.feed.records import Kind
from kitetui.engine.market.instruments import InstrumentError, read_table
from kitetui.engine.sinks.packet_digest import Digest, Packets
from kitetui.engine.sinks.packet_sorter import PacketSorter

FOLDER = "ticks"
SORTING = ".sorting-"
FORMAT = b"kitetui-ticks-1"
CHUNK = 1 << 16
"""Packets that are taken at once."""
ROW_GROUP = 1 << 17
LEVELS = tuple(f"{side}{level}" for side in ("bid", "ask") for level in range(5))
_WORDS = [name for name in COLUMNS if name not in ("token", "change", "recv_ns")]
SCHEMA = pa.schema(
    [
        pa.field("token", pa.uint32(), nullable=False),
        pa.field("symbol", pa.dictionary(pa.int32(), pa.string()), nullable=False),
        pa.field("recv_ns", pa.int64(), nullable=False),
        pa.field("length", pa.uint8(), nullable=False),
        pa.field("divisor", pa.uint32(), nullable=False),
        *(pa.field(name, pa.uint32(), nullable=False) for name in _WORDS),
        pa.field("change", pa.int32(), nullable=False),
        *(pa.field(f"{level}_{what}", kind, nullable=False) for level in LEVELS
          for what, kind in (("quantity", pa.uint32()), ("price", pa.uint32()),
                             ("orders", pa.uint16()))),
    ],
    metadata={b"format": FORMAT},
)  # fmt: skip
"""Prices are raw, as on the wire: divide by `divisor`. Times are UTC."""
LEVEL = 6
_PADDING = np.array([64 + 12 * level + byte for level in range(10) for byte in (10, 11)])
"""Bytes of a full packet that mean nothing."""
NS = 1_000_000_000
DAY_NS = DAY_S * NS
EPOCH = date(1970, 1, 1)
_SPLIT = [field.name for field in SCHEMA if field.type in (pa.uint32(), pa.int32(), pa.int64())]
Say = Callable[[str, float], None]
"""Told what is being done, and how far it is, 0 to 1."""


def silent(what: str, share: float) -> None:
    """Tell nobody."""


class ArchiveError(Exception):
    """A day that could not be archived; says why."""


class NoTicks(ArchiveError):
    """A day on which nothing came in."""


class Archived(msgspec.Struct):
    """What came of it.

    Attributes:
        ticks: packets in the file; bytes: of the file; lost: what the journals lacked, in words.
    """

    path: Path
    ticks: int
    tokens: int
    bytes: int
    lost: str

    @property
    def bytes_a_tick(self) -> float:
        return self.bytes / self.ticks if self.ticks else 0.0


def archive_path(folder: Path, day: date) -> Path:
    """Where a day's ticks are."""
    return folder / FOLDER / f"{day:%Y-%m-%d}.parquet"


def archive_ticks(journals: Sequence[Path], target: Path, day: date, divisors: Mapping[int, int],
                  say: Say = silent) -> Archived:  # fmt: skip
    """Make the file from a day's journals, and check it against them; blocking, for minutes.

    Args:
        day: in India; what came in on another one is left out.
        divisors: price divisors by segment, as far as they are not Kite's known ones.

    Raises:
        NoTicks: the journals hold none of that day.
        ArchiveError: what was written is not what they hold, or the file that is there holds more.
        JournalError: the only journal cannot be read.
        OSError: the disk does not take it.
    """
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=SORTING) as held:
        files = JournalFiles(journals)
        packets = PacketSorter(Path(held), files.bytes)
        symbols: dict[int, str] = {}
        digest, refused = Digest(), Counter[str]()
        for part in _packets(files, day, symbols, refused):
            digest.add(part)
            packets.add(part)
            say("sorting", files.share)
        if not digest.of_token:
            raise NoTicks(f"{target.stem}: the journals hold no tick")
        _check_not_poorer(target, digest)
        fresh = Path(held) / "fresh.parquet"
        ticks = _write(fresh, packets, symbols, {**wire.DIVISORS, **divisors}, say)
        found = Digest()
        for at, part in enumerate(read_back(fresh)):
            found.add(part)
            say("checking", min((at + 1) * ROW_GROUP / max(ticks, 1), 1.0))
        if found.of_token != digest.of_token:
            wrong = [t for t, told in digest.of_token.items() if found.of_token.get(t) != told]
            raise ArchiveError(
                f"{target.stem}: what was written of {len(wrong)} instruments, {wrong[0]} among "
                "them, is not what the journals hold; they are kept"
            )
        fresh.replace(target)
    words = [files.lost(), *(f"{n:,} {what}" for what, n in refused.items())]
    return Archived(target, ticks, len(digest.of_token), target.stat().st_size,
                    "; ".join(filter(None, words)))  # fmt: skip


def _check_not_poorer(target: Path, digest: Digest) -> None:
    """Refuse to put a file in the place of one that holds ticks which journals no longer have."""
    if not target.exists():
        return
    try:
        tokens = pq.read_table(target, columns=["token"])["token"].to_numpy()
    except (pa.ArrowException, OSError, KeyError):
        return  # damaged: nothing is lost with it
    for token, count in zip(*np.unique(tokens, return_counts=True), strict=True):
        if count > digest.of_token.get(int(token), (0, 0))[0]:
            raise ArchiveError(
                f"{target}: holds ticks that the journals no longer have, and stays as it is"
            )


def _packets(files: JournalFiles, day: date, symbols: dict[int, str],
             refused: Counter[str]) -> Iterator[Packets]:  # fmt: skip
    """A day's packets in order.

    Args:
        symbols: learns the instruments' names; refused: counts what is no packet, by what it is.
    """
    begins_ns = (day.toordinal() - EPOCH.toordinal()) * DAY_NS - IST_OFFSET_S * NS
    frames: list[bytes] = []
    times: list[int] = []
    size = 0
    for batch in files:
        for kind, at_ns, payload in zip(batch.kind, batch.recv_ns, batch.payload, strict=True):
            if kind == Kind.FRAME and begins_ns <= at_ns < begins_ns + DAY_NS:
                frames.append(payload)
                times.append(at_ns)
                size += len(payload)
            elif kind == Kind.INSTRUMENTS:
                with contextlib.suppress(InstrumentError):
                    symbols.update((t, i.symbol) for t, i in read_table(payload).items())
        if size >= CHUNK * FULL:
            yield _decoded(frames, times, refused)
            frames, times, size = [], [], 0
    yield _decoded(frames, times, refused)


def _decoded(frames: list[bytes], times: list[int], refused: Counter[str]) -> Packets:
    found = wire.decode(frames, times)
    ticks = found.batch
    for reason, count in found.rejected.items():
        refused[f"packets that cannot be read ({reason})"] += count
    if found.trailing_bytes:
        refused["bytes behind the packets of frames"] += found.trailing_bytes
    ticks.packets[np.ix_(np.flatnonzero(ticks.length == FULL), _PADDING)] = 0
    return Packets(ticks.token.copy(), ticks.recv_ns.copy(), ticks.length, ticks.packets)


def _write(path: Path, packets: PacketSorter, symbols: Mapping[int, str],
           divisors: Mapping[int, int], say: Say) -> int:  # fmt: skip
    """Write the sorted file; its rows."""
    by_segment = np.full(256, wire.DEFAULT_DIVISOR, np.uint32)
    by_segment[list(divisors)] = list(divisors.values())
    ticks = 0
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "wb") as file:
        # Sorted columns hardly repeat whole values, but most of their bytes: dictionaries cost a
        # third more, and bytes of one place beside one another a tenth less.
        with pq.ParquetWriter(
            file, SCHEMA, compression="zstd", compression_level=LEVEL, use_dictionary=["symbol"],
            column_encoding=dict.fromkeys(_SPLIT, "BYTE_STREAM_SPLIT"),
        ) as out:  # fmt: skip
            for number, part in enumerate(packets):
                for at in range(0, len(part.token), ROW_GROUP):
                    few = part.take(slice(at, at + ROW_GROUP))
                    out.write_table(_table(few, symbols, by_segment[few.token & 0xFF]))
                    ticks += len(few.token)
                say("writing", (number + 1) / packets.count)
        file.flush()
        os.fsync(file.fileno())
    return ticks


def _table(part: Packets, symbols: Mapping[int, str], divisor: npt.NDArray[np.uint32]) -> pa.Table:
    ticks = wire.read_packets(part.length, part.packets)
    tokens, index = np.unique(part.token, return_inverse=True)
    names = pa.array([symbols.get(t, str(t)) for t in tokens.tolist()], pa.string())
    columns: list[Any] = [
        pa.array(part.token, pa.uint32()),
        pa.DictionaryArray.from_arrays(pa.array(index.astype(np.int32)), names),
        pa.array(part.recv_ns), pa.array(part.length), pa.array(divisor),
        *(pa.array(getattr(ticks, name), pa.uint32()) for name in _WORDS),
        pa.array(ticks.change, pa.int32()),
    ]  # fmt: skip
    for level in range(len(LEVELS)):
        for what, kind in enumerate((pa.uint32(), pa.uint32(), pa.uint16())):
            columns.append(pa.array(ticks.depth[:, level, what], kind))
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def read_back(path: Path) -> Iterator[Packets]:
    """A file's packets as they were on the wire, in its order.

    Raises:
        ArchiveError: it is no file of this kind.
        OSError: it cannot be read.
    """
    try:
        with pq.ParquetFile(path) as source:
            found = (source.schema_arrow.metadata or {}).get(b"format", b"none")
            if found != FORMAT:
                raise ArchiveError(f"{path}: expected {FORMAT.decode()}, found {found[:40]!r}")
            for group in range(source.num_row_groups):
                table = source.read_row_group(group)
                for at in range(0, table.num_rows, CHUNK):
                    yield _encoded(table.slice(at, CHUNK))
    except pa.ArrowException as error:
        raise ArchiveError(f"{path}: {error}") from None


def _encoded(table: pa.Table) -> Packets:
    ticks = TickBatch(table.num_rows)
    for name in (*_WORDS, "token", "change"):
        getattr(ticks, name)[:] = table[name].to_numpy()
    for at, level in enumerate(LEVELS):
        for what, name in enumerate(("quantity", "price", "orders")):
            ticks.depth[:, at, what] = table[f"{level}_{name}"].to_numpy()
    ticks.length[:] = table["length"].to_numpy()
    packets = b"".join(p.ljust(PACKET_MAX, b"\0") for p in wire.encode_packets(ticks))
    return Packets(
        ticks.token, table["recv_ns"].to_numpy(), ticks.length,
        np.frombuffer(packets, np.uint8).reshape(-1, PACKET_MAX),
    )  # fmt: skip
