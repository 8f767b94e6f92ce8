"""Staleness: an instrument is stale that is silent for longer than is usual for it."""

from __future__ import annotations

import pytest

from kitetui.config import load
from kitetui.engine.feed.records import Kind
from kitetui.engine.flow.pipeline import NS, Pipeline, timer_payload
from kitetui.engine.view.observe import Observer
from tests.property.test_disorder import fed
from tests.samples import MONDAY_OPEN_S, full_tick, records

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
