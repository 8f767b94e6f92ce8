"""Chains from the instrument table; quotes that say nothing are undefined, with a reason."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from kitetui.config import load
from kitetui.engine.flow.pipeline import Pipeline
from kitetui.engine.market.black76 import REASONS, implied_volatility, price
from kitetui.engine.market.instruments import Instrument
from kitetui.engine.market.options import (
    Chain,
    Quotes,
    chains_of,
    fair_price,
    open_interest,
    parity_forward,
    read_chain,
    volatility_rank,
)
from kitetui.engine.market.straddle import Straddles
from tests.samples import market_day

SETTINGS = load().options
STRIKES = np.arange(24_000.0, 25_001.0, 50.0)
FORWARD, YEARS, VOLATILITY = 24_512.0, 7 / 365, 0.14


def listed(strike: float, kind: str, /, **changes: object) -> Instrument:
    fields = {"token": int(strike) << 9 | (kind == "PE") << 8 | 2, "tradingsymbol": "X",
              "exchange": "NFO", "name": "NIFTY", "expiry": "2026-11-24", "strike": strike,
              "kind": kind, "tick_size": 0.05, "lot_size": 65, **changes}  # fmt: skip
    return Instrument(**fields)  # type: ignore[arg-type]


def quotes(call: bool, *, spread: float = 0.1, age_s: float = 1.0) -> Quotes:
    k = len(STRIKES)
    value = price(np.full(k, FORWARD), STRIKES, np.full(k, YEARS), SETTINGS.rate,
                  np.full(k, VOLATILITY), np.full(k, call))  # fmt: skip
    return Quotes(value - spread / 2, value + spread / 2, value, np.full(k, age_s),
                  np.arange(k) * 100 + 50, np.arange(k))  # fmt: skip


CHAIN = Chain("NIFTY", "2026-11-24", STRIKES, np.arange(21), np.arange(21, 42), 42, 0.05)


def test_a_chain_is_what_the_table_lists_and_no_step_is_assumed() -> None:
    rows = [listed(24_100, "PE"), listed(24_000, "CE"), listed(24_000, "PE"),
            listed(24_000, "CE", expiry="2026-12-29"), listed(0, "FUT"),
            listed(24_033, "CE")]  # fmt: skip
    near, far = chains_of(rows)
    assert near.strikes.tolist() == [24_000, 24_033, 24_100]
    assert near.call.tolist() == [1, 5, -1] and near.put.tolist() == [2, -1, 0]
    assert near.future == 4 and far.future == -1 and far.expiry == "2026-12-29"


@pytest.mark.parametrize("lack", [{"strike": 0.0}, {"tick_size": 0.0}, {"lot_size": 0},
                                  {"expiry": ""}, {"expiry": "24-11-2026"}])  # fmt: skip
def test_an_option_the_table_says_too_little_of_is_left_out(lack: dict[str, object]) -> None:
    (chain,) = chains_of([listed(24_000, "CE"), listed(24_050, "CE", **lack)])
    assert chain.strikes.tolist() == [24_000]


def test_a_whole_chain() -> None:
    now = read_chain(CHAIN, quotes(True), quotes(False), 24_512.0, YEARS, SETTINGS)
    assert (now.by, now.forward, STRIKES[now.atm]) == ("future", 24_512.0, 24_500)
    # A mid in whole spreads moves the volatility by less than a hundredth of a point here.
    np.testing.assert_allclose(now.calls.implied.volatility, VOLATILITY, atol=1e-9)
    assert now.atm_volatility == pytest.approx(VOLATILITY)
    assert (np.diff(now.calls.greeks.delta) < 0).all() and (now.puts.greeks.delta < 0).all()
    np.testing.assert_allclose(now.calls.greeks.gamma, now.puts.greeks.gamma, rtol=1e-6)
    assert now.straddle == pytest.approx(quotes(True).last[10] + quotes(False).last[10])


def test_without_a_future_parity_tells_the_forward() -> None:
    now = read_chain(CHAIN, quotes(True), quotes(False), math.nan, YEARS, SETTINGS)
    assert now.by == "parity" and now.forward == pytest.approx(FORWARD, abs=1e-6)


def test_nothing_is_made_up_where_nothing_is_quoted() -> None:
    nothing = Quotes(*(np.zeros(21) for _ in range(3)), np.full(21, 1e9),
                     np.zeros(21, np.int64), np.zeros(21, np.int64))  # fmt: skip
    now = read_chain(CHAIN, nothing, nothing, math.nan, YEARS, SETTINGS)
    assert now.by == "" and now.atm == -1
    for value in (now.forward, now.straddle, now.atm_volatility, now.interest.pcr,
                  now.interest.max_pain):  # fmt: skip
        assert math.isnan(value)
    assert np.isnan(now.calls.implied.volatility).all() and now.calls.implied.reason.all()
    expired = read_chain(CHAIN, quotes(True), quotes(False), FORWARD, 0.0, SETTINGS)
    assert {REASONS[r] for r in expired.calls.implied.reason.tolist()} == {"expired"}


def test_a_wide_quote_gives_way_to_a_young_trade_and_an_old_one_to_nothing() -> None:
    wide = quotes(True, spread=60.0)
    np.testing.assert_array_equal(fair_price(wide, 0.05, SETTINGS)[10:], wide.last[10:])
    old = quotes(True, spread=60.0, age_s=31.0)
    assert np.isnan(fair_price(old, 0.05, SETTINGS)[10:]).all()


def test_parity_needs_both_sides() -> None:
    none = np.full(21, np.nan)
    assert math.isnan(parity_forward(STRIKES, none, quotes(False).last, YEARS, 0.065))


@given(
    st.floats(0.5, 2.0), st.floats(1e-4, 2.0), st.floats(0.03, 3.0), st.booleans(),
    st.floats(0.0, 0.12),
)  # fmt: skip
@examples(max_examples=400, deadline=None)
def test_volatility_of_a_price_is_the_one_that_made_it(
    moneyness: float, years: float, volatility: float, call: bool, rate: float
) -> None:
    one = np.ones(1)
    forward, strike = 20_000 * one, 20_000 * moneyness * one
    value = price(forward, strike, years * one, rate, volatility * one, np.array([call]))
    found = implied_volatility(forward, strike, years * one, rate, value, np.array([call]))
    intrinsic = max((1 if call else -1) * (forward[0] - strike[0]), 0.0)
    extrinsic = value[0] * math.exp(rate * years) - intrinsic
    if extrinsic > 1e-4:
        assert found.volatility[0] == pytest.approx(volatility, rel=1e-6)
    else:
        assert bool(found.reason[0]) == math.isnan(found.volatility[0])


def test_ties_of_max_pain_go_to_the_strike_nearest_spot_then_to_the_lower() -> None:
    strikes = np.array([100.0, 110.0, 120.0])
    flat = np.array([10, 0, 0]), np.array([0, 0, 10])
    assert open_interest(strikes, flat[1], flat[0], 111.0).max_pain == 110
    assert open_interest(strikes, flat[1], flat[0], 105.0).max_pain == 100
    assert open_interest(strikes, flat[1], flat[0], math.nan).max_pain == 100


def test_rank_among_own_days_or_india_vix_by_its_name() -> None:
    own, vix = np.linspace(0.10, 0.20, 59), np.linspace(0.10, 0.30, 300)
    lent = volatility_rank(0.15, own, vix, SETTINGS)
    assert lent.label == "India VIX" and lent.days == 252
    mine = volatility_rank(0.15, np.append(own, 0.2), vix, SETTINGS)
    assert mine.label == "own" and mine.rank == pytest.approx(50) and mine.days == 60
    none = volatility_rank(0.15, own, np.zeros(0), SETTINGS)
    assert math.isnan(none.rank) and none.label == ""


def test_a_minute_in_which_a_leg_did_not_trade_has_no_premium() -> None:
    series = Straddles(CHAIN)
    call, put, shares = np.full(21, 100.0), np.full(21, 90.0), np.full(21, 10.0)
    series.minute(1, call, put, shares)
    call[3] = np.nan
    series.minute(1, call - 5, put, shares)
    now = series.now()
    assert math.isnan(now.premium[3]) and now.vwap[3] == 190.0 and now.below[3] == 0
    assert now.vwap[4] == 187.5 and now.below[4] == 1
    series.minute(2, call, put, shares)
    assert series.now().vwap[4] == 190.0, "a session's VWAP begins at its open"


def test_the_simulated_market_has_chains_that_can_be_read() -> None:
    pipeline = Pipeline(load(), 200)
    pipeline.apply(market_day())
    market = pipeline.market
    (name, expiry) = next((s.chain.name, s.chain.expiry) for s in market.chains.straddles)
    now = market.chain_now(name, expiry)
    assert now is not None and now.by in ("future", "parity") and 0 < now.years < 1
    assert 0.05 < now.atm_volatility < 0.5
    assert now.interest.pcr > 0 and now.straddle > 0
