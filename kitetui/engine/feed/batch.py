"""TickBatch: n ticks as columns. A tick is never an object inside the engine."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

I64 = npt.NDArray[np.int64]
I32 = npt.NDArray[np.int32]
U8 = npt.NDArray[np.uint8]
U16 = npt.NDArray[np.uint16]
F64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

COLUMNS = (
    "token", "ltp", "ltq", "atp", "volume", "tbq", "tsq", "open", "high", "low", "close",
    "ltt_s", "oi", "oi_day_high", "oi_day_low", "exch_s", "change", "recv_ns",
)  # fmt: skip
"""Integer columns: raw wire values (prices times the row's divisor), seconds or ns in UTC."""

PACKET_MAX = 184
LTP, INDEX_QUOTE, INDEX_FULL, QUOTE, FULL = 8, 28, 32, 44, 184
"""Packet lengths in bytes; the length alone tells what a packet holds."""
LENGTHS = (LTP, INDEX_QUOTE, INDEX_FULL, QUOTE, FULL)


class Flag:
    """What normalisation found out about a tick: u16 bits, as the column holds them."""

    DUPLICATE = np.uint16(1)
    """The same bytes as this row's last packet."""
    LATE = np.uint16(2)
    """A trade of a minute that is already closed."""
    GAP_BEFORE = np.uint16(4)
    """Packets may have been missed since this row's last one."""
    CACHED_FIRST = np.uint16(8)
    """The first packet after a subscription: the server's memory, maybe days old."""
    VOLUME_UNCERTAIN = np.uint16(16)
    """The volume increment belongs to an unknown minute."""
    OUT_OF_SESSION = np.uint16(32)
    """A trade outside the continuous session."""
    REJECTED = np.uint16(64)
    """Values that cannot be: kept out of every derivation."""
    STALE = np.uint16(128)
    """Older than the row's day: an earlier date's packet."""
    PRE_OPEN = np.uint16(256)
    """A packet of the pre-open session: also out of the continuous session."""


class TickBatch:
    """Ticks in arrival order.

    Attributes:
        cols: i64 (len(COLUMNS), n), the raw values; each column is also a property.
        depth: i64 (n, 10, 3): five bids, then five asks, as quantity, price, orders.
        length: u8 (n,), packet length in bytes.
        packets: u8 (n, 184), the packets' own bytes, zero padded.
        row: i32 (n,), instrument row; -1 until normalised.
        flags: u16 (n,), `Flag` bits.
    """

    __slots__ = ("cols", "depth", "flags", "length", "packets", "row")

    token: I64
    ltp: I64
    ltq: I64
    atp: I64
    volume: I64
    tbq: I64
    tsq: I64
    open: I64
    high: I64
    low: I64
    close: I64
    ltt_s: I64
    oi: I64
    oi_day_high: I64
    oi_day_low: I64
    exch_s: I64
    change: I64
    recv_ns: I64

    def __init__(self, n: int) -> None:
        self.cols: I64 = np.zeros((len(COLUMNS), n), np.int64)
        self.depth: I64 = np.zeros((n, 10, 3), np.int64)
        self.length: U8 = np.zeros(n, np.uint8)
        self.packets: U8 = np.zeros((n, PACKET_MAX), np.uint8)
        self.row: I32 = np.full(n, -1, np.int32)
        self.flags: U16 = np.zeros(n, np.uint16)

    def __len__(self) -> int:
        return int(self.cols.shape[1])

    def take(self, index: I64 | Bool | slice) -> TickBatch:
        """The ticks an index selects, as a batch of their own."""
        out = TickBatch.__new__(TickBatch)
        out.cols = self.cols[:, index]
        out.depth = self.depth[index]
        out.length = self.length[index]
        out.packets = self.packets[index]
        out.row = self.row[index]
        out.flags = self.flags[index]
        return out


def _column(position: int) -> property:
    def get(self: TickBatch) -> I64:
        column: I64 = self.cols[position]
        return column

    return property(get, doc=f"i64 (n,), column {COLUMNS[position]}")


for _position, _name in enumerate(COLUMNS):
    setattr(TickBatch, _name, _column(_position))
