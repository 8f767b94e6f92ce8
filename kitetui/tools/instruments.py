"""`kitetui instruments`: fetch the exchange's table, search it, and see what would be watched."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Sequence

import click
import msgspec

from kitetui.cli.options import EXIT_CONFIG, EXIT_UNAVAILABLE, fail
from kitetui.engine.calendar import ist
from kitetui.engine.clock import wall_ns
from kitetui.engine.day.opening import lines_of
from kitetui.engine.feed import credentials
from kitetui.engine.feed.rest import KiteRest, RestError
from kitetui.engine.feed.session import sharded
from kitetui.engine.market.instruments import (
    Instrument,
    InstrumentError,
    by_symbol,
    choose,
    read_table,
)
from kitetui.engine.sinks.instrument_files import InstrumentFiles
from kitetui.places import Places
from kitetui.settings import Settings
from kitetui.widgets.safe_text import clean

FOUND_MAX = 50


def sync(settings: Settings, where: Places) -> int:
    """Fetch today's table and keep it; the exit code."""

    async def fetch() -> bytes:
        rest = KiteRest(settings.feed, lambda: credentials.read(where.credentials))
        try:
            return await rest.instruments()
        finally:
            await rest.close()

    click.echo(f"fetching {settings.feed.rest_url}/instruments (about 90,000 lines) …", err=True)
    try:
        dump = asyncio.run(fetch())
        table = read_table(dump)
    except (RestError, InstrumentError) as error:
        fail(EXIT_UNAVAILABLE, f"instruments: {error}")
    if why := InstrumentFiles(where.instruments).whole(len(table), lines_of):
        fail(EXIT_UNAVAILABLE, f"instruments: {why}; fetch it again")
    day = f"{ist(wall_ns() / 1e9):%Y-%m-%d}"
    packed = dump if dump[:2] == b"\x1f\x8b" else gzip.compress(dump, mtime=0)
    try:
        InstrumentFiles(where.instruments).keep(day, packed)
    except OSError as error:
        fail(EXIT_CONFIG, f"{where.instruments}: {error.strerror}")
    kinds: dict[str, int] = {}
    for one in table.values():
        kinds[one.asset_class] = kinds.get(one.asset_class, 0) + 1
    told = ", ".join(f"{count:,} {name}" for name, count in sorted(kinds.items()))
    click.echo(f"{len(table):,} instruments of {day}: {told}")
    return 0


def search(where: Places, words: Sequence[str], *, as_json: bool) -> int:
    """Print instruments whose symbol or name hold all the words; the exit code."""
    wanted = [word.upper() for word in words]
    found = [i for i in _table(where).values()
             if all(word in f"{i.symbol} {i.name}".upper() for word in wanted)]  # fmt: skip
    found.sort(key=lambda i: (len(i.symbol), i.symbol))
    if as_json:
        click.echo(json.dumps([msgspec.to_builtins(i) for i in found[:FOUND_MAX]]))
        return 0
    for i in found[:FOUND_MAX]:
        click.echo(
            clean(
                f"{i.symbol:<26} {i.exchange:<5} {i.kind:<5} {i.token:>10}  lot "
                f"{i.lot_size:<6} tick {i.tick_size:<6g} {i.expiry:<11} {i.name}"
            ).rstrip()
        )
    if len(found) > FOUND_MAX:
        click.echo(f"… and {len(found) - FOUND_MAX:,} more; add words", err=True)
    if not found:
        click.echo("nothing is called so", err=True)
    return 0 if found else 1


def info(where: Places, symbol: str, *, as_json: bool) -> int:
    """Print all that the table says of an instrument; the exit code."""
    found = by_symbol(_table(where)).get(symbol)
    if found is None:
        fail(1, f"{symbol} is not listed; `kitetui instruments search {symbol[:6]}` finds others")
    facts = {"symbol": found.symbol, **msgspec.to_builtins(found),
             "asset_class": found.asset_class}  # fmt: skip
    if as_json:
        click.echo(json.dumps(facts))
        return 0
    for name, value in facts.items():
        click.echo(clean(f"{name:<14} {value}"))
    return 0


def plan(settings: Settings, where: Places, *, as_json: bool) -> int:
    """Print what would be subscribed, and on which connections; the exit code."""
    feed, table = settings.feed, _table(where)
    limit = feed.max_connections * feed.max_per_connection
    asked = feed.instruments
    if isinstance(asked, str):
        tokens = choose(table, settings.universes[asked], limit)
        every = choose(table, settings.universes[asked], len(table))
        missing: list[str] = [s for s in settings.universes[asked].stocks
                              if s != "*" and s not in by_symbol(table)]  # fmt: skip
    else:
        known = by_symbol(table)
        missing = [s for s in asked if isinstance(s, str) and s not in known]
        every = [s if isinstance(s, int) else known[s].token for s in asked if s not in missing]
        tokens = every[:limit]
    chosen = [table[t] for t in tokens if t in table]
    kinds: dict[str, int] = {}
    for one in chosen:
        kinds[one.asset_class] = kinds.get(one.asset_class, 0) + 1
    modes = dict.fromkeys(tokens, feed.mode)
    shards = [len(shard) for shard in sharded(modes, feed.max_connections,
                                              feed.max_per_connection)]  # fmt: skip
    if as_json:
        click.echo(json.dumps({"instruments": len(tokens), "left_out": len(every) - len(tokens),
                               "kinds": kinds, "connections": shards, "mode": feed.mode,
                               "not_listed": missing,
                               "symbols": [i.symbol for i in chosen]}))  # fmt: skip
        return 0
    name = asked if isinstance(asked, str) else "the list of feed.instruments"
    click.echo(
        f"{name}: {len(tokens):,} instruments in mode {feed.mode} on {len(shards)} of "
        f"{feed.max_connections} connections ({', '.join(f'{n:,}' for n in shards)})"
    )
    for kind, count in sorted(kinds.items()):
        listed = [i.symbol for i in chosen if i.asset_class == kind]
        more = f" … {listed[-1]}" if count > 6 else ""
        click.echo(clean(f"  {count:>6,} {kind:<10} {', '.join(listed[:6])}{more}"))
    if len(every) > len(tokens):
        click.echo(f"left out: {len(every) - len(tokens):,}, beyond what Kite carries ({limit:,})")
    if missing:
        click.echo(clean(f"not listed: {', '.join(missing)}"))
    return 0


def _table(where: Places) -> dict[int, Instrument]:
    newest = InstrumentFiles(where.instruments).newest()
    if newest is None:
        fail(EXIT_UNAVAILABLE, "no instrument table is kept; run kitetui instruments sync")
    try:
        return read_table(newest[1])
    except InstrumentError as error:
        fail(EXIT_CONFIG, f"{where.instruments}, {newest[0]}: {error}; "
                          "run kitetui instruments sync")  # fmt: skip
