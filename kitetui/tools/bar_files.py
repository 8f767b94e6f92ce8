"""Bar files: CSV and Parquet to series of bars, every line that is wrong named or repaired."""

from __future__ import annotations

import csv
import gzip
import math
import re
import zlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from kitetui.engine.calendar import IST_OFFSET_S
from kitetui.engine.feed.batch import I64, Bool
from kitetui.engine.market.bars import CLOSE, FIELDS, HIGH, LOW, OI, OPEN, TICKS, TURNOVER, VOLUME
from kitetui.engine.market.profile import FARTHEST
from kitetui.engine.market.warmup import RAW_MAX

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "time": ("ts", "time", "timestamp", "datetime", "date", "start_s"),
    "open": ("open", "o"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "close": ("close", "c"),
    "volume": ("volume", "v", "vol"),
    "oi": ("oi", "open_interest"),
    "symbol": ("symbol", "tradingsymbol"),
    "timeframe": ("timeframe",),
}
REQUIRED = ("time", "open", "high", "low", "close")
PRICES = ("open", "high", "low", "close")
BYTES_MAX = 1 << 30
SECONDS_MAX = 1 << 33
DIGITS_MAX = 15
PROBLEMS_KEPT = 1000
SYMBOLS_MAX = 1000
UNSAFE = re.compile(r"[^A-Za-z0-9_&-]")
"""What a symbol may not bring into the name of a file."""
NOT_CSV = (UnicodeDecodeError, csv.Error, EOFError, zlib.error, gzip.BadGzipFile)


class BadBars(Exception):
    """A file that holds no bars that could be used; names the file and what was found."""


class Problem(msgspec.Struct, frozen=True):
    """A line that is wrong, and what was done with it."""

    file: str
    line: int
    what: str


class BarFile(msgspec.Struct):
    """Bars of one symbol of one file, oldest first.

    Attributes:
        symbol: where the file holds several, the one of these; else the file's name up to its
            first point. name: the same, fit for a file's name.
        starts: i64 (k,), minutes since the epoch; values: i64 (fields, k), raw.
        minutes: length of a bar; problems: lines that were left out or repaired.
        counts: problems by kind, also those beyond the ones kept.
    """

    path: Path
    symbol: str
    name: str
    starts: I64
    values: I64
    minutes: int
    problems: list[Problem]
    counts: dict[str, int]


def read_bar_file(path: Path, divisor: int, minutes: int | None, ends: bool) -> list[BarFile]:
    """Read one file: a series for each symbol it names, in their order.

    Where a file holds bars of several timeframes, those of `minutes` count, or one-minute bars.

    Left out: prices that are no positive numbers, negative volumes, a high below or a low above
    what it must hold, times that cannot be read, lone prices twenty times off their neighbours.
    Repaired: bars out of order are sorted; of bars with the same time the last counts.

    Args:
        divisor: raw units in a rupee.
        minutes: length of a bar; None takes the commonest distance of two.
        ends: whether times tell where a bar ends.

    Raises:
        BadBars: unreadable, columns missing, or nothing left.
    """
    columns, lines = _lines(path)
    found: dict[str, _Series] = {}
    symbol, timeframe = columns.get("symbol"), columns.get("timeframe")
    for number, line in lines:
        if timeframe is not None and line[timeframe] != f"{minutes or 1}m":
            continue
        name = str(line[symbol]) if symbol is not None else ""
        series = found.get(name)
        if series is None:
            if len(found) == SYMBOLS_MAX:
                raise BadBars(f"{path}: names more than {SYMBOLS_MAX} symbols; split it")
            series = found[name] = _Series(path)
        bar = _bar(line, columns, divisor)
        if isinstance(bar, str):
            series.problems.add(number, bar, "left out")
            continue
        series.rows.append(bar)
        series.at_lines.append(number)
    if not any(series.rows for series in found.values()):
        told = [problem for series in found.values() for problem in series.problems.kept]
        raise BadBars(f"{path}: no line holds a bar that can be used"
                      + (f"; {told[0].what} in line {told[0].line}" if told else ""))  # fmt: skip
    own = path.name.split(".")[0]
    return [
        _bars(path, name if len(found) > 1 else own, series, minutes, ends)
        for name, series in found.items()
        if series.rows
    ]


class _Series:
    """The lines of one symbol."""

    def __init__(self, path: Path) -> None:
        self.problems = _Problems(path)
        self.rows: list[tuple[int, ...]] = []
        self.at_lines: list[int] = []


def _bars(path: Path, symbol: str, series: _Series, minutes: int | None, ends: bool) -> BarFile:
    problems, rows, at_lines = series.problems, series.rows, series.at_lines
    table = np.array(rows, np.int64).T
    number_of = np.array(at_lines)
    order = np.argsort(table[0], kind="stable")
    for at in np.flatnonzero(np.diff(table[0]) < 0).tolist():
        problems.add(at_lines[at + 1], "earlier than the line before", "sorted")
    table, number_of = table[:, order], number_of[order]
    again = np.append(table[0, 1:] == table[0, :-1], False)
    for at in np.flatnonzero(again).tolist():
        problems.add(int(number_of[at]), "the same time as a later line", "left out")
    table, number_of = table[:, ~again], number_of[~again]
    absurd = _absurd(table)
    for at in np.flatnonzero(absurd).tolist():
        problems.add(int(number_of[at]), "far from the bars on both sides", "left out")
    table = table[:, ~absurd]
    length = minutes or _length(table[0], path)
    starts = table[0] // 60 - (length if ends else 0)
    values = np.zeros((len(FIELDS), len(starts)), np.int64)
    values[[OPEN, HIGH, LOW, CLOSE, VOLUME, OI]] = table[1:7]
    values[TURNOVER] = values[VOLUME] * (values[[HIGH, LOW, CLOSE]].sum(axis=0) // 3)
    values[TICKS] = 1
    return BarFile(
        path,
        symbol,
        UNSAFE.sub("_", symbol)[:64],
        starts,
        values,
        length,
        problems.kept,
        problems.counts,
    )


class _Problems:
    """What was wrong in a file; the first ones by line, all by kind."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.kept: list[Problem] = []
        self.counts: dict[str, int] = {}

    def add(self, line: int, what: str, done: str) -> None:
        kind = f"{what.partition(':')[0]}, {done}"
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if len(self.kept) < PROBLEMS_KEPT:
            self.kept.append(Problem(str(self._path), line, f"{what}; {done}"))


def _bar(line: Mapping[str, Any], columns: Mapping[str, str], divisor: int) -> (
        tuple[int, ...] | str):  # fmt: skip
    """Second, raw prices, volume, open interest; or what is wrong."""
    second = _second(line[columns["time"]])
    if second is None:
        return f"time cannot be read: {str(line[columns['time']])[:40]!r}"
    prices = []
    for name in PRICES:
        price = _number(line[columns[name]])
        if price is None or price <= 0 or price * divisor > RAW_MAX:
            return f"{name} is no positive price: {str(line[columns[name]])[:40]!r}"
        prices.append(round(price * divisor))
    counts = []
    for name in ("volume", "oi"):
        value = _number(line[columns[name]]) if name in columns else 0.0
        if value is None or value < 0 or value > RAW_MAX:
            return f"{name} is no count: {str(line[columns[name]])[:40]!r}"
        counts.append(int(value))
    open_, high, low, close = prices
    if high < max(open_, close, low):
        return "high is below another price"
    if low > min(open_, close):
        return "low is above another price"
    return (second, *prices, *counts)


def _number(value: Any) -> float | None:
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found if math.isfinite(found) else None


def _second(value: Any) -> int | None:
    """An epoch second; texts and times without a zone are Indian time."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if not 0 <= value < SECONDS_MAX * 1000:
            return None
        return int(value) if value < 1e11 else int(value) // 1000
    if not isinstance(value, datetime):
        text = str(value).strip()
        if text.isdecimal():
            return _second(int(text)) if len(text) <= DIGITS_MAX else None
        try:
            value = datetime.fromisoformat(text)
        except ValueError:
            return None
    if value.tzinfo is None:
        second = int((value - datetime(1970, 1, 1)).total_seconds()) - IST_OFFSET_S
    else:
        second = int(value.timestamp())
    return second if 0 <= second < SECONDS_MAX else None


def _absurd(table: I64) -> Bool:
    """Lone bars whose high or low no neighbour comes near; a new level of prices is none.

    A wrong digit would stay in every moving average for days.
    """
    high, low, close = table[2], table[3], table[4].astype(np.float64)
    if len(close) < 3:
        return np.zeros(len(close), np.bool_)
    before = np.append(close[1], close[:-1])
    after = np.append(close[1:], close[-2])
    far: Bool = high > FARTHEST * np.maximum(before, after)
    far |= low * FARTHEST < np.minimum(before, after)
    return far


def _length(seconds: I64, path: Path) -> int:
    if len(seconds) < 2:
        return 1
    distances, counts = np.unique(np.diff(seconds), return_counts=True)
    usual = int(distances[counts.argmax()])
    if usual < 60:
        raise BadBars(f"{path}: bars of {usual} s; the shortest known are of one minute")
    return usual // 60


def _lines(path: Path) -> tuple[dict[str, str], Iterator[tuple[int, Mapping[str, Any]]]]:
    """Our names to the file's columns, and its lines with their numbers."""
    try:
        if path.stat().st_size > BYTES_MAX:
            raise BadBars(f"{path}: larger than {BYTES_MAX} bytes; split it")
        if path.name.endswith(".parquet"):
            return _parquet(path)
        return _csv(path)
    except OSError as error:
        raise BadBars(f"{path}: cannot be read: {error.strerror or error}") from None


def _csv(path: Path) -> tuple[dict[str, str], Iterator[tuple[int, Mapping[str, Any]]]]:
    opener: Any = gzip.open if path.name.endswith(".gz") else open
    try:
        with opener(path, "rt", encoding="utf-8-sig", newline="") as file:
            columns = _columns(path, csv.DictReader(file).fieldnames or [])
    except NOT_CSV as error:
        raise BadBars(f"{path}: is not CSV: {error}") from None

    def lines() -> Iterator[tuple[int, Mapping[str, Any]]]:
        with opener(path, "rt", encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            try:
                for line in reader:
                    yield reader.line_num, line
            except NOT_CSV as error:
                raise BadBars(f"{path}, line {reader.line_num}: is not CSV: {error}") from None

    return columns, lines()


def _parquet(path: Path) -> tuple[dict[str, str], Iterator[tuple[int, Mapping[str, Any]]]]:
    from kitetui.engine.arrow import pa, pq

    try:
        data = pq.read_table(path)
    except (pa.ArrowException, ValueError) as error:
        raise BadBars(f"{path}: is not Parquet: {str(error).splitlines()[0][:160]}") from None
    columns = _columns(path, data.column_names)

    def lines() -> Iterator[tuple[int, Mapping[str, Any]]]:
        number = 0
        for batch in data.select(list(columns.values())).to_batches(max_chunksize=10_000):
            try:
                lines = batch.to_pylist()
            except (pa.ArrowException, ValueError, OverflowError) as error:
                raise BadBars(f"{path}, line {number + 1}: {error}") from None
            for line in lines:
                number += 1
                yield number, line

    return columns, lines()


def _columns(path: Path, found: Any) -> dict[str, str]:
    lowered = {str(name).strip().lower(): str(name) for name in found}
    columns = {
        ours: lowered[alias]
        for ours, aliases in COLUMNS.items()
        for alias in aliases[::-1]
        if alias in lowered
    }
    missing = [f"{name} ({' or '.join(COLUMNS[name])})" for name in REQUIRED if name not in columns]
    if missing:
        raise BadBars(
            f"{path}: lacks {', '.join(missing)}; found {', '.join(lowered)[:200] or 'no columns'}"
        )
    return columns
