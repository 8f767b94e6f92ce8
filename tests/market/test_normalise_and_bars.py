"""From ticks to bars: increments, lateness, sessions, gaps, and what is refused."""

from __future__ import annotations

from datetime import date

import msgspec
import numpy as np
import pytest

from kitetui.engine.calendar import Calendar, date_day, ist
from kitetui.engine.feed import wire
from kitetui.engine.feed.batch import LTP, QUOTE, Flag, TickBatch
from kitetui.engine.feed.records import Kind, LinkEvent, RecordBatch, Subscribed
from kitetui.engine.flow.derived import Derived
from kitetui.engine.flow.pipeline import Pipeline, timer_payload
from kitetui.engine.market.bars import CLOSE, HIGH, LOW, OPEN, VOLUME, BarFlag
from kitetui.settings import Settings
from tests.samples import MONDAY_OPEN_S, NS, RELIANCE, frame, full_tick, records

OPEN_S = MONDAY_OPEN_S


@pytest.fixture
def pipeline(settings: Settings) -> Pipeline:
    out = Pipeline(settings, 16)
    out.apply(records((Kind.SUBSCRIBE, msgspec.json.encode(Subscribed([RELIANCE], "full")))))
    return out


def feed(pipeline: Pipeline, *ticks: TickBatch) -> Derived:
    return pipeline.apply(records(*[(Kind.FRAME, frame(t)) for t in ticks]))


def minute_bars(derived: Derived) -> list[list[int]]:
    return [
        bars.values[[OPEN, HIGH, LOW, CLOSE, VOLUME], at].tolist()
        for name, bars in derived.bars
        if name == "1m"
        for at in range(len(bars.rows))
    ]


def at(second: int, volume: int, ltp: int = 141_200, **fields: int) -> TickBatch:
    return full_tick(ltp=ltp, volume=volume, ltt_s=OPEN_S + second, **fields)


def before_open() -> TickBatch:
    """A packet of the pre-open: it proves that we were connected since the session opened."""
    return full_tick(token=341249, volume=0, ltt_s=0, exch_s=OPEN_S - 60)


def test_a_tick_belongs_to_the_minute_of_its_trade_not_of_its_packet(pipeline: Pipeline) -> None:
    feed(pipeline, at(10, 100), at(50, 150, 141_300))
    late_packet = at(59, 180, 141_400, exch_s=OPEN_S + 61)
    derived = feed(pipeline, late_packet, at(61, 190, 141_500))
    assert minute_bars(derived) == []
    derived = feed(pipeline, at(70, 200, 141_600))
    assert minute_bars(derived) == [[141_300, 141_400, 141_300, 141_400, 80]]


def test_increments_are_against_the_running_maximum(pipeline: Pipeline) -> None:
    feed(pipeline, before_open())
    runs = feed(pipeline, at(1, 100), at(2, 110), at(2, 105, 141_300), at(3, 120)).runs
    assert [int(i) for run in runs for i in run.increment] == [100, 10, 0, 10]


def test_the_first_tick_counts_whole_only_when_connected_since_the_open(
    pipeline: Pipeline,
) -> None:
    feed(pipeline, before_open(), at(1, 5000), at(2, 5010))
    row = int(pipeline.market.rows.find(full_tick().token)[0])
    assert pipeline.market.normaliser.volumes.first[row] == 0
    assert pipeline.market.minutes.session_volume[row] == 5010


def test_a_first_tick_in_mid_session_is_the_baseline_and_its_bar_uncertain(
    pipeline: Pipeline,
) -> None:
    derived = feed(pipeline, at(601, 5000), at(602, 5010), at(663, 5020))
    (_, bars) = next(b for b in derived.bars if b[0] == "1m")
    assert bars.values[VOLUME].tolist() == [10]
    assert bars.values[10].tolist() == [BarFlag.VOLUME_UNCERTAIN]


def test_a_repeated_packet_is_a_duplicate_and_a_change_of_depth_is_not(pipeline: Pipeline) -> None:
    first = at(5, 100)
    deeper = at(5, 100)
    deeper.depth[0, 3] = (77, 141_000, 1)
    feed(pipeline, first, first, deeper, deeper)
    counts = pipeline.market.normaliser.counts
    assert (counts.received, counts.duplicates) == (4, 2)


def test_a_trade_of_a_closed_minute_is_late_and_stays_in_the_totals(pipeline: Pipeline) -> None:
    feed(pipeline, before_open(), at(10, 100), at(70, 150))
    derived = feed(pipeline, at(30, 180, 199_999, exch_s=OPEN_S + 71))
    row = int(pipeline.market.rows.find(full_tick().token)[0])
    assert derived.runs[0].ticks.flags[0] & Flag.LATE
    assert pipeline.market.minutes.late_volume[row] == 30
    assert pipeline.market.minutes.session_volume[row] == 180


def test_trades_outside_the_session_make_no_bar(pipeline: Pipeline) -> None:
    feed(pipeline, before_open(), at(-30, 40), at(-20, 50))
    derived = feed(pipeline, at(5, 60), at(66, 70))
    assert minute_bars(derived)[0][4] == 10
    row = int(pipeline.market.rows.find(full_tick().token)[0])
    assert pipeline.market.normaliser.out_of_session_volume[row] == 50


def test_a_stocks_continuous_session_ends_at_1515_from_august_2026(settings: Settings) -> None:
    calendar = Calendar(settings.calendar)
    before, after = date_day(date(2026, 7, 31)), date_day(date(2026, 8, 3))
    fno = [calendar.session("equity_fno", d) for d in (before, after)]
    assert [(s.close_s - s.open_s) // 60 for s in fno if s] == [375, 360]
    assert fno[1] is not None and (fno[1].end_s - fno[1].close_s) // 60 == 20
    options = calendar.session("equity_derivatives", after)
    assert options is not None and (options.close_s - options.open_s) // 60 == 385
    assert calendar.session("equity", date_day(date(2026, 11, 8))) is not None, "Muhurat"
    assert calendar.session("equity", date_day(date(2026, 11, 24))) is None
    assert calendar.session("equity", date_day(date(2025, 2, 1))) is not None, "Budget Saturday"


@pytest.mark.parametrize(
    ("on", "closes"),
    [("2024-01-20", "15:30"), ("2024-03-02", "12:30"), ("2024-05-18", "12:30"),
     ("2025-02-01", "15:30"), ("2026-02-01", "15:30")],
)  # fmt: skip
def test_special_weekend_sessions_are_sessions(settings: Settings, on: str, closes: str) -> None:
    session = Calendar(settings.calendar).session("equity", date_day(date.fromisoformat(on)))
    assert session is not None
    assert f"{ist(session.open_s):%H:%M} {ist(session.close_s):%H:%M}" == f"09:15 {closes}"


def test_a_silence_of_the_feed_is_a_gap_and_its_volume_is_uncertain(pipeline: Pipeline) -> None:
    feed(pipeline, at(10, 100), at(11, 101))
    derived = feed(pipeline, at(190, 900), at(260, 901))
    found = [(g.from_s - OPEN_S, g.to_s - OPEN_S) for g in pipeline.gaps.found]
    assert found == [(11, 190), (190, 260)]
    flagged = [b.values[10, 0] for name, b in derived.bars if name == "1m" and b.values[4, 0] > 1]
    assert flagged == [BarFlag.VOLUME_UNCERTAIN | BarFlag.AFTER_GAP]


def test_a_new_high_of_the_day_extends_the_open_bar(pipeline: Pipeline) -> None:
    feed(pipeline, before_open(), at(5, 100, high=141_200, low=141_200))
    feed(pipeline, at(20, 150, high=141_900, low=141_200))
    derived = feed(pipeline, at(66, 151))
    assert minute_bars(derived)[0][1] == 141_900


def test_impossible_prices_and_times_are_refused_and_counted(pipeline: Pipeline) -> None:
    feed(pipeline, at(5, 100))
    feed(pipeline, at(6, 110, 0), at(7, 120, exch_s=OPEN_S + 6 * 86_400))
    counts = pipeline.market.normaliser.counts
    assert counts.reasons == {"zero_price": 1, "time_ahead": 1}
    feed(pipeline, at(8, 130))
    row = int(pipeline.market.rows.find(full_tick().token)[0])
    assert pipeline.market.normaliser.volumes.last[row] == 130
    assert pipeline.market.minutes.late_ticks == 0


def test_a_trade_time_far_ahead_of_its_packet_does_not_close_the_day(pipeline: Pipeline) -> None:
    feed(pipeline, before_open(), at(5, 100))
    feed(pipeline, full_tick(volume=110, ltt_s=OPEN_S + 365 * 86_400, exch_s=OPEN_S + 6))
    feed(pipeline, *[at(7 + n, 120 + n) for n in range(20)])
    assert pipeline.market.minutes.late_ticks == 0


def test_after_a_long_silence_the_third_packet_that_agrees_is_believed(pipeline: Pipeline) -> None:
    feed(pipeline, at(5, 100))
    later = [at(7200 + n, 200 + n) for n in range(5)]
    feed(pipeline, *later)
    assert pipeline.market.normaliser.counts.reasons == {"time_ahead": 2}
    assert pipeline.market.normaliser.newest_s == OPEN_S + 7204


def test_a_timer_closes_the_bar_when_no_packet_comes(pipeline: Pipeline) -> None:
    feed(pipeline, before_open(), at(5, 100))
    timer = records((Kind.TIMER, timer_payload((OPEN_S + 61) * NS)))
    assert minute_bars(pipeline.apply(timer)) == []
    timer = records((Kind.TIMER, timer_payload((OPEN_S + 62) * NS)))
    assert minute_bars(pipeline.apply(timer)) == [[141_200, 141_200, 141_200, 141_200, 100]]


def test_a_cached_first_tick_opens_no_candle(pipeline: Pipeline) -> None:
    live = LinkEvent(0, "LIVE", "", 0, 1)
    feed(pipeline, before_open(), at(5, 100))
    pipeline.apply(records((Kind.LINK, msgspec.json.encode(live))))
    derived = feed(pipeline, at(5, 100, exch_s=OPEN_S + 5), at(300, 400), at(361, 401))
    flags = derived.runs[0].ticks.flags
    assert flags[0] & Flag.CACHED_FIRST
    assert not flags[1] & Flag.CACHED_FIRST


def test_quote_packets_without_time_are_stamped_here_and_make_bars(settings: Settings) -> None:
    pipeline = Pipeline(settings, 16)
    out = RecordBatch()
    for n in range(200):
        tick = full_tick(volume=1000 + n)
        tick.length[:] = QUOTE
        body = wire.encode_frame(wire.encode_packets(tick))
        out.append(Kind.FRAME, (OPEN_S + n) * NS, body)
    derived = pipeline.apply(out)
    assert [b[4] for b in minute_bars(derived)] == [59, 60, 60]


def test_an_ltp_packet_first_is_no_baseline_for_volume(pipeline: Pipeline) -> None:
    first = full_tick()
    first.length[:] = LTP
    pipeline.apply(records((Kind.FRAME, frame(first)), start_s=OPEN_S + 600))
    runs = feed(pipeline, at(700, 5_000_000), at(701, 5_000_010)).runs
    assert [int(i) for run in runs for i in run.increment] == [0, 10]


def test_unknown_tokens_flow_and_unknown_segments_are_said_once(pipeline: Pipeline) -> None:
    feed(pipeline, full_tick(token=77 << 8 | 11), full_tick(token=78 << 8 | 11, volume=2000))
    assert pipeline.market.rows.instruments[-1].symbol == f"#{78 << 8 | 11}"
    said = [e.text for e in pipeline.events if "unknown segment 11" in e.text]
    assert len(said) == 1


def test_rows_are_capped_and_what_finds_none_is_counted(settings: Settings) -> None:
    pipeline = Pipeline(settings, 2)
    feed(pipeline, *[full_tick(token=n << 8 | 1) for n in range(1, 6)])
    assert pipeline.market.normaliser.counts.reasons == {"no_row_left": 3}


def test_sides_follow_the_quote_before_the_trade_else_the_tick_rule(pipeline: Pipeline) -> None:
    feed(pipeline, before_open(), at(1, 100, 141_200))
    feed(pipeline, at(2, 110, 141_205), at(3, 130, 141_195))  # at the ask, then at the bid
    derived = feed(pipeline, at(70, 131, 141_200))
    (_, bars) = next(b for b in derived.bars if b[0] == "1m")
    buy, sell = bars.values[5, 0], bars.values[6, 0]
    assert (buy, sell) == (10, 20)


@pytest.mark.parametrize(
    ("kind", "payload"),
    [(Kind.LINK, b"{"), (Kind.TIMER, b"abc"), (Kind.COMMAND, b"\xff"), (Kind.HISTORY, b"\x00"),
     (Kind.SUBSCRIBE, b"[]"), (Kind.INSTRUMENTS, b"\x1f\x8bnot gzip"), (Kind.INSTRUMENTS, b"a,b\n"),
     (Kind.COMMAND, b"[" * 100_000), (99, b"?")],
)  # fmt: skip
def test_a_record_that_cannot_be_read_is_counted(
    pipeline: Pipeline, kind: int, payload: bytes
) -> None:
    pipeline.apply(records((kind, payload)))
    assert pipeline.counts.unreadable_records == (kind != 99)


def test_a_lone_rows_closed_bar_is_its_own(pipeline: Pipeline) -> None:
    """What is given away must not change when the next minute uses its place again."""
    derived = feed(pipeline, at(10, 100), at(20, 110), at(70, 120), at(130, 777), at(190, 780))
    assert [bar[4] for bar in minute_bars(derived)] == [10, 10, 657]


@pytest.mark.parametrize("wrong", ["nan", "inf", "-0.05", "1e30"])
def test_an_instrument_with_an_absurd_tick_is_shown_and_has_none(
    wrong: str, settings: Settings
) -> None:
    table = (
        b"instrument_token,tradingsymbol,exchange,tick_size,lot_size,strike\n"
        b"738561,RELIANCE,NSE," + wrong.encode() + b",1e99,nan\n"
    )
    pipeline = Pipeline(settings, 4)
    pipeline.apply(
        records(
            (Kind.INSTRUMENTS, table),
            (Kind.SUBSCRIBE, msgspec.json.encode(Subscribed([RELIANCE], "full"))),
            (Kind.FRAME, frame(at(10, 100))),
        )
    )
    listed = pipeline.market.rows.instruments[0]
    assert (listed.symbol, listed.tick_size, listed.lot_size, listed.strike) == (
        "RELIANCE", 0.0, 0, 0.0)  # fmt: skip
    assert pipeline.market.normaliser.counts.received == 1
    assert pipeline.market.profiles.profile(0) is None


@pytest.mark.parametrize(
    ("candle", "said"),
    [
        (["2025-12-12T09:15:00+0530", 100, 101, 99, 100, -5, 0], "beyond what Kite can send"),
        (["2025-12-12T09:15:00+0530", 100, 101, 99, 100, 1 << 40, 0], "beyond what Kite can send"),
        (["2025-12-12T09:15:00+0530", 1e9, 1e9, 1e9, 1e9, 5, 0], "beyond what Kite can send"),
        (["2025-12-12T09:15:00+0530", 100, 99, 101, 100, 5, 0], "does not hold its bar"),
        (["2025-12-12T09:15:00+0530", 100, 101, 99, 98, 5, 0], "does not hold its bar"),
        (["yesterday", 100, 101, 99, 100, 5, 0], "not Kite's candles"),
    ],
)
def test_history_that_cannot_be_is_refused(candle: list[object], said: str) -> None:
    from kitetui.engine.market.warmup import pack_candles

    answer = msgspec.json.encode({"status": "success", "data": {"candles": [candle]}})
    with pytest.raises(ValueError, match=said):
        pack_candles(RELIANCE, answer)


def subscribe(pipeline: Pipeline, *tokens: int) -> None:
    asked = msgspec.json.encode(Subscribed(list(tokens), "full"))
    pipeline.apply(records((Kind.SUBSCRIBE, asked)))


@pytest.mark.parametrize("returning", [False, True])
def test_one_that_joins_brings_no_volume_of_its_past(pipeline: Pipeline, returning: bool) -> None:
    """What an instrument traded while nobody listened to it is in no bar and raises nothing."""
    other = 341249
    tcs = {"token": other, "ltp": 305_000}
    if returning:
        subscribe(pipeline, RELIANCE, other)
        feed(pipeline, full_tick(**tcs, volume=1_000, ltt_s=OPEN_S + 5))
        subscribe(pipeline, RELIANCE)
    feed(pipeline, full_tick(volume=0, ltt_s=0, exch_s=OPEN_S - 60), at(10, 100))
    feed(pipeline, at(700, 90_000))
    subscribe(pipeline, RELIANCE, other)
    feed(pipeline, full_tick(**tcs, volume=2_000_000, ltt_s=OPEN_S + 710))
    derived = feed(pipeline, full_tick(**tcs, volume=2_000_070, ltt_s=OPEN_S + 715))
    row = int(pipeline.market.rows.find(np.array([other]))[0])
    told = pipeline.market.normaliser.volumes
    assert int(told.last[row] - told.first[row]) == 70
    derived = feed(pipeline, full_tick(**tcs, volume=2_000_080, ltt_s=OPEN_S + 770),
                   at(770, 90_010), at(840, 90_020),
                   full_tick(**tcs, volume=2_000_090, ltt_s=OPEN_S + 840))  # fmt: skip
    closed = [int(bars.values[VOLUME, n]) for name, bars in derived.bars if name == "1m"
              for n in range(len(bars.rows)) if int(bars.rows[n]) == row]  # fmt: skip
    assert closed and max(closed) <= 80
