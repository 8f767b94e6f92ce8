"""Newest: the last tick of every row, as it came, for what is written of it later."""

from __future__ import annotations

import numpy as np

from kitetui.engine.feed import wire
from kitetui.engine.feed.batch import I64, PACKET_MAX, U8, U16
from kitetui.engine.market.by_row import put_rows
from kitetui.engine.market.normalise import Run


class Newest:
    """Packets by row, with what normalisation found out; memory is fixed by the rows."""

    def __init__(self, capacity: int) -> None:
        self._packets: U8 = np.zeros((capacity, PACKET_MAX), np.uint8)
        self._length: U8 = np.zeros(capacity, np.uint8)
        self._recv_ns: I64 = np.zeros(capacity, np.int64)
        self._increment: I64 = np.zeros(capacity, np.int64)
        self._flags: U16 = np.zeros(capacity, np.uint16)

    def keep(self, run: Run) -> I64:
        """Remember the last tick of each row of a run; the rows, as often as they occur."""
        row = run.ticks.row.astype(np.int64)
        ticks, increment = run.ticks, run.increment
        if int(row.min()) < 0:
            known = np.flatnonzero(row >= 0)
            row, ticks, increment = row[known], ticks.take(known), increment[known]
        put_rows(self._packets, row, ticks.packets)
        self._length[row] = ticks.length
        self._recv_ns[row] = ticks.recv_ns
        self._increment[row] = increment
        self._flags[row] = ticks.flags
        return row

    def ticks(self, rows: I64) -> Run:
        """The last tick of rows that have one."""
        batch = wire.read_packets(self._length[rows], self._packets[rows])
        batch.recv_ns[:] = self._recv_ns[rows]
        batch.flags[:] = self._flags[rows]
        batch.row[:] = rows
        return Run(batch, self._increment[rows])

    def length(self, rows: I64) -> U8:
        """Length of each row's last packet; 0 before any."""
        return self._length[rows]
