"""Sorts more packets by token than memory holds: on the disk by ranges, each sorted in memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from kitetui.engine.arrow import pa
from kitetui.engine.feed.batch import I64, PACKET_MAX
from kitetui.engine.sinks.packet_digest import Packets

BUCKET_BYTES = 96 << 20
"""How much is sorted in memory at once, as packets."""
BUCKETS_MAX = 256
PACKED_RATE = 5
"""What a journal's bytes become as packets, about: only the number of buckets hangs on it."""
_PACKETS = pa.schema([("token", pa.uint32()), ("recv_ns", pa.int64()), ("length", pa.uint8()),
                      ("packet", pa.binary(PACKET_MAX))])  # fmt: skip


class PacketSorter:
    """Packets on the disk by ranges of tokens: one range is sorted in memory at once."""

    def __init__(self, folder: Path, journal_bytes: int) -> None:
        wanted = journal_bytes * PACKED_RATE // BUCKET_BYTES
        self._wanted = int(min(max(wanted, 1), BUCKETS_MAX))
        self._folder = folder
        self._edges: I64 | None = None
        self._writers: dict[int, Any] = {}

    def add(self, part: Packets) -> None:
        """Take packets; the first ones tell where tokens are many."""
        if not len(part.token):
            return
        if self._edges is None:
            at = np.linspace(0, len(part.token) - 1, self._wanted + 1)[1:-1].astype(np.int64)
            self._edges = np.unique(np.sort(part.token)[at])
        bucket = np.searchsorted(self._edges, part.token, side="right")
        for number in np.unique(bucket).tolist():
            few = part.take(bucket == number)
            packets = pa.FixedSizeBinaryArray.from_buffers(
                pa.binary(PACKET_MAX), len(few.token),
                [None, pa.py_buffer(np.ascontiguousarray(few.packets))],
            )  # fmt: skip
            self._writer(number).write_batch(pa.record_batch(
                [pa.array(few.token, pa.uint32()), pa.array(few.recv_ns), pa.array(few.length),
                 packets], schema=_PACKETS,
            ))  # fmt: skip

    @property
    def count(self) -> int:
        """Ranges that hold anything."""
        return len(self._writers)

    def _writer(self, number: int) -> Any:
        if number not in self._writers:
            self._writers[number] = pa.ipc.new_stream(
                str(self._folder / f"{number}.arrows"), _PACKETS,
                options=pa.ipc.IpcWriteOptions(compression="lz4"),
            )  # fmt: skip
        return self._writers[number]

    def __iter__(self) -> Iterator[Packets]:
        """Each bucket's packets, sorted by token and then as they came."""
        for number in sorted(self._writers):
            self._writers[number].close()
            path = self._folder / f"{number}.arrows"
            with pa.OSFile(str(path), "rb") as source:
                table = pa.ipc.open_stream(source).read_all().combine_chunks()
            path.unlink()
            order = np.argsort(table["token"].to_numpy(), kind="stable")
            column = table["packet"].chunk(0)
            packets = np.frombuffer(column.buffers()[1], np.uint8).reshape(-1, PACKET_MAX)
            yield Packets(
                table["token"].to_numpy().astype(np.int64)[order],
                table["recv_ns"].to_numpy()[order], table["length"].to_numpy()[order],
                packets[order],
            )  # fmt: skip
