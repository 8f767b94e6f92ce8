"""Warm-up: minute candles of Kite's REST history as bars of earlier sessions and of today."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np

from kitetui.engine.calendar import SEGMENTS, Calendar
from kitetui.engine.feed.batch import I64
from kitetui.engine.feed.records import HistoryAnswer
from kitetui.engine.feed.wire import DEFAULT_DIVISOR, DIVISORS
from kitetui.engine.market.bars import (
    CLOSE,
    FIELDS,
    HIGH,
    LOW,
    OI,
    OPEN,
    TICKS,
    TURNOVER,
    VOLUME,
)

IST_OFFSET_S = 19_800
DAY_S = 86_400
PRICE_MAX = 1e9
MINUTE_MAX = 1 << 27
VOLUME_MAX = 1 << 50


class PastBars(msgspec.Struct):
    """Bars of one instrument, oldest first.

    Attributes:
        starts: i64 (k,), minutes since the epoch; values: i64 (fields, k).
        slots: i64 (k,), each bar's place in its day.
        past: how many, from the front, belong to days before today.
    """

    starts: I64
    values: I64
    slots: I64
    past: int


class _Answer(msgspec.Struct):
    class Data(msgspec.Struct):
        candles: list[tuple[str, float, float, float, float, int, int]]

    data: Data


_DECODER = msgspec.json.Decoder(_Answer)


def pack_candles(
    token: int, answer: bytes, divisors: Mapping[int, int] = DIVISORS
) -> HistoryAnswer:
    """A REST answer's candles ([time, o, h, l, c, v, oi], times with +0530) as raw integers.

    Raises:
        ValueError: the answer is not of that shape.
    """
    try:
        candles = _DECODER.decode(answer).data.candles
        times, *columns_of = zip(*candles, strict=True) if candles else ((), *[()] * 6)
        local = np.array([t[:19] for t in times], "datetime64[s]").astype(np.int64)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise ValueError(f"history of {token}: not Kite's candles: {error}") from None
    prices = np.array(columns_of[:4], np.float64)
    if not (np.isfinite(prices) & (prices >= 0)).all():
        raise ValueError(f"history of {token}: a price is negative or not a number")
    if prices.size and (prices.max() > PRICE_MAX or max(map(max, columns_of[4:])) > VOLUME_MAX):
        raise ValueError(f"history of {token}: a price or volume is beyond what Kite can send")
    columns = np.empty((7, len(candles)), np.int64)
    columns[0] = (local - IST_OFFSET_S) // 60
    columns[1:5] = np.rint(prices * divisors.get(token & 0xFF, DEFAULT_DIVISOR))
    columns[5:] = np.array(columns_of[4:], np.int64)
    order = np.argsort(columns[0], kind="stable")
    return HistoryAnswer(token, columns[:, order].tobytes())


def minute_bars(answer: HistoryAnswer, segment: str, calendar: Calendar, upto: int,
                today: int) -> PastBars:  # fmt: skip
    """The candles before minute `upto` as minute bars; `today` is a day number.

    Raises:
        ValueError: the answer's columns are cut off.
    """
    columns = np.frombuffer(answer.columns, np.int64).reshape(7, -1)
    columns = columns[:, (columns[0] >= 0) & (columns[0] < min(upto, MINUTE_MAX))]
    starts = columns[0].copy()
    values = np.zeros((len(FIELDS), len(starts)), np.int64)
    values[[OPEN, HIGH, LOW, CLOSE]] = columns[1:5]
    values[VOLUME] = columns[5]
    values[OI] = columns[6]
    values[TURNOVER] = columns[5] * (columns[2:5].sum(axis=0) // 3)
    values[TICKS] = 1
    days = (starts * 60 + IST_OFFSET_S) // DAY_S
    unique, inverse = np.unique(days, return_inverse=True)
    opens = np.array(
        [s.open_s // 60 if (s := calendar.session(segment, int(d))) else 0 for d in unique],
        np.int64,
    )
    slots = starts - (opens[inverse] if len(unique) else 0)
    return PastBars(starts, values, slots, int((days < today).sum()))


def longer_bars(bars: PastBars, minutes: int) -> PastBars:
    """Minute bars as longer ones, anchored at the open; the newest may be unfinished: left out."""
    places = bars.slots // minutes
    opens = bars.starts - bars.slots
    if not len(places):
        return bars
    heads = np.flatnonzero(np.append(True, (np.diff(places) != 0) | (np.diff(opens) != 0)))
    values = np.add.reduceat(bars.values, heads, axis=1)
    tails = np.append(heads[1:], len(places)) - 1
    values[OPEN], values[CLOSE] = bars.values[OPEN, heads], bars.values[CLOSE, tails]
    values[HIGH] = np.maximum.reduceat(bars.values[HIGH], heads)
    values[LOW] = np.minimum.reduceat(bars.values[LOW], heads)
    values[OI] = bars.values[OI, tails]
    starts = (opens + places * minutes)[heads]
    past = int((heads < bars.past).sum())
    whole = len(starts) if bars.slots[-1] % minutes == minutes - 1 else len(starts) - 1
    return PastBars(starts[:whole], values[:, :whole], places[heads][:whole], min(past, whole))


def segment_of(hours: int) -> str:
    """The segment class of a row's hours number."""
    return SEGMENTS[hours]
