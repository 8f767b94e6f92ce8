"""`kitetui diff`: where two runs part, alert by alert and bar by bar."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from kitetui.cli.options import EXIT_CONFIG, Asked, fail
from kitetui.engine.arrow import pa, pq
from kitetui.engine.feed.journal_reader import JournalError
from kitetui.places import Places
from kitetui.recordings import NoRecording, journals_of
from kitetui.tools.exporter import ALERTS, export
from kitetui.widgets.numbers import clock
from kitetui.widgets.safe_text import clean

SHOWN = 20
Key = tuple[int, str, str]
_BAR_KEY = ("start_s", "symbol", "timeframe")


class Run(msgspec.Struct):
    """What a run came to.

    Attributes:
        alerts: by id, as their fields; bars: values by start, symbol and timeframe.
    """

    name: str
    alerts: dict[str, dict[str, Any]]
    bars: dict[Key, dict[str, Any]]


class Difference(msgspec.Struct):
    """How two runs differ.

    Attributes:
        first: the session second of the earliest difference, 0 where there is none; what: in words.
        only: alerts that one of them has alone; changed: of others, the fields with both values.
        bars: how many bars differ, or are only in one.
    """

    first: int
    what: str
    only: tuple[list[dict[str, Any]], list[dict[str, Any]]]
    changed: list[tuple[dict[str, Any], dict[str, tuple[Any, Any]]]]
    bars: int


def diff(names: Sequence[str], where: Places, asked: Sequence[Asked], *,
         as_json: bool) -> int:  # fmt: skip
    """Print where two runs part; the exit code, 1 where they do."""
    runs = [_run(name, where, one) for name, one in zip(names, asked, strict=True)]
    found = compare(*runs)
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(found)))
    else:
        _print(found, runs)
    return int(bool(found.first))


def compare(one: Run, two: Run) -> Difference:
    """Where two runs part."""
    only = tuple(
        sorted((a for key, a in mine.alerts.items() if key not in other.alerts), key=_when)
        for mine, other in ((one, two), (two, one))
    )
    changed = []
    for key in sorted(one.alerts.keys() & two.alerts.keys(), key=lambda k: _when(one.alerts[k])):
        fields = _changed(one.alerts[key], two.alerts[key])
        if fields:
            changed.append((one.alerts[key], fields))
    bars = sorted(key for key in one.bars.keys() | two.bars.keys()
                  if one.bars.get(key) != two.bars.get(key))  # fmt: skip
    firsts = [(_when(a), f"{_line(a)}: only in {run.name}")
              for few, run in zip(only, (one, two), strict=True) for a in few[:1]]  # fmt: skip
    firsts += [(_when(a), f"{_line(a)}: {_told(fields)}") for a, fields in changed[:1]]
    if bars:
        start_s, symbol, timeframe = bars[0]
        told = _changed(one.bars.get(bars[0], {}), two.bars.get(bars[0], {}))
        firsts.append((start_s, f"bar of {clock(start_s)}  {symbol} {timeframe}: {_told(told)}"))
    first, what = min(firsts, default=(0, ""))
    return Difference(first, what, (only[0], only[1]), changed, len(bars))


def _run(name: str, where: Places, asked: Asked) -> Run:
    """A run: a folder that `kitetui export` wrote, or a recording that is played now."""
    folder = Path(name)
    if (folder / "bars.parquet").exists():
        return _exported(name, folder)
    try:
        with tempfile.TemporaryDirectory() as held:
            export(journals_of(name, where), Path(held), asked.settings, ticks=False,
                   pinned=asked.given)  # fmt: skip
            return _exported(name, Path(held))
    except (JournalError, NoRecording) as error:
        fail(EXIT_CONFIG, str(error))
    except OSError as error:
        fail(EXIT_CONFIG, f"{error.filename or name}: {error.strerror or error}")


def _exported(name: str, folder: Path) -> Run:
    try:
        bars = pq.read_table(folder / "bars.parquet").to_pylist() if (
            folder / "bars.parquet").exists() else []  # fmt: skip
        path = folder / ALERTS
        alerts = pq.read_table(path).to_pylist() if path.exists() else []
        return Run(
            name, {alert["alert_id"]: alert for alert in alerts},
            {(b[_BAR_KEY[0]], b[_BAR_KEY[1]], b[_BAR_KEY[2]]): b for b in bars},
        )  # fmt: skip
    except (pa.ArrowException, KeyError) as error:
        fail(EXIT_CONFIG, f"{folder}: is no export of kitetui: {error}")


def _changed(one: Mapping[str, Any], two: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    names = [*one, *(name for name in two if name not in one)]
    return {n: (one.get(n), two.get(n)) for n in names if one.get(n) != two.get(n)}


def _when(alert: Mapping[str, Any]) -> int:
    return int(alert["at_s"])


def _line(alert: Mapping[str, Any]) -> str:
    side = {1: "up", -1: "down"}.get(alert["side"], "")
    return (f"{clock(alert['at_s'])}  {alert['symbol']} {alert['pattern']} {alert['timeframe']} "
            f"{side}").rstrip()  # fmt: skip


def _told(fields: Mapping[str, tuple[Any, Any]]) -> str:
    some = [f"{name} {one} -> {two}" for name, (one, two) in list(fields.items())[:4]]
    more = f" and {len(fields) - 4} more" if len(fields) > 4 else ""
    return ", ".join(some) + more


def _print(found: Difference, runs: Sequence[Run]) -> None:
    for run in runs:
        click.echo(clean(f"{run.name}: {len(run.alerts):,} alerts, {len(run.bars):,} bars"))
    if not found.first:
        click.echo("the runs are the same")
        return
    click.echo()
    click.echo(clean(f"they part at {clock(found.first)}: {found.what}"))
    for run, few in zip(runs, found.only, strict=True):
        _section(f"only in {run.name}", [
            f"{_line(a)}  score {a['score']:.2f}, confidence {a['confidence']:.2f}" for a in few
        ])  # fmt: skip
    _section("changed", [f"{_line(a)}: {_told(fields)}" for a, fields in found.changed])
    if found.bars:
        click.echo(f"\n{found.bars:,} bars differ")


def _section(title: str, lines: Sequence[str]) -> None:
    if not lines:
        return
    click.echo()
    click.echo(clean(f"{title} ({len(lines)}):"))
    for line in lines[:SHOWN]:
        click.echo(clean(f"  {line}"))
    if len(lines) > SHOWN:
        click.echo(f"  … and {len(lines) - SHOWN} more; --json has all")
