"""The alert stage: candidates through the gate to the desk, and from there to people.

A pure function of candidates, conditions, commands and times, in their order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

import msgspec

from kitetui.engine.alerts.alert import Alert, AlertState
from kitetui.engine.alerts.conditions import Condition, Conditions
from kitetui.engine.alerts.desk import Desk, Transition
from kitetui.engine.alerts.flood import Flood, Form, Notice
from kitetui.engine.alerts.gate import Departure, Exit, Gate
from kitetui.engine.alerts.operators import DeskCommand, Operators
from kitetui.engine.alerts.priority import Priorities
from kitetui.engine.alerts.rule_text import LONGEST_S, TOO_LONG, Rule, RuleError, parse
from kitetui.engine.alerts.rules import Measured, Rules
from kitetui.engine.calendar import ist_day
from kitetui.engine.commands import AddRule, Result
from kitetui.settings import AlertSettings

MINUTES_KEPT = 60
NOTES_MAX = 100


class Told(msgspec.Struct):
    """What came of it since this was last asked.

    Attributes:
        raised: alerts as they came up; changed: alerts that are otherwise than before or then.
        transitions: for the ledger; notices: for people, after the ledger has it.
        notes: lines for the events.
        departures: candidates that became no alert, for the ledger.
    """

    raised: list[Alert]
    changed: list[Alert]
    transitions: list[Transition]
    notices: list[Notice]
    notes: list[str]
    departures: list[Departure]


class Alerting:
    """Everything between a candidate and a person.

    Attributes:
        now_s: session second reached; 0 before any.
        minutes: for each of the last minutes: the minute, candidates, raised, notices.
    """

    def __init__(self, settings: AlertSettings) -> None:
        self._settings = settings
        self.desk = Desk(settings)
        self.gate = Gate(settings, self.desk)
        self.flood = Flood(settings.budget)
        self.operators = Operators(settings, self.desk)
        self.conditions = Conditions(settings.system, settings.flap_start, settings.flap_stop)
        self.rules = Rules()
        self.now_s = 0
        self.minutes: deque[list[int]] = deque(maxlen=MINUTES_KEPT)
        self._priorities = Priorities(settings.priorities)
        self._to_tell: list[Alert] = []
        self._raised: list[Alert] = []
        self._departures: list[Departure] = []
        self._offered = 0
        self._notices: list[Notice] = []
        self._notes: list[str] = []

    def tune(self, settings: AlertSettings) -> None:
        """Go by other thresholds from now on, see `Tuning`."""
        if settings is not self._settings:
            self._settings = settings
            self.gate.tune(settings)
            self.desk.tune(settings)

    def reach(self, at_s: int) -> int:
        """Session time is at least so; what it is."""
        self.now_s = max(self.now_s, at_s)
        return self.now_s

    def weigh(self, candidate: Alert) -> Alert:
        """A pattern's candidate with its priority."""
        priority = self._priorities.of(candidate, ist_day(candidate.at_s))
        if priority is candidate.priority:
            return candidate
        return msgspec.structs.replace(candidate, priority=priority)

    def offer(self, candidate: Alert) -> Exit:
        """How a candidate leaves the gate; people are told at the next `tell`."""
        way, alert = self.gate.admit(candidate)
        self._offered += 1
        self._count(candidate.at_s, 1)
        if way is not Exit.ADMITTED:
            self._departures.append(
                Departure(self._offered, candidate.at_s if candidate.at_s > 0 else self.now_s,
                          candidate.alert_id, candidate.symbol, candidate.pattern,
                          int(candidate.priority), way.name.lower())
            )  # fmt: skip
        if way is Exit.ADMITTED and alert is not None:
            self._raised.append(alert)
            self._count(candidate.at_s, 2)
        if alert is not None and alert.state is AlertState.UNACKED:
            self._to_tell.append(alert)
        return way

    def tell(self, at_s: int) -> None:
        """Spend the budget on what came up at one moment."""
        if self._to_tell:
            alerts, self._to_tell = self._to_tell, []
            self._give(self.flood.spend(alerts, at_s))

    def tick(self, at_s: int) -> None:
        """Time went on."""
        raised = self.conditions.tick(at_s)
        for candidate in raised.candidates:
            self.offer(candidate)
        for alert_id in raised.over:
            self.desk.over(alert_id, "the condition is over", at_s)
        self._notes += raised.notes
        again = self.desk.tick(at_s)
        self._inhibit(at_s)
        if again:
            self._give(self.flood.spend(again, at_s, Form.AGAIN))
        self.tell(at_s)
        self._give(self.flood.tick(at_s))

    def add_rule(self, command: AddRule, at_s: int) -> Result:
        """Take a user's rule."""
        try:
            rule = parse(command.text, at_s, command.actor[:64])
            if command.until_s > at_s + LONGEST_S:
                raise RuleError(TOO_LONG)
        except RuleError as error:
            return Result(False, str(error))
        if command.until_s > at_s:
            rule = msgspec.structs.replace(rule, until_s=command.until_s)
        if refused := self.rules.add(rule):
            return Result(False, f"{refused}: {rule.text}")
        return Result(True, f"{rule.rule_id} watches {rule.text}")

    def remove_rule(self, rule_id: str) -> Result:
        """Let a user's rule go."""
        rule = self.rules.remove(rule_id)
        if rule is None:
            return Result(False, f"no rule {rule_id[:16]}")
        return Result(True, f"{rule_id} watches no longer: {rule.text}")

    def look(self, at_s: int, measure: Callable[[Rule], Measured | None]) -> None:
        """Look at the user's rules."""
        found = self.rules.look(at_s, measure)
        for candidate in found.candidates:
            self.offer(candidate)
        for alert_id in found.over:
            self.desk.over(alert_id, "its condition is over", at_s)
        self._notes += found.notes

    def condition(self, condition: Condition, at_s: int) -> None:
        """The engine's health is otherwise; what follows from it follows at the next tick."""
        self.conditions.tell(condition, at_s)

    def obey(self, command: DeskCommand, now_ns: int, at_s: int) -> Result:
        """Carry out an operator's command."""
        return self.operators.obey(command, now_ns, at_s)

    def drain(self) -> Told:
        """What came of it since this was last asked."""
        transitions, now = self.desk.drain()
        raised, self._raised = self._raised, []
        as_raised = {alert.alert_id: alert for alert in raised}
        changed = [alert for i, alert in now.items() if as_raised.get(i) is not alert]
        notices, self._notices = self._notices, []
        notes, self._notes = self._notes[:NOTES_MAX], []
        departures, self._departures = self._departures, []
        return Told(raised, changed, transitions, notices, notes, departures)

    def _inhibit(self, at_s: int) -> None:
        """Prices are doubtful from now on, or no longer."""
        inhibited = self.conditions.inhibits()
        if self.gate.inhibited and not inhibited:
            for alert in [a for a in self.desk if a.state is AlertState.SUPPRESSED]:
                self._to_tell.append(self.desk.release(alert, at_s))
        self.gate.inhibited = inhibited

    def _give(self, notices: Iterable[Notice]) -> None:
        for notice in notices:
            self._notices.append(notice)
            self._count(notice.at_s, 3)
            for alert in notice.alerts:
                self.desk.told(alert.alert_id, notice.at_s)

    def _count(self, at_s: int, place: int) -> None:
        minute = at_s // 60
        if not self.minutes or self.minutes[-1][0] < minute:
            self.minutes.append([minute, 0, 0, 0])
        self.minutes[-1][place] += 1
