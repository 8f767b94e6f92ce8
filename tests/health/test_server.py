"""The memory trend of a server: told when enough was seen, and of what was seen lately."""

from __future__ import annotations

import pytest

from kitetui.engine.health.server import Trend


def test_a_trend_is_told_after_three_minutes_and_forgets_what_was_before_ten() -> None:
    trend = Trend()
    for second in range(170):
        trend.add(float(second), second * 10.0)  # streams that fill
    assert trend.mb_per_s is None
    for second in range(170, 200):
        trend.add(float(second), second * 10.0)
    assert trend.mb_per_s == pytest.approx(10.0)
    for second in range(200, 900):
        trend.add(float(second), 2_000.0)  # and stop
    assert trend.mb_per_s == pytest.approx(0.0, abs=1e-9)
