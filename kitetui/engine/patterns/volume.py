"""Volume patterns."""

from __future__ import annotations

import numpy as np

from kitetui.config import PatternSettings
from kitetui.engine.market.bars import CLOSE, HIGH, LARGEST, LOW, VOLUME, BarFlag
from kitetui.engine.market.indicators import close_location, robust_z, trailing_mean_ratio
from kitetui.engine.patterns.registry import NO_HITS, Hits, View, detector

RATIO_BARS = 20
Z_BARS = 60


@detector("volume_spike")
def volume_spike(view: View, settings: PatternSettings) -> Hits:
    """Volume far above its usual, by ratio and by robust z of its logarithm.

    The ratio compares with the same bar of past sessions where at least five are known, else
    with the mean of the 20 bars before; the session's first bar has no second baseline.
    """
    view = view.only(
        ~view.is_index & (view.bars > Z_BARS) & ((view.flags & BarFlag.VOLUME_UNCERTAIN) == 0)
    )
    if not len(view.rows):
        return NO_HITS
    frame, params = view.timeframe, settings.params
    recent = frame.volume_window(view.rows, RATIO_BARS + 1)
    slots = frame.slot(view.start, view.anchor)
    usual = frame.usual_volume.usual(view.rows, slots)
    same_minute = np.isfinite(usual)
    with np.errstate(divide="ignore", invalid="ignore"):
        by_minute = np.where(usual > 0, recent[:, -1] / usual, np.nan)
    ratio = np.where(same_minute, by_minute, trailing_mean_ratio(recent))
    ratio = np.where(~same_minute & (slots == 0) & (view.anchor > 0), np.nan, ratio)
    with np.errstate(invalid="ignore"):
        loud = ratio >= params["min_ratio"]
    if not loud.any():
        return NO_HITS
    view, ratio, same_minute = view.only(loud), ratio[loud], same_minute[loud]
    z = robust_z(frame.volume_window(view.rows, Z_BARS + 1))
    with np.errstate(invalid="ignore"):
        rare = z >= params["min_robust_z"]
    if not rare.any():
        return NO_HITS
    rows = view.rows[rare]
    high, low, close = (frame.prices(f, rows, 1)[:, 0] for f in (HIGH, LOW, CLOSE))
    clv = close_location(high, low, close)
    side = np.where(np.abs(clv) >= params["side_clv"], np.sign(clv), 0).astype(np.int64)
    volume = frame.history.window(VOLUME, rows, 1)[:, 0]
    block = frame.history.window(LARGEST, rows, 1)[:, 0] > params["block_share"] * volume
    evidence = {
        "ratio": ratio[rare],
        "robust_z": z[rare],
        "clv": clv,
        "same_minute": same_minute[rare].astype(np.float64),
    }
    return Hits(rows, side, evidence, [("block",) if b else () for b in block.tolist()])
