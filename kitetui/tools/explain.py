"""`kitetui explain`: any firing of the ledger in words, with what became of it."""

from __future__ import annotations

from collections.abc import Sequence

import click

from kitetui.cli.options import EXIT_CONFIG, EXIT_UNAVAILABLE, fail
from kitetui.engine.alerts.alert import Origin, Thresholds
from kitetui.engine.alerts.desk import Transition
from kitetui.engine.alerts.explain import explain, explain_condition
from kitetui.engine.calendar import ist
from kitetui.engine.flow.track_record import parameter_hash
from kitetui.engine.patterns.registry import registry
from kitetui.engine.sinks.desk_log import DeskLog
from kitetui.engine.sinks.ledger import Found, Ledger, Settlement
from kitetui.places import Places
from kitetui.settings import Settings
from kitetui.widgets.safe_text import clean

LEAST = 4
"""Digits of an id that are enough to look for it."""


def explain_alert(alert_id: str, settings: Settings, where: Places) -> int:
    """Print it; the exit code."""
    wanted = alert_id.strip().lower()
    if len(wanted) < LEAST or set(wanted) - set("0123456789abcdef"):
        fail(EXIT_CONFIG, f"{clean(alert_id)[:40]!r} is no alert id: expected at least {LEAST} of "
             "its digits, 0-9 and a-f, as the screen and Redis show them")  # fmt: skip
    ledger = Ledger(where.ledger, settings.ledger.sessions)
    found = ledger.find(wanted)
    logged = DeskLog(where.desk, settings.ledger.sessions).find(wanted)
    if len(logged) == 1 and (not found or logged[0][0].origin is not Origin.PATTERN):
        alert, changes = logged[0]
        _print(explain_condition(alert), changes)
        return 0
    if not found and ledger.unreadable:
        fail(EXIT_UNAVAILABLE, "; ".join(ledger.unreadable.values()))
    if not found:
        fail(1, f"no firing {wanted} in {where.ledger}; --state and --profile say whose ledger is "
             "meant, and the demo keeps none")  # fmt: skip
    if len(found) > 1:
        alerts = [one.alert for one in found]
        both = " and ".join(f"{a.alert_id} ({clean(a.symbol)} {a.pattern})" for a in alerts)
        fail(1, f"{wanted} is more than one: {both}; give more digits")
    alert, way, _, settled = found[0]
    thresholds = alert.thresholds or _still_in_force(found[0], settings)
    for line in explain(alert, registry().get(alert.family), thresholds):
        click.echo(clean(line))
    told = "told" if way == "admitted" else f"not told: {way.replace('_', ' ')}"
    click.echo(f"{'gate':<12}{told}")
    click.echo(f"{'outcome':<12}{_outcome(settled)}")
    if len(logged) == 1:
        _print((), logged[0][1])
    return 0


def _still_in_force(found: Found, settings: Settings) -> Thresholds | None:
    """The thresholds of now, where a firing that was not told was measured against the same."""
    name = found.alert.family
    now = settings.patterns.get(name)
    if now is None or parameter_hash({name: now}) != found.parameters:
        return None
    return Thresholds.of(now)


def _print(lines: Sequence[str], changes: Sequence[Transition]) -> None:
    """Lines, and what became of the alert at the desk."""
    for line in lines:
        click.echo(clean(line))
    for change in changes:
        at = f"{ist(change.at_s):%H:%M:%S}"
        click.echo(clean(f"{'desk':<12}{at} {change.after} by {change.actor}: {change.reason}"))


def _outcome(settled: Settlement | None) -> str:
    if settled is None:
        return "not known: still open, or not followed"
    return (
        f"{settled.outcome.replace('_', ' ')} after {settled.bars} bars at "
        f"{ist(settled.at_s):%H:%M}, {settled.price:,.2f}: {settled.r:+.2f} R before costs; "
        f"best {settled.best_r:.2f} R, worst -{settled.worst_r:.2f} R"
    )
