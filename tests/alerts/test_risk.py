"""Plans: never more at the stop than the limits allow, in whole lots, and none after a drawdown."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from kitetui.config import load
from kitetui.engine.alerts.alert import Alert, Plan
from kitetui.engine.alerts.risk import Risk
from tests.alerts.candidates import candidate

SETTINGS = load().risk
DAY = 20_437


def risk(**changes: float) -> Risk:
    found = Risk(msgspec.structs.replace(SETTINGS, **changes))
    found.begin(DAY)
    return found


def alert(n: int = 0, side: int = 1, distance: float = 10.0, price: float = 1000.0,
          underlying: str = "") -> Alert:  # fmt: skip
    return candidate(f"S{n}", side=side, price=price, stop=price - side * distance,
                     target=price + 1.5 * side * distance, underlying=underlying)  # fmt: skip


def planned(of: Risk, one: Alert, lot: int = 1, spread: float = 0.1, costs: float = 0.8) -> Plan:
    found = of.plan(one, one.price, lot, spread, costs)
    assert found is not None
    return found


def taken(of: Risk, one: Alert, **how: float) -> Plan:
    plan = planned(of, one, **how)  # type: ignore[arg-type]
    of.take(msgspec.structs.replace(one, plan=plan))
    return plan


def twin(one: Alert) -> Alert:
    """Another alert on the same symbol."""
    return msgspec.structs.replace(one, alert_id=one.alert_id + "b")


def test_the_loss_at_the_stop_is_half_a_percent_and_the_position_a_fifth() -> None:
    by_risk = planned(risk(max_lots=10_000), alert(distance=50))
    assert (by_risk.quantity, by_risk.risk) == (100, 5000.0)
    by_position = planned(risk(max_lots=10_000), alert(distance=10))
    assert (by_position.quantity, by_position.value) == (200, 200_000.0)
    assert planned(risk(max_lots=2), alert(distance=50), lot=25).quantity == 50
    lots = planned(risk(), alert(distance=50), lot=75)
    assert (lots.quantity, lots.lots, lots.costs) == (75, 1, 60.0)


@pytest.mark.parametrize(
    ("one", "lot", "spread", "costs", "words"),
    [
        (alert(distance=1000), 75, 0.1, 0.8, "one lot is more than the limits"),
        (alert(distance=2.6), 1, 0.1, 0.8, "three times spread and costs"),
        (alert(), 0, 0.1, 0.8, "it is not traded itself"),
        (msgspec.structs.replace(alert(), stop=1001.0), 1, 0.1, 0.8, "beyond its stop"),
    ],
)
def test_none_is_taken_for_a_reason(
    one: Alert, lot: int, spread: float, costs: float, words: str
) -> None:
    plan = planned(risk(), one, lot, spread, costs)
    assert plan.quantity == 0 and words in plan.reason


def test_without_a_direction_there_is_no_plan() -> None:
    assert risk().plan(candidate(side=0, stop=1.0, target=2.0), 1.0, 1, 0.0, 0.0) is None
    assert risk().plan(candidate(), 100.0, 1, 0.0, 0.0) is None


def test_what_is_open_leaves_less_room() -> None:
    of = risk(max_lots=10_000, max_plans_a_day=1000)
    one = alert(1, distance=50, underlying="NIFTY")
    assert taken(of, one).risk == 5000
    assert taken(of, twin(one)).risk == 5000, "1 % of a symbol"
    third = planned(of, one)
    assert third.quantity == 0 and third.reason == "S1 has its share of the risk"
    taken(of, alert(2, distance=50, underlying="NIFTY"))
    fourth = planned(of, alert(3, distance=50, underlying="NIFTY"))
    assert fourth.reason == "NIFTY has its share of the risk"
    for n in range(4, 7):
        taken(of, alert(n, distance=50))
    assert of.open_risk == 30_000
    assert planned(of, alert(9, distance=50)).reason == "up has its share of the risk"
    assert planned(of, alert(9, side=-1, distance=50)).quantity == 100
    of.close(alert(4).alert_id, 1.5)
    assert planned(of, alert(9, distance=50)).quantity == 100


def test_a_drawdown_blocks_until_the_next_session_or_until_it_is_lifted() -> None:
    of = risk(max_lots=10_000, max_plans_a_day=1000)
    for n in range(4):
        one = alert(n, distance=50)
        taken(of, one)
        assert not of.blocked
        of.close(one.alert_id, -1.0)
    assert of.blocked.startswith("drawdown of 2.0 % today")
    assert planned(of, alert(9)).reason.startswith("BLOCKED: drawdown")
    assert of.lift() and not of.lift()
    assert planned(of, alert(9)).quantity > 0
    of.begin(DAY)
    assert planned(of, alert(9)).quantity > 0
    of.begin(DAY + 1)
    assert of.equity == 0 and not of.blocked


def test_bad_days_add_up() -> None:
    of = risk(max_lots=10_000, max_plans_a_day=1000, daily_drawdown_pct=50)
    for day in range(3):
        of.begin(DAY + day)
        for n in range(4):
            one = alert(n + 10 * day, distance=50)
            taken(of, one)
            of.close(one.alert_id, -1.0)
    assert of.blocked.startswith("down 5.")
    of.begin(DAY + 3)
    assert of.blocked, "a night makes no loss good"
    for day in range(4, 9):
        of.begin(DAY + day)
    assert not of.blocked, "five sessions later it is forgotten"


def test_twenty_plans_a_day() -> None:
    of = risk(max_plans_a_day=2)
    taken(of, alert(1))
    taken(of, alert(2))
    assert planned(of, alert(3)).reason == "2 plans were made today"


@examples(max_examples=100, deadline=None)
@given(st.lists(st.tuples(
    st.integers(0, 5), st.sampled_from([-1, 1]), st.floats(0.05, 400), st.floats(1, 5000),
    st.sampled_from([1, 25, 75, 1000]), st.floats(-3, 3) | st.none()), max_size=60))  # fmt: skip
def test_no_limit_is_ever_passed(
    drawn: list[tuple[int, int, float, float, int, float | None]],
) -> None:
    of = risk()
    held: dict[str, tuple[str, int, float]] = {}
    for number, (n, side, distance, price, lot, r) in enumerate(drawn):
        one = msgspec.structs.replace(
            alert(n, side, distance, price), alert_id=str(number), underlying=f"U{n % 2}"
        )
        plan = taken(of, one, lot=lot)
        assert plan.quantity % lot == 0 and plan.quantity >= 0
        assert bool(plan.quantity) != bool(plan.reason)
        assert plan.risk <= SETTINGS.capital * SETTINGS.risk_per_trade_pct / 100 + 1e-6
        assert plan.value <= SETTINGS.capital * SETTINGS.max_position_pct / 100 + 1e-6
        assert plan.lots <= SETTINGS.max_lots
        if plan.quantity:
            held[one.alert_id] = (one.symbol, side, plan.risk)
        if r is not None:
            of.close(one.alert_id, r)
            held.pop(one.alert_id, None)
        assert of.open_risk == pytest.approx(sum(risk for *_, risk in held.values()))
        assert of.open_risk <= SETTINGS.capital * SETTINGS.max_open_risk_pct / 100 + 1e-6
        assert math.isfinite(of.equity)
