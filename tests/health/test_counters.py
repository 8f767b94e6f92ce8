"""Latencies in fixed memory: quantiles of what is held."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kitetui.engine.health.counters import Reservoir


@given(st.lists(st.floats(0, 1e6), max_size=300), st.sampled_from([0.0, 0.25, 0.5, 0.99, 1.0]))
def test_quantiles_are_those_of_the_newest_samples(values: list[float], q: float) -> None:
    held = Reservoir(50)
    for value in values:
        held.add(value)
    expected = float(np.quantile(values[-50:], q)) if values else 0.0
    assert held.quantile(q) == pytest.approx(expected)
    assert held.max == max(values, default=0.0)


def test_what_was_sorted_is_sorted_anew_once_enough_of_it_is_fresh() -> None:
    held = Reservoir(640)
    for _ in range(640):
        held.add(1.0)
    assert held.quantile(1.0) == 1.0
    for _ in range(11):
        held.add(9.0)
    assert held.quantile(1.0) == 9.0
