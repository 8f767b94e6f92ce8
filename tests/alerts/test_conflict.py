"""Conflicts: which of two alerts that contradict one another is told, and with what words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kitetui.engine.alerts.alert import Alert, alert_id
from kitetui.engine.alerts.conflict import Conflicts, Mark, Ruling
from kitetui.engine.alerts.desk import Desk
from kitetui.engine.alerts.gate import Exit, Gate
from tests.alerts.candidates import settings

NOON_S = 1_765_782_000
BAR_S = 300


def one(pattern: str, side: int, bar: int = 0, *, r: float = 0.0, price: float = 100.0,
        symbol: str = "RELIANCE", timeframe: str = "5m",
        underlying: str = "") -> Alert:  # fmt: skip
    bar_s = NOON_S + bar * BAR_S
    return Alert(
        alert_id=alert_id(symbol, pattern, timeframe, side, bar_s), symbol=symbol, token=1,
        pattern=pattern, timeframe=timeframe, side=side, bar_s=bar_s, at_s=bar_s + BAR_S,
        price=price, score=0.5, confidence=0.9, evidence={}, target=price + 1.5 * side,
        stop=price - side, expected_r=r, underlying=underlying,
    )  # fmt: skip


def ruled(*alerts: Alert) -> Ruling:
    conflicts = Conflicts()
    for alert in alerts[:-1]:
        ruling = conflicts.rule(alert)
        if not ruling.refused:
            conflicts.hold(alert, ruling.marks)
    return conflicts.rule(alerts[-1])


def test_the_higher_expected_result_wins_and_nearly_equal_ones_are_one_contested_alert() -> None:
    first = one("ict_fair_value_gaps", 1, r=0.20)
    assert ruled(first, one("volume_spike", -1, 2, r=0.10)).refused == "conflict"
    stronger = ruled(first, one("volume_spike", -1, 2, r=0.30))
    assert stronger == Ruling(marks=(Mark(first.alert_id, ("outweighed",)),))
    equal = ruled(first, one("volume_spike", -1, 2, r=0.24))
    assert equal.refused == "contested"
    assert equal.marks == (Mark(first.alert_id, ("contested", "volume_spike down")),)


@pytest.mark.parametrize("turn", ["reversal", "ict_liquidity_pools"])
def test_a_turn_against_a_break_wins_being_later_and_the_break_falls_if_its_stop_was_reached(
    turn: str,
) -> None:
    first = one("volume_breakout", 1, price=100.0)
    assert ruled(first, one(turn, -1, 3, r=-9.0, price=99.5)) == Ruling()
    fallen = ruled(first, one(turn, -1, 3, r=-9.0, price=98.9))
    assert fallen == Ruling(marks=(Mark(first.alert_id, ("invalidated",)),))


def test_opposite_momentum_invalidates_what_came_before() -> None:
    first = one("upside_momentum", 1, r=0.9)
    told = ruled(first, one("downside_momentum", -1, 4, r=-0.9))
    assert told == Ruling(marks=(Mark(first.alert_id, ("invalidated",)),))


def test_a_break_and_a_divergence_against_it_are_both_told_as_contested() -> None:
    first = one("breakout", 1)
    told = ruled(first, one("volume_price_divergence", -1, 1, r=0.5))
    assert told == Ruling(tags=("contested",), marks=(Mark(first.alert_id, ("contested",)),))


@pytest.mark.parametrize(
    "sale", ["range_bound_strangle.short", "premium_collection_strategy", "kow_signal_straddle"]
)
def test_premium_is_not_sold_against_a_trend_of_the_underlying(sale: str) -> None:
    assert ruled(one("breakout", -1), one(sale, 0, 2)).refused == "conflict"
    assert ruled(one("breakout", -1, timeframe="1m"), one(sale, 0, 2)).refused == "conflict"
    assert not ruled(one("breakout", -1), one("iv_crush_play_straddle", 0, 2)).refused
    assert not ruled(one("reversal", -1), one(sale, 0, 2)).refused


def test_a_trend_of_the_index_forbids_sales_that_are_told_of_its_future() -> None:
    trend = one("upside_momentum", 1, symbol="NIFTY 50", underlying="NIFTY")
    sale = one("kow_signal_straddle", -1, 2, symbol="NIFTY25DECFUT", underlying="NIFTY")
    assert ruled(trend, sale).refused == "conflict"
    bank = one("kow_signal_straddle", -1, 2, symbol="BANKNIFTY25DECFUT", underlying="BANKNIFTY")
    assert not ruled(trend, bank).refused


def test_what_was_invalidated_stands_against_nobody_any_more() -> None:
    up, down = one("upside_momentum", 1, r=0.5), one("downside_momentum", -1, 1, r=0.1)
    assert ruled(up, down, one("ict_momentum", -1, 2, r=0.3)) == Ruling()


def test_context_other_symbols_other_timeframes_and_old_alerts_never_conflict() -> None:
    first = one("volume_spike", 1, r=0.5)
    for later in (
        one("ict_premium_discount", -1, 1, r=-1.0),
        one("volume_spike", -1, 1, r=-1.0, symbol="TCS"),
        one("volume_spike", -1, 1, r=-1.0, timeframe="15m"),
        one("volume_spike", -1, 5, r=-1.0),
        one("volume_spike", 0, 1, r=-1.0),
        one("breakout", 1, 1, r=-1.0),
    ):
        assert ruled(first, later) == Ruling()


PATTERNS = ["volume_spike", "breakout", "reversal", "upside_momentum", "downside_momentum",
            "volume_price_divergence", "ict_killzone", "kow_signal_straddle"]  # fmt: skip


@given(
    st.lists(
        st.tuples(st.sampled_from(PATTERNS), st.sampled_from([-1, 0, 1]), st.integers(0, 12),
                  st.floats(-1, 1)),
        max_size=40,
    )
)  # fmt: skip
def test_every_candidate_is_admitted_or_counted_and_marks_name_alerts_that_were_raised(
    drawn: list[tuple[str, int, int, float]],
) -> None:
    desk = Desk(settings(rows=1000, symbol_burst=1000, flap_start=1.0, cooldown_minutes=0))
    gate, raised = Gate(settings(flap_start=1.0, symbol_burst=1000), desk), set[str]()
    for pattern, side, bar, r in sorted(drawn, key=lambda d: d[2]):
        candidate = one(pattern, side, bar, r=r)
        way, alert = gate.admit(candidate)
        if way is Exit.ADMITTED:
            assert alert is not None
            raised.add(candidate.alert_id)
            desk.close(alert, "timeout", candidate.at_s)
    counts = gate.counts
    assert counts.candidates == len(drawn) == counts.admitted + sum(counts.by_reason.values())
    assert counts.admitted == len(raised)
    assert set(counts.by_reason) <= {"duplicate", "conflict", "contested", "cooldown"}
