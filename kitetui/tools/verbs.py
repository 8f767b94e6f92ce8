"""The operator's verbs for scripts: alerts, ack, shelve, unshelve, mute, unmute, outbox, status."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import click
import msgspec

from kitetui.caller import Caller, NoEngine, NotAllowed
from kitetui.cli.options import EXIT_CONFIG, EXIT_UNAVAILABLE, fail
from kitetui.engine.commands import (
    MANY,
    AcknowledgeMany,
    AddRule,
    Command,
    LiftBlock,
    Mute,
    RemoveRule,
    Result,
    Shelve,
    Unmute,
    Unshelve,
)
from kitetui.engine.snapshot import WAITING, Alert, View
from kitetui.places import Places
from kitetui.widgets.numbers import clock
from kitetui.widgets.safe_text import clean

EXIT_REFUSED = 1
_LENGTHS = {"15m": 15, "1h": 60, "session": 0}


def with_engine(where: Places, role: str, work: Callable[[Caller], int]) -> int:
    """Ask a running engine; where there is none, or it refuses, the end."""
    try:
        with Caller(where.run, role) as caller:
            return work(caller)
    except NoEngine as error:
        fail(EXIT_UNAVAILABLE, str(error))
    except NotAllowed as error:
        fail(EXIT_CONFIG, str(error))


def alerts(where: Places, *, as_json: bool, history: bool) -> int:
    """Print the queue, or the day."""

    def work(caller: Caller) -> int:
        found = caller.look(View(alerts=MANY, history=history))
        if history:
            return _list(found.listed, as_json)
        if as_json:
            click.echo(json.dumps([msgspec.to_builtins(a) for a in found.alerts]))
            return 0
        for alert in found.alerts:
            click.echo(alert_line(alert))
        if not found.alerts:
            click.echo("no alert in the queue")
        return 0

    return with_engine(where, "ro", work)


def alert_line(a: Alert) -> str:
    """An alert in a line: id, priority, state, time, count, what."""
    what = a.message or " ".join(a.tags)
    return clean(
        f"{a.alert_id}  {a.priority.name}  {a.state:<10}  {clock(a.at_s)}  x{a.count:<4} "
        f"{a.symbol:<22} {a.pattern} {a.timeframe} {a.direction if a.side else ''} {what}"
    ).rstrip()


def acknowledge(where: Places, ids: Sequence[str], *, all_: bool, as_json: bool) -> int:
    """Acknowledge alerts by the first digits of their ids, or all that wait."""

    def work(caller: Caller) -> int:
        found = caller.look(View(alerts=MANY)).alerts
        chosen = [a for a in found if a.state in WAITING] if all_ else _chosen(found, ids)
        if not chosen:
            return say([Result(False, "nothing waits to be acknowledged")], as_json)
        seen = tuple(a.seen for a in chosen)
        return say([caller.do(AcknowledgeMany(seen, ""))], as_json)

    return with_engine(where, "rw", work)


def shelve(where: Places, ids: Sequence[str], length: str, why: str, *, as_json: bool) -> int:
    """Put alerts aside."""

    def work(caller: Caller) -> int:
        chosen = _chosen(caller.look(View(alerts=MANY)).alerts, ids)
        commands = [Shelve(*a.seen, _LENGTHS[length], "", why)
                    for a in chosen]  # fmt: skip
        return say([caller.do(command) for command in commands], as_json)

    return with_engine(where, "rw", work)


def unshelve(where: Places, ids: Sequence[str], *, as_json: bool) -> int:
    """Take alerts from their shelf."""

    def work(caller: Caller) -> int:
        chosen = _chosen(caller.look(View(alerts=MANY)).alerts, ids)
        return say([caller.do(Unshelve(a.alert_id, "")) for a in chosen], as_json)

    return with_engine(where, "rw", work)


def mute(where: Places, symbol: str, pattern: str, length: str, why: str, *, on: bool,
         as_json: bool) -> int:  # fmt: skip
    """Shelve whatever a symbol or a pattern raises, or end that."""
    command: Command = (Mute(symbol, pattern, _LENGTHS[length], "", why) if on
                        else Unmute(symbol, pattern, ""))  # fmt: skip
    return with_engine(where, "rw", lambda caller: say([caller.do(command)], as_json))


def add_rule(where: Places, text: str, *, as_json: bool) -> int:
    """Watch for something of the user's own."""
    return with_engine(where, "rw", lambda caller: say([caller.do(AddRule(text, ""))], as_json))


def remove_rule(where: Places, rule_id: str, *, as_json: bool) -> int:
    """Watch for it no longer."""
    return with_engine(
        where, "rw", lambda caller: say([caller.do(RemoveRule(rule_id, ""))], as_json)
    )


def rules(where: Places, *, as_json: bool) -> int:
    """Print the user's rules."""
    return with_engine(
        where, "ro", lambda caller: _list(caller.look(View(rules=True)).listed, as_json)
    )


def lift(where: Places, *, as_json: bool) -> int:
    """Make plans again after a drawdown."""
    return with_engine(where, "rw", lambda caller: say([caller.do(LiftBlock(""))], as_json))


def status(where: Places, part: str, *, as_json: bool) -> int:
    """Print the status document, or a part of it."""

    def work(caller: Caller) -> int:
        document: Any = caller.status()
        found = document[part] if part else document
        if as_json or not part:
            click.echo(json.dumps(found, indent=None if as_json else 2))
            return 0
        if not found:
            click.echo("no channel is configured; telegram.chat_id and webhook.url name one")
        for channel, counts in found.items():
            state = counts.pop("state", "")
            words = ", ".join(f"{count} {name}" for name, count in counts.items()) or "empty"
            click.echo(clean(f"{channel}: {words}" + (f"; {state}" if state else "")))
        return 0

    return with_engine(where, "ro", work)


def _chosen(found: Sequence[Alert], ids: Sequence[str]) -> list[Alert]:
    out = []
    for wanted in ids:
        fits = [a for a in found if a.alert_id.startswith(wanted.strip().lower() or "?")]
        if len(fits) != 1:
            many = "is more than one alert" if fits else "is no alert in the queue"
            fail(EXIT_REFUSED, f"{wanted[:32]} {many}; `kitetui alerts` lists them")
        out += fits
    return out


def _list(lines: Sequence[str], as_json: bool) -> int:
    if as_json:
        click.echo(json.dumps(list(lines)))
    else:
        for line in lines:
            click.echo(clean(line))
    return 0


def say(results: Sequence[Result], as_json: bool) -> int:
    """Print what became of commands; the exit code."""
    if as_json:
        click.echo(json.dumps([msgspec.to_builtins(result) for result in results]))
    else:
        for result in results:
            click.echo(clean(result.text), err=not result.done)
    return 0 if all(result.done for result in results) else EXIT_REFUSED
