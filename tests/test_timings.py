"""The screen's own timings: quantiles and classes of what was measured."""

from __future__ import annotations

from kitetui.timings import KEPT, Timing


def test_quantiles_and_classes_are_of_the_newest() -> None:
    timing = Timing("one frame")
    assert timing.stage().p99_ms == 0.0 and timing.tell_ms() == 0.0
    for ms in range(1, 101):
        timing.add(ms / 1e3)
    stage = timing.stage()
    assert (stage.p50_ms, stage.p90_ms, stage.p99_ms, stage.most_ms) == (51.0, 91.0, 100.0, 100.0)
    assert sum(stage.counts) == 100 and stage.counts[:4] == (1, 1, 3, 5)
    for _ in range(KEPT):
        timing.add(0.002)
    assert timing.stage().most_ms == 2.0 == timing.tell_ms()


def test_a_median_between_two_figures_is_told_as_one() -> None:
    timing = Timing("one frame")
    for ms in (5.4, 5.4, 5.4):
        timing.add(ms / 1e3)
    assert timing.tell_ms() == 5.4
    told = set()
    for n in range(40):
        timing.add((5.6 if n % 4 < 2 else 5.2) / 1e3)
        told.add(timing.tell_ms())
    assert told == {5.4}
    for _ in range(KEPT):
        timing.add(0.0075)
    assert timing.tell_ms() == 7.5
