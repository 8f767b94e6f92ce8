"""Frames and records made from field values, and from the simulated market."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from itertools import pairwise

import msgspec
import numpy as np

from kitetui.engine.feed import wire
from kitetui.engine.feed.batch import FULL, TickBatch
from kitetui.engine.feed.records import (
    HistoryAnswer,
    Kind,
    LinkEvent,
    RecordBatch,
    Subscribed,
)
from kitetui.engine.flow.pipeline import timer_payload
from kitetui.engine.market.instruments import read_table, write_table
from kitetui.exchange.listing import listing, table
from kitetui.exchange.market import Burst, Market
from kitetui.exchange.paths import Day, Paths

NS = 1_000_000_000
MONDAY_OPEN_S = 1_765_770_300
"""2025-12-15 09:15 IST."""
RELIANCE = 738561


def full_tick(
    token: int = RELIANCE, *, ltp: int = 141_200, volume: int = 1000, ltt_s: int = MONDAY_OPEN_S,
    exch_s: int | None = None, **fields: int,
) -> TickBatch:  # fmt: skip
    """One full-mode tick from field values."""
    tick = TickBatch(1)
    tick.length[:] = FULL
    values = {"token": token, "ltp": ltp, "volume": volume, "ltt_s": ltt_s,
              "exch_s": ltt_s if exch_s is None else exch_s, "high": ltp, "low": ltp, "open": ltp,
              "close": ltp, "atp": ltp, "ltq": 1, **fields}  # fmt: skip
    for name, value in values.items():
        getattr(tick, name)[:] = value
    tick.depth[0, 0] = (100, ltp - 5, 2)
    tick.depth[0, 5] = (100, ltp + 5, 2)
    return tick


def frame(*ticks: TickBatch) -> bytes:
    """One frame that holds the ticks."""
    return wire.encode_frame([p for tick in ticks for p in wire.encode_packets(tick)])


def records(*items: tuple[int, bytes], start_s: int = MONDAY_OPEN_S) -> RecordBatch:
    """Records of (kind, payload), 10 ms apart."""
    out = RecordBatch()
    for at, (kind, payload) in enumerate(items):
        out.append(kind, start_s * NS + at * 10_000_000, payload)
    return out


@lru_cache(4)
def market_day(minutes: int = 12, seed: int = 3, start: str = "10:15", bursts: float = 60.0) -> (
        RecordBatch):  # fmt: skip
    """A stretch of a simulated session as the engine's input records, with timers and a burst."""
    whole = _market_day(minutes, seed, start, bursts)
    return whole.part(0, len(whole))


@lru_cache(16)
def _market_day(minutes: int, seed: int, start: str, bursts: float) -> RecordBatch:
    """It takes longer to make one than to take it in."""
    day_s = MONDAY_OPEN_S // 86_400 * 86_400
    days = [Day(day_s + d * 86_400 + 13_500, day_s + d * 86_400 + 36_000) for d in (-4, -3, 0)]
    hour, minute = map(int, start.split(":"))
    start_s = day_s + hour * 3600 + minute * 60 - 19_800
    listed = listing(date(2025, 12, 15), 0)
    paths = Paths(listed, days, start_s, seed)
    market = Market(listed, paths, seed, bursts)
    market.plant(Burst(market.find("RELIANCE"), start_s + 65, start_s + 110, 1, 1.2))
    out = RecordBatch()
    chosen = list(read_table(table(listed)).values())[:90]
    tokens = [i.token for i in chosen]
    wanted = set(tokens)
    at_ns = start_s * NS
    out.append(Kind.INSTRUMENTS, at_ns, write_table(chosen))
    out.append(Kind.SUBSCRIBE, at_ns, msgspec.json.encode(Subscribed(tokens, "full")))
    live = LinkEvent(0, "LIVE", "", 0, len(tokens))
    out.append(Kind.LINK, at_ns, msgspec.json.encode(live))
    keep = np.array([i.token in wanted for i in listed])
    for at in np.flatnonzero(keep).tolist()[:40]:
        past = np.concatenate([paths.candles(at, d) for d in range(len(days))], axis=1)
        past = past[:, past[0] < start_s]
        past[0] //= 60
        answer = HistoryAnswer(listed[at].token, np.ascontiguousarray(past).tobytes())
        out.append(Kind.HISTORY, at_ns, msgspec.msgpack.encode(answer))
    for step in range(minutes * 240):
        changed = market.step(0.25, 0.3)
        changed = changed[keep[changed]]
        at_ns = int(market.now_s * NS)
        if len(changed):
            ticks = market.packets(changed)
            out.append(Kind.FRAME, at_ns, wire.encode_frame(wire.encode_packets(ticks)))
            if step % 50 == 0:  # the same frame again: duplicates
                out.append(Kind.FRAME, at_ns, out.payload[-1])
        if step % 4 == 3:
            out.append(Kind.TIMER, at_ns, timer_payload(at_ns))
        if step == minutes * 120:
            out.append(Kind.LINK, at_ns, msgspec.json.encode(live))
    return out


def split(batch: RecordBatch, cuts: Sequence[int]) -> list[RecordBatch]:
    """The same records in other batches."""
    edges = [0, *sorted(set(cuts)), len(batch)]
    return [batch.part(a, b) for a, b in pairwise(edges) if a < b]
