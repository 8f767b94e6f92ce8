"""Breaks of a range, with and without volume, and turns after a long way."""

from __future__ import annotations

import numpy as np

from kitetui.engine.feed.batch import F64, I64, Bool
from kitetui.engine.market.bars import CLOSE, HIGH, LOW
from kitetui.engine.market.volume import close_location
from kitetui.engine.patterns.registry import Hits, detector, hits_of, joined
from kitetui.engine.patterns.view import View
from kitetui.settings import PatternSettings

COMPRESSION_SCALE = 1.6
"""ATRs that a range of n bars spans per sqrt(n) in a random walk."""
_BREAK_EVIDENCE = ("distance_atr", "clv", "compression", "level", "range_height")
_BREAK_PARAMS = ("range_bars", "buffer_atr", "min_clv")
_BREAK_WORDS = ("closed {distance_atr:.2f} ATR beyond the {level:.2f} of the bars before, at "
                "{clv:.2f} of its range; compression {compression:.2f}")  # fmt: skip


def _breaks(
    view: View, params: dict[str, float], back: int = 0
) -> tuple[Bool, I64, dict[str, F64]]:
    """Whether the bar `back` bars ago broke its range, to which side, and by how much."""
    n = int(params["range_bars"])
    end = -back or None
    highs = view.window(HIGH, n + 1 + back)[:end]
    lows = view.window(LOW, n + 1 + back)[:end]
    close = view.window(CLOSE, 1 + back)[0]
    top, bottom = highs[:-1].max(axis=0), lows[:-1].min(axis=0)
    atr = view.atr_before(back)
    clv = close_location(highs[-1], lows[-1], close)
    up = (close > top + params["buffer_atr"] * atr) & (clv >= params["min_clv"])
    down = (close < bottom - params["buffer_atr"] * atr) & (clv <= -params["min_clv"])
    side = np.where(up, 1, -1)
    evidence = {
        "distance_atr": np.where(up, close - top, bottom - close) / atr,
        "clv": clv * side,
        "compression": 1 - (top - bottom) / (atr * np.sqrt(n) * COMPRESSION_SCALE),
        "level": np.where(up, top, bottom),
        "range_height": top - bottom,
    }
    return up | down, side, evidence


@detector("breakout", evidence=_BREAK_EVIDENCE, params=_BREAK_PARAMS, words=_BREAK_WORDS, edge=True)
def breakout(view: View, settings: PatternSettings) -> Hits:
    """A close beyond the range of the bars before, by a share of the ATR as of the bar before."""
    hit, side, evidence = _breaks(view, settings.params)
    return hits_of(view, hit, side, evidence)


@detector("volume_breakout", evidence=(*_BREAK_EVIDENCE, "ratio"),
          params=(*_BREAK_PARAMS, "min_ratio", "stop_atr"), needs=["volume"],
          words=_BREAK_WORDS + "; {ratio:.1f} times the usual volume")  # fmt: skip
def volume_breakout(view: View, settings: PatternSettings) -> Hits:
    """A breakout's first bar, with volume; the stop lies inside the broken level."""
    params = settings.params
    hit, side, evidence = _breaks(view, params)
    hit &= view.relative_volume >= params["min_ratio"]
    view, at = view.only(hit), np.flatnonzero(hit)
    before, side_before, _ = _breaks(view, params, back=1)
    evidence = {name: values[at] for name, values in evidence.items()}
    evidence["ratio"] = view.relative_volume
    side = side[at]
    stop = evidence["level"] - side * params["stop_atr"] * view.atr
    return hits_of(view, ~(before & (side_before == side)), side, evidence, stop=stop)


@detector("reversal",
          evidence=("drop_atr", "rsi_beyond", "retrace", "extreme", "bars_since"),
          params=("reach_bars", "turn_bars", "min_drop_atr", "retrace", "rsi_low", "rsi_high"),
          words="turned after {drop_atr:.1f} ATR in one direction: back by {retrace:.2f} of it, "
                "RSI {rsi_beyond:.1f} points beyond its limit")  # fmt: skip
def reversal(view: View, settings: PatternSettings) -> Hits:
    """A turn some bars after an extreme that ended a long way, with RSI beyond its limit there."""
    return joined([_turn(view, settings.params, side) for side in (1, -1)])


def _turn(view: View, params: dict[str, float], side: int) -> Hits:
    """Upwards for side 1; downwards everything is mirrored."""
    reach, turn = int(params["reach_bars"]), int(params["turn_bars"])
    n = reach + turn + 1
    if side > 0:
        low, high = view.window(LOW, n), view.window(HIGH, n)
        close, limit = view.window(CLOSE, 1)[0], params["rsi_low"]
    else:
        low, high = -view.window(HIGH, n), -view.window(LOW, n)
        close, limit = -view.window(CLOSE, 1)[0], 100 - params["rsi_high"]
    recent = low[-reach - 1 :]
    extreme = recent.argmin(axis=0)  # the first of equal ones
    since = reach - extreme
    place = turn - since + reach  # of the extreme in the whole window
    turned = (since >= 1) & (since <= turn) & (close > high[-2])
    at = np.flatnonzero(turned)
    view, low, high, close = view.only(at), low[:, at], high[:, at], close[at]
    since, place = since[at], place[at]
    bottom = low[place, np.arange(len(at))]
    ahead = np.arange(n)[:, None]
    way_in = (ahead >= place - reach) & (ahead <= place)
    drop = np.where(way_in, high, -np.inf).max(axis=0, initial=-np.inf) - bottom
    retrace = (close - bottom) / drop
    rsi = view.rsi(turn + 2)
    if side < 0:
        rsi = 100 - rsi
    around = (np.arange(turn + 2)[:, None] >= turn - since) & np.isfinite(rsi)
    lowest = np.where(around, rsi, np.inf).min(axis=0, initial=np.inf)
    hit = (drop >= params["min_drop_atr"] * view.atr) & (close >= bottom + params["retrace"] * drop)
    hit &= lowest <= limit
    evidence = {
        "drop_atr": drop / view.atr,
        "rsi_beyond": limit - lowest,
        "retrace": retrace,
        "extreme": bottom * side,
        "bars_since": since.astype(np.float64),
    }
    return hits_of(view, hit, side, evidence, stop=(bottom - view.tick) * side,
                   target=(bottom + drop) * side)  # fmt: skip
