"""A whole simulated session with its past ones as history, as an engine's input records."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import msgspec
import numpy as np

from kitetui.engine.feed import wire
from kitetui.engine.feed.records import (
    HistoryAnswer,
    Kind,
    LinkEvent,
    RecordBatch,
    Remembered,
    Subscribed,
)
from kitetui.engine.flow.pipeline import timer_payload
from kitetui.engine.market.instruments import read_table, write_table
from kitetui.exchange.habits import VIX_YEAR, vix_closes
from kitetui.exchange.listing import VIX, listing, table
from kitetui.exchange.market import Market
from kitetui.exchange.paths import Day, Paths

NS = 1_000_000_000
TUESDAY = date(2025, 12, 16)
"""NIFTY's weekly options expire on it."""
PAST_SESSIONS = 21
STEP_S, SHARE = 2.0, 0.6


def simulated_day(seed: int) -> Iterator[RecordBatch]:
    """From the first record before the open to the close, a batch every two seconds."""
    midnight_s = TUESDAY.toordinal() * 86_400 - date(1970, 1, 1).toordinal() * 86_400
    back = [ago for ago in range(40) if (TUESDAY.toordinal() - ago - 1) % 7 < 5]
    days = [Day(midnight_s - ago * 86_400 + 13_500, midnight_s - ago * 86_400 + 36_000)
            for ago in back[PAST_SESSIONS::-1]]  # fmt: skip
    start_s = days[-1].open_s
    listed = listing(TUESDAY, 0)
    paths = Paths(listed, days, start_s, seed)
    market = Market(listed, paths, seed)
    yield _morning(listed, paths, start_s, seed)
    while market.now_s < days[-1].close_s + 4:
        changed = market.step(STEP_S, SHARE)
        at_ns = int(market.now_s * NS)
        batch = RecordBatch()
        if len(changed):
            packets = wire.encode_packets(market.packets(changed))
            batch.append(Kind.FRAME, at_ns, wire.encode_frame(packets))
        batch.append(Kind.TIMER, at_ns, timer_payload(at_ns))
        yield batch


def _morning(listed: list, paths: Paths, start_s: int, seed: int) -> RecordBatch:  # type: ignore[type-arg]
    """Table, subscription, volatilities of the past year, and every instrument's history."""
    out = RecordBatch()
    at_ns = start_s * NS
    chosen = list(read_table(table(listed)).values())
    tokens = [i.token for i in chosen]
    out.append(Kind.INSTRUMENTS, at_ns, write_table(chosen))
    out.append(Kind.SUBSCRIBE, at_ns, msgspec.json.encode(Subscribed(tokens, "full")))
    live = LinkEvent(0, "LIVE", "", 0, len(tokens))
    out.append(Kind.LINK, at_ns, msgspec.json.encode(live))
    vix = (vix_closes(VIX, seed)[-VIX_YEAR:] / 100).tolist()
    told = Remembered([], {"INDIA VIX": vix})
    out.append(Kind.REMEMBERED, at_ns, msgspec.msgpack.encode(told))
    for at, item in enumerate(listed):
        past = np.concatenate(
            [paths.candles(at, day) for day in range(len(paths.days) - 1)], axis=1
        )
        past[0] //= 60
        answer = HistoryAnswer(item.token, np.ascontiguousarray(past).tobytes())
        out.append(Kind.HISTORY, at_ns, msgspec.msgpack.encode(answer))
    return out
