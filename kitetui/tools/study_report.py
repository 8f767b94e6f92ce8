"""What a study found, as files and as a table on the screen."""

from __future__ import annotations

import csv
import math
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from kitetui.engine.calendar import ist
from kitetui.engine.market.bars import CLOSE, HIGH, LOW, OPEN, VOLUME
from kitetui.engine.market.indicators import NAMES, WARM_BARS
from kitetui.engine.market.timeframe import timeframe_name
from kitetui.places import private
from kitetui.tools.studied import DIVISOR, EXTRA, SWING_LENGTH, Session, Studied
from kitetui.widgets.safe_text import clean

if TYPE_CHECKING:
    from rich.console import Console

SHOWN_PROBLEMS = 5


def write(studied: Studied, folder: Path) -> None:
    """Write one file's tables."""
    times = [f"{ist(s * 60):%Y-%m-%d %H:%M:%S}" for s in studied.starts.tolist()]

    def table(kind: str, head: Sequence[str], lines: Iterable[Sequence[Any]]) -> None:
        path = folder / f"{studied.symbol}.{kind}.csv"
        with open(path, "w", newline="", opener=private) as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(head)
            writer.writerows(lines)

    prices = studied.bars[[OPEN, HIGH, LOW, CLOSE]].T / DIVISOR
    table(
        "indicators",
        ("ts", "open", "high", "low", "close", "volume", *NAMES, *EXTRA),
        (
            (time, *price, volume, *("" if math.isnan(v) else repr(v) for v in line))
            for time, price, volume, line in zip(
                times, prices.tolist(), studied.bars[VOLUME].tolist(), studied.values.tolist(),
                strict=True,
            )
        ),
    )  # fmt: skip
    table(
        "swings",
        ("ts", "bar", "known_at_bar", "side", "level"),
        ((times[b], b, b + SWING_LENGTH, s, x / DIVISOR) for b, s, x in studied.swings),
    )
    table(
        "gaps",
        ("ts", "bar", "known_at_bar", "side", "top", "bottom", "mitigated", "halved", "filled"),
        ((times[m], m, m + 1, s, t / DIVISOR, b / DIVISOR, *("" if x < 0 else x for x in marks))
         for m, s, t, b, *marks in studied.gaps),
    )  # fmt: skip
    table("pools", ("side", "level", "touches", "first_bar", "last_bar", "swept_bar"),
          ((p.side, p.level / DIVISOR, p.touches, p.first, p.last, "" if p.swept < 0 else p.swept)
           for p in studied.pools))  # fmt: skip
    table(
        "levels",
        ("session", "open", "high", "low", "close", "volume", "opening_high", "opening_low",
         "previous_high", "previous_low", "poc", "vah", "val", "hvn", "lvn"),
        (_level_line(s, before) for s, before in
         zip(studied.sessions, [None, *studied.sessions], strict=False)),
    )  # fmt: skip
    table(
        "profile",
        ("session", "row_low", "volume"),
        (
            (s.date, round(s.profile.low + at * s.profile.size, 6), shares)
            for s in studied.sessions
            if s.profile
            for at, shares in enumerate(s.profile.volume.tolist())
        ),
    )
    if studied.file.problems:
        table("problems", ("file", "line", "what"),
              ((p.file, p.line, p.what) for p in studied.file.problems))  # fmt: skip


def _level_line(s: Session, before: Session | None) -> tuple[Any, ...]:
    found = s.levels
    return (
        s.date, s.open, s.high, s.low, s.close, s.volume, s.opening_high, s.opening_low,
        before.high if before else "", before.low if before else "",
        *((found.poc, found.vah, found.val, " ".join(map(str, found.hvn)),
           " ".join(map(str, found.lvn))) if found else ("",) * 5),
    )  # fmt: skip


def summary(studied: Studied) -> dict[str, Any]:
    """What there is of one file, and its newest values; null where undefined."""
    last = studied.values[-1].tolist()
    newest = studied.sessions[-1].levels
    return {
        "file": str(studied.file.path),
        "symbol": studied.symbol,
        "timeframe": timeframe_name(studied.file.minutes),
        "tick": studied.tick,
        "bars": len(studied.starts),
        "warm": len(studied.starts) >= WARM_BARS,
        "sessions": len(studied.sessions),
        "outside_sessions": studied.outside,
        "problems": studied.file.counts,
        "swings": len(studied.swings),
        "gaps": len(studied.gaps),
        "pools": len(studied.pools),
        "last": {
            name: None if math.isnan(v) else v
            for name, v in zip((*NAMES, *EXTRA), last, strict=True)
        },
        "levels": msgspec.to_builtins(newest) if newest else None,
        "composite": msgspec.to_builtins(studied.composite) if studied.composite else None,
    }


def complain(studied: Studied) -> None:
    """Say what was wrong, the first lines of it by number."""
    file = studied.file
    for problem in file.problems[:SHOWN_PROBLEMS]:
        click.echo(clean(f"{problem.file}, line {problem.line}: {problem.what}"), err=True)
    hidden = sum(file.counts.values()) - SHOWN_PROBLEMS
    if hidden > 0:
        click.echo(
            clean(f"{file.path}: {hidden} more lines with problems: {file.counts}"), err=True
        )
    if studied.outside:
        click.echo(
            clean(f"{file.path}: {studied.outside} bars outside sessions were left out"), err=True
        )
    if not studied.tick:
        click.echo(clean(f"{file.path}: no tick size, so no profile; give --tick"), err=True)


def print_newest(found: Sequence[Studied]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(title="newest values", title_justify="left")
    heads = ("symbol", "tf", "bars", "close", "ema20", "rsi14", "atr14", "adx14", "vwap", "ratio",
             "poc", "vah", "val", "swings", "gaps")  # fmt: skip
    for head in heads:
        table.add_column(head, justify="left" if head in ("symbol", "tf") else "right")
    for s in found:
        last = dict(zip((*NAMES, *EXTRA), s.values[-1].tolist(), strict=True))
        newest = s.sessions[-1].levels
        warm = len(s.starts) >= WARM_BARS
        cells = (
            s.symbol, timeframe_name(s.file.minutes), str(len(s.starts)),
            f"{s.bars[CLOSE, -1] / DIVISOR:,.2f}", _cell(last["ema20"]),
            _cell(last["rsi14"]) + ("" if warm or math.isnan(last["rsi14"]) else "~"),
            _cell(last["atr14"]), _cell(last["adx14"]), _cell(last["vwap"]),
            _cell(last["volume_ratio"]),
            *(_cell(x) for x in ((newest.poc, newest.vah, newest.val) if newest else ()) ),
            *([] if newest else ["-"] * 3), str(len(s.swings)), str(len(s.gaps)),
        )  # fmt: skip
        table.add_row(*(Text(cell) for cell in cells))
    console().print(table)
    if any(len(s.starts) < WARM_BARS for s in found):
        click.echo(f"~ fewer than {WARM_BARS} bars: Wilder's smoothing still remembers its start")


def _cell(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:,.2f}"


def console() -> Console:
    """Where tables go: as wide as the terminal, or wide enough for a file."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 150)
