"""Volume far above its usual, and price that volume does not follow."""

from __future__ import annotations

import numpy as np

from kitetui.engine.market.bars import CLOSE, HIGH, LARGEST, LOW, VOLUME, BarFlag
from kitetui.engine.market.timeframe import SAME_MINUTE, SAME_MINUTE_SESSIONS
from kitetui.engine.market.volume import close_location
from kitetui.engine.patterns.registry import Hits, detector, hits_of
from kitetui.engine.patterns.view import View
from kitetui.settings import PatternSettings


@detector("volume_spike", evidence=("ratio", "robust_z", "clv", "same_minute"),
          params=("min_ratio", "min_robust_z", "side_clv", "block_share"), needs=["volume"],
          words="{ratio:.1f} times the usual volume, {robust_z:.1f} robust deviations; "
                "closed at {clv:.2f} of its range")  # fmt: skip
def volume_spike(view: View, settings: PatternSettings) -> Hits:
    """Volume far above its usual, by ratio and by robust z of its logarithm."""
    params = settings.params
    loud = view.relative_volume >= params["min_ratio"]
    loud &= (view.flags & BarFlag.VOLUME_UNCERTAIN) == 0
    at = np.flatnonzero(loud)
    ratio, same_minute = view.relative_volume[at], view.same_minute[at]
    high, low, close = (view.window(f, 1)[0, at] for f in (HIGH, LOW, CLOSE))
    view = view.only(at)
    z = view.frame.volume_z(view.rows)
    clv = close_location(high, low, close)
    side = np.where(np.abs(clv) >= params["side_clv"], np.sign(clv), 0).astype(np.int64)
    block = view.window(LARGEST, 1)[0] > params["block_share"] * view.window(VOLUME, 1)[0]
    evidence = {
        "ratio": ratio,
        "robust_z": z,
        "clv": clv,
        "same_minute": same_minute.astype(np.float64),
    }
    return hits_of(view, z >= params["min_robust_z"], side, evidence, tags={"block": block})


@detector("volume_price_divergence",
          evidence=("volume_gap", "height_atr", "volume_ratio", "level", "level_before"),
          params=("min_bars_apart", "max_bars_apart", "min_height_atr", "max_volume_ratio",
                  "by_time_of_day"), needs=["volume", "landmarks"],
          words="a pivot {height_atr:.2f} ATR beyond the one before with {volume_ratio:.2f} of "
                "its volume")  # fmt: skip
def volume_price_divergence(view: View, settings: PatternSettings) -> Hits:
    """A pivot beyond the one before it on less volume; known five bars after the pivot."""
    params = settings.params
    pairs = view.landmarks.pivot_pairs
    known = np.isin(pairs.rows, view.rows) & (pairs.bar_before >= 0) & pairs.same_session
    at = np.searchsorted(view.rows, pairs.rows[known])
    view = view.only(at)
    high_side = pairs.side[known]
    apart = pairs.bar[known] - pairs.bar_before[known]
    height = (pairs.level[known] - pairs.level_before[known]) * high_side / view.divisor
    volume, before = pairs.volume[known].copy(), pairs.volume_before[known].copy()
    if params["by_time_of_day"] and view.frame.minutes in SAME_MINUTE:
        usual, usual_before = (
            view.frame.usual_volume.usual(
                view.rows,
                view.frame.slot(view.start, view.opened) - (view.bars - 1 - bar),
                SAME_MINUTE_SESSIONS,
            )
            for bar in (pairs.bar[known], pairs.bar_before[known])
        )
        told = (usual > 0) & (usual_before > 0)
        volume = np.where(told, volume / usual, volume)
        before = np.where(told, before / usual_before, before)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(before > 0, volume / before, np.nan)
    hit = (apart >= params["min_bars_apart"]) & (apart <= params["max_bars_apart"])
    hit &= height >= params["min_height_atr"] * view.atr
    hit &= ratio <= params["max_volume_ratio"]
    evidence = {
        "volume_gap": params["max_volume_ratio"] - ratio,
        "height_atr": height / view.atr,
        "volume_ratio": ratio,
        "level": pairs.level[known] / view.divisor,
        "level_before": pairs.level_before[known] / view.divisor,
    }
    return hits_of(view, hit, -high_side, evidence)
