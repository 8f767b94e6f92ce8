"""Unscheduled sessions: trades on a day that the calendar has closed make it a session."""

from __future__ import annotations

import msgspec
import pytest

from kitetui.config import load
from kitetui.engine.calendar import ist_day
from kitetui.engine.feed.batch import Flag, TickBatch
from kitetui.engine.feed.records import Kind, Subscribed
from kitetui.engine.flow.pipeline import Pipeline, timer_payload
from kitetui.engine.state import Frozen, freeze, thaw
from tests.property.test_restart import CAPACITY, same, state_of
from tests.samples import MONDAY_OPEN_S, NS, frame, full_tick, records

SATURDAY_S = MONDAY_OPEN_S - 2 * 86_400
STOCKS = (738561, 408065, 779521, 341249)
SETTINGS = load()


def pipeline() -> Pipeline:
    out = Pipeline(SETTINGS, CAPACITY)
    asked = msgspec.json.encode(Subscribed(list(STOCKS), "full"))
    early = full_tick(token=256265, volume=0, ltt_s=0, exch_s=SATURDAY_S - 60)
    out.apply(records((Kind.SUBSCRIBE, asked),
                      (Kind.TIMER, timer_payload((SATURDAY_S - 90) * NS)),
                      (Kind.FRAME, frame(early))))  # fmt: skip
    return out


def trade(token: int, second: int, volume: int) -> TickBatch:
    return full_tick(token=token, volume=volume, ltt_s=SATURDAY_S + second)


def session(first: int = 0, instruments: int = 4) -> list[TickBatch]:
    """Every instrument trades every ten seconds, for three minutes."""
    return [trade(token, second, 100 + second) for second in range(first, first + 180, 10)
            for token in STOCKS[:instruments]]  # fmt: skip


def feed(target: Pipeline, packets: list[TickBatch], at_once: int = 1_000) -> list[list[int]]:
    """Flags of all packets, in batches."""
    out = []
    told = records(*[(Kind.FRAME, frame(p)) for p in packets])
    for start in range(0, len(packets), at_once):
        derived = target.apply(told.part(start, start + at_once))
        out += [run.ticks.flags.tolist() for run in derived.runs]
    return out


def bars(target: Pipeline) -> int:
    return int(target.market.frames[1].history.count.sum())


@pytest.mark.parametrize("at_once", [1, 7, 1_000])
def test_three_that_trade_open_the_day_from_the_next_packet_on(at_once: int) -> None:
    target = pipeline()
    flags = [flag for run in feed(target, session(), at_once) for flag in run]
    outside = [bool(flag & Flag.OUT_OF_SESSION) for flag in flags]
    opened = outside.index(False)
    assert all(outside[:opened]) and not any(outside[opened:])
    assert opened == 3, "connected since the open, so that first packets tell trades"
    assert bars(target) >= 2 * len(STOCKS)
    assert target.market.calendar.is_open("equity", SATURDAY_S + 60)
    assert any("unscheduled session" in event.text for event in target.events)
    whole = pipeline()
    feed(whole, session())
    same(state_of(target), state_of(whole))


def test_two_that_trade_are_not_enough() -> None:
    target = pipeline()
    feed(target, session(instruments=2))
    assert bars(target) == 0 and not target.market.normaliser.unscheduled.found


def test_what_the_server_remembers_of_friday_opens_nothing() -> None:
    target = pipeline()
    friday_s = SATURDAY_S - 86_400 + 6 * 3600
    feed(target, [full_tick(token=token, volume=9_000 + n, ltt_s=friday_s + n)
                  for n in range(3) for token in STOCKS])  # fmt: skip
    assert not target.market.normaliser.unscheduled.found


def test_trades_at_night_open_nothing() -> None:
    target = pipeline()
    feed(target, session(first=12 * 3600))
    assert bars(target) == 0 and not target.market.normaliser.unscheduled.found


def test_a_state_remembers_it_and_one_from_before_does_not_know_it() -> None:
    target = pipeline()
    before = Frozen()
    list(freeze({"pipeline": target}, before))
    feed(target, session())
    after = Frozen()
    list(freeze({"pipeline": target}, after))
    told = {("equity", ist_day(SATURDAY_S))}
    again = Pipeline(SETTINGS, CAPACITY)
    thaw({"pipeline": again}, after)
    feed(again, session(first=200))
    assert again.market.calendar.unscheduled == told
    thaw({"pipeline": again}, before)
    feed(again, session(instruments=1))
    assert not again.market.calendar.unscheduled
