"""Volume patterns."""

from __future__ import annotations

import numpy as np

from kitetui.config import PatternSettings
from kitetui.engine.market.bars import CLOSE, HIGH, LARGEST, LOW, VOLUME, BarFlag
from kitetui.engine.market.timeframe import Z_BARS
from kitetui.engine.market.volume import close_location
from kitetui.engine.patterns.registry import NO_HITS, Hits, View, detector


@detector("volume_spike")
def volume_spike(view: View, settings: PatternSettings) -> Hits:
    """Volume far above its usual, by ratio and by robust z of its logarithm."""
    view = view.only(
        ~view.is_index & (view.bars > Z_BARS) & ((view.flags & BarFlag.VOLUME_UNCERTAIN) == 0)
    )
    if not len(view.rows):
        return NO_HITS
    frame, params = view.timeframe, settings.params
    found = frame.volume_ratio(view.rows, view.start, view.anchor)
    with np.errstate(invalid="ignore"):
        loud = found.ratio >= params["min_ratio"]
    if not loud.any():
        return NO_HITS
    view, ratio, same_minute = view.only(loud), found.ratio[loud], found.same_minute[loud]
    z = frame.volume_z(view.rows)
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
