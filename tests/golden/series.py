"""Bar files as columns, and bars put through a timeframe one by one."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec
import numpy as np

from kitetui.engine.feed.batch import I64
from kitetui.engine.market.bars import CLOSE, FIELDS, HIGH, LOW, OPEN, VOLUME, ClosedBars
from kitetui.engine.market.instruments import Instrument, Rows
from kitetui.engine.market.timeframe import Timeframe

ZERO = np.array([0])
IST_MINUTES = 330
OPEN_MINUTE = 9 * 60 + 15
SYMBOL = Instrument(token=257, tradingsymbol="TEST", exchange="NSE", tick_size=0.05, lot_size=1)


class Bars(msgspec.Struct):
    """starts: i64 (k,); values: i64 (fields, k), raw in paise; opens: i64 (k,)."""

    starts: I64
    values: I64
    opens: I64
    text: list[str]


def read_bars(path: Path) -> Bars:
    """A golden bar file."""
    with path.open() as file:
        lines = list(csv.DictReader(file))
    starts = np.array([int(datetime.fromisoformat(x["ts"]).timestamp()) // 60 for x in lines])
    values = np.zeros((len(FIELDS), len(lines)), np.int64)
    for field, name in ((OPEN, "open"), (HIGH, "high"), (LOW, "low"), (CLOSE, "close")):
        values[field] = [round(float(x[name]) * 100) for x in lines]
    values[VOLUME] = [int(float(x["volume"])) for x in lines]
    days = (starts + IST_MINUTES) // 1440
    opens = days * 1440 - IST_MINUTES + OPEN_MINUTE
    return Bars(starts, values, opens, [x["ts"] for x in lines])


def timeframe(minutes: int) -> Timeframe:
    """An empty timeframe of one row."""
    rows = Rows(1)
    rows.add([SYMBOL])
    return Timeframe(minutes, rows)


def play(bars: Bars, minutes: int) -> Iterator[tuple[int, Timeframe]]:
    """Commit one bar after the other; yields (number, timeframe) after each."""
    frame = timeframe(minutes)
    for at, start in enumerate(bars.starts.tolist()):
        closed = ClosedBars(start, ZERO, bars.values[:, at : at + 1])
        frame.commit(closed, bars.opens[at : at + 1])
        yield at, frame


def read_csv(path: Path) -> list[dict[str, str]]:
    """The lines of a golden file."""
    with path.open() as file:
        return list(csv.DictReader(file))
