"""The commands that speak to a running engine: the operator's verbs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import click

from kitetui.cli.options import engine_options

if TYPE_CHECKING:
    from kitetui.places import Places

LENGTH = click.option("--for", "length", type=click.Choice(["15m", "1h", "session"]),
                      default="15m", show_default=True, help="For how long.")  # fmt: skip
WHY = click.option("--why", default="", help="A reason, kept with it.")
IDS = click.argument("ids", nargs=-1, metavar="ID...")


@click.command()
@click.option("--history", is_flag=True, help="The day's alerts, also those that have left.")
@engine_options
def alerts(history: bool, engine: Places, as_json: bool) -> None:
    """The alert queue of the running engine: id, priority, state, time, count, what."""
    from kitetui.tools import verbs

    raise SystemExit(verbs.alerts(engine, as_json=as_json, history=history))


@click.command()
@IDS
@click.option("--all", "all_", is_flag=True, help="All that wait now.")
@engine_options
def ack(ids: tuple[str, ...], all_: bool, engine: Places, as_json: bool) -> None:
    """Acknowledge alerts by the first digits of their ids.

    An alert that changed since this command looked stays: nobody acknowledges what they did not
    see. The exit code is 1 when nothing was acknowledged.
    """
    from kitetui.tools import verbs

    if not ids and not all_:
        raise click.UsageError("name alerts by their ids, or --all")
    code = verbs.acknowledge(engine, ids, all_=all_, as_json=as_json)
    raise SystemExit(code)


@click.command()
@IDS
@LENGTH
@WHY
@engine_options
def shelve(ids: tuple[str, ...], length: str, why: str, engine: Places, as_json: bool) -> None:
    """Put alerts aside for a while; each comes back when its time is over and it still holds."""
    from kitetui.tools import verbs

    raise SystemExit(verbs.shelve(engine, ids, length, why, as_json=as_json))


@click.command()
@IDS
@engine_options
def unshelve(ids: tuple[str, ...], engine: Places, as_json: bool) -> None:
    """Take alerts from their shelf."""
    from kitetui.tools import verbs

    raise SystemExit(verbs.unshelve(engine, ids, as_json=as_json))


def _mute(symbol: str, pattern: str, length: str, why: str, engine: Places, *, on: bool,
          as_json: bool) -> None:  # fmt: skip
    from kitetui.tools import verbs

    if not symbol and not pattern:
        raise click.UsageError("name a symbol, a --pattern, or both")
    code = verbs.mute(engine, symbol, pattern, length, why, on=on, as_json=as_json)
    raise SystemExit(code)


@click.command()
@click.argument("symbol", default="")
@click.option("--pattern", default="", help="A pattern, for every symbol or this one.")
@LENGTH
@WHY
@engine_options
def mute(symbol: str, pattern: str, length: str, why: str, engine: Places, as_json: bool) -> None:
    """Shelve whatever a symbol or a pattern raises for a while."""
    _mute(symbol, pattern, length, why, engine, on=True, as_json=as_json)


@click.command()
@click.argument("symbol", default="")
@click.option("--pattern", default="", help="As it was muted.")
@engine_options
def unmute(symbol: str, pattern: str, engine: Places, as_json: bool) -> None:
    """End a mute."""
    _mute(symbol, pattern, "15m", "", engine, on=False, as_json=as_json)


@click.command()
@engine_options
def outbox(engine: Places, as_json: bool) -> None:
    """Messages to Telegram and webhooks: how many are sent, wait, or were refused."""
    from kitetui.tools import verbs

    raise SystemExit(verbs.status(engine, "notify", as_json=as_json))


@click.command()
@engine_options
def status(engine: Places, as_json: bool) -> None:
    """The status document of the running engine."""
    from kitetui.tools import verbs

    raise SystemExit(verbs.status(engine, "", as_json=as_json))


@click.command()
@engine_options
def lift(engine: Places, as_json: bool) -> None:
    """Make plans again after a drawdown has blocked them, until the next session."""
    from kitetui.tools import verbs

    raise SystemExit(verbs.lift(engine, as_json=as_json))


@click.group()
def alert() -> None:
    """Your own alerts: add, list, remove."""


@alert.command()
@click.argument("rule", nargs=-1, required=True)
@engine_options
def add(rule: tuple[str, ...], engine: Places, as_json: bool) -> None:
    """Watch for something: SYMBOL [FIELD [TIMEFRAME]] OPERATOR VALUE [options].

    \b
    FIELD      price (if left out), change (%), volume_ratio, oi, oi_change (%),
               spread (bp), straddle, rsi, adx, atr, ema20, vwap
    TIMEFRAME  1m, 3m, 5m, 15m, where the field has one
    OPERATOR   >, <, crosses above, crosses below
    options    once (if left out), minute, bar or close: how often it may fire
               P1, P2 (if left out) or P3; P1 always interrupts
               until HH:MM or until YYYY-MM-DD; the day's end if left out
               note and some words

    \b
    kitetui alert add "NIFTY 50 > 24500 once P1"
    kitetui alert add "RELIANCE rsi 5m > 70 bar until 15:00"
    kitetui alert add "NIFTY straddle < 200 minute note sell no more"
    """
    from kitetui.tools import verbs

    code = verbs.add_rule(engine, " ".join(rule), as_json=as_json)
    raise SystemExit(code)


@alert.command("list")
@engine_options
def list_rules(engine: Places, as_json: bool) -> None:
    """Your rules: id, priority, end, text, whose."""
    from kitetui.tools import verbs

    raise SystemExit(verbs.rules(engine, as_json=as_json))


@alert.command()
@click.argument("rule_id", metavar="ID")
@engine_options
def remove(rule_id: str, engine: Places, as_json: bool) -> None:
    """Watch for it no longer."""
    from kitetui.tools import verbs

    raise SystemExit(verbs.remove_rule(engine, rule_id, as_json=as_json))


_SYMBOLS = click.argument("symbols", nargs=-1, metavar="SYMBOL...")


@click.command()
@_SYMBOLS
@engine_options
def watch(symbols: tuple[str, ...], engine: Places, as_json: bool) -> None:
    """Take instruments into the running engine's subscription, until its day is over.

    SYMBOL is as on the screen: TCS, "NIFTY 50", NIFTY26DECFUT, BSE:SENSEX.
    """
    from kitetui.tools import feed_verbs

    raise SystemExit(feed_verbs.watch(engine, symbols, on=True, as_json=as_json))


@click.command()
@_SYMBOLS
@engine_options
def unwatch(symbols: tuple[str, ...], engine: Places, as_json: bool) -> None:
    """Take instruments out of the subscription; what is known of them stays."""
    from kitetui.tools import feed_verbs

    raise SystemExit(feed_verbs.watch(engine, symbols, on=False, as_json=as_json))


@click.command()
@click.argument("mode", type=click.Choice(["full", "quote", "ltp"]))
@_SYMBOLS
@engine_options
def mode(mode: Literal["full", "quote", "ltp"], symbols: tuple[str, ...], engine: Places,
         as_json: bool) -> None:  # fmt: skip
    """Have instruments sent with depth (full), without (quote) or as prices alone (ltp).

    Without SYMBOL, all of them. Depth, times and alerts need full.
    """
    from kitetui.tools import feed_verbs

    raise SystemExit(feed_verbs.mode(engine, mode, symbols, as_json=as_json))


@click.command()
@engine_options
def reconnect(engine: Places, as_json: bool) -> None:
    """Drop the connections to the feed and dial anew; what is missed is a gap, and told."""
    from kitetui.tools import feed_verbs

    raise SystemExit(feed_verbs.reconnect(engine, as_json=as_json))


@click.command()
@click.argument("symbol")
@engine_options
def levels(symbol: str, engine: Places, as_json: bool) -> None:
    """Price, book, indicators and levels of an instrument."""
    from kitetui.tools import looking

    raise SystemExit(looking.levels(engine, symbol, as_json=as_json))


@click.command()
@engine_options
def scoreboard(engine: Places, as_json: bool) -> None:
    """How good each pattern was: hits, by chance alone, and what may be said of it."""
    from kitetui.tools import looking

    raise SystemExit(looking.scoreboard(engine, as_json=as_json))


@click.command()
@click.option("--alerts", "alerts_only", is_flag=True, help="Alerts alone, no events.")
@click.option("-n", "count", type=click.IntRange(min=1), metavar="N", help="End after N lines.")
@engine_options
def tail(alerts_only: bool, count: int | None, engine: Places, as_json: bool) -> None:
    """Alerts and events as they come, a line each; with --json, an object a line."""
    from kitetui.tools import looking

    raise SystemExit(looking.tail(engine, alerts_only=alerts_only, count=count, as_json=as_json))


@click.command()
@click.argument("words", nargs=-1, metavar="[KEY [VALUE]]")
@click.option("--back", is_flag=True, help="Have KEY as the files have it.")
@click.option("--undo", is_flag=True, help="Take your own last change back.")
@click.option("--list", "lists", is_flag=True, help="List thresholds whose keys hold all words.")
@engine_options
def tune(words: tuple[str, ...], back: bool, undo: bool, lists: bool, engine: Places,
         as_json: bool) -> None:  # fmt: skip
    """Thresholds of the running engine: list those that were changed, or change one.

    A change is in force with the next bar, is kept over restarts until it is taken back, and is
    in the day's ledger with who made it. A replay of the day has it at the same moment.

    \b
    kitetui tune                                  what was changed
    kitetui tune volume_spike                     the thresholds of a pattern
    kitetui tune volume_spike.params.min_ratio 3  change one
    kitetui tune min_confidence --back            as in the files
    kitetui tune --undo                           take your last change back
    """
    from kitetui.tools import thresholds

    if undo:
        raise SystemExit(thresholds.undo(engine, as_json=as_json))
    if back and len(words) != 1:
        raise click.UsageError("--back wants one KEY")
    if back or (len(words) == 2 and not lists):
        value = "" if back else words[1]
        if not back and not value.strip():
            raise click.UsageError("VALUE is empty; --back has a key as in the files")
        raise SystemExit(thresholds.tune(engine, words[0], value, as_json=as_json))
    raise SystemExit(thresholds.listing(engine, words, as_json=as_json))


VERBS = (alert, lift, alerts, ack, shelve, unshelve, mute, unmute, outbox, status, watch, unwatch,
         mode, reconnect, levels, scoreboard, tail, tune)  # fmt: skip
