"""The matched null: exhaustive, by the same rule, and mere chance on a walk without drift."""

from __future__ import annotations

import numpy as np
import pytest

from kitetui.engine.alerts.barriers import Entries, Outcome, walk
from kitetui.engine.alerts.null import MatchedNull
from kitetui.engine.patterns.calibration import null_rate

BARS = 75


def sessions(count: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Prices, minutes and last bars of walks without drift, a session a row."""
    rng = np.random.default_rng(seed)
    n = count * BARS
    close = 1000 + np.cumsum(rng.normal(0, 1, n))
    open_ = np.append(1000.0, close[:-1])
    reach = np.abs(rng.normal(0, 0.3, (2, n)))
    prices = np.array([open_, np.maximum(open_, close) + reach[0],
                       np.minimum(open_, close) - reach[1], close])  # fmt: skip
    minute = np.tile(np.arange(BARS) * 5, count)
    last = np.repeat(np.arange(count) * BARS + BARS - 1, BARS)
    return prices, minute, last


def test_the_rate_of_a_walk_is_its_distances_share() -> None:
    prices, minute, last = sessions(3000)
    null = MatchedNull(prices, np.full(len(minute), 2.0), minute, last, 0.05)
    found = null.rate(30, 1, 3.0, 2.0, 60)
    assert found == pytest.approx(null_rate(3.0, 2.0), abs=0.03)
    assert null.rate(30, -1, 3.0, 2.0, 60) == pytest.approx(found, abs=0.05)


def test_it_is_what_walking_every_bar_of_that_half_hour_gives() -> None:
    prices, minute, last = sessions(20)
    atr = np.random.default_rng(3).uniform(0.5, 3, len(minute))
    null = MatchedNull(prices, atr, minute, last, 0.05)
    bar = 40
    hits = n = 0
    for at in range(len(minute)):
        if minute[at] // 30 == minute[bar] // 30 and at < last[at]:
            entries = Entries(np.array([-1]), prices[3, [at]], 1.5 * atr[[at]], atr[[at]])
            one = walk(entries, np.array([at]), prices, np.array([12]), last[[at]])
            hits += int(one.outcome[0] == Outcome.TARGET)
            n += 1
    assert null.count(bar, -1, 1.5 * atr[bar], atr[bar], 12) == (hits, n) and n > 100


def test_random_sides_reproduce_it_within_its_interval() -> None:
    """Entries that know nothing hit as often as their null says."""
    prices, minute, last = sessions(200, seed=5)
    atr = np.full(len(minute), 2.0)
    null = MatchedNull(prices, atr, minute, last, 0.05)
    rng = np.random.default_rng(7)
    bars = rng.choice(np.flatnonzero(last > np.arange(len(last))), 1500, replace=False)
    sides = rng.choice([-1, 1], len(bars))
    entries = Entries(sides, prices[3, bars], np.full(1500, 3.0), np.full(1500, 2.0))
    found = walk(entries, bars, prices, np.full(1500, 12), last[bars])
    rate = float(np.mean(found.outcome == Outcome.TARGET))
    expected = np.mean([null.rate(int(b), int(s), 3.0, 2.0, 12)
                        for b, s in zip(bars, sides, strict=True)])  # fmt: skip
    assert abs(rate - expected) < 2.5 * np.sqrt(expected * (1 - expected) / 1500)


def test_without_an_atr_nothing_is_matched() -> None:
    prices, minute, last = sessions(2)
    null = MatchedNull(prices, np.full(len(minute), np.nan), minute, last, 0.05)
    assert null.count(10, 1, 3.0, 2.0, 12) == (0, 0)
    assert np.isnan(null.rate(10, 1, 3.0, 2.0, 12))
