"""A user's rules: what their text may be, and when they fire."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kitetui.engine.alerts.alert import AlertState, Origin, Priority
from kitetui.engine.alerts.alerting import Alerting
from kitetui.engine.alerts.rule_text import Rule, RuleError, parse
from kitetui.engine.alerts.rules import FIRES_MAX, Measured, Rules
from kitetui.engine.calendar import ist
from kitetui.engine.commands import AddRule
from tests.alerts.candidates import NOON_S, SETTINGS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("NIFTY 50 > 24500", {"symbol": "NIFTY 50", "field": "price", "side": 1, "value": 24500.0,
                              "frequency": "once", "priority": Priority.P2, "crossing": False}),
        ("NIFTY 50 > 24,500.50 once P1", {"value": 24500.5, "priority": Priority.P1}),
        ("RELIANCE rsi 15m > 70 bar", {"symbol": "RELIANCE", "field": "rsi", "timeframe": "15m",
                                       "frequency": "bar"}),
        ("RELIANCE rsi < 30", {"timeframe": "5m", "side": -1}),
        ("SBIN crosses below 870 minute p3", {"crossing": True, "side": -1, "frequency": "minute",
                                              "priority": Priority.P3}),
        ("NIFTY straddle < 200 note sell > nothing", {"field": "straddle", "value": 200.0,
                                                      "note": "sell > nothing"}),
        ("TCS change >= -1.5%", {"field": "change", "value": -1.5, "side": 1}),
        ("TCS > 5 close", {"frequency": "close", "timeframe": "5m"}),
        ("change > 5", {"symbol": "change", "field": "price"}),
    ],
)  # fmt: skip
def test_a_text_is_a_rule(text: str, expected: dict[str, Any]) -> None:
    rule = parse(text, NOON_S, "ops")
    for name, value in expected.items():
        assert getattr(rule, name) == value, name
    assert f"{ist(rule.until_s):%H:%M}" == "00:00" and rule.until_s - NOON_S < 86_400
    assert parse(rule.text, NOON_S, "ops") == rule, "its canonical text is the same rule"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "an operator is missing"),
        ("> 5", "a symbol is missing"),
        ("NIFTY >", "a number is missing"),
        ("NIFTY > many", "'many' is no number"),
        ("NIFTY > 1e999", "is no number"),
        ("NIFTY > 5 often", "'often' is not understood; expected once"),
        ("NIFTY straddle 5m > 5", "straddle has no timeframe"),
        ("NIFTY > 5 until 25:00", "expected HH:MM or YYYY-MM-DD"),
        ("NIFTY > 5 until 09:15", "over already"),
        ("NIFTY > 5 until 2020-01-01", "over already"),
        ("NIFTY > 5 until 2030-01-01", "a year at most"),
        ("NIFTY > 5 until 9999-12-31", "a year at most"),
        ("N" * 400, "at most 300 characters"),
        ("__import__('os').system('x') > 5 eval", "'eval' is not understood"),
    ],
)
def test_what_is_no_rule_is_told_so(text: str, words: str) -> None:
    with pytest.raises(RuleError, match=words.replace("(", r"\(").replace("'", ".")):
        parse(text, NOON_S)


def test_an_end_is_a_time_of_today_or_a_whole_day() -> None:
    assert f"{ist(parse('A > 1 until 15:00', NOON_S).until_s):%H:%M}" == "15:00"
    assert f"{ist(parse('A > 1 until 2025-12-19', NOON_S).until_s):%d %H:%M}" == "20 00:00"


@given(st.text(max_size=320))
def test_any_text_is_a_rule_or_told_why_not(text: str) -> None:
    try:
        rule = parse(text, NOON_S)
    except RuleError as error:
        assert str(error)
    else:
        assert rule.symbol and parse(rule.text, NOON_S) == rule


def fires(text: str, prices: list[float], step_s: int = 1) -> list[int]:
    """At which looks a rule on prices fires."""
    rules = Rules()
    assert rules.add(parse(text, NOON_S)) == ""
    out = []
    for n, price in enumerate(prices):
        found = rules.look(NOON_S + n * step_s, lambda _, p=price: Measured(p, p, p, 1, p))
        out += [n] * len(found.candidates)
    return out


def test_a_level_fires_when_it_is_met_and_once_is_once() -> None:
    assert fires("A > 100", [99, 100, 100.05, 101, 99, 101]) == [2]
    assert fires("A < 100", [99, 98]) == [0]


def test_a_crossing_needs_to_come_from_the_other_side() -> None:
    assert fires("A crosses above 100 minute", [101, 102, 99, 100, 101], 60) == [4]
    assert fires("A crosses below 100 minute", [99, 101, 100, 99], 60) == [3]


def test_once_a_minute_and_once_a_bar_while_it_is_met() -> None:
    assert fires("A > 100 minute", [101] * 130) == [0, 60, 120]
    assert fires("A > 100 bar", [101] * 22, 60) == [0, 5, 10, 15, 20]


def test_at_a_close_only_what_stands_when_the_bar_is_over_counts() -> None:
    prices = [99, 150, 150, 99, 99, 101, 150, 99, 99, 99, 99]
    assert fires("A > 100 close", prices, 60) == [5]


def test_what_went_over_and_back_between_two_looks_counts() -> None:
    rules = Rules()
    rules.add(parse("A > 100", NOON_S))
    found = rules.look(NOON_S, lambda _: Measured(99.0, 98.0, 100.5, 1, 99.0))
    assert len(found.candidates) == 1


def test_a_rule_that_fires_without_end_is_switched_off_and_says_so() -> None:
    rules = Rules()
    rules.add(parse("A > 100 minute", NOON_S))
    notes: list[str] = []
    for n in range(FIRES_MAX + 5):
        found = rules.look(NOON_S + 60 * n, lambda _: Measured(101.0, 101.0, 101.0, 1, 101.0))
        notes += found.notes
    assert notes == [f"switched off, it fired {FIRES_MAX} times: A > 100 minute"]
    assert len(rules) == 0


def test_rules_end_and_are_no_twins() -> None:
    rules = Rules()
    rule = parse("A > 100 until 12:45", NOON_S)
    assert rules.add(rule) == "" and rules.add(rule) == "there is such a rule already"
    found = rules.look(rule.until_s, lambda _: Measured(101.0, 101.0, 101.0, 1, 101.0))
    assert found.notes == ["its time is over: A > 100 until 12:45"] and not len(rules)


def test_a_rules_alert_goes_through_the_same_desk() -> None:
    alerting = Alerting(SETTINGS)

    def measure(rule: Rule, price: float) -> Measured:
        return Measured(price, price, price, 7, price)

    told = alerting.add_rule(AddRule("A > 100 minute P1 note look at it", "ops"), NOON_S)
    assert told.done and "watches A > 100 minute P1 note look at it" in told.text
    assert not alerting.add_rule(AddRule("A >", "ops"), NOON_S).done
    refused = alerting.add_rule(AddRule("A > 100", "ops", until_s=10**12), NOON_S)
    assert not refused.done and "a year at most" in refused.text
    for n, price in enumerate([99, 101, 102, 99, 101]):
        at_s = NOON_S + 60 * n
        alerting.look(at_s, lambda rule, p=price: measure(rule, p))
        alerting.tick(at_s)
    out = alerting.drain()
    (alert,) = alerting.desk
    assert (alert.origin, alert.priority, alert.count) == (Origin.USER, Priority.P1, 3)
    assert alert.message == "A > 100 minute P1: 101.00 (look at it)"
    assert alert.state is AlertState.UNACKED
    assert [t.after for t in out.transitions] == ["unacked", "returned", "unacked"]
    assert next(len(n.alert_ids) for n in out.notices if n.priority is Priority.P1) == 1
    (rule,) = alerting.rules
    assert alerting.remove_rule(rule.rule_id).done and not alerting.remove_rule("x").done
