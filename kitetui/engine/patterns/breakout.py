"""Range breaks."""

from __future__ import annotations

import numpy as np

from kitetui.config import PatternSettings
from kitetui.engine.market.bars import CLOSE, HIGH, LOW
from kitetui.engine.market.indicators import ATR_BEFORE
from kitetui.engine.market.volume import close_location
from kitetui.engine.patterns.registry import NO_HITS, Hits, View, detector

COMPRESSION_SCALE = 1.6
"""ATRs that a range of n bars spans per sqrt(n) in a random walk."""


@detector("breakout", edge=True)
def breakout(view: View, settings: PatternSettings) -> Hits:
    """A close beyond the range of the bars before, by a share of the ATR as of the bar before."""
    frame, params = view.timeframe, settings.params
    n = int(params["range_bars"])
    view = view.only(view.bars > n)
    if not len(view.rows):
        return NO_HITS
    highs = frame.prices(HIGH, view.rows, n + 1)
    lows = frame.prices(LOW, view.rows, n + 1)
    close = frame.prices(CLOSE, view.rows, 1)[:, 0]
    top, bottom = highs[:, :-1].max(axis=1), lows[:, :-1].min(axis=1)
    atr = frame.indicators.value(ATR_BEFORE, view.rows)
    clv = close_location(highs[:, -1], lows[:, -1], close)
    with np.errstate(invalid="ignore"):
        moving = atr > 0
        up = moving & (close > top + params["buffer_atr"] * atr) & (clv >= params["min_clv"])
        down = moving & (close < bottom - params["buffer_atr"] * atr) & (clv <= -params["min_clv"])
    hit = up | down
    if not hit.any():
        return NO_HITS
    side = np.where(up, 1, -1)[hit]
    top, bottom, close, atr = top[hit], bottom[hit], close[hit], atr[hit]
    evidence = {
        "distance_atr": np.where(side > 0, close - top, bottom - close) / atr,
        "clv": clv[hit] * side,
        "compression": 1 - (top - bottom) / (atr * np.sqrt(n) * COMPRESSION_SCALE),
        "level": np.where(side > 0, top, bottom),
    }
    return Hits(view.rows[hit], side.astype(np.int64), evidence, [()] * int(hit.sum()))
