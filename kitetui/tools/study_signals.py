"""What fired over a bar file, and what became of it."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec
import numpy as np

from kitetui.engine.alerts.barriers import Outcome
from kitetui.engine.alerts.line import Line
from kitetui.engine.alerts.null import MatchedNull
from kitetui.engine.alerts.scoreboard import Scoreboard, Waiting
from kitetui.engine.calendar import ist
from kitetui.engine.feed.batch import F64, I64
from kitetui.engine.flow.derived import Derived
from kitetui.engine.market.bars import CLOSE, HIGH, LOW, OPEN
from kitetui.engine.market.indicators import ATR_BEFORE
from kitetui.engine.market.market import Market
from kitetui.engine.patterns.firing import Fired
from kitetui.places import private
from kitetui.settings import OutcomeSettings
from kitetui.tools.ranges import AHEAD, Ranges
from kitetui.tools.walk_forward import WalkForward

HEAD = ("ts", "timeframe", "pattern", "side", "entry", "target", "stop", "horizon_bars", "score",
        "confidence", "null", "p_hit", "outcome", "bars", "exit", "r", "best_r", "worst_r",
        "tags")  # fmt: skip
_ROW = np.array([0])
_NULL = HEAD.index("null")
_CHANCE = HEAD.index("p_hit")
_ENDED = slice(HEAD.index("outcome"), HEAD.index("tags"))


class _Series:
    """The bars of one timeframe as they closed."""

    def __init__(self) -> None:
        self.start: list[int] = []
        self.values: list[I64] = []
        self.atr: list[float] = []


class _Measured(msgspec.Struct):
    """A timeframe's bars as what firings are measured by."""

    start: I64
    null: MatchedNull
    ranges: Ranges


class Signals:
    """All firings of one file, oldest first.

    Attributes:
        lines: in the order of `HEAD`; of an open outcome its columns are empty.
    """

    def __init__(self, market: Market, asset_class: str, settings: OutcomeSettings) -> None:
        self.lines: list[list[Any]] = []
        self._market = market
        self._asset_class = asset_class
        self._force_close_min = settings.force_close_min
        self._cost = settings.costs_pct[asset_class] / 100
        self._place: dict[int, int] = {}
        self._series: dict[str, _Series] = {}
        self._derived: list[Derived] = []

    def take(self, derived: Derived) -> None:
        """What one bar led to."""
        self._note_bars(derived)
        if derived.fired or derived.resolved:
            self._derived.append(derived)
        for resolved in derived.resolved:
            for at, number in enumerate(resolved.number.tolist()):
                self.lines[self._place.pop(number)][_ENDED] = [
                    Outcome(int(resolved.outcome[at])).name.lower(), int(resolved.bars[at]),
                    *(round(float(column[at]), 4) for column in (
                        resolved.exit, resolved.r, resolved.best_r, resolved.worst_r)),
                ]  # fmt: skip
        for followed in derived.fired:
            fired, hits = followed.fired, followed.fired.hits
            for at, number in enumerate(followed.number.tolist()):
                side, entry = int(hits.side[at]), float(fired.entry[at])
                if number >= 0:
                    self._place[number] = len(self.lines)
                self.lines.append([
                    f"{ist(fired.start * 60):%Y-%m-%d %H:%M:%S}", fired.timeframe, fired.label(at),
                    side, entry, round(entry + side * float(fired.target[at]), 4),
                    round(entry - side * float(fired.stop[at]), 4), fired.settings.horizon_bars,
                    round(float(fired.score[at]), 4), round(float(followed.rank[at]), 4),
                    round(float(followed.null[at]), 4), *[""] * 7, " ".join(hits.tags[at]),
                ])  # fmt: skip

    def _note_bars(self, derived: Derived) -> None:
        frames = {frame.name: frame for frame in self._market.frames.values()}
        for name, bars in derived.bars:
            series = self._series.setdefault(name, _Series())
            series.start.append(bars.start)
            series.values.append(bars.values[[OPEN, HIGH, LOW, CLOSE], 0])
            series.atr.append(float(frames[name].indicators.value(ATR_BEFORE, _ROW)[0]))

    def board(self, everything: Scoreboard, token: int) -> list[Line]:
        """The scoreboard, every firing beside its own matched null; fills the lines in.

        Chances are told walking forward: from outcomes that were known a whole session before.

        Args:
            everything: of all series together, is told the same; token: names this one in it.
        """
        measured = {name: self._measured(series) for name, series in self._series.items()}
        own, forward = Scoreboard(), WalkForward()
        waiting: dict[int, Waiting] = {}
        place = 0
        for derived in self._derived:
            for resolved in derived.resolved:
                forward.take(resolved)
                for number, outcome, r, bars in zip(
                    resolved.number.tolist(), resolved.outcome.tolist(), resolved.r.tolist(),
                    resolved.bars.tolist(), strict=True,
                ):  # fmt: skip
                    of = waiting.pop(number)
                    for board in (own, everything):
                        board.add(of, outcome, r, bars)
            for followed in derived.fired:
                fired = followed.fired
                of_frame = measured[fired.timeframe]
                matched = self._matched(fired, of_frame)
                for at, null in enumerate(matched.tolist()):
                    line = self.lines[place + at]
                    key = (fired.label(at), fired.timeframe, self._asset_class)
                    score, number = float(fired.score[at]), int(followed.number[at])
                    chance = forward.chance(key, fired.start, score, float(followed.null[at]))
                    line[_NULL] = round(null, 4) if math.isfinite(null) else ""
                    line[_CHANCE] = round(chance, 4) if math.isfinite(chance) else ""
                    if number < 0:
                        if not fired.hits.side[at]:
                            self._range(fired, at, of_frame, (own, everything), token)
                        continue
                    forward.expect(number, key, fired.start, score)
                    stop = float(fired.stop[at])
                    waiting[number] = Waiting(
                        key, token, fired.start * 60, null, chance, float(fired.target[at]) / stop,
                        self._cost * float(fired.entry[at]) / stop,
                    )  # fmt: skip
                place += len(matched)
        return own.lines()

    def _range(self, fired: Fired, at: int, of: _Measured, boards: Iterable[Scoreboard],
               token: int) -> None:  # fmt: skip
        """A firing without a side: whether prices moved farther after it than usual."""
        bar = int(np.searchsorted(of.start, fired.start))
        moved = of.ranges.moved(bar)
        if moved is None:
            return
        key = (f"{fired.label(at)} range", fired.timeframe, self._asset_class)
        nan = math.nan
        told = Waiting(key, token, fired.start * 60, of.ranges.null(bar), nan, nan, nan)
        for board in boards:
            board.add(told, Outcome.TARGET if moved else Outcome.TIMEOUT, nan, AHEAD)

    def _measured(self, series: _Series) -> _Measured:
        start = np.array(series.start, np.int64)
        hours = [self._market.session_minutes(int(s), _ROW) for s in start.tolist()]
        opens, closes = (np.array([int(h[k][0]) for h in hours], np.int64) for k in (0, 1))
        allowed = start < closes - self._force_close_min
        number = np.arange(len(start))
        # The last allowed bar of each session, told to all of its bars.
        sessions, place = np.unique(opens, return_inverse=True)
        last = np.full(len(sessions), -1, np.int64)
        np.maximum.at(last, place[allowed], number[allowed])
        prices = np.array(series.values).T / float(self._market.rows.divisor[0])
        tick = max(int(self._market.rows.tick[0]), 1) / float(self._market.rows.divisor[0])
        minute, ends = start - opens, last[place]
        null = MatchedNull(prices, np.array(series.atr), minute, ends, tick)
        return _Measured(start, null, Ranges(prices, minute, ends))

    def _matched(self, fired: Fired, of: _Measured) -> F64:
        bar = int(np.searchsorted(of.start, fired.start))
        return np.array([
            of.null.rate(bar, side, float(fired.target[at]), float(fired.stop[at]),
                      fired.settings.horizon_bars) if side else math.nan
            for at, side in enumerate(fired.hits.side.tolist())
        ])  # fmt: skip


def write_signals(symbol: str, signals: Signals, board: Sequence[Line], digest: str,
                  folder: Path) -> None:  # fmt: skip
    """SYMBOL.signals.csv, SYMBOL.scoreboard.csv and .json."""
    _table(folder / f"{symbol}.signals.csv", HEAD, signals.lines)
    write_board(f"{symbol}.scoreboard", board, digest, folder)


def write_board(name: str, board: Sequence[Line], digest: str, folder: Path) -> None:
    """NAME.csv, and NAME.json with the digest of the parameters."""
    lines = ([_plain(value) for value in msgspec.structs.astuple(line)] for line in board)
    _table(folder / f"{name}.csv", Line.__struct_fields__, lines)
    with open(folder / f"{name}.json", "w", opener=private) as file:
        told = [{k: _plain(v, None) for k, v in msgspec.structs.asdict(line).items()}
                for line in board]  # fmt: skip
        json.dump({"parameters": digest, "lines": told}, file, indent=1)


def _table(path: Path, head: Sequence[str], lines: Iterable[Sequence[Any]]) -> None:
    with open(path, "w", newline="", opener=private) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(head)
        writer.writerows(lines)


def _plain(value: Any, undefined: Any = "") -> Any:
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else undefined
    return value


def print_board(board: Sequence[Line], of: str, digest: str) -> None:
    """The scoreboard on the screen; rates never without their interval and the null."""
    from rich.table import Table
    from rich.text import Text

    from kitetui.tools.study_report import console

    table = Table(title=f"scoreboard of {of}, parameters {digest}", title_justify="left")
    heads = ("pattern", "tf", "class", "n", "hit", "95 %", "null", "lift", "R net", "R 95 %",
             "skill", "time", "80 %")  # fmt: skip
    for head in heads:
        table.add_column(head, justify="left" if head in ("pattern", "tf", "class") else "right")
    for line in board:
        cells = (
            line.pattern, line.timeframe, line.asset_class, str(line.n), _share(line.rate),
            f"{line.low:.2f}-{line.high:.2f}", _share(line.null),
            _share(line.lift) + ("*" if line.notable else ""),
            _share(line.expectancy_r, "+.2f"),
            f"{_share(line.expectancy_low, '+.2f')}..{_share(line.expectancy_high, '+.2f')}",
            _share(line.skill, "+.2f"), _share(line.timeouts), "yes" if line.claim else "-",
        )  # fmt: skip
        table.add_row(*(Text(cell) for cell in cells))
    console().print(table)
    click.echo(
        "hit: target before stop, timeouts are misses; null: the share of all bars of the same "
        "half-hour that hit by the same rule, * beyond chance at 10 % false discoveries; R after "
        "costs, 95 % by whole sessions; skill: of the chances told, against the base rate"
    )


def _share(value: float, form: str = ".2f") -> str:
    return format(value, form) if math.isfinite(value) else "-"
