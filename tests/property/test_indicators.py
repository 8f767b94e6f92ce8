"""Indicators against TA-Lib over random bars, and the laws of their state."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kitetui.engine.market.indicators import (
    ADX,
    ATR,
    ATR_BEFORE,
    EMA5,
    EMA9,
    EMA20,
    EMA50,
    NAMES,
    NOTHING,
    RSI,
    Closed,
    Indicators,
    learn,
)

ROW = np.array([0])
KINDS = ("walk", "flat", "one_tick", "halted", "gapped", "trend", "limit")


@st.composite
def bars(draw: Any) -> np.ndarray:
    """High, low, close and volume of bars in stretches of different kinds: f64 (4, k)."""
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    price = draw(st.sampled_from([1, 250, 100_000, 5_000_000]))
    parts = []
    for kind in draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=6)):
        k = draw(st.integers(1, 90))
        scale = {"walk": 40, "gapped": 40, "trend": 15, "limit": 2}.get(kind, 0)
        steps = rng.integers(-scale, scale + 1, k) if scale else np.zeros(k, np.int64)
        if kind == "one_tick":
            steps = np.where(np.arange(k) % 2, 1, -1)
        if kind == "trend":
            steps = np.abs(steps)
        if kind == "gapped":
            steps[0] += int(rng.integers(-1, 2)) * price // 10
        close = np.maximum(price + np.cumsum(steps), 1)
        flat = kind in ("flat", "halted", "limit")
        high = close + (0 if flat else rng.integers(0, 30, k))
        low = np.maximum(close - (0 if flat else rng.integers(0, 30, k)), 1)
        volume = np.zeros(k) if kind == "halted" else rng.integers(0, 9000, k)
        price = int(close[-1])
        parts.append(np.stack([high * 5 / 100, low * 5 / 100, close * 5 / 100, volume]))
    return np.concatenate(parts, axis=1)


def values(series: np.ndarray) -> np.ndarray:
    """Every committed value after each bar: f64 (k, names)."""
    found = Indicators(1)
    out = []
    for high, low, close, volume in series.T[:, :, None]:
        found.advance(ROW, Closed(high, low, close, volume, np.array([1])))
        out.append(found.values(ROW)[:, 0])
    return np.array(out)


@given(bars())
@settings(max_examples=120, deadline=None)
def test_equal_to_talib(series: np.ndarray) -> None:
    talib = pytest.importorskip("talib", reason="the oracle is not installed: kitetui[oracle]")
    high, low, close, _ = series.copy()
    ours = values(series)
    wanted = {
        EMA5: talib.EMA(close, 5), EMA9: talib.EMA(close, 9), EMA20: talib.EMA(close, 20),
        EMA50: talib.EMA(close, 50), RSI: talib.RSI(close, 14), ATR: talib.ATR(high, low, close),
        ADX: talib.ADX(high, low, close),
    }  # fmt: skip
    for at, theirs in wanted.items():
        told = np.isfinite(theirs)
        mine = ours[:, at]
        if at in (RSI, ADX):
            # Without any movement TA-Lib says 0; here it is undefined.
            degenerate = told & np.isnan(mine)
            assert (np.abs(theirs[degenerate]) <= 100).all()
            assert not degenerate.any() or still(series, degenerate, at)
            told &= ~degenerate
        else:
            assert (np.isfinite(mine) == told).all(), NAMES[at]
        assert np.isnan(mine[~np.isfinite(theirs)]).all(), NAMES[at]
        np.testing.assert_allclose(mine[told], theirs[told], rtol=0, atol=1e-9, err_msg=NAMES[at])


def still(series: np.ndarray, degenerate: np.ndarray, at: int) -> bool:
    """Whether nothing moved for so long that only rounding is left wherever we say undefined."""
    high, low, close, _ = series
    change = np.abs(np.diff(close, prepend=close[0]))
    if at == ADX:
        change = np.maximum(change, high - low)
        change[0] = 0.0  # a range needs the bar before
    held = 0.0
    for k, moved in enumerate(change):
        held = held * 13 / 14 + moved
        if degenerate[k] and held > 40 * NOTHING:
            return False
    return True


@given(bars(), st.integers(0, 600))
@settings(max_examples=60, deadline=None)
def test_a_look_at_the_forming_bar_commits_nothing(series: np.ndarray, cut: int) -> None:
    found, untouched = Indicators(1), Indicators(1)
    for high, low, close, volume in series.T[:, :, None]:
        bar = Closed(high, low, close, volume, np.array([1]))
        peeked = found.peek(ROW, Closed(high, low, close, volume, np.array([1])))
        found.peek(ROW, Closed(high + 9, low, close + 5, volume + 7, np.array([2])))
        found.advance(ROW, bar)
        untouched.advance(ROW, bar)
        np.testing.assert_array_equal(found.values(ROW), untouched.values(ROW))
        np.testing.assert_array_equal(peeked, found.values(ROW))


@given(bars())
@settings(max_examples=100, deadline=None)
def test_learning_a_history_is_advancing_bar_by_bar(series: np.ndarray) -> None:
    k = series.shape[1]
    days = np.arange(k) // 40
    learned, advanced = Indicators(1), Indicators(1)
    learned.put(0, learn(Closed(*series, days)))
    for at in range(k):
        high, low, close, volume = series[:, at : at + 1]
        advanced.advance(ROW, Closed(high, low, close, volume, days[at : at + 1]))
    np.testing.assert_array_equal(learned.values(ROW), advanced.values(ROW))
    later = Closed(*(np.array([x]) for x in (700.0, 600.0, 650.0, 10.0)), np.array([99]))
    learned.advance(ROW, later)
    advanced.advance(ROW, later)
    np.testing.assert_array_equal(learned.values(ROW), advanced.values(ROW))
    assert learned.bars[0] == advanced.bars[0] == k + 1


@given(bars(), st.integers(1, 500))
@settings(max_examples=40, deadline=None)
def test_the_future_never_changes_the_past(series: np.ndarray, cut: int) -> None:
    cut = min(cut, series.shape[1])
    np.testing.assert_array_equal(values(series)[:cut], values(series[:, :cut]))


def test_the_atr_before_a_bar_does_not_know_the_bar() -> None:
    rng = np.random.default_rng(5)
    close = 100 + np.cumsum(rng.normal(0, 1, 60))
    series = np.stack([close + 1, close - 1, close, np.ones(60)])
    found = values(series)
    np.testing.assert_array_equal(found[16:, ATR_BEFORE], found[15:-1, ATR])
