"""Explain: an alert in words, with each formula's value beside what it is measured against."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from kitetui.config import PatternSettings
from kitetui.engine.alerts.alert import Alert
from kitetui.engine.clock import ist
from kitetui.engine.patterns.registry import Detector
from kitetui.engine.patterns.score import FLOOR, ramp

_HEAD = f"  {'evidence':<22} {'value':>12}   {'threshold':>12} {'full at':>12} {'part':>6}"


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
            settings: PatternSettings | None) -> tuple[str, ...]:  # fmt: skip
    """Lines of plain text.

    Args:
        detector, settings: of the alert's pattern; None where it is not in force any more.
    """
    at = ist(alert.at_s)
    out = [
        f"{alert.symbol}  {alert.pattern}  {alert.timeframe}  {alert.direction}",
        f"bar of {ist(alert.bar_s):%d %b %H:%M}, closed {at:%H:%M}; id {alert.alert_id}",
        "",
    ]
    if detector is None or settings is None:
        out += ["its pattern is not in force any more; what it saw:", ""]
        out += [f"  {name:<22} {value:>12,.4g}" for name, value in alert.evidence.items()]
    else:
        said = sentence(alert, detector)
        out += [said[:1].upper() + said[1:] + ".", "", *_parts(alert.evidence, settings)]
    return (*out, "", *_numbers(alert), *_plan(alert), *_rest(alert))


def _parts(evidence: Mapping[str, float], settings: PatternSettings) -> list[str]:
    """Evidence that makes the score with its marks, then the rest, then the limits."""
    out = [_HEAD]
    for name, marks in settings.ramps.items():
        value = evidence.get(name, float("nan"))
        low, high, *floor = marks
        if np.isnan(value):
            out.append(f"  {name:<22} {'undefined':>12}   {low:>12,.4g} {high:>12,.4g}      -")
            continue
        part = float(ramp(np.array([value]), low, high, *(floor or [FLOOR]))[0])
        out.append(f"  {name:<22} {value:>12,.4g}   {low:>12,.4g} {high:>12,.4g} {part:>6.2f}")
    out += [
        f"  {name:<22} {value:>12,.4g}"
        for name, value in evidence.items()
        if name not in settings.ramps
    ]
    limits = ", ".join(f"{name} {value:g}" for name, value in settings.params.items())
    return [*out, *_wrapped(f"limits: {limits}")]


def _wrapped(text: str, width: int = 76) -> list[str]:
    lines, line = [], ""
    for word in text.split(" "):
        if line and len(line) + len(word) + 1 > width:
            lines.append(line)
            line = " "
        line = f"{line} {word}" if line else word
    return [*lines, line]


def _numbers(alert: Alert) -> list[str]:
    """Score, confidence and chance: three numbers, never mixed."""
    if alert.calibrated:
        chance = (
            f"chance      {alert.p_hit:.0%} ({alert.p_low:.0%} to {alert.p_high:.0%}, 95 %) from "
            f"{alert.p_outcomes} outcomes; by chance alone {alert.null_rate:.0%}"
        )
    else:
        chance = (
            f"chance      {alert.p_hit:.0%}, not calibrated: {alert.p_outcomes} outcomes are too "
            f"few; by chance alone {alert.null_rate:.0%}"
        )
    return [
        f"score       {alert.score:.2f}: how much evidence, the geometric mean of the parts",
        f"confidence  {alert.confidence:.0%}: stronger than this share of the pattern's firings",
        chance,
    ]


def _plan(alert: Alert) -> list[str]:
    if alert.side == 0 and alert.target == alert.stop:
        return [f"price       {alert.price:,.2f}; it names no direction"]
    return [
        f"price       {alert.price:,.2f}, target {alert.target:,.2f}, stop {alert.stop:,.2f}; "
        f"settled after {alert.horizon_bars} bars",
        f"expected    {alert.expected_r:+.2f} R before costs",
    ]


def _rest(alert: Alert) -> list[str]:
    out = [f"tags        {', '.join(alert.tags)}"] if alert.tags else []
    if alert.acked_by:
        out.append(f"state       acknowledged by {alert.acked_by} {ist(alert.acked_s):%H:%M:%S}")
    return out
