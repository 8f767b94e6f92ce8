"""The screen's own timings: quantiles and classes of what was measured."""

from __future__ import annotations

from kitetui.timings import KEPT, Timing


def test_quantiles_and_classes_are_of_the_newest() -> None:
    timing = Timing("one frame")
    assert timing.stage().p99_ms == 0.0 and timing.usual_ms == 0.0
    for ms in range(1, 101):
        timing.add(ms / 1e3)
    stage = timing.stage()
    assert (stage.p50_ms, stage.p90_ms, stage.p99_ms, stage.most_ms) == (51.0, 91.0, 100.0, 100.0)
    assert sum(stage.counts) == 100 and stage.counts[:4] == (1, 1, 3, 5)
    for _ in range(KEPT):
        timing.add(0.002)
    assert timing.stage().most_ms == 2.0 == timing.usual_ms
