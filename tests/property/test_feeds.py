"""The partition law on feeds that no exchange would send: any mixture, any order, any clock."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from hypothesis import HealthCheck, example, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from kitetui.engine.feed import wire
from kitetui.engine.feed.batch import FULL, INDEX_FULL, LTP, QUOTE
from kitetui.engine.feed.records import Kind, LinkEvent, RecordBatch, Subscribed
from kitetui.engine.flow.pipeline import Pipeline, timer_payload
from kitetui.engine.market.instruments import Instrument, write_table
from tests.property.test_partition import EASY
from tests.samples import MONDAY_OPEN_S, NS, full_tick, split

TOKENS = (738561, 341249, 256265)
DAY_S = 86_400
Event = tuple[Any, ...]

seconds = st.one_of(
    st.integers(-120, 400), st.integers(0, 70), st.sampled_from([-3 * DAY_S, DAY_S, 1500, 5000])
)
ticks = st.tuples(
    st.just("tick"),
    st.integers(0, 2),
    st.sampled_from([FULL, FULL, FULL, QUOTE, LTP]),
    seconds,
    st.sampled_from([1000, 1005, 1010, 990, 1400, 600, 9000, 5]),
    st.integers(0, 60),
    st.sampled_from([1000, 1000, 3000, 0]),
)
timers = st.tuples(st.just("timer"), seconds)
links = st.tuples(st.just("link"), st.just(0))
feeds = st.lists(st.one_of(ticks, ticks, ticks, timers, links), min_size=1, max_size=40)


def records(events: list[Event]) -> RecordBatch:
    """Events as records, 100 ms apart."""
    out = RecordBatch()
    table = [Instrument(token=t, tradingsymbol=f"S{t}", exchange="NSE", tick_size=0.05, lot_size=1)
             for t in TOKENS]  # fmt: skip
    out.append(Kind.INSTRUMENTS, 0, write_table(table))
    out.append(Kind.SUBSCRIBE, 0, msgspec.json.encode(Subscribed(list(TOKENS), "full")))
    for at, event in enumerate(events):
        recv_ns = MONDAY_OPEN_S * NS + at * 100_000_000
        if event[0] == "timer":
            out.append(Kind.TIMER, recv_ns, timer_payload((MONDAY_OPEN_S + event[1]) * NS))
        elif event[0] == "link":
            live = LinkEvent(0, "LIVE", "", 0, len(TOKENS))
            out.append(Kind.LINK, recv_ns, msgspec.json.encode(live))
        else:
            out.append(Kind.FRAME, recv_ns, frame(*event[1:]))
    return out


def frame(row: int, length: int, second: int, price: int, volume: int, close: int) -> bytes:
    tick = full_tick(TOKENS[row], ltp=price * 100, volume=volume, ltt_s=MONDAY_OPEN_S + second,
                     exch_s=MONDAY_OPEN_S + second + 1, close=close * 100)  # fmt: skip
    tick.length[:] = length if row < 2 else INDEX_FULL if length == FULL else LTP
    return wire.encode_frame(wire.encode_packets(tick))


def outcome(batches: list[RecordBatch]) -> dict[str, Any]:
    pipeline = Pipeline(EASY, 8)
    bars = []
    for batch in batches:
        for name, closed in pipeline.apply(batch).bars:
            bars.append((name, closed.start, closed.rows.tolist(), closed.values.tolist()))
    market = pipeline.market
    counts = market.normaliser.counts
    kept = market.minutes.bar_volume + market.minutes.late_volume
    told = market.normaliser.volumes.last - market.normaliser.volumes.first
    return {
        "bars": bars,
        "counts": (counts.received, counts.duplicates, counts.late, counts.rejected),
        "reasons": sorted(counts.reasons.items()),
        "gaps": list(pipeline.gaps.found),
        "epoch": market.normaliser.volumes.epoch_day.tolist(),
        "volumes": (market.normaliser.volumes.last.tolist(), told.tolist(), kept.tolist()),
        "seen": market.normaliser.last_seen_s.tolist(),
        "open": [market.minutes.open_bars(row).__repr__() for row in range(3)],
        "late": (market.minutes.late_ticks, market.minutes.late_volume.tolist()),
        "session": market.minutes.session.tolist(),
        "profiles": repr([market.profiles.profile(row) for row in range(3)]),
        "since": market.profiles.since.tolist(),
        "flow": market.flow.flow.tolist(),
        "books": market.flow.depth.tolist(),
        "indicators": repr(market.frames[1].indicators.values(np.arange(3)).tolist()),
    }


def tick(row: int, length: int, second: int, price: int = 1000, volume: int = 0,
         close: int = 1000) -> Event:  # fmt: skip
    return ("tick", row, length, second, price, volume, close)


@given(feeds, st.lists(st.integers(1, 60), max_size=8))
@example([tick(0, FULL, -3 * DAY_S), tick(0, FULL, 5), tick(0, FULL, -3 * DAY_S)], [])
@example([tick(0, QUOTE, 0, volume=5), tick(1, QUOTE, 0, volume=70)], [])
@example([tick(1, FULL, 1), tick(0, FULL, 130, price=9000), tick(0, LTP, 0),
          tick(1, FULL, 3, volume=50)], [])  # fmt: skip
@example([tick(0, FULL, 1, volume=20), tick(0, FULL, 2, volume=100),
          tick(0, FULL, 2, volume=30), tick(0, QUOTE, 3, volume=35)], [])  # fmt: skip
@example([tick(0, FULL, 1), tick(0, FULL, 61, volume=3), tick(0, FULL, 185, volume=9)], [])
@example([("timer", 5000), tick(0, FULL, 1), tick(1, FULL, 1500), tick(0, FULL, 1501)], [])
@example([tick(0, FULL, 1, price=1000), tick(0, FULL, 2, price=3000, close=3000)], [])
@examples(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
def test_one_record_at_a_time_or_all_at_once(events: list[Event], cuts: list[int]) -> None:
    feed = records(events)
    whole = outcome([feed])
    single = outcome(split(feed, range(len(feed))))
    for key, value in whole.items():
        assert value == single[key], key
    some = outcome(split(feed, [cut % len(feed) for cut in cuts]))
    for key, value in whole.items():
        assert value == some[key], key


@given(feeds)
@examples(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_tick_is_used_or_counted_by_its_reason(events: list[Event]) -> None:
    pipeline = Pipeline(EASY, 8)
    derived = pipeline.apply(records(events))
    counts = pipeline.market.normaliser.counts
    sent = sum(event[0] == "tick" for event in events)
    assert counts.received == sent == sum(len(run.ticks) for run in derived.runs)
    assert counts.rejected == sum(counts.reasons.values())
    late = counts.late + pipeline.market.minutes.late_ticks
    assert counts.received - counts.rejected - counts.duplicates - late >= 0
