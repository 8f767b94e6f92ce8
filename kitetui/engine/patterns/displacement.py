"""Bars so strong that they leave a gap, and the first return into it."""

from __future__ import annotations

import numpy as np

from kitetui.engine.feed.batch import F64, I64
from kitetui.engine.market.bars import CLOSE, HIGH, LOW, OPEN, VOLUME
from kitetui.engine.market.timeframe import RATIO_BARS
from kitetui.engine.patterns.liquidity import dear
from kitetui.engine.patterns.registry import Hits, detector, hits_of, joined
from kitetui.engine.patterns.view import View
from kitetui.settings import PatternSettings


@detector("ict_momentum", evidence=("body_atr", "body_share", "ratio", "bos", "gap_atr"),
          params=("min_body_atr", "min_body_share", "dear_factor"), needs=["landmarks"],
          words="a body of {body_atr:.1f} ATR, {body_share:.2f} of its bar, that left a gap of "
                "{gap_atr:.2f} ATR")  # fmt: skip
def ict_momentum(view: View, settings: PatternSettings) -> Hits:
    """Displacement: a body of ATRs that leaves a fair value gap; known a bar later."""
    params = settings.params
    open_, high, low, close = (view.window(f, 3) for f in (OPEN, HIGH, LOW, CLOSE))
    body = close[1] - open_[1]
    side = np.where(body > 0, 1, -1)
    atr = view.atr_before(1)
    height = high[1] - low[1]
    gap = np.where(side > 0, low[2] - high[0], low[0] - high[2])
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(height > 0, np.abs(body) / height, 0.0)
        hit = (np.abs(body) >= params["min_body_atr"] * atr) & (atr > 0)
    hit &= (share >= params["min_body_share"]) & (gap > 0)
    at = np.flatnonzero(hit)
    view, side, body, share, gap = view.only(at), side[at], np.abs(body[at]), share[at], gap[at]
    atr, close, opened_at = atr[at], close[1, at], open_[1, at]
    before = view.last_swing(side)
    evidence = {
        "body_atr": body / atr,
        "body_share": share,
        "ratio": _volume_of_the_bar_before(view),
        "bos": (before.known & ((close - before.level) * side > 0)).astype(np.float64),
        "gap_atr": gap / atr,
    }
    return hits_of(view, view.earlier_bars(2), side, evidence, stop=opened_at,
                   factor=dear(view, side, params["dear_factor"]))  # fmt: skip


def _volume_of_the_bar_before(view: View) -> F64:
    """Volume of the last but one bar over the mean of the 20 before it; NaN where undefined."""
    volume = view.window(VOLUME, RATIO_BARS + 2)
    usual = volume[:RATIO_BARS].mean(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((usual > 0) & ~view.is_index, volume[-2] / usual, np.nan)


@detector("ict_fair_value_gaps", evidence=("size_atr", "body_atr", "bars_left", "top", "bottom"),
          params=("min_size_atr", "max_age_bars", "dear_factor", "stop_ticks"),
          needs=["landmarks"],
          words="first return into the gap from {bottom:.2f} to {top:.2f}, {size_atr:.2f} ATR "
                "high, that a body of {body_atr:.1f} ATR left")  # fmt: skip
def ict_fair_value_gaps(view: View, settings: PatternSettings) -> Hits:
    """The first touch of a gap that holds: closed on its far side's inner edge."""
    view = view.only(np.isin(view.rows, view.landmarks.gaps.touched_rows))
    return joined([_returned(view, settings.params, side) for side in (1, -1)])


def _returned(view: View, params: dict[str, float], side: int) -> Hits:
    marks, gaps = view.landmarks, view.landmarks.gaps
    touched = (gaps.mitigated[view.rows] == (view.bars - 1)[:, None]) & (
        (gaps.side[view.rows] == side) & marks.gap_inside[view.rows]
    )
    at = np.flatnonzero(touched.any(axis=1))
    newest = np.where(touched[at], gaps.middle[view.rows[at]], -1).argmax(axis=1)
    view, bar = view.only(at), view.bars[at] - 1
    place: tuple[I64, I64] = (view.rows, newest)
    top, bottom = gaps.top[place] / view.divisor, gaps.bottom[place] / view.divisor
    atr, age = marks.gap_atr[place], bar - (gaps.middle[place] + 1)
    far, close = (bottom if side > 0 else top), view.window(CLOSE, 1)[0]
    with np.errstate(divide="ignore", invalid="ignore"):
        size, body = (top - bottom) / atr, marks.gap_body[place] / view.divisor / atr
    reach = int(params["max_age_bars"]) + 3
    extreme = view.window(HIGH if side > 0 else LOW, reach) * side
    since = np.arange(reach)[:, None] >= reach - 3 - age
    evidence = {
        "size_atr": size,
        "body_atr": body,
        "bars_left": (params["max_age_bars"] - age).astype(np.float64),
        "top": top,
        "bottom": bottom,
    }
    hit = (size >= params["min_size_atr"]) & (age <= params["max_age_bars"])
    hit &= (close - far) * side >= 0
    sides = np.full(len(at), side, np.int64)
    return hits_of(view, hit, side, evidence, stop=far - side * params["stop_ticks"] * view.tick,
                   target=np.where(since, extreme, -np.inf).max(axis=0, initial=-np.inf) * side,
                   factor=dear(view, sides, params["dear_factor"]))  # fmt: skip
