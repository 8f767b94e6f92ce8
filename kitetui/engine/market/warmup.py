"""Warm-up: minute candles of Kite's REST history as bars of earlier sessions and of today."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np

from kitetui.engine.calendar import DAY_S, IST_OFFSET_S, SEGMENTS, Calendar
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
    merge_runs,
)

RAW_MAX = (1 << 32) - 1
"""Prices and volumes are 32 bits on the wire, and in the history."""
MINUTE_MAX = 1 << 27


class PastBars(msgspec.Struct):
    """Bars of one length of one instrument, oldest first, all inside sessions and whole.

    Attributes:
        minutes: their length.
        starts: i64 (k,), minutes since the epoch; values: i64 (fields, k).
        opens, closes: i64 (k,), first minute of each bar's session, and the one after its last.
        past: how many, from the front, belong to days before today.
        today_open: the open minute of today's session; 0 where there is none.
        upto: minutes before this one are told.
    """

    minutes: int
    starts: I64
    values: I64
    opens: I64
    closes: I64
    past: int
    today_open: int
    upto: int

    @property
    def slots(self) -> I64:
        """Each bar's place in its session: i64 (k,)."""
        return (self.starts - self.opens) // self.minutes


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
    raw = np.rint(prices * divisors.get(token & 0xFF, DEFAULT_DIVISOR))
    counts = [n for column in columns_of[4:] for n in column]
    if raw.size and (max(raw.max(), *counts) > RAW_MAX or min(counts) < 0):
        raise ValueError(f"history of {token}: a price or volume is beyond what Kite can send")
    if (raw[2] > raw[1:].min(axis=0, initial=RAW_MAX)).any() or (raw[1] < raw.max(axis=0)).any():
        raise ValueError(f"history of {token}: a high or low does not hold its bar")
    columns = np.empty((7, len(candles)), np.int64)
    columns[0] = (local - IST_OFFSET_S) // 60
    columns[1:5] = raw
    columns[5:] = np.array(columns_of[4:], np.int64)
    order = np.argsort(columns[0], kind="stable")
    return HistoryAnswer(token, columns[:, order].tobytes())


def minute_bars(answer: HistoryAnswer, segment: str, calendar: Calendar, upto: int,
                today: int) -> PastBars:  # fmt: skip
    """The candles before minute `upto`, inside sessions, as minute bars; `today` is a day number.

    Raises:
        ValueError: the answer's columns are cut off.
    """
    columns = np.frombuffer(answer.columns, np.int64).reshape(7, -1)
    columns = columns[:, (columns[0] >= 0) & (columns[0] < min(upto, MINUTE_MAX))]
    days = (columns[0] * 60 + IST_OFFSET_S) // DAY_S
    unique, inverse = np.unique(days, return_inverse=True)
    sessions = [calendar.session(segment, int(day)) for day in unique]
    hours = np.array([(s.open_s // 60, s.close_s // 60) if s else (0, 0) for s in sessions])
    opens, closes = hours.reshape(-1, 2).astype(np.int64)[inverse].T
    inside = (columns[0] >= opens) & (columns[0] < closes)
    columns, opens, closes, days = columns[:, inside], opens[inside], closes[inside], days[inside]
    values = np.zeros((len(FIELDS), columns.shape[1]), np.int64)
    values[[OPEN, HIGH, LOW, CLOSE]] = columns[1:5]
    values[VOLUME] = columns[5]
    values[OI] = columns[6]
    values[TURNOVER] = columns[5] * (columns[2:5].sum(axis=0) // 3)
    values[TICKS] = 1
    now = calendar.session(segment, today) if today < MINUTE_MAX // 1440 else None
    return PastBars(
        minutes=1,
        starts=columns[0].copy(),
        values=values,
        opens=opens,
        closes=closes,
        past=int((days < today).sum()),
        today_open=now.open_s // 60 if now else 0,
        upto=upto,
    )


def longer_bars(bars: PastBars, minutes: int) -> PastBars:
    """Minute bars as longer ones, anchored at the open; one that may still grow is left out."""
    if not len(bars.starts):
        return msgspec.structs.replace(bars, minutes=minutes)
    places = bars.opens + (bars.starts - bars.opens) // minutes * minutes
    heads = np.flatnonzero(np.append(True, np.diff(places) != 0))
    starts, closes = places[heads], bars.closes[heads]
    whole = int((np.minimum(starts + minutes, closes) <= bars.upto).sum())
    return PastBars(
        minutes=minutes,
        starts=starts[:whole],
        values=merge_runs(bars.values, heads)[:, :whole],
        opens=bars.opens[heads][:whole],
        closes=closes[:whole],
        past=min(int((heads < bars.past).sum()), whole),
        today_open=bars.today_open,
        upto=bars.upto,
    )


def segment_of(hours: int) -> str:
    """The segment class of a row's hours number."""
    return SEGMENTS[hours]
