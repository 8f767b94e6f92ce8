"""Indicators over rows, advanced on bar close only. Undefined is NaN, never 0 or 50.

Recursive ones match TA-Lib 0.8 to the last digits: seeded with the mean of their first values
(Wilder, New Concepts in Technical Trading Systems, 1978; EMA seeded by its simple mean).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from kitetui.engine.feed.batch import F64, I64, Bool

EMA_SPANS = (5, 9, 20, 50)
WILDER = 14
WARM_BARS = 250
"""Bars after which Wilder's smoothing no longer remembers where it began (2e-7 RSI points)."""
NOTHING = 1e-14
"""Below this, TA-Lib takes a smoothed sum as zero."""

NAMES = ("ema5", "ema9", "ema20", "ema50", "rsi14", "atr14", "atr14_before", "adx14", "plus_di14",
         "minus_di14", "vwap", "vwap_sd")  # fmt: skip
"""Prices in rupees, ADX, DI and RSI from 0 to 100. `atr14_before` is the ATR as it stood before
the newest bar, so that a rule about that bar does not measure it with itself."""
EMA5, EMA9, EMA20, EMA50, RSI, ATR, ATR_BEFORE, ADX, PLUS_DI, MINUS_DI, VWAP, VWAP_SD = range(12)
EVERY = range(len(NAMES))

_STATE = 20
(_EMA, _CLOSES, _CLOSE, _HIGH, _LOW, _GAIN, _LOSS, _ATR, _PLUS, _MINUS, _RANGE, _ADX, _SPENT,
 _SHARES, _SQUARES, _ATR_BEFORE, _ANCHOR) = (
    0, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19)  # fmt: skip


class Closed(msgspec.Struct):
    """One bar of each of n rows: f64 (n,), rupees and shares; `day`: i64 (n,) or one for all.

    `day` is any number that tells sessions apart: VWAP begins anew when it changes.
    """

    high: F64
    low: F64
    close: F64
    volume: F64
    day: I64


class Indicators:
    """EMA 5/9/20/50, RSI, ATR and ADX 14, session VWAP with its deviation; for all rows.

    Attributes:
        bars: i64 (rows,), bars ever taken.
    """

    def __init__(self, capacity: int) -> None:
        self.bars: I64 = np.zeros(capacity, np.int64)
        self._day: I64 = np.full(capacity, -1, np.int64)
        self._state: F64 = np.zeros((_STATE, capacity))

    def advance(self, rows: I64 | slice, closed: Closed) -> None:
        """Commit one closed bar of each row."""
        bars = self.bars[rows] + 1
        self._state[:, rows] = _step(self._state[:, rows], bars, self._day[rows], closed)
        self.bars[rows] = bars
        self._day[rows] = closed.day

    def peek(self, rows: I64, forming: Closed, names: Sequence[int] = EVERY) -> F64:
        """The values as if the forming bars closed now; commits nothing: f64 (len(names), n)."""
        bars = self.bars[rows] + 1
        return _values(_step(self._state[:, rows], bars, self._day[rows], forming), bars, names)

    def values(self, rows: I64 | slice, names: Sequence[int] = EVERY) -> F64:
        """The committed values: f64 (len(names), n), NaN where undefined."""
        return _values(self._state[:, rows], self.bars[rows], names)

    def value(self, name: int, rows: I64) -> F64:
        """One committed value: f64 (n,)."""
        return _value(name, self._state[:, rows], self.bars[rows])

    def rsi_before(self, rows: I64, close: F64) -> F64:
        """RSI after each of the newest bars, oldest first: f64 (k, n), NaN where undefined.

        Wilder's step taken backwards from the committed averages, exact to rounding.

        Args:
            close: f64 (k, n), the newest closes, oldest first.
        """
        gain, loss = self._state[_GAIN, rows], self._state[_LOSS, rows]
        out = np.empty_like(close)
        for at in range(len(close) - 1, -1, -1):
            total = gain + loss
            settled = (self.bars[rows] - (len(close) - 1 - at) > WILDER + 1) & (total > NOTHING)
            with np.errstate(divide="ignore", invalid="ignore"):
                out[at] = np.where(settled, 100.0 * (gain / total), np.nan)
            if at:
                change = close[at] - close[at - 1]
                gain = (WILDER * gain - np.maximum(change, 0.0)) / (WILDER - 1)
                loss = (WILDER * loss - np.maximum(-change, 0.0)) / (WILDER - 1)
        return out

    def warm(self, rows: I64) -> Bool:
        """Whether Wilder's smoothing has settled: bool (n,)."""
        return self.bars[rows] >= WARM_BARS

    def session(self, row: int) -> tuple[float, float]:
        """Shares of a row's session up to its last bar, and what they cost."""
        shares = float(self._state[_SHARES, row])
        cost = float(self._state[_ANCHOR, row]) * shares + float(self._state[_SPENT, row])
        return shares, cost

    def put(self, row: int, learned: Learned) -> None:
        """Give one row the state that `learn` made."""
        self._state[:, row] = learned.state
        self.bars[row] = learned.bars
        self._day[row] = learned.day


class Learned(msgspec.Struct):
    """The state that a sequence of bars leads to."""

    state: F64
    bars: int
    day: int


def learn(closed: Closed) -> Learned:
    """What one row's bars lead to, oldest first: the very steps of `advance`, bar by bar.

    Written out for plain numbers: a row's history is a few hundred bars, and an array of one
    costs as much a step as an array of thousands.
    """
    ema = [0.0] * len(EMA_SPANS)
    closes = last = high = low = 0.0
    gain = loss = atr = atr_before = 0.0
    plus = minus = ranged = adx = 0.0
    spent = shares = squares = anchor = 0.0
    day = -1
    bars = 0
    columns = (closed.high, closed.low, closed.close, closed.volume, closed.day)
    for h, lo, c, v, on in zip(*(column.tolist() for column in columns), strict=True):
        bars += 1
        closes += c
        for at, span in enumerate(EMA_SPANS):
            held = ema[at]
            ema[at] = held + 2.0 / (span + 1) * (c - held) if bars > span else closes / span
        atr_before = atr
        if bars > 1:
            change = c - last
            true_range = max(h, last) - min(lo, last)
            up, down = h - high, low - lo
            gain = _smoothed(gain, max(change, 0.0), bars)
            loss = _smoothed(loss, max(-change, 0.0), bars)
            atr = _smoothed(atr, true_range, bars)
            plus = _decayed(plus, up if up > 0 and up > down else 0.0, bars)
            minus = _decayed(minus, down if down > 0 and down > up else 0.0, bars)
            ranged = _decayed(ranged, true_range, bars)
            if bars > WILDER:
                adx = _learned_adx(adx, plus, minus, ranged, bars)
        typical = (h + lo + c) / 3.0
        if on != day:
            day, anchor = int(on), typical
            spent = shares = squares = 0.0
        typical -= anchor
        spent += typical * v
        shares += v
        squares += typical * v * typical
        last, high, low = c, h, lo
    state = np.zeros(_STATE)
    state[_EMA : _EMA + len(EMA_SPANS)] = ema
    state[[_CLOSES, _CLOSE, _HIGH, _LOW, _GAIN, _LOSS, _ATR, _PLUS, _MINUS, _RANGE, _ADX, _SPENT,
           _SHARES, _SQUARES, _ATR_BEFORE, _ANCHOR]] = (
        closes, last, high, low, gain, loss, atr, plus, minus, ranged, adx, spent, shares,
        squares, atr_before, anchor,
    )  # fmt: skip
    return Learned(state, bars, day)


def _smoothed(held: float, x: float, bars: int) -> float:
    if bars > WILDER + 1:
        return ((WILDER - 1) * held + x) / WILDER
    return (held + x) / WILDER if bars == WILDER + 1 else held + x


def _decayed(held: float, x: float, bars: int) -> float:
    return (held - held / WILDER if bars > WILDER else held) + x


def _learned_adx(adx: float, plus: float, minus: float, ranged: float, bars: int) -> float:
    if ranged > NOTHING:
        plus, minus = 100.0 * (plus / ranged), 100.0 * (minus / ranged)
    told = ranged > NOTHING and plus + minus > NOTHING
    dx = 100.0 * (abs(minus - plus) / (plus + minus)) if told else 0.0
    if bars <= 2 * WILDER:
        return (adx + dx) / WILDER if bars == 2 * WILDER else adx + dx
    return ((WILDER - 1) * adx + dx) / WILDER if told else adx


def _step(s: F64, bars: I64, day: I64, closed: Closed) -> F64:
    """State after one more bar; `bars` counts it: f64 (_STATE, n)."""
    high, low, close, volume = closed.high, closed.low, closed.close, closed.volume
    out = np.empty_like(s)
    first = bars == 1
    out[_CLOSE], out[_HIGH], out[_LOW] = close, high, low
    np.add(s[_CLOSES], close, out=out[_CLOSES])
    for at, span in enumerate(EMA_SPANS):
        held = s[_EMA + at]
        moved = held + 2.0 / (span + 1) * (close - held)
        seeded = out[_CLOSES] / span
        out[_EMA + at] = np.where(bars > span, moved, seeded)

    change = close - s[_CLOSE]
    change[first] = 0.0
    _smooth(s, out, _GAIN, np.maximum(change, 0.0), bars)
    _smooth(s, out, _LOSS, np.maximum(-change, 0.0), bars)
    true_range = np.maximum(high, s[_CLOSE]) - np.minimum(low, s[_CLOSE])
    true_range[first] = 0.0
    out[_ATR_BEFORE] = s[_ATR]
    _smooth(s, out, _ATR, true_range, bars)

    up, down = high - s[_HIGH], s[_LOW] - low
    later = ~first
    plus = np.where(later & (up > 0) & (up > down), up, 0.0)
    minus = np.where(later & (down > 0) & (down > up), down, 0.0)
    _decay(s, out, _PLUS, plus, bars)
    _decay(s, out, _MINUS, minus, bars)
    _decay(s, out, _RANGE, true_range, bars)
    dx = _dx(out)
    told = np.isfinite(dx) & (bars > WILDER)
    dx[~told] = 0.0
    held = s[_ADX]
    seeding = held + dx
    seeding[bars == 2 * WILDER] /= WILDER
    moved = np.where(told, ((WILDER - 1) * held + dx) / WILDER, held)
    out[_ADX] = np.where(bars <= 2 * WILDER, seeding, moved)

    same = closed.day == day
    # Prices relative to the session's first: the deviation is no difference of two huge squares.
    typical = (high + low + close) / 3.0
    out[_ANCHOR] = np.where(same, s[_ANCHOR], typical)
    typical -= out[_ANCHOR]
    spent = typical * volume
    out[_SPENT] = s[_SPENT] * same + spent
    out[_SHARES] = s[_SHARES] * same + volume
    out[_SQUARES] = s[_SQUARES] * same + spent * typical
    return out


def _smooth(s: F64, out: F64, at: int, x: F64, bars: I64) -> None:
    """Wilder's average of x from the second bar on: a sum up to the 14th value, then smoothed."""
    held = s[at]
    seeding = held + x
    seeding[bars == WILDER + 1] /= WILDER
    out[at] = np.where(bars > WILDER + 1, ((WILDER - 1) * held + x) / WILDER, seeding)


def _decay(s: F64, out: F64, at: int, x: F64, bars: I64) -> None:
    """Wilder's running sum of x: plain for the first 13 values, then losing a 14th of itself."""
    held = s[at]
    out[at] = np.where(bars > WILDER, held - held / WILDER, held) + x


def _dx(s: F64) -> F64:
    """Directional index, NaN without movement."""
    with np.errstate(divide="ignore", invalid="ignore"):
        moving = s[_RANGE] > NOTHING
        plus = np.where(moving, 100.0 * (s[_PLUS] / s[_RANGE]), np.nan)
        minus = np.where(moving, 100.0 * (s[_MINUS] / s[_RANGE]), np.nan)
        total = plus + minus
        return np.where(total > NOTHING, 100.0 * (np.abs(minus - plus) / total), np.nan)


def _values(s: F64, bars: I64, names: Sequence[int]) -> F64:
    return np.stack([_value(name, s, bars) for name in names])


def _value(name: int, s: F64, bars: I64) -> F64:
    with np.errstate(divide="ignore", invalid="ignore"):
        if name <= EMA50:
            return np.where(bars >= EMA_SPANS[name], s[_EMA + name], np.nan)
        if name == RSI:
            total = s[_GAIN] + s[_LOSS]
            defined = (bars > WILDER) & (total > NOTHING)
            return np.where(defined, 100.0 * (s[_GAIN] / total), np.nan)
        if name == ATR:
            return np.where(bars > WILDER, s[_ATR], np.nan)
        if name == ATR_BEFORE:
            return np.where(bars > WILDER + 1, s[_ATR_BEFORE], np.nan)
        if name == ADX:
            return np.where((bars >= 2 * WILDER) & (s[_RANGE] > NOTHING), s[_ADX], np.nan)
        if name in (PLUS_DI, MINUS_DI):
            part = s[_PLUS if name == PLUS_DI else _MINUS]
            defined = (bars > WILDER) & (s[_RANGE] > NOTHING)
            return np.where(defined, 100.0 * (part / s[_RANGE]), np.nan)
        shares = s[_SHARES]
        mean = np.where(shares > 0, s[_SPENT] / shares, np.nan)
        if name == VWAP:
            vwap: F64 = s[_ANCHOR] + mean
            return vwap
        deviation: F64 = np.sqrt(np.maximum(s[_SQUARES] / shares - mean * mean, 0.0))
        return deviation


def realised_volatility(close: F64, bars_a_year: float) -> F64:
    """Annualised standard deviation of log returns about zero: (n, k+1) closes -> f64 (n,).

    sqrt(mean(r^2) x bars a year); NaN where a price is 0.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        returns = np.diff(np.log(close), axis=1)
        found: F64 = np.sqrt(np.mean(returns * returns, axis=1) * bars_a_year)
    told: F64 = np.where(np.isfinite(found), found, np.nan)
    return told
