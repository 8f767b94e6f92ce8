"""A user's rules: when each is met, and the alerts that follow. A pure function of its inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from kitetui.engine.alerts.alert import Alert, Key, Origin, alert_id
from kitetui.engine.alerts.rule_text import Rule

RULES_MAX = 500
FIRES_MAX = 60
"""A rule that fired so often in its life is switched off, and says so."""
_SECONDS = {"minute": 60, "1m": 60, "3m": 180, "5m": 300, "15m": 900}


class Measured(msgspec.Struct, frozen=True):
    """What a rule looks at now, and how far it went since it last looked."""

    last: float
    low: float
    high: float
    token: int
    price: float
    underlying: str = ""


class _Held(msgspec.Struct):
    rule: Rule
    last: float | None = None
    fired: int = 0
    step: int = -1
    looked: int = -1
    raised: str = ""


class Outcome(msgspec.Struct, frozen=True):
    """What a look led to: candidates, ids of alerts whose condition is over, and notes."""

    candidates: list[Alert]
    over: list[str]
    notes: list[str]


class Rules:
    """Rules by id, in the order in which they came."""

    def __init__(self) -> None:
        self._held: dict[str, _Held] = {}

    def __iter__(self) -> Iterator[Rule]:
        return iter([held.rule for held in self._held.values()])

    def __len__(self) -> int:
        return len(self._held)

    def symbols(self) -> set[str]:
        """Whom rules are about."""
        return {held.rule.symbol for held in self._held.values()}

    def add(self, rule: Rule) -> str:
        """Take a rule; why not, or ''."""
        if rule.rule_id in self._held:
            return "there is such a rule already"
        if len(self._held) >= RULES_MAX:
            return f"there are {RULES_MAX} rules already"
        self._held[rule.rule_id] = _Held(rule)
        return ""

    def remove(self, rule_id: str) -> Rule | None:
        """Let a rule go."""
        held = self._held.pop(rule_id, None)
        return None if held is None else held.rule

    def look(self, now_s: int, measure: Callable[[Rule], Measured | None]) -> Outcome:
        """Look at every rule once."""
        out = Outcome([], [], [])
        for held in list(self._held.values()):
            if now_s >= held.rule.until_s:
                del self._held[held.rule.rule_id]
                out.notes.append(f"its time is over: {held.rule.text}")
                if held.raised:
                    out.over.append(held.raised)
                continue
            found = measure(held.rule)
            if found is not None:
                self._judge(held, found, now_s, out)
        return out

    def _judge(self, held: _Held, found: Measured, now_s: int, out: Outcome) -> None:
        rule = held.rule
        length = _SECONDS.get(rule.timeframe, 60)
        if rule.frequency == "close":  # only what stands when a bar is over counts
            bar = now_s // length
            if held.looked == bar:
                return
            first, held.looked = held.looked < 0, bar
            if first:
                held.last = found.last
                return
            found = Measured(found.last, found.last, found.last, found.token, found.price,
                             found.underlying)  # fmt: skip
        farthest = found.high if rule.side > 0 else found.low
        met = (farthest - rule.value) * rule.side > 0
        if rule.crossing:
            met = met and held.last is not None and (held.last - rule.value) * rule.side <= 0
        held.last = found.last
        if not met:
            still = (found.last - rule.value) * rule.side > 0
            if held.raised and not still:
                out.over.append(held.raised)
                held.raised = ""
            return
        step = now_s // (_SECONDS["minute"] if rule.frequency == "minute" else length)
        if rule.frequency != "once" and held.step == step:
            return
        held.step, held.fired = step, held.fired + 1
        candidate = _candidate(rule, found, now_s)
        held.raised = held.raised or candidate.alert_id
        out.candidates.append(candidate)
        if rule.frequency == "once":
            del self._held[rule.rule_id]
        elif held.fired >= FIRES_MAX:
            del self._held[rule.rule_id]
            out.notes.append(f"switched off, it fired {FIRES_MAX} times: {rule.text}")


def _candidate(rule: Rule, found: Measured, now_s: int) -> Alert:
    pattern = f"rule.{rule.field}"
    key = Key(rule.symbol, f"{pattern} {rule.rule_id}", rule.timeframe, rule.side)
    note = f" ({rule.note})" if rule.note else ""
    return Alert(
        alert_id=alert_id(*key, now_s), symbol=rule.symbol, token=found.token, pattern=pattern,
        about=rule.rule_id, underlying=found.underlying, timeframe=rule.timeframe, side=rule.side,
        bar_s=now_s, at_s=now_s, price=found.price, score=1.0, confidence=1.0,
        evidence={rule.field: found.last}, origin=Origin.USER, priority=rule.priority,
        message=f"{rule.text.partition(' note ')[0]}: {found.last:,.2f}{note}",
        valid_until_s=now_s + 1800 if rule.frequency == "once" else rule.until_s,
    )  # fmt: skip
