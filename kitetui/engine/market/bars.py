"""Bars as columns: their fields, bars that closed together, and how two become one."""

from __future__ import annotations

from enum import IntFlag

import msgspec
import numpy as np

from kitetui.engine.feed.batch import I64

FIELDS = ("open", "high", "low", "close", "volume", "buy", "sell", "turnover", "oi", "ticks",
          "flags", "largest")  # fmt: skip
"""Columns of a bar, integers: raw prices; shares; turnover = sum of price times shares;
`largest` is the biggest volume increment of one tick."""
OPEN, HIGH, LOW, CLOSE, VOLUME, BUY, SELL, TURNOVER, OI, TICKS, FLAGS, LARGEST = range(12)


class BarFlag(IntFlag):
    """What is known to be wrong with a bar; `BACKFILLED` ones are the exchange's own."""

    VOLUME_UNCERTAIN = 1
    AFTER_GAP = 2
    BACKFILLED = 4


def span(rows: I64) -> I64 | slice:
    """Ascending rows as a slice where they have no holes: numpy moves a slice much faster."""
    if len(rows) and rows[-1] - rows[0] == len(rows) - 1:
        return slice(int(rows[0]), int(rows[-1]) + 1)
    return rows


class ClosedBars(msgspec.Struct):
    """Bars of one period that closed together.

    Attributes:
        start: their first minute (minutes since the epoch).
        rows: i64 (n,), ascending.
        values: i64 (len(FIELDS), n).
    """

    start: int
    rows: I64
    values: I64


def merge(earlier: I64, later: I64) -> I64:
    """Two adjacent bars (or columns of bars) as one: i64 (fields, ...)."""
    out = earlier + later
    out[OPEN] = earlier[OPEN]
    out[HIGH] = np.maximum(earlier[HIGH], later[HIGH])
    out[LOW] = np.minimum(earlier[LOW], later[LOW])
    out[CLOSE] = later[CLOSE]
    out[OI] = later[OI]
    out[FLAGS] = earlier[FLAGS] | later[FLAGS]
    out[LARGEST] = np.maximum(earlier[LARGEST], later[LARGEST])
    return out


def merge_runs(values: I64, heads: I64) -> I64:
    """Adjacent bars i64 (fields, n), merged from each of `heads` up to the next."""
    tails = np.append(heads[1:], values.shape[1]) - 1
    out = np.add.reduceat(values, heads, axis=1)
    out[OPEN], out[CLOSE], out[OI] = values[OPEN, heads], values[CLOSE, tails], values[OI, tails]
    out[HIGH] = np.maximum.reduceat(values[HIGH], heads)
    out[LOW] = np.minimum.reduceat(values[LOW], heads)
    out[FLAGS] = np.bitwise_or.reduceat(values[FLAGS], heads)
    out[LARGEST] = np.maximum.reduceat(values[LARGEST], heads)
    return out
