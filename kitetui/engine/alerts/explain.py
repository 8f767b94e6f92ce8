"""Explain: an alert in words, with each formula's value beside what it is measured against."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

import numpy as np

from kitetui.engine.alerts.alert import Alert, Plan, Thresholds
from kitetui.engine.calendar import ist
from kitetui.engine.patterns.registry import Detector
from kitetui.engine.patterns.score import FLOOR, ramp

WIDTH = 64
"""Columns of a dialog on the smallest screen."""
_HEAD = f"  {'evidence':<20} {'value':>10} {'threshold':>10} {'full at':>9} {'part':>5}"


class _Unknown:
    """Stands in a sentence for a value that was undefined."""

    def __format__(self, _: str) -> str:
        return "an unknown"


class _Told(dict[str, object]):
    def __missing__(self, _: str) -> object:
        return _Unknown()


def sentence(alert: Alert, detector: Detector) -> str:
    """What was seen, in words."""
    return detector.words.format_map(_Told(alert.evidence))


def explain(alert: Alert, detector: Detector | None,
            thresholds: Thresholds | None) -> tuple[str, ...]:  # fmt: skip
    """Lines of plain text.

    Args:
        detector: of the alert's pattern; None where there is no such pattern any more.
        thresholds: what it was measured against; None where that is not known any more.
    """
    out = [
        f"{alert.symbol}  {alert.pattern}  {alert.timeframe}  {alert.direction}",
        f"bar of {ist(alert.bar_s):%d %b %H:%M}, closed {ist(alert.at_s):%H:%M}; "
        f"id {alert.alert_id}",
        "",
    ]
    if detector is None:
        out += ["Its pattern is not known any more; what it saw:", ""]
    else:
        said = sentence(alert, detector)
        out += [*wrapped(said[:1].upper() + said[1:] + "."), ""]
    if thresholds is None:
        out += [f"  {name:<20} {_told(value):>10}" for name, value in alert.evidence.items()]
        out += ["", *wrapped("Its pattern's thresholds were others then, and were not kept.")]
    else:
        out += _parts(alert.evidence, thresholds)
    out.append("")
    for name, text in (*_numbers(alert), *_plan(alert), *_rest(alert)):
        first, *more = wrapped(text, WIDTH - 12)
        out += [f"{name:<12}{first}", *(f"{'':<12}{line}" for line in more)]
    return tuple(out)


def explain_condition(alert: Alert) -> tuple[str, ...]:
    """Lines of plain text on one of the engine's own conditions, or a rule of the user's."""
    out = [
        f"{alert.symbol}  {alert.pattern} {alert.about}".rstrip() + f"  {alert.priority.name}",
        f"since {ist(alert.at_s):%d %b %H:%M:%S}; id {alert.alert_id}",
        "",
        *wrapped(alert.message or alert.pattern.replace("_", " ")),
        "",
        f"{'state':<12}{alert.state}{f', {alert.reason}' if alert.reason else ''}",
    ]
    if alert.price:
        out.append(f"{'price':<12}{alert.price:,.2f}")
    if alert.count > 1:
        out.append(f"{'times':<12}{alert.count}, last at {ist(alert.last_s):%H:%M:%S}")
    if alert.acked_by:
        at = f"{ist(alert.acked_s):%H:%M:%S}"
        out.append(f"{'seen':<12}acknowledged by {alert.acked_by} at {at}")
    return tuple(out)


def _parts(evidence: Mapping[str, float], thresholds: Thresholds) -> list[str]:
    """Evidence that makes the score with its marks, then the rest, then the limits."""
    out = [_HEAD]
    for name, marks in thresholds.marks.items():
        value = evidence.get(name, float("nan"))
        low, high, *floor = marks
        against = f"{_told(low):>10} {_told(high):>9}"
        if np.isnan(value):
            out.append(f"  {name:<20} {'undefined':>10} {against}     -")
            continue
        part = float(ramp(np.array([value]), low, high, *(floor or [FLOOR]))[0])
        out.append(f"  {name:<20} {_told(value):>10} {against} {part:>5.2f}")
    out += [
        f"  {name:<20} {_told(value):>10}"
        for name, value in evidence.items()
        if name not in thresholds.marks
    ]
    limits = ", ".join(f"{name} {value:g}" for name, value in thresholds.limits.items())
    return [*out, "", *wrapped(f"Limits: {limits}")]


def _told(value: float) -> str:
    """Four digits, and paise where it is as large as a price."""
    return f"{value:,.2f}" if abs(value) >= 100 else f"{value:.4g}"


def wrapped(text: str, width: int = WIDTH, indent: int = 0) -> list[str]:
    """Lines that a dialog holds."""
    space = " " * indent
    return textwrap.wrap(text, width, initial_indent=space, subsequent_indent=space) or [""]


def _numbers(alert: Alert) -> list[tuple[str, str]]:
    """Score, confidence and chance: three numbers, never mixed."""
    out = [
        ("score", f"{alert.score:.2f}, the geometric mean of the parts"),
        ("confidence", f"{alert.confidence:.0%}: stronger than this share of its firings"),
    ]
    if alert.p_hit is None or alert.null_rate is None:
        return out
    by_chance = f"by chance alone {alert.null_rate:.0%}"
    if alert.calibrated:
        chance = (
            f"{alert.p_hit:.0%} ({alert.p_low:.0%} to {alert.p_high:.0%}, 95 %) from "
            f"{alert.p_outcomes} outcomes; {by_chance}"
        )
    else:
        chance = (
            f"{alert.p_hit:.0%}, not calibrated: {alert.p_outcomes} outcomes are too few; "
            f"{by_chance}"
        )
    return [*out, ("chance", chance)]


def _plan(alert: Alert) -> list[tuple[str, str]]:
    if alert.target is None or alert.stop is None or alert.expected_r is None:
        return [("price", f"{alert.price:,.2f}; it names no target")]
    return [
        ("price", f"{alert.price:,.2f}, target {alert.target:,.2f}, stop {alert.stop:,.2f}, "
                  f"settled after {alert.horizon_bars} bars"),
        ("expected", f"{alert.expected_r:+.2f} R before costs"),
        *([("plan", planned(alert.plan))] if alert.plan is not None else []),
    ]  # fmt: skip


def planned(plan: Plan) -> str:
    """A plan in words."""
    if not plan.quantity:
        return f"take none: {plan.reason}"
    return (f"{plan.quantity:,} ({plan.lots:,} lots) at {plan.entry:,.2f}, worth "
            f"{plan.value:,.0f}; at the stop {plan.risk:,.0f} are lost, costs are "
            f"{plan.costs:,.0f}")  # fmt: skip


def _rest(alert: Alert) -> list[tuple[str, str]]:
    out = [("tags", ", ".join(alert.tags))] if alert.tags else []
    if alert.count > 1:
        out.append(("merged", f"{alert.count} candidates, last at {ist(alert.last_s):%H:%M:%S}"))
    if alert.state not in ("unacked", "acked"):
        out.append(("state", f"{alert.state}: {alert.reason.replace('_', ' ')}"))
    if alert.acked_by:
        at = f"{ist(alert.acked_s):%H:%M:%S}"
        out.append(("state", f"acknowledged by {alert.acked_by} at {at}"))
    return out
