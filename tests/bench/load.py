"""A day's load: 9,000 instruments, four packets a second each, prebuilt as frames."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np

from kitetui.engine.feed import wire
from kitetui.engine.feed.batch import FULL, TickBatch
from kitetui.engine.feed.records import Kind, RecordBatch, Subscribed
from kitetui.engine.market.instruments import Instrument, write_table
from tests.samples import MONDAY_OPEN_S, NS

ROWS, SIZE, PER_FRAME = 9000, 500, 50
PACKETS_A_SECOND = 36_000
TOKENS = np.arange(1, ROWS + 1, dtype=np.int64) << 8 | 1


def announced(rows: int = ROWS) -> RecordBatch:
    """The records that come before the first frame: table and subscription."""
    table = [Instrument(token=int(t), tradingsymbol=f"S{t}", exchange="NSE", tick_size=0.05,
                        lot_size=1, kind="EQ") for t in TOKENS[:rows]]  # fmt: skip
    out = RecordBatch()
    out.append(Kind.INSTRUMENTS, 0, write_table(table))
    out.append(Kind.SUBSCRIBE, 0, msgspec.json.encode(Subscribed(TOKENS[:rows].tolist(), "full")))
    return out


def batches(count: int, seed: int = 2, start_s: float = MONDAY_OPEN_S + 30, listed: int = ROWS,
            per_s: float = PACKETS_A_SECOND) -> Iterator[RecordBatch]:  # fmt: skip
    """Batches of 500 full packets, two in five of them with a trade, all with another book.

    Args:
        listed: how many instruments take turns, a multiple of 500; per_s: packets a second.
    """
    rng = np.random.default_rng(seed)
    ltp = rng.integers(10_000, 400_000, listed) // 5 * 5
    close, volume = ltp.copy(), np.zeros(listed, np.int64)
    high, low, traded_s = ltp.copy(), ltp.copy(), np.full(listed, int(start_s))
    order = rng.permutation(listed)
    for n in range(count):
        at = n * SIZE % listed
        rows = order[at : at + SIZE]
        now_s = start_s + n * SIZE / per_s
        trades = rng.random(SIZE) < 0.4
        ltp[rows] += np.where(trades, rng.integers(-2, 3, SIZE) * 5, 0)
        ltp[rows] = np.maximum(ltp[rows], 500)
        volume[rows] += np.where(trades, rng.integers(1, 500, SIZE), 0)
        traded_s[rows] = np.where(trades, int(now_s), traded_s[rows])
        high[rows], low[rows] = np.maximum(high, ltp)[rows], np.minimum(low, ltp)[rows]
        ticks = TickBatch(SIZE)
        ticks.length[:] = FULL
        for column, values in (
            (ticks.token, TOKENS[:listed]), (ticks.ltp, ltp), (ticks.volume, volume),
            (ticks.high, high), (ticks.low, low), (ticks.open, close), (ticks.close, close),
            (ticks.atp, ltp), (ticks.ltt_s, traded_s),
        ):  # fmt: skip
            column[:] = values[rows]
        ticks.exch_s[:] = int(now_s)
        steps = np.arange(1, 6) * 5
        ticks.depth[:, :5, 1] = ltp[rows][:, None] - steps
        ticks.depth[:, 5:, 1] = ltp[rows][:, None] + steps
        ticks.depth[:, :, 0] = rng.integers(1, 5000, (SIZE, 10))
        ticks.depth[:, :, 2] = 3
        packets = wire.encode_packets(ticks)
        batch = RecordBatch()
        for first in range(0, SIZE, PER_FRAME):
            frame = wire.encode_frame(packets[first : first + PER_FRAME])
            batch.append(Kind.FRAME, int(now_s * NS), frame)
        yield batch
