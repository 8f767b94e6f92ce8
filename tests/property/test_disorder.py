"""Packets out of order, twice, or impossible: what bars hold does not change by it."""

from __future__ import annotations

import random

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kitetui.config import load
from kitetui.engine.feed.batch import TickBatch
from kitetui.engine.feed.records import Kind, Subscribed
from kitetui.engine.flow.pipeline import Pipeline, timer_payload
from kitetui.engine.market.bars import HIGH, LOW, VOLUME
from tests.samples import MONDAY_OPEN_S, NS, RELIANCE, frame, full_tick, records

SETTINGS = load()
DAY_S = 86_400
PRICE = 141_200
EARLY = full_tick(token=341249, volume=0, ltt_s=0, exch_s=MONDAY_OPEN_S - 60)
trades = st.lists(
    st.tuples(st.integers(0, 4), st.integers(1, 500), st.integers(-40, 40)), min_size=2, max_size=60
)
"""Seconds since the last one, shares, ticks away from the middle."""


def day_of(told: list[tuple[int, int, int]], open_s: int = MONDAY_OPEN_S) -> list[TickBatch]:
    """Packets of a session, their totals growing."""
    at_s, volume, out = open_s, 0, []
    for wait_s, shares, away in told:
        at_s, volume = at_s + wait_s, volume + shares
        out.append(full_tick(ltp=PRICE + 5 * away, volume=volume, ltt_s=at_s))
    return out


def fed(packets: list[TickBatch], pipeline: Pipeline | None = None) -> Pipeline:
    if pipeline is None:
        pipeline = Pipeline(SETTINGS, 16)
        asked = msgspec.json.encode(Subscribed([RELIANCE], "full"))
        pipeline.apply(records((Kind.SUBSCRIBE, asked), (Kind.FRAME, frame(EARLY))))
    pipeline.apply(records(*[(Kind.FRAME, frame(packet)) for packet in packets]))
    return pipeline


def bars(pipeline: Pipeline, upto_s: int) -> dict[int, tuple[int, int, int]]:
    """Highest, lowest and volume of each minute, once all are closed."""
    pipeline.apply(records((Kind.TIMER, timer_payload((upto_s + 180) * NS))))
    row = int(pipeline.market.rows.find(np.array([RELIANCE]))[0])
    starts, values = pipeline.market.frames[1].history.last(row, 90)
    kept = [starts.tolist(), *values[[HIGH, LOW, VOLUME]].tolist()]
    return {start: tuple(rest) for start, *rest in zip(*kept, strict=True)}  # type: ignore[misc]


@given(trades, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_packets_that_are_two_seconds_late_at_most_change_no_high_low_or_volume(
    told: list[tuple[int, int, int]], rng: random.Random
) -> None:
    packets = day_of(told)
    late = sorted(packets, key=lambda p: int(p.ltt_s[0]) + rng.uniform(0, 1.9))
    last_s = int(packets[-1].ltt_s[0])
    shuffled = fed(late)
    inside, outside = bars(fed(packets), last_s), bars(shuffled, last_s)
    total = sum(volume for *_, volume in inside.values())
    assert sum(volume for *_, volume in outside.values()) == total == int(packets[-1].volume[0])
    assert max(high for high, *_ in inside.values()) >= max(h for h, *_ in outside.values())
    counts = shuffled.market.normaliser.counts
    assert counts.rejected == 0 and shuffled.market.minutes.late_ticks == 0


@given(trades, trades, st.integers(1, 3))
@settings(max_examples=40, deadline=None)
def test_volumes_of_an_epoch_add_up_and_another_date_begins_anew(
    first: list[tuple[int, int, int]], second: list[tuple[int, int, int]], days: int
) -> None:
    pipeline = fed(day_of(first))
    row = int(pipeline.market.rows.find(np.array([RELIANCE]))[0])
    assert bars(pipeline, MONDAY_OPEN_S + 400)
    assert pipeline.market.minutes.session[row, 0] == sum(shares for _, shares, _ in first)
    open_s = MONDAY_OPEN_S + days * DAY_S
    pipeline.apply(records((Kind.TIMER, timer_payload((open_s - 90) * NS))))
    early = full_tick(token=341249, volume=0, ltt_s=0, exch_s=open_s - 60)
    packets = day_of(second, open_s)
    for lower in (early, *packets[:1], packets[0], *packets[1:]):
        fed([lower], pipeline)
    assert pipeline.market.minutes.session[row, 0] == sum(shares for _, shares, _ in second)
    before = pipeline.market.minutes.session[row, 0]
    fed([full_tick(ltp=PRICE, volume=1, ltt_s=int(packets[-1].ltt_s[0]) + 1)], pipeline)
    assert pipeline.market.minutes.session[row, 0] == before, "a count that falls adds nothing"


@given(trades, st.lists(st.tuples(st.integers(0, 59), st.sampled_from(
    ["zero", "jump", "future", "huge volume", "twice"])), max_size=12))  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_impossible_packets_among_the_others_change_no_bar(
    told: list[tuple[int, int, int]], bad: list[tuple[int, str]]
) -> None:
    packets = day_of(told)
    mixed = list(packets)
    for at, kind in sorted(bad, reverse=True):
        at = min(at, len(packets) - 1)
        good = packets[at]
        at_s, volume = int(good.ltt_s[0]), int(good.volume[0])
        odd = {
            "zero": full_tick(ltp=0, volume=volume, ltt_s=at_s),
            "jump": full_tick(ltp=PRICE * 100, volume=volume, ltt_s=at_s),
            "future": full_tick(ltp=PRICE, volume=volume, ltt_s=at_s, exch_s=at_s + 6 * DAY_S),
            "huge volume": full_tick(ltp=0, volume=(1 << 32) - 1, ltt_s=at_s),
            "twice": good,
        }[kind]
        mixed.insert(at + 1, odd)
    last_s = int(packets[-1].ltt_s[0])
    assert bars(fed(mixed), last_s) == bars(fed(packets), last_s)


@pytest.mark.parametrize(
    ("last", "next_", "between"),
    [
        ("2025-12-12", "2025-12-15", "a weekend"),
        ("2025-12-31", "2026-01-01", "the year's end"),
        ("2024-02-29", "2024-03-01", "a leap day"),
        ("2024-03-01", "2024-03-02", "a special Saturday"),
    ],
)
def test_nothing_turns_over_at_midnight_but_with_the_next_sessions_first_packet(
    last: str, next_: str, between: str
) -> None:
    day, other = (int(np.datetime64(f"{d}T03:45:00").astype("datetime64[s]").astype(int))
                  for d in (last, next_))  # fmt: skip
    told = [(1, 100, n % 7) for n in range(40)]
    pipeline = Pipeline(SETTINGS, 16)
    asked = msgspec.json.encode(Subscribed([RELIANCE], "full"))
    early = full_tick(token=341249, volume=0, ltt_s=0, exch_s=day - 60)
    pipeline.apply(records((Kind.SUBSCRIBE, asked), (Kind.FRAME, frame(early)), start_s=day))
    fed(day_of(told, day), pipeline)
    row = int(pipeline.market.rows.find(np.array([RELIANCE]))[0])
    held = pipeline.market.minutes.session[row].tolist()
    for at_s in range(day + 7 * 3600, other - 60, 1800):
        pipeline.apply(records((Kind.TIMER, timer_payload(at_s * NS))))
        assert pipeline.market.minutes.session[row].tolist() == held, between
    pipeline.apply(records((Kind.TIMER, timer_payload((other - 30) * NS))))
    closed = pipeline.market.frames[1440].history.count[row]
    assert closed == 1, "the day's bar closed with its session"
    fed(day_of([(1, 10, 0)] * 3, other), pipeline)
    assert pipeline.market.minutes.session[row, 0] in (20, 30), "its own day's alone"
    assert pipeline.market.normaliser.volumes.last[row] == 30
