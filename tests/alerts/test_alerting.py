"""The alert stage as a whole, driven at random: nothing is lost, and P1 above all."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import HealthCheck
from hypothesis import settings as examples
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from kitetui.engine.alerts.alert import Alert, AlertState, Priority
from kitetui.engine.alerts.alerting import Alerting
from kitetui.engine.alerts.conditions import Condition
from kitetui.engine.alerts.gate import Exit
from kitetui.engine.commands import Acknowledge, Mute, Shelve, Undo, Unmute, Unshelve
from tests.alerts.candidates import NOON_S, SETTINGS, candidate, settings

SYMBOLS = st.sampled_from([f"S{n}" for n in range(8)])
PATTERNS = st.sampled_from(["volume_spike", "breakout", "reversal", "upside_momentum"])
PRIORITIES = st.sampled_from([Priority.P1, Priority.P2, Priority.P3])
NAMES = st.sampled_from(["feed_lost", "redis_down", "consumer_stalled"])


class Desk(RuleBasedStateMachine):
    """Candidates, conditions, operators and time in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.alerting = Alerting(settings(rows=10))
        self.at_s = NOON_S
        self.offered: Counter[Priority] = Counter()
        self.ways: Counter[tuple[Priority, Exit]] = Counter()
        self.raised: dict[str, Alert] = {}
        self.state_of: dict[str, str] = {}
        self.told: set[str] = set()
        self.urgent: set[str] = set()

    @rule(symbol=SYMBOLS, pattern=PATTERNS, priority=PRIORITIES, side=st.sampled_from([-1, 1]),
          confidence=st.sampled_from([0.86, 0.9, 0.97]), r=st.floats(-1, 2))  # fmt: skip
    def offer(self, symbol: str, pattern: str, priority: Priority, side: int, confidence: float,
              r: float) -> None:  # fmt: skip
        one = candidate(symbol, self.at_s, pattern=pattern, priority=priority, side=side,
                        confidence=confidence, expected_r=r)  # fmt: skip
        way = self.alerting.offer(one)
        self.offered[priority] += 1
        self.ways[priority, way] += 1
        if priority is Priority.P1:
            assert way in (Exit.ADMITTED, Exit.MERGED, Exit.DUPLICATE, Exit.SHELVED,
                           Exit.CONFLICT, Exit.CONTESTED)  # fmt: skip

    @rule(seconds=st.integers(1, 400))
    def wait(self, seconds: int) -> None:
        self.at_s += seconds
        self.alerting.tick(self.alerting.reach(self.at_s))

    @rule()
    def close_bar(self) -> None:
        self.alerting.tell(self.alerting.reach(self.at_s))

    @rule(name=NAMES, active=st.booleans())
    def condition(self, name: str, active: bool) -> None:
        self.alerting.condition(Condition(name, "feed", active, "words"), self.at_s)

    @rule(data=st.data(), stale=st.booleans())
    def acknowledge(self, data: Any, stale: bool) -> None:
        alerts = list(self.alerting.desk)
        if alerts:
            alert = data.draw(st.sampled_from(alerts))
            command = Acknowledge(alert.alert_id, alert.episode, alert.revision + stale, "ops")
            result = self.obey(command)
            assert result.done == (not stale and alert.state in ("unacked", "returned"))

    @rule(data=st.data(), minutes=st.sampled_from([0, 5, 15]))
    def shelve(self, data: Any, minutes: int) -> None:
        alerts = [a for a in self.alerting.desk if a.state is not AlertState.SHELVED]
        if alerts:
            alert = data.draw(st.sampled_from(alerts))
            self.obey(Shelve(*alert.seen, minutes, "ops"))

    @rule(data=st.data())
    def unshelve(self, data: Any) -> None:
        alerts = [a for a in self.alerting.desk if a.state is AlertState.SHELVED]
        if alerts:
            assert self.obey(Unshelve(data.draw(st.sampled_from(alerts)).alert_id, "ops")).done

    @rule()
    def undo(self) -> None:
        self.obey(Undo("ops"))

    @rule(symbol=SYMBOLS, on=st.booleans())
    def mute(self, symbol: str, on: bool) -> None:
        self.obey(Mute(symbol, "", 5, "ops") if on else Unmute(symbol, "", "ops"))

    def obey(self, command: Any) -> Any:
        return self.alerting.obey(command, self.at_s * 1_000_000_000, self.at_s)

    @invariant()
    def every_candidate_is_accounted_for(self) -> None:
        counts = self.alerting.gate.counts
        system = counts.candidates - sum(self.offered.values())
        assert system >= 0
        assert counts.candidates == counts.admitted + sum(counts.by_reason.values())
        for priority in (Priority.P3,):  # conditions raise the others as well
            told = counts.of(priority)
            assert sum(told.values()) == self.offered[priority]
            for way in Exit:
                assert told.get(way.name.lower(), 0) == self.ways[priority, way]

    @invariant()
    def every_state_follows_from_the_ledger(self) -> None:
        out = self.alerting.drain()
        for alert in out.raised:
            self.raised[alert.alert_id] = alert
        for transition in out.transitions:
            before = self.state_of.get(transition.alert_id, "")
            assert transition.before == before, transition
            self.state_of[transition.alert_id] = transition.after
        for notice in out.notices:
            self.told |= set(notice.alert_ids)
        now = {alert.alert_id: str(alert.state) for alert in self.alerting.desk}
        assert now == {i: s for i, s in self.state_of.items() if s != "closed"}
        assert len({alert.key for alert in self.alerting.desk}) == len(now)
        waiting = [a for a in self.alerting.desk if a.priority is not Priority.P1]
        assert len(waiting) <= 10

    @invariant()
    def no_urgent_alert_is_forgotten(self) -> None:
        """Raised, it stays until somebody acknowledges it, its condition or session is over."""
        for alert_id, alert in self.raised.items():
            if alert.priority is Priority.P1 and self.state_of[alert_id] == "closed":
                closed = [a for a in self.alerting.desk.closed if a.alert_id == alert_id]
                assert all(a.reason != "overflow" for a in closed)

    def teardown(self) -> None:
        """Every urgent alert that was ever unacknowledged was told, at the latest a second on."""
        for _ in range(3):
            self.at_s += 1
            self.alerting.tick(self.alerting.reach(self.at_s))
        for notice in self.alerting.drain().notices:
            self.told |= set(notice.alert_ids)
        urgent = {i for i, a in self.raised.items()
                  if a.priority is Priority.P1 and a.state is AlertState.UNACKED}  # fmt: skip
        assert urgent <= self.told


Desk.TestCase.settings = examples(max_examples=60, stateful_step_count=60, deadline=None,
                                  suppress_health_check=[HealthCheck.too_slow])  # fmt: skip
TestDesk = Desk.TestCase


def test_conditions_must_last_and_blinks_are_only_noted() -> None:
    alerting = Alerting(SETTINGS)

    def at(second: int, active: bool | None = None) -> list[str]:
        if active is not None:
            alerting.condition(Condition("feed_lost", "feed", active, "no socket"), NOON_S + second)
        alerting.tick(NOON_S + second)
        return [a.symbol for n in alerting.drain().notices for a in n.alerts]

    assert at(0, True) == [] and at(9) == [] and at(9, False) == []
    assert at(20, True) == [] and at(29) == [] and at(30) == ["feed"]
    assert alerting.gate.inhibited
    (alert,) = alerting.desk
    assert (alert.message, alert.priority, alert.state) == ("no socket", Priority.P1, "unacked")
    assert at(40, False) == [] and at(41) == [] and alerting.gate.inhibited
    at(42)
    assert not alerting.gate.inhibited
    (alert,) = alerting.desk
    assert alert.state is AlertState.RETURNED


def test_what_was_suppressed_is_told_when_prices_can_be_believed_again() -> None:
    alerting = Alerting(SETTINGS)
    alerting.condition(Condition("feed_lost", "feed", True, "x"), NOON_S)
    alerting.tick(NOON_S + 10)
    over = candidate("OVER", NOON_S + 20, priority=Priority.P2, valid_until_s=NOON_S + 30)
    lasts = candidate("LASTS", NOON_S + 20, priority=Priority.P2)
    assert alerting.offer(over) is alerting.offer(lasts) is Exit.ADMITTED
    alerting.tell(NOON_S + 20)
    told = [n for n in alerting.drain().notices if n.priority is Priority.P2]
    assert told == []
    alerting.condition(Condition("feed_lost", "feed", False), NOON_S + 60)
    alerting.tick(NOON_S + 62)
    alerting.tick(NOON_S + 63)
    told = [a.symbol for n in alerting.drain().notices for a in n.alerts]
    assert told == ["LASTS"]
