"""Gaps: what is recorded of them, and bars as the exchange's history tells them afterwards."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from kitetui.config import load
from kitetui.engine.calendar import Calendar
from kitetui.engine.feed.batch import TickBatch
from kitetui.engine.feed.records import HistoryAnswer, Kind, LinkEvent, Subscribed
from kitetui.engine.flow.derived import Derived
from kitetui.engine.flow.pipeline import Pipeline, timer_payload
from kitetui.engine.market.bars import CLOSE, FLAGS, HIGH, LOW, OPEN, VOLUME, BarFlag
from kitetui.engine.market.gaps import Gap
from kitetui.settings import Settings
from tests.samples import MONDAY_OPEN_S, NS, RELIANCE, frame, full_tick, records

OPEN_S = MONDAY_OPEN_S
MINUTE = OPEN_S // 60
PRICE = 141_200


@pytest.fixture
def pipeline(settings: Settings) -> Pipeline:
    out = Pipeline(settings, 16)
    out.apply(
        records(
            (Kind.SUBSCRIBE, msgspec.json.encode(Subscribed([RELIANCE], "full"))),
            (Kind.LINK, link("LIVE")),
            (Kind.FRAME, frame(full_tick(token=341249, volume=0, ltt_s=0, exch_s=OPEN_S - 60))),
        )
    )
    return out


def link(state: str) -> bytes:
    return msgspec.json.encode(LinkEvent(0, state, "", 0, 1))


def at(second: int, volume: int, ltp: int = PRICE) -> TickBatch:
    return full_tick(ltp=ltp, volume=volume, ltt_s=OPEN_S + second)


def feed(pipeline: Pipeline, *ticks: TickBatch) -> Derived:
    return pipeline.apply(records(*[(Kind.FRAME, frame(t)) for t in ticks]))


def trade(pipeline: Pipeline, first_s: int, until_s: int, volume: int) -> int:
    """Ten shares every five seconds; the volume at the end."""
    for second in range(first_s, until_s, 5):
        volume += 10
        feed(pipeline, at(second, volume))
    return volume


def told(*minutes: tuple[int, int, int, int, int, int], gap: tuple[int, int] | None) -> bytes:
    """History of minutes since the open: minute, open, high, low, close, volume; the warm-up's
    where it is of no gap."""
    columns = np.array([(MINUTE + m, *values, 0) for m, *values in minutes], np.int64).T
    answer = HistoryAnswer(RELIANCE, np.ascontiguousarray(columns).tobytes(),
                           (MINUTE + gap[0], MINUTE + gap[1]) if gap else None)  # fmt: skip
    return msgspec.msgpack.encode(answer)


def bar(pipeline: Pipeline, minutes: int, start: int) -> list[int]:
    row = int(pipeline.market.rows.find(np.array([RELIANCE]))[0])
    starts, values = pipeline.market.frames[minutes].history.last(row, 90)
    (place,) = np.flatnonzero(starts == MINUTE + start)
    return [int(v) for v in values[[OPEN, HIGH, LOW, CLOSE, VOLUME, FLAGS], place]]


def close_after(pipeline: Pipeline, volume: int) -> None:
    """The day goes by, and a last packet comes behind the close."""
    at_s = OPEN_S + 375 * 60 + 30
    pipeline.apply(records((Kind.TIMER, timer_payload((at_s - 10) * NS))))
    feed(pipeline, full_tick(volume=volume, ltt_s=at_s))


def test_a_silence_says_when_how_many_and_how_much(pipeline: Pipeline) -> None:
    volume = trade(pipeline, 0, 60, 0)
    feed(pipeline, at(200, volume + 700))
    assert list(pipeline.gaps.found) == [Gap(OPEN_S + 55, OPEN_S + 200, "silence", 2, 1, 700)]
    assert list(pipeline.gaps.wanted.values()) == [[(MINUTE, MINUTE + 3)]]


def test_an_outage_of_a_connection_is_one_gap_with_its_silence(pipeline: Pipeline) -> None:
    volume = trade(pipeline, 0, 60, 0)
    timer = timer_payload((OPEN_S + 150) * NS)
    pipeline.apply(records((Kind.LINK, link("RECONNECTING")), (Kind.TIMER, timer),
                           (Kind.LINK, link("LIVE"))))  # fmt: skip
    feed(pipeline, at(152, volume + 300))
    assert list(pipeline.gaps.found) == [Gap(OPEN_S + 55, OPEN_S + 152, "reconnect", 1, 1, 300)]


def test_a_short_reconnect_is_a_gap_too_and_one_outside_the_session_is_none(
    pipeline: Pipeline,
) -> None:
    volume = trade(pipeline, 0, 60, 0)
    pipeline.apply(records((Kind.LINK, link("RECONNECTING")), (Kind.LINK, link("LIVE"))))
    feed(pipeline, at(58, volume + 30))
    assert list(pipeline.gaps.found) == [Gap(OPEN_S + 55, OPEN_S + 56, "reconnect", 1, 1, 30)]
    close_after(pipeline, volume + 60)
    evening = timer_payload((OPEN_S + 7 * 3600) * NS)
    night = timer_payload((OPEN_S + 9 * 3600) * NS)
    pipeline.apply(records((Kind.TIMER, evening), (Kind.LINK, link("RECONNECTING")),
                           (Kind.TIMER, night), (Kind.LINK, link("LIVE"))))  # fmt: skip
    assert [gap.cause for gap in pipeline.gaps.found] == ["reconnect", "silence"]


def outage(pipeline: Pipeline) -> Derived:
    """Trades to 2:58, none to 6:30, then to 8:00; and what the exchange says of the minutes."""
    volume = trade(pipeline, 0, 180, 0)
    volume = trade(pipeline, 390, 490, volume + 9_000)
    flat = (PRICE, PRICE, PRICE, PRICE)
    answer = told(
        (1, *flat, 120), (2, *flat, 120), (3, PRICE, PRICE + 50, PRICE, PRICE + 20, 4_000),
        (4, PRICE + 20, PRICE + 20, PRICE - 80, PRICE - 10, 3_000),
        (5, PRICE - 10, PRICE + 90, PRICE - 10, PRICE, 1_000),
        (6, PRICE, PRICE + 10, PRICE - 5, PRICE, 1_060), (7, *flat, 120),
        gap=(2, 6),
    )  # fmt: skip
    return pipeline.apply(records((Kind.HISTORY, answer)))


def test_bars_in_a_gap_become_the_exchanges_and_are_marked(pipeline: Pipeline) -> None:
    derived = outage(pipeline)
    assert bar(pipeline, 1, 4) == [
        PRICE + 20, PRICE + 20, PRICE - 80, PRICE - 10, 3_000, BarFlag.BACKFILLED,
    ]  # fmt: skip
    assert bar(pipeline, 1, 6)[4:] == [1_060, BarFlag.BACKFILLED], "9,070 had been put into it"
    assert bar(pipeline, 1, 1)[4:] == [120, 0], "what was seen stays as it was seen"
    assert bar(pipeline, 3, 3) == [PRICE, PRICE + 90, PRICE - 80, PRICE, 8_000, BarFlag.BACKFILLED]
    five = bar(pipeline, 5, 0)
    assert five == [PRICE, PRICE + 50, PRICE - 80, PRICE - 10, 7_240, BarFlag.BACKFILLED]
    assert [m.start - MINUTE for m in derived.mended] == [2, 3, 4, 5, 6]
    assert not pipeline.gaps.wanted and pipeline.gaps.found[-1].backfilled == 1
    assert not derived.alerts and not derived.fired and not derived.bars


def test_open_bars_go_on_from_what_the_exchange_tells(pipeline: Pipeline) -> None:
    outage(pipeline)
    market = pipeline.market
    row = int(market.rows.find(np.array([RELIANCE]))[0])
    five, fifteen = market.longer[5], market.longer[15]
    assert five.start[row] == MINUTE + 5 and five.values[VOLUME, row] == 1_000 + 1_060 + 120
    assert fifteen.values[[HIGH, LOW], row].tolist() == [PRICE + 50, PRICE - 80]
    assert fifteen.values[VOLUME, row] == 7_240, "its five closed minutes"
    trade(pipeline, 490, 1_000, 9_560)
    assert bar(pipeline, 5, 5)[1:5] == [PRICE + 90, PRICE - 10, PRICE, 1_000 + 1_060 + 120 + 240]
    whole = bar(pipeline, 15, 0)
    assert whole[1:5] == [PRICE + 90, PRICE - 80, PRICE, 7_240 + 2_420 + 600]


def test_an_answer_that_knows_nothing_changes_nothing(pipeline: Pipeline) -> None:
    volume = trade(pipeline, 0, 180, 0)
    trade(pipeline, 390, 490, volume + 9_000)
    before = bar(pipeline, 1, 6)
    derived = pipeline.apply(records((Kind.HISTORY, told(gap=(2, 6)))))
    assert bar(pipeline, 1, 6) == before and not derived.mended
    stranger = msgspec.msgpack.encode(HistoryAnswer(999, b"", (MINUTE, MINUTE + 1)))
    pipeline.apply(records((Kind.HISTORY, stranger)))
    cut = msgspec.msgpack.encode(HistoryAnswer(RELIANCE, b"123", (MINUTE, MINUTE + 1)))
    pipeline.apply(records((Kind.HISTORY, cut)))
    assert pipeline.counts.unreadable_records == 1


def price_at(n: int) -> int:
    return PRICE + 10 * (n * n % 17)


def past(sessions: int) -> list[tuple[int, int, int, int, int, int]]:
    """Minutes of the sessions before, numbered from today's open."""
    calendar = Calendar(load().calendar)
    out: list[tuple[int, int, int, int, int, int]] = []
    for day in calendar.last_sessions(OPEN_S - 3600, sessions) if sessions else ():
        session = calendar.session("equity", day)
        assert session is not None
        first = session.open_s // 60 - MINUTE
        out += [(first + n, *[price_at(n)] * 4, 100) for n in range(375)]
    return out


@pytest.mark.parametrize("sessions", [0, 21])
def test_history_as_it_was_seen_mends_to_the_same_bars(settings: Settings, sessions: int) -> None:
    """A gap whose minutes the exchange tells exactly as trades were: nothing differs after it."""
    seen, gapped = Pipeline(settings, 16), Pipeline(settings, 16)
    for pipeline in (seen, gapped):
        early = full_tick(token=341249, volume=0, ltt_s=0, exch_s=OPEN_S - 60)
        asked = msgspec.json.encode(Subscribed([RELIANCE], "full"))
        pipeline.apply(records((Kind.SUBSCRIBE, asked), (Kind.FRAME, frame(early))))
        if sessions:
            answer = told(*past(sessions), gap=(0, 0))
            warm = msgspec.structs.replace(
                msgspec.msgpack.decode(answer, type=HistoryAnswer), gap=None
            )
            pipeline.apply(records((Kind.HISTORY, msgspec.msgpack.encode(warm))))
        for n in range(100):
            if pipeline is seen or not 40 <= n < 50:
                feed(pipeline, at(n * 60 + 10, (n + 1) * 100, price_at(n)))
    today = [(n, *[price_at(n)] * 4, 100) for n in range(99)]
    answer = told(*past(min(sessions, 12)), *today, gap=(39, 50))
    gapped.apply(records((Kind.HISTORY, answer)))
    for n in range(100, 140):
        for pipeline in (seen, gapped):
            feed(pipeline, at(n * 60 + 10, (n + 1) * 100, price_at(n)))
    row = int(seen.market.rows.find(np.array([RELIANCE]))[0])
    for minutes in (1, 3, 5, 15):
        one, other = (p.market.frames[minutes] for p in (seen, gapped))
        assert one.history.count[row] == other.history.count[row], "bars keep their numbers"
        a, b = one.history.last(row, 90), other.history.last(row, 90)
        assert np.array_equal(a[0], b[0])
        assert np.array_equal(a[1][:5], b[1][:5]), minutes
        # The fifth is a sum over all bars ever, of use for the first fifty alone.
        held = [np.delete(f.indicators._state[:, row], 4) for f in (one, other)]
        assert one.indicators.bars[row] == other.indicators.bars[row]
        np.testing.assert_allclose(held[0], held[1], rtol=1e-3, equal_nan=True)


def two_links(pipeline: Pipeline, state: str, at_s: int = 0) -> None:
    """Both of two connections, with an instrument each."""
    timer = [(Kind.TIMER, timer_payload(at_s * NS))] if at_s else []
    links = [(Kind.LINK, msgspec.json.encode(LinkEvent(n, state, "", n, 1))) for n in (0, 1)]
    pipeline.apply(records(*timer, *links))


def test_an_outage_of_several_connections_is_one_gap(settings: Settings) -> None:
    pipeline = Pipeline(settings, 16)
    both = msgspec.json.encode(Subscribed([RELIANCE, 341249], "full"))
    pipeline.apply(records((Kind.SUBSCRIBE, both)))
    two_links(pipeline, "LIVE")
    for token in (RELIANCE, 341249):
        feed(pipeline, full_tick(token=token, volume=100, ltt_s=OPEN_S + 50))
    two_links(pipeline, "STALE", OPEN_S + 60)
    two_links(pipeline, "LIVE", OPEN_S + 80)
    for token in (RELIANCE, 341249):
        feed(pipeline, full_tick(token=token, volume=300, ltt_s=OPEN_S + 81))
    found = list(pipeline.gaps.found)
    assert found == [Gap(OPEN_S + 50, OPEN_S + 81, "reconnect", 2, 2, 400)], "since the last packet"


def test_a_night_between_is_no_gap_and_asks_for_nothing(settings: Settings) -> None:
    """The day's own gap is not asked for again when the connection comes back next morning."""
    pipeline = Pipeline(settings, 16)
    index = 256265
    asked = msgspec.json.encode(Subscribed([RELIANCE, index], "full"))
    pipeline.apply(records((Kind.SUBSCRIBE, asked), (Kind.LINK, link("LIVE"))))
    volume = trade(pipeline, 0, 60, 0)
    feed(pipeline, at(200, volume + 700))
    assert pipeline.gaps.count == 1
    pipeline.gaps.wanted.clear()
    close_after(pipeline, volume + 900)
    pipeline.gaps.wanted.clear()
    evening_s, morning_s = OPEN_S + 10 * 3600, OPEN_S + 86_400 - 900
    for at_s, state in ((evening_s, "RECONNECTING"), (morning_s, "LIVE")):
        timer = timer_payload(at_s * NS)
        pipeline.apply(records((Kind.TIMER, timer), (Kind.LINK, link(state))))
    feed(pipeline, full_tick(volume=0, ltt_s=OPEN_S + 86_400 + 5))
    assert pipeline.gaps.count == 2 and not pipeline.gaps.wanted
    assert pipeline.gaps.found[-1].jumped == 1


def test_a_second_gap_while_the_first_is_asked_for_stays_wanted(pipeline: Pipeline) -> None:
    volume = trade(pipeline, 0, 60, 0)
    volume = trade(pipeline, 200, 300, volume + 700)
    trade(pipeline, 500, 560, volume + 900)
    row = int(pipeline.market.rows.find(np.array([RELIANCE]))[0])
    assert pipeline.gaps.wanted[row] == [(MINUTE, MINUTE + 3), (MINUTE + 4, MINUTE + 8)]
    pipeline.apply(records((Kind.HISTORY, told((1, *[PRICE] * 4, 70), gap=(0, 3)))))
    assert pipeline.gaps.wanted[row] == [(MINUTE + 4, MINUTE + 8)]


def test_an_answer_leaves_another_gap_to_its_own(pipeline: Pipeline) -> None:
    volume = trade(pipeline, 0, 60, 0)
    volume = trade(pipeline, 200, 300, volume + 700)
    trade(pipeline, 500, 620, volume + 900)
    row = int(pipeline.market.rows.find(np.array([RELIANCE]))[0])
    history = pipeline.market.frames[1].history
    first, second = ((minute, *[PRICE] * 4, 70) for minute in (1, 6))
    before = bar(pipeline, 1, 8)
    assert before[-1] & BarFlag.VOLUME_UNCERTAIN
    answer = told(first, second, (8, *[PRICE] * 4, 80), gap=(0, 3))
    derived = pipeline.apply(records((Kind.HISTORY, answer)))
    assert [m.start - MINUTE for m in derived.mended] == [1]
    assert bar(pipeline, 1, 1)[-1] == BarFlag.BACKFILLED
    assert bar(pipeline, 1, 8) == before, "a later answer is of it"
    assert MINUTE + 6 not in history.last(row, 90)[0], "nobody was told of it"
    pipeline.apply(records((Kind.HISTORY, told(second, gap=(4, 8)))))
    assert bar(pipeline, 1, 6)[-1] == BarFlag.BACKFILLED


def test_a_warm_up_tells_what_was_before_and_doubtful_minutes_and_fills_no_gap(
    pipeline: Pipeline,
) -> None:
    volume = trade(pipeline, 120, 240, 0)
    trade(pipeline, 500, 620, volume + 900)
    row = int(pipeline.market.rows.find(np.array([RELIANCE]))[0])
    sure = bar(pipeline, 1, 3)
    assert bar(pipeline, 1, 8)[-1] & BarFlag.VOLUME_UNCERTAIN
    history = [(minute, *[PRICE] * 4, 70 + minute) for minute in range(9)]
    derived = pipeline.apply(records((Kind.HISTORY, told(*history, gap=None))))
    assert [m.start - MINUTE for m in derived.mended] == [2, 8], "joined late; behind a gap"
    assert bar(pipeline, 1, 8)[4:] == [78, BarFlag.BACKFILLED]
    assert bar(pipeline, 1, 0)[4:] == [70, 0] and bar(pipeline, 1, 3) == sure
    starts = pipeline.market.frames[1].history.last(row, 90)[0] - MINUTE
    assert starts.tolist() == [0, 1, 2, 3, 8, 9], "minutes 4 to 7 are the gap's own answer's"
    pipeline.apply(records((Kind.HISTORY, told(*history, gap=(3, 8)))))
    starts = pipeline.market.frames[1].history.last(row, 90)[0] - MINUTE
    assert starts.tolist() == list(range(10))
