"""What a pattern's past makes of a score: ranks, chances, and that more is never less."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kitetui.engine.patterns.calibration import (
    OWN_FIRINGS,
    OWN_OUTCOMES,
    Calibration,
    Calibrations,
    Past,
    null_rate,
    rising,
)
from kitetui.engine.patterns.score import confidence

TABLE = tuple(np.linspace(0.1, 0.9, 21).tolist())
SCORES = st.floats(0, 1)


def past(n: int, *, better_above: float = 2.0, seed: int = 1) -> Past:
    """Firings of random scores; above a score two in three hit, below one in three."""
    rng = np.random.default_rng(seed)
    scores = rng.uniform(0, 1, n)
    hits = rng.uniform(0, 1, n) < np.where(scores > better_above, 2 / 3, 1 / 3)
    return Past(tuple(scores.tolist()), tuple(zip(scores.tolist(), hits.tolist(), strict=True)))


def test_few_firings_leave_the_shipped_table_alone() -> None:
    few = Calibration(TABLE, past(OWN_FIRINGS - 1))
    scores = np.linspace(0, 1, 50)
    assert few.confidence(scores).tolist() == confidence(scores, TABLE).tolist()


def test_many_firings_outweigh_it() -> None:
    strong = Past(tuple(np.linspace(0.5, 0.6, 1800).tolist()))
    own = Calibration(TABLE, strong)
    shipped = float(confidence(np.array([0.55]), TABLE)[0])
    assert own.confidence(np.array([0.55]))[0] == pytest.approx(0.1 * shipped + 0.9 * 0.5, abs=1e-3)


def test_a_chance_without_a_past_is_near_its_null_and_says_so() -> None:
    cold = Calibration(TABLE, past(OWN_OUTCOMES - 1)).chance(0.5, 0.4)
    assert cold.p == pytest.approx(0.4) and not cold.calibrated
    assert (cold.low, cold.high) == (0.0, 1.0) and cold.n == OWN_OUTCOMES - 1


def test_a_chance_with_a_past_knows_which_scores_hit() -> None:
    warm = Calibration(TABLE, past(2000, better_above=0.6))
    low, high = warm.chance(0.1, 0.4), warm.chance(0.9, 0.4)
    assert low.calibrated and low.p == pytest.approx(1 / 3, abs=0.06)
    assert high.p == pytest.approx(2 / 3, abs=0.06) and high.low < high.p < high.high
    assert high.expected_r(1.5, 1.0) > 0 > low.expected_r(1.5, 1.0)


def test_scores_that_mean_nothing_give_one_rate() -> None:
    warm = Calibration(TABLE, past(2000))
    chances = [warm.chance(score, 0.4).p for score in (0.05, 0.5, 0.95)]
    assert max(chances) - min(chances) < 0.06


@given(st.integers(0, 400), st.integers(0, 5), SCORES, SCORES, st.floats(0.05, 0.95))
def test_more_is_never_less_and_all_lies_between_0_and_1(
    n: int, seed: int, a: float, b: float, null: float
) -> None:
    found = Calibration(TABLE, past(n, better_above=0.5, seed=seed))
    low, high = sorted((a, b))
    ranks = found.confidence(np.array([low, high])).tolist()
    assert 0 <= ranks[0] <= ranks[1] <= 1
    chances = [found.chance(score, null) for score in (low, high)]
    assert 0 <= chances[0].p <= chances[1].p <= 1
    assert all(c.low <= c.high for c in chances)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(1, 50)), min_size=1, max_size=8))
def test_pooling_never_falls_and_keeps_the_mean(pairs: list[tuple[float, float]]) -> None:
    values, weights = (np.array(x) for x in zip(*pairs, strict=True))
    found = rising(values, weights)
    assert (np.diff(found) >= -1e-12).all()
    assert (found * weights).sum() == pytest.approx((values * weights).sum())


def test_the_null_of_a_walk_without_drift() -> None:
    assert null_rate(1.5, 1.0) == pytest.approx(0.4)
    rng = np.random.default_rng(2)
    walk = np.cumsum(rng.choice([-1.0, 1.0], (4000, 2000)), axis=1)
    up, down = (walk >= 15).argmax(axis=1), (walk <= -10).argmax(axis=1)
    done = ((walk >= 15) | (walk <= -10)).any(axis=1)
    first = np.where(up == 0, 9999, up) < np.where(down == 0, 9999, down)
    assert first[done].mean() == pytest.approx(null_rate(15, 10), abs=0.03)


def test_classes_are_kept_apart_and_the_past_is_used_once_told() -> None:
    all_of = Calibrations({"breakout": {"5m": list(TABLE)}})
    assert all_of.of("breakout", "5m", "equity").n == 0
    all_of.tell("breakout", "5m", "equity", past(300))
    assert all_of.of("breakout", "5m", "equity").n == 300
    assert all_of.of("breakout", "5m", "index").n == 0
    assert all_of.of("unheard_of", "5m", "index").confidence(np.array([0.1, 1.0])).tolist() == [
        0.0, 1.0,
    ]  # fmt: skip
