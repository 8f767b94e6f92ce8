"""Where in the day we are: zones of the session that begin livelier than they use to."""

from __future__ import annotations

import numpy as np

from kitetui.engine.market.bars import HIGH, LOW
from kitetui.engine.patterns.registry import Hits, detector, hits_of
from kitetui.engine.patterns.view import View
from kitetui.settings import PatternSettings


@detector(
    "ict_killzone",
    evidence=("range_ratio", "range_atr"),
    params=("min_range_ratio",),
    words="a zone of the session begins with {range_ratio:.1f} times its usual range",
)
def ict_killzone(view: View, settings: PatternSettings) -> Hits:
    """The first bar of a zone ranges wider than it did over past sessions; it has no side."""
    zones = view.market.zones
    zone = zones.entered(view.start, view.opened, view.closes)
    height = view.window(HIGH, 1)[0] - view.window(LOW, 1)[0]
    usual = zones.usual[view.rows] / view.divisor
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(usual > 0, height / usual, np.nan)
    hit = (zone >= 0) & (ratio >= settings.params["min_range_ratio"])
    tags = {name: zone == number for number, name in enumerate(zones.names)}
    return hits_of(view, hit, 0, {"range_ratio": ratio, "range_atr": height / view.atr}, tags=tags)
