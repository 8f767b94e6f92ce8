"""What a journal's file looks like: an Arrow IPC stream of batches of records, each sealed.

The last row of every batch is its seal: kind 0, and as payload the batch's number and a CRC of all
rows before it. What was torn, cut or changed since does not pass for what was written. A batch that
several were packed into has the number of the first, and says how many they were.
"""

from __future__ import annotations

import struct
from zlib import crc32

import numpy as np

from kitetui.engine.arrow import pa
from kitetui.engine.feed.records import RecordBatch

FORMAT = b"kitetui-journal-2"
UNSEALED = b"kitetui-journal-1"
"""Without seals: a batch that can be read is believed."""
FAMILY = b"kitetui-journal-"
SCHEMA = pa.schema(
    [
        pa.field("kind", pa.uint8(), nullable=False),
        pa.field("connection", pa.uint8(), nullable=False),
        pa.field("recv_ns", pa.int64(), nullable=False),
        pa.field("payload", pa.binary(), nullable=False),
    ]
)
SEAL = 0
FIRST = ".000"
"""What the name of a journal's first file ends with that may have others behind it."""
_SEAL = struct.Struct("<QI")
_PACKED = struct.Struct("<QII")
_NUMBER = struct.Struct("<Q")
_SPAN = struct.Struct("<QI")


class JournalError(Exception):
    """A file that is no journal, or none that this version reads."""


class DamagedError(Exception):
    """A batch that is not what was written."""


def to_table(batch: RecordBatch, number: int, span: int = 1) -> pa.RecordBatch:
    """Columns of a batch and its seal.

    Args:
        number: counts a run's batches from 0 on; span: how many were packed into this one.
    """
    if span == 1:
        seal = _SEAL.pack(number, _checksum(batch, _NUMBER.pack(number)))
    else:
        seal = _PACKED.pack(number, span, _checksum(batch, _SPAN.pack(number, span)))
    columns = [
        pa.array([*batch.kind, SEAL], pa.uint8()),
        pa.array([*batch.connection, 0], pa.uint8()),
        pa.array([*batch.recv_ns, 0], pa.int64()),
        pa.array([*batch.payload, seal], pa.binary()),
    ]
    return pa.record_batch(columns, schema=SCHEMA)


def from_table(table: pa.RecordBatch, sealed: bool) -> tuple[int, int, RecordBatch]:
    """A batch's number, how many it counts for, and the batch; -1 where batches have no seals.

    Raises:
        DamagedError: it is not what was written.
    """
    out = RecordBatch()
    out.kind = table.column(0).to_pylist()
    out.connection = table.column(1).to_pylist()
    out.recv_ns = table.column(2).to_pylist()
    out.payload = table.column(3).to_pylist()
    if not sealed:
        return -1, 1, out
    if not len(out) or out.kind.pop() != SEAL:
        raise DamagedError("it has no seal")
    out.connection.pop()
    out.recv_ns.pop()
    seal = out.payload.pop()
    if len(seal) == _SEAL.size:
        number, told = _SEAL.unpack(seal)
        span, head = int(len(out) > 0), _NUMBER.pack(number)
    elif len(seal) == _PACKED.size:
        number, span, told = _PACKED.unpack(seal)
        head = _SPAN.pack(number, span)
    else:
        raise DamagedError("its seal is none")
    if told != _checksum(out, head):
        raise DamagedError("its checksum is another")
    return number, span, out


def _checksum(batch: RecordBatch, head: bytes) -> int:
    lengths = np.fromiter(map(len, batch.payload), np.dtype("<u4"), len(batch))
    found = crc32(head)
    for part in (bytes(batch.kind), bytes(batch.connection),
                 np.array(batch.recv_ns, np.dtype("<i8")).tobytes(), lengths.tobytes(),
                 b"".join(batch.payload)):  # fmt: skip
        found = crc32(part, found)
    return found
