"""The alert desk as a viewer sees it: an alert in words, lists, thresholds, what is held back."""

from __future__ import annotations

from kitetui.engine import snapshot as view
from kitetui.engine.alerts.alert import Alert, Origin
from kitetui.engine.alerts.alerting import Alerting
from kitetui.engine.alerts.explain import explain, explain_condition, wrapped
from kitetui.engine.calendar import ist
from kitetui.engine.flow.pipeline import Pipeline
from kitetui.engine.patterns.registry import registry
from kitetui.engine.view.status import silent_because

ACTORS_SHOWN = 20
SIBLINGS_SHOWN = 5


def explained(pipeline: Pipeline, alert_id: str) -> tuple[str, ...]:
    """An alert in words; nothing where it has left the queue."""
    alert = pipeline.desk.get(alert_id)
    if alert is None:
        return ()
    if alert.origin is not Origin.PATTERN:
        lines = explain_condition(alert)
    else:
        lines = explain(alert, registry().get(alert.family), alert.thresholds)
    about = alert.underlying or alert.symbol
    siblings = [other for other in pipeline.desk if other.alert_id != alert_id
                and (other.underlying or other.symbol) == about]  # fmt: skip
    siblings.sort(key=lambda other: (-other.at_s, other.alert_id))
    told = [_history(other) for other in siblings[:SIBLINGS_SHOWN]]
    return (*lines, "", f"also of {about}", *told) if told else lines


def silences(pipeline: Pipeline) -> tuple[str, ...]:
    """Why patterns could not fire at their last look, how many instruments or chains by reason."""
    out = []
    for (pattern, timeframe), reasons in silent_because(pipeline).items():
        told = ", ".join(f"{reason} {count:,}" for reason, count in reasons.items())
        out += [f"{pattern} {timeframe}", *wrapped(told or "nothing keeps it silent", indent=2)]
    return tuple(out) or ("no pattern has looked yet: each looks when its first bar closes",)


def flood_of(alerting: Alerting) -> view.Flood:
    """What people are told, and what is held back."""
    flood = alerting.flood
    return view.Flood(
        flood.active, flood.since_s, flood.pending, flood.held, flood.told, flood.urgent,
        flood.digests, alerting.desk.overflowed, tuple(tuple(m) for m in alerting.minutes),
    )  # fmt: skip


def thresholds(pipeline: Pipeline) -> tuple[view.Threshold, ...]:
    """Every threshold that can be changed; those that are not as in the files first."""
    tuning = pipeline.tuning
    told = [view.Threshold(key, *tuning.values.get(key, (delivered, ""))[:1], delivered,
                           tuning.values.get(key, ("", ""))[1])
            for key, delivered in tuning.keys().items()]  # fmt: skip
    return tuple(sorted(told, key=lambda one: not one.actor))


def listed(pipeline: Pipeline, wanted: view.View) -> tuple[str, ...]:
    """Lines for a list that a view asked for: the day's alerts, or what raises the most."""
    alerting = pipeline.alerting
    if wanted.history:
        alerts = sorted(
            (*alerting.desk, *alerting.desk.closed), key=lambda a: (-a.at_s, a.alert_id)
        )
        return tuple(_history(alert) for alert in alerts) or ("no alert so far",)
    if wanted.rules:
        return tuple(
            f"{rule.rule_id}  {rule.priority.name}  until {ist(rule.until_s):%d %b %H:%M}  "
            f"{rule.text}  ({rule.actor})" for rule in alerting.rules
        ) or ("no rule; `kitetui alert add --help` tells how",)  # fmt: skip
    if wanted.actors:
        total = sum(alerting.gate.actors.values())
        return tuple(
            f"{count:>7,}  {count / total:>4.0%}  {symbol} {pattern}"
            for (symbol, pattern), count in alerting.gate.actors.most_common(ACTORS_SHOWN)
        ) or ("nothing was raised so far",)  # fmt: skip
    return ()


def _history(a: Alert) -> str:
    side = {1: "up", -1: "down"}.get(a.side, "")
    words = " ".join(word for word in (a.symbol, a.pattern, a.timeframe, side) if word)
    by = f" by {a.acked_by}" if a.acked_by else ""
    times = f" x{a.count}" if a.count > 1 else ""
    reason = f", {a.reason.replace('_', ' ')}" if a.reason else ""
    return f"{ist(a.at_s):%H:%M:%S} {a.priority.name} {words}{times}: {a.state}{by}{reason}"
