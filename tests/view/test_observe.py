"""Staleness: an instrument is stale that is silent for longer than is usual for it."""

from __future__ import annotations

import pytest

from kitetui.config import load
from kitetui.engine.feed.records import Kind
from kitetui.engine.flow.pipeline import NS, Pipeline, timer_payload
from kitetui.engine.view.observe import Observer
from tests.property.test_disorder import fed
from tests.samples import MONDAY_OPEN_S, full_tick, market_day, records

SETTINGS = load()


def observed(every_s: int, silent_s: float, minutes: int = 6) -> bool:
    """Whether it is stale that traded every so many seconds, and then for so long did not."""
    packets = [full_tick(volume=n * 10, ltt_s=MONDAY_OPEN_S + n * every_s)
               for n in range(minutes * 60 // every_s)]  # fmt: skip
    pipeline: Pipeline = fed(packets)
    last_s = MONDAY_OPEN_S + (len(packets) - 1) * every_s
    now = timer_payload(int(last_s + silent_s) * NS)
    pipeline.apply(records((Kind.TIMER, now)))
    depth = Observer(pipeline).depth(0, last_s + silent_s)
    assert depth is not None and depth.age_s == silent_s
    return depth.stale


@pytest.mark.parametrize(
    ("every_s", "silent_s", "stale"),
    [(1, 4.0, False), (1, 6.0, True), (10, 6.0, False), (10, 25.0, False), (10, 45.0, True),
     (30, 60.0, False), (30, 120.0, True)],
)  # fmt: skip
def test_stale_is_what_is_silent_for_longer_than_usual(
    every_s: int, silent_s: float, stale: bool
) -> None:
    assert observed(every_s, silent_s) is stale


def test_after_the_close_nothing_is_stale() -> None:
    assert not observed(1, 7 * 3600.0)


def test_no_bar_is_gone_while_it_waits_for_late_trades() -> None:
    day = market_day(6, start="09:40")
    pipeline = Pipeline(SETTINGS, 200)
    observer = Observer(pipeline)
    waited = {1: 0, 5: 0}
    for at in range(0, len(day), 4):
        pipeline.apply(day.part(at, min(at + 4, len(day))))
        rows = [i.symbol for i in pipeline.market.rows.instruments]
        if pipeline.session_s < MONDAY_OPEN_S:
            continue
        row = rows.index("RELIANCE")
        for minutes in waited:
            chart = observer.charts.of(row, minutes, 3)
            assert chart is not None
            starts = [candle.start_s for candle in chart.candles]
            assert starts == [starts[0] + 60 * minutes * n for n in range(3)]
            held = observer.reader.forming(row, minutes)
            waited[minutes] += len(held) == 2
        told = observer.buckets(row, 3)
        assert [b.start_s - told[0].start_s for b in told] == [0, -300, -600]
        assert [b.open_now for b in told] == [at < len(held) for at in range(3)]
    assert all(waited.values()), "the moment that this is about came"
