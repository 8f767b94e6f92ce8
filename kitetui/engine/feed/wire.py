"""Kite's binary format: frames of packets to columns, and back. Big endian throughout.

A frame is a u16 count, then per packet a u16 length and its bytes; a frame of at most one byte
is a heartbeat. The packet's length alone tells its kind, never the mode that was asked for.
Prices and quantities are unsigned; only an index packet's `change` is signed.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from kitetui.engine.feed.batch import (
    COLUMNS,
    FULL,
    INDEX_FULL,
    INDEX_QUOTE,
    LENGTHS,
    LTP,
    PACKET_MAX,
    QUOTE,
    U8,
    TickBatch,
)

DIVISORS: Mapping[int, int] = {
    1: 100,  # NSE
    2: 100,  # NFO
    3: 10_000_000,  # CDS
    4: 100,  # BSE
    5: 100,  # BFO
    6: 10_000,  # BCD
    7: 100,  # MCX
    8: 100,  # MCX-SX
    9: 100,  # indices
    12: 10_000,  # NCO
}
"""Segment (the token's low byte) to the divisor of its prices."""

DEFAULT_DIVISOR = 100
INDEX_SEGMENT = 9
INFLATED_MAX = 4 << 20

_POSITION = {name: at for at, name in enumerate(COLUMNS)}
WORDS: dict[int, tuple[str, ...]] = {
    LTP: ("token", "ltp"),
    INDEX_QUOTE: ("token", "ltp", "high", "low", "open", "close", "change"),
    INDEX_FULL: ("token", "ltp", "high", "low", "open", "close", "change", "exch_s"),
    QUOTE: COLUMNS[:11],
    FULL: COLUMNS[:16],
}
"""The u32 words of each packet, in wire order. Note the index order: high, low, open, close."""

_WORD_POSITIONS = {
    length: np.array([_POSITION[w] for w in words]) for length, words in WORDS.items()
}
_FULL_WORDS = len(WORDS[FULL])
_DTYPES: dict[int, np.dtype[Any]] = {
    length: np.dtype([("words", ">u4", (len(words),))])
    for length, words in WORDS.items()
    if length != FULL
}
_DTYPES[FULL] = np.dtype(
    [
        ("words", ">u4", (16,)),
        (
            "depth",
            [("quantity", ">u4"), ("price", ">u4"), ("orders", ">u2"), ("pad", ">u2")],
            (10,),
        ),
    ]
)
_FRAMED: dict[int, np.dtype[Any]] = {
    length: np.dtype([("length", ">u2"), ("packet", np.void, length)]) for length in LENGTHS
}
_CHANGE = _POSITION["change"]
_PRICE_COLUMNS = [_POSITION[name] for name in ("ltp", "atp", "open", "high", "low", "close")]
_RECV = _POSITION["recv_ns"]
_U16 = struct.Struct(">H")


class Decoded(msgspec.Struct):
    """What a run of frames held.

    `announced` packets = ticks in `batch` + the packets of `rejected`, always.
    `trailing_bytes` belong to no packet.
    """

    batch: TickBatch
    frames: int = 0
    heartbeats: int = 0
    inflated: int = 0
    announced: int = 0
    bad_frames: int = 0
    trailing_bytes: int = 0
    rejected: dict[str, int] = msgspec.field(default_factory=dict)

    def reject(self, reason: str, packets: int) -> None:
        """Count announced packets that gave no tick."""
        self.rejected[reason] = self.rejected.get(reason, 0) + packets


_NO_TICKS = TickBatch(0)


def decode(frames: Sequence[bytes], recv_ns: Sequence[int] | None = None) -> Decoded:
    """Decode frames to one batch, ticks in arrival order. Never raises on any bytes.

    Whole packets are kept; what is missing, unknown or left over is counted by reason.

    Args:
        frames: binary WebSocket messages.
        recv_ns: receive time of each frame, ns since the epoch; zeros when absent.
    """
    out = Decoded(_NO_TICKS)
    bodies: list[bytes] = []
    counts: list[int] = []
    times: list[int] = []
    uniform = 0
    for at, frame in enumerate(frames):
        out.frames += 1
        size = len(frame)
        if size < 2:
            out.heartbeats += 1
            continue
        count = (frame[0] << 8) | frame[1]
        length = (frame[2] << 8) | frame[3] if size >= 4 else 0
        if length not in _FRAMED or size != 2 + count * (2 + length):
            length = 0
        if not bodies:
            uniform = length
        elif length != uniform:
            uniform = 0
        bodies.append(frame)
        counts.append(count)
        times.append(recv_ns[at] if recv_ns is not None else 0)
    if not bodies:
        return out
    if uniform:
        batch = _decode_uniform(bodies, uniform)
        if batch is not None:
            out.announced = len(batch)
            out.batch = batch
            batch.cols[_RECV] = np.repeat(np.array(times, np.int64), counts)
            return out
    _decode_mixed(bodies, times, out)
    return out


def _decode_uniform(bodies: list[bytes], length: int) -> TickBatch | None:
    """All packets of all frames have one length: no walk over packets is needed."""
    framed = np.frombuffer(b"".join([memoryview(body)[2:] for body in bodies]), _FRAMED[length])
    if np.count_nonzero(framed["length"] != length):
        return None
    packets = np.ascontiguousarray(framed["packet"]).view(np.uint8).reshape(-1, length)
    batch = _empty(len(framed))
    if length == FULL:
        batch.packets = packets
    else:
        batch.packets = np.zeros((len(framed), PACKET_MAX), np.uint8)
        batch.packets[:, :length] = packets
    _fill(batch, slice(None), packets, length)
    return batch


def _decode_mixed(bodies: list[bytes], times: list[int], out: Decoded) -> None:
    """Walk every frame packet by packet, then decode each length in one stroke."""
    chunks: list[bytes] = []
    offsets: list[int] = []
    lengths: list[int] = []
    counts: list[int] = []
    base = 0
    for body in bodies:
        before = len(offsets)
        frame = _walk(body, base, offsets, lengths, out)
        counts.append(len(offsets) - before)
        chunks.append(frame)
        base += len(frame)
    raw = np.frombuffer(b"".join(chunks), np.uint8)
    length = np.array(lengths, np.uint8)
    offset = np.array(offsets, np.int64)
    batch = _empty(len(length))
    batch.packets = np.zeros((len(length), PACKET_MAX), np.uint8)
    for kind in LENGTHS:
        index = np.flatnonzero(length == kind)
        if len(index):
            packets = np.lib.stride_tricks.sliding_window_view(raw, kind)[offset[index]]
            batch.packets[index, :kind] = packets
            _fill(batch, index, packets, kind)
    batch.cols[_RECV] = np.repeat(np.array(times, np.int64), counts)
    out.batch = batch


def _walk(frame: bytes, base: int, offsets: list[int], lengths: list[int], out: Decoded) -> bytes:
    """Note the known packets of a frame; inflate it first where it is a zlib stream."""
    before = len(offsets)
    count, unknown, end = _tile(frame, base, offsets, lengths)
    found = len(offsets) - before
    if found + unknown != count or end != len(frame):
        inflated = _inflate(frame)
        if inflated is not None:
            del offsets[before:], lengths[before:]
            out.inflated += 1
            frame = inflated
            count, unknown, end = _tile(frame, base, offsets, lengths)
            found = len(offsets) - before
    missing = count - found - unknown
    out.announced += count
    if unknown:
        out.reject("unknown_length", unknown)
    if missing:
        out.reject("truncated", missing)
    else:
        out.trailing_bytes += len(frame) - end
    out.bad_frames += bool(unknown or missing or end != len(frame))
    return frame


def _tile(frame: bytes, base: int, offsets: list[int], lengths: list[int]) -> tuple[int, int, int]:
    """Append where the known packets are; announced count, unknown ones, where it ended."""
    size = len(frame)
    count = (frame[0] << 8) | frame[1] if size >= 2 else 0
    known = _DTYPES
    unknown = 0
    at = 2
    for _ in range(count):
        start = at + 2
        if start > size:
            break
        length = (frame[at] << 8) | frame[at + 1]
        end = start + length
        if end > size:
            break
        if length in known:
            offsets.append(base + start)
            lengths.append(length)
        else:
            unknown += 1
        at = end
    return count, unknown, at


def _inflate(frame: bytes) -> bytes | None:
    """The content of a zlib stream, or None: a valid count can never look like its header."""
    if frame[0] != 0x78 or ((frame[0] << 8) | frame[1]) % 31:
        return None
    inflater = zlib.decompressobj()
    try:
        content = inflater.decompress(frame, INFLATED_MAX)
    except zlib.error:
        return None
    return content if inflater.eof and len(content) >= 2 else None


def read_packets(length: U8, packets: U8) -> TickBatch:
    """Packets as columns; their receive times are 0.

    Args:
        length: u8 (n,), each one of `LENGTHS`; packets: u8 (n, 184), zero padded.
    """
    batch = _empty(len(length))
    batch.packets = packets
    for kind in LENGTHS:
        index = np.flatnonzero(length == kind)
        if len(index):
            _fill(batch, index, np.ascontiguousarray(packets[index, :kind]), kind)
    return batch


def _empty(n: int) -> TickBatch:
    batch = TickBatch.__new__(TickBatch)
    batch.cols = np.zeros((len(COLUMNS), n), np.int64)
    batch.depth = np.zeros((n, 10, 3), np.int64)
    batch.length = np.zeros(n, np.uint8)
    batch.row = np.full(n, -1, np.int32)
    batch.flags = np.zeros(n, np.uint16)
    return batch


def _fill(batch: TickBatch, index: Any, packets: U8, length: int) -> None:
    """The columns of packets that have one length, u8 (n, length)."""
    batch.length[index] = length
    words = packets.view(">u4").astype(np.int64)
    if length == FULL:
        batch.cols[:_FULL_WORDS, index] = words[:, :_FULL_WORDS].T
        levels = words[:, _FULL_WORDS:].reshape(-1, 10, 3)
        levels[:, :, 2] >>= 16  # orders, before two bytes of padding
        batch.depth[index] = levels
        return
    for word, position in enumerate(_WORD_POSITIONS[length]):
        batch.cols[position, index] = words[:, word]
    if length in (INDEX_QUOTE, INDEX_FULL):
        batch.cols[_CHANGE, index] = words[:, 6].astype(np.uint32).view(np.int32)


def encode_packets(batch: TickBatch) -> list[bytes]:
    """The packets of a batch, each by its `length`; values beyond their width wrap.

    Raises:
        ValueError: a length that is no packet of Kite's.
    """
    out: list[bytes] = [b""] * len(batch)
    for kind in np.unique(batch.length).tolist():
        if kind not in _DTYPES:
            raise ValueError(f"no packet is {kind} bytes long; known: {LENGTHS}")
        index = np.flatnonzero(batch.length == kind)
        packets = np.zeros(len(index), _DTYPES[kind])
        packets["words"] = batch.cols[_WORD_POSITIONS[kind][:, None], index].T & 0xFFFFFFFF
        if kind == FULL:
            packets["depth"]["quantity"] = batch.depth[index, :, 0]
            packets["depth"]["price"] = batch.depth[index, :, 1]
            packets["depth"]["orders"] = batch.depth[index, :, 2]
        raw = packets.tobytes()
        for place, at in enumerate(index.tolist()):
            out[at] = raw[place * kind : (place + 1) * kind]
    return out


def encode_frame(packets: Sequence[bytes]) -> bytes:
    """One frame that holds the packets."""
    parts = [_U16.pack(len(packets))]
    for packet in packets:
        parts.append(_U16.pack(len(packet)))
        parts.append(packet)
    return b"".join(parts)


MODES = {LTP: "ltp", INDEX_QUOTE: "quote", INDEX_FULL: "full", QUOTE: "quote", FULL: "full"}


def to_dicts(batch: TickBatch, divisors: Mapping[int, int] = DIVISORS) -> list[dict[str, Any]]:
    """Ticks under the official Python client's field names (kiteconnect >= 4); times in epoch s."""
    out = []
    segments = batch.token & 0xFF
    table = np.full(256, DEFAULT_DIVISOR, np.int64)
    table[list(divisors)] = list(divisors.values())
    divisor = table[segments]
    rupees = (batch.cols[_PRICE_COLUMNS] / divisor).T.tolist()
    numbers = batch.cols[:16].T.tolist()
    depth_prices = (batch.depth[:, :, 1] / divisor[:, None]).tolist()
    quantities, orders = batch.depth[:, :, 0].tolist(), batch.depth[:, :, 2].tolist()
    for at, length in enumerate(batch.length.tolist()):
        ltp, atp, open_, high, low, close = rupees[at]
        (token, _, ltq, _, volume, tbq, tsq, _, _, _, _,
         ltt_s, oi, oi_high, oi_low, exch_s) = numbers[at]  # fmt: skip
        tick: dict[str, Any] = {
            "tradable": token & 0xFF != INDEX_SEGMENT,
            "mode": MODES[length],
            "instrument_token": token,
            "last_price": ltp,
        }
        if length != LTP:
            tick["ohlc"] = {"high": high, "low": low, "open": open_, "close": close}
            tick["change"] = (ltp - close) * 100 / close if close else 0
        if length == INDEX_FULL:
            tick["exchange_timestamp"] = exch_s
        if length >= QUOTE:
            tick |= {
                "last_traded_quantity": ltq,
                "average_traded_price": atp,
                "volume_traded": volume,
                "total_buy_quantity": tbq,
                "total_sell_quantity": tsq,
            }
        if length == FULL:
            levels = [
                {"quantity": q, "price": p, "orders": o}
                for q, p, o in zip(quantities[at], depth_prices[at], orders[at])  # noqa: B905
            ]
            tick |= {
                "last_trade_time": ltt_s,
                "oi": oi,
                "oi_day_high": oi_high,
                "oi_day_low": oi_low,
                "exchange_timestamp": exch_s,
                "depth": {"buy": levels[:5], "sell": levels[5:]},
            }
        out.append(tick)
    return out
