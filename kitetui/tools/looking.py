"""What a screen shows, as text for scripts and dumb terminals: levels, scoreboard, tail."""

from __future__ import annotations

import json
import time

import click
import msgspec

from kitetui.caller import Caller
from kitetui.cli.options import fail
from kitetui.engine.snapshot import Alert, Depth, Event, Snapshot, View
from kitetui.places import Places
from kitetui.tools.verbs import EXIT_REFUSED, alert_line, with_engine
from kitetui.widgets.numbers import clock
from kitetui.widgets.safe_text import clean

EVENTS_MAX = 500
FIRST = 10
LOOK_S = 1.0


def levels(where: Places, symbol: str, *, as_json: bool) -> int:
    """Print an instrument's price, book, indicators and levels."""

    def work(caller: Caller) -> int:
        found = caller.look(View(find=symbol)).found
        token = next((token for name, token in found if name == symbol), None)
        if token is None:
            near = ", ".join(name for name, _ in found[:5])
            fail(EXIT_REFUSED, f"{symbol} is not watched{f'; near it: {near}' if near else ''}")
        depth = caller.look(View(focus=token)).depth
        if depth is None:
            fail(EXIT_REFUSED, f"{symbol}: no packet yet")
        if as_json:
            click.echo(json.dumps(msgspec.to_builtins(depth)))
        else:
            for line in _lines(depth):
                click.echo(clean(line))
        return 0

    return with_engine(where, "ro", work)


def _lines(d: Depth) -> list[str]:
    def price(value: float | None) -> str:
        return "-" if value is None else f"{value:,.{d.decimals}f}"

    change = "" if d.change_pct is None else f" {d.change_pct:+.2f}%"
    out = [
        f"{d.symbol}  {price(d.ltp)}{change}  {d.mode}, {d.age_s:.1f} s old",
        f"open {price(d.open)}  high {price(d.high)}  low {price(d.low)}  close {price(d.close)}  "
        f"average {price(d.average)}  volume {d.volume:,}  oi {d.oi:,}",
    ]
    for bid, ask in zip(d.bids, d.asks, strict=False):
        out.append(f"{bid.quantity:>12,} {price(bid.price):>12} | {price(ask.price):<12} "
                   f"{ask.quantity:,}")  # fmt: skip
    if d.reading is None:
        return out
    for n in d.reading.frames:
        out.append(
            f"{n.timeframe:>3}  rsi {price(n.rsi)}  adx {price(n.adx)}  atr {price(n.atr)}  "
            f"ema20 {price(n.ema20)}  vwap {price(n.vwap)}{'' if n.warm else '  (cold)'}"
        )
    if (p := d.reading.profile) is not None:
        out.append(
            f"profile  poc {price(p.poc)}  value {price(p.val)} to {price(p.vah)}; last "
            f"session's {price(p.past_poc)}, {price(p.past_val)} to {price(p.past_vah)}"
        )
    return out


def scoreboard(where: Places, *, as_json: bool) -> int:
    """Print how good each pattern was."""

    def work(caller: Caller) -> int:
        board = caller.look(View(board=True)).board
        if as_json:
            click.echo(json.dumps([msgspec.to_builtins(line) for line in board]))
            return 0
        for line in board:
            words = "  ".join(f"{name} {_shown(value)}" for name, value in
                              msgspec.to_builtins(line).items())  # fmt: skip
            click.echo(clean(words))
        if not board:
            click.echo("nothing has fired yet")
        return 0

    return with_engine(where, "ro", work)


def _shown(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def tail(where: Places, *, alerts_only: bool, count: int | None, as_json: bool) -> int:
    """Print alerts and events as they come, until stopped or `count` lines are out."""
    follower = Follower()

    def work(caller: Caller) -> int:
        printed = 0
        while True:
            events = 0 if alerts_only else EVENTS_MAX
            for line in follower.fresh(caller.look(View(alerts=EVENTS_MAX, events=events))):
                click.echo(json.dumps(msgspec.to_builtins(line)) if as_json else _told(line))
                printed += 1
                if printed == count:
                    return 0
            time.sleep(LOOK_S)

    return with_engine(where, "ro", work)


class Follower:
    """Knows what it has told, and finds what is there beside it in the next picture."""

    def __init__(self) -> None:
        self._newest: tuple[Event, ...] = ()
        self._alerts: dict[str, int] = {}

    def fresh(self, found: Snapshot) -> list[Event | Alert]:
        """Events and alerts that came or changed since the last picture, the oldest first.

        The first picture gives the last ten events and the alerts that are there.
        """
        first = not self._newest
        out: list[Event | Alert] = []
        for at, event in enumerate(found.events):
            if (first and at == FIRST) or found.events[at : at + FIRST] == self._newest:
                break
            out.insert(0, event)
        self._newest = found.events[:FIRST]
        for alert in reversed(found.alerts):
            if self._alerts.get(alert.alert_id) != alert.revision:
                out.append(alert)
        self._alerts = {alert.alert_id: alert.revision for alert in found.alerts}
        return out


def _told(line: Event | Alert) -> str:
    if isinstance(line, Alert):
        return alert_line(line)
    return clean(f"{clock(line.at_s)}  {line.source:<10}  {line.text}")
