"""Packed ticks: a batch as one blob of columns, for streams and channels that carry everything.

A blob is a header (`HEADER`, little endian), then the body, compressed or not: for each tick its
receive time (i64 ns), volume increment (u32), flags (u16, `batch.Flag`) and packet length (u8),
then the packets of each length in ascending order. Every part is laid out byte by byte, the first
bytes of all values before the second ones: what changes little then lies together.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any, Literal

import msgspec
import numpy as np

from kitetui.engine.arrow import pa
from kitetui.engine.feed import wire
from kitetui.engine.feed.batch import I64, LENGTHS, PACKET_MAX, U8, TickBatch
from kitetui.engine.market.normalise import Run

MAGIC = b"KTP1"
HEADER = struct.Struct("<4sBBHIIQqqII")
"""Magic, codec (0 none, 1 zstd), unused, partition, epoch, ticks, number of the first tick, first
and last receive time (ns), CRC-32 and size of the body before compression."""
TICKS_MAX = 1 << 18
_COLUMNS: tuple[tuple[str, str], ...] = (
    ("recv_ns", "<i8"), ("increment", "<u4"), ("flags", "<u2"), ("length", "u1"),
)  # fmt: skip
_PER_TICK = sum(np.dtype(kind).itemsize for _, kind in _COLUMNS)
_BODY_MAX = TICKS_MAX * (_PER_TICK + PACKET_MAX)


class PackedError(Exception):
    """Bytes that are no packed ticks, or damaged ones; says what is wrong."""


class Packed(msgspec.Struct):
    """What a blob holds.

    Attributes:
        ticks: as columns, raw values; rows are -1.
        increment: i64 (n,), volume since the instrument's last tick.
        seq: number of the first tick, rising by one a tick over a producer's epoch.
        epoch: when the producer was started, seconds since the epoch.
    """

    ticks: TickBatch
    increment: I64
    seq: int
    epoch: int
    partition: int


def pack(runs: list[Run], seq: int, epoch: int, codec: Literal["none", "zstd"],
         partition: int = 0) -> bytes:  # fmt: skip
    """Runs of ticks, in order, as one blob; at least one tick, `TICKS_MAX` at the most."""
    length = _all([run.ticks.length for run in runs])
    packets = _all([run.ticks.packets for run in runs])
    columns = {
        "recv_ns": _all([run.ticks.recv_ns for run in runs]),
        "increment": _all([run.increment for run in runs]),
        "flags": _all([run.ticks.flags for run in runs]),
        "length": length,
    }
    parts = [_spread(columns[name].astype(kind)) for name, kind in _COLUMNS]
    kinds = [kind for kind in LENGTHS if len(length) and (length == kind).any()]
    for kind in kinds:
        chosen = packets[:, :kind] if len(kinds) == 1 else packets[length == kind, :kind]
        parts.append(np.ascontiguousarray(chosen.T).tobytes())
    body = b"".join(parts)
    at_ns = columns["recv_ns"]
    head = HEADER.pack(MAGIC, codec == "zstd", 0, partition, epoch, len(length), seq,
                       int(at_ns[0]), int(at_ns[-1]), zlib.crc32(body), len(body))  # fmt: skip
    if codec == "zstd":
        body = _ZSTD.compress(body, asbytes=True)
    return head + body


def checksum(blob: bytes) -> int:
    """The CRC-32 that a blob tells of its body."""
    crc: int = HEADER.unpack_from(blob)[-2]
    return crc


def unpack(blob: bytes) -> Packed:
    """The ticks of a blob, as `data` of a packed entry or a message carries it.

    Raises:
        PackedError: it is none, was cut off or changed on the way.
    """
    if len(blob) < HEADER.size or blob[:4] != MAGIC:
        raise PackedError(f"no packed ticks: begins with {bytes(blob[:4])!r}, not {MAGIC!r}")
    (_, codec, _, partition, epoch, count, seq, _, _, crc, size) = HEADER.unpack_from(blob)
    if count > TICKS_MAX or size > _BODY_MAX or codec > 1:
        raise PackedError(f"cannot be: {count} ticks in {size} bytes, codec {codec}")
    body: bytes = blob[HEADER.size :]
    if codec:
        try:
            body = _ZSTD.decompress(body, decompressed_size=size, asbytes=True)
        except (pa.ArrowException, OSError) as error:
            raise PackedError(f"does not decompress: {error}") from None
    if len(body) != size or zlib.crc32(body) != crc:
        raise PackedError(f"is damaged: {len(body)} of {size} bytes, or another checksum")
    held: dict[str, Any] = {}
    at = 0
    for name, kind in _COLUMNS:
        width = np.dtype(kind).itemsize
        held[name] = _gather(body[at : at + count * width], count, width).view(kind)[:, 0]
        at += count * width
    length: U8 = held["length"]
    packets = np.zeros((count, PACKET_MAX), np.uint8)
    for size_of in LENGTHS:
        index = np.flatnonzero(length == size_of)
        end = at + len(index) * size_of
        packets[index, :size_of] = _gather(body[at:end], len(index), size_of)
        at = end
    if at != size:
        raise PackedError("is damaged: its packets have unknown lengths")
    ticks = wire.read_packets(length, packets)
    ticks.recv_ns[:] = held["recv_ns"]
    ticks.flags[:] = held["flags"]
    return Packed(ticks, held["increment"].astype(np.int64), seq, epoch, partition)


_ZSTD = pa.Codec("zstd", compression_level=1)


def _all(columns: list[Any]) -> Any:
    return columns[0] if len(columns) == 1 else np.concatenate(columns)


def _spread(values: Any) -> bytes:
    """The first bytes of all values, then the second ones, and so on."""
    width = values.dtype.itemsize
    return np.ascontiguousarray(values.view(np.uint8).reshape(-1, width).T).tobytes()


def _gather(data: bytes, count: int, width: int) -> U8:
    """What `_spread` laid out: u8 (count, width)."""
    found: U8 = np.ascontiguousarray(np.frombuffer(data, np.uint8).reshape(width, count).T)
    return found
