"""A way that is long for its bars, in one direction."""

from __future__ import annotations

import numpy as np

from kitetui.engine.market.bars import CLOSE, VOLUME
from kitetui.engine.market.indicators import EMA5, EMA20, RSI, VWAP
from kitetui.engine.patterns.registry import Hits, detector, hits_of
from kitetui.engine.patterns.view import View
from kitetui.settings import PatternSettings

_EVIDENCE = ("way", "volume_ratio", "vwap_atr", "rsi")
_PARAMS = ("way_bars", "min_way", "rsi_low", "rsi_high", "volume_bars", "usual_bars",
           "min_volume_ratio")  # fmt: skip
_WORDS = ("moved {way:.2f} times what its ATR makes of so many bars, with {volume_ratio:.1f} times "
          "the volume before, {vwap_atr:.1f} ATR from VWAP; RSI {rsi:.0f}")  # fmt: skip


@detector("upside_momentum", evidence=_EVIDENCE, params=_PARAMS, words=_WORDS, needs=["volume"],
          edge=True)  # fmt: skip
def upside_momentum(view: View, settings: PatternSettings) -> Hits:
    """Up over some bars by more than their random walk, above its averages, on volume."""
    return _momentum(view, settings.params, 1)


@detector("downside_momentum", evidence=_EVIDENCE, params=_PARAMS, words=_WORDS, needs=["volume"],
          edge=True)  # fmt: skip
def downside_momentum(view: View, settings: PatternSettings) -> Hits:
    """Down over some bars by more than their random walk, below its averages, on volume."""
    return _momentum(view, settings.params, -1)


def _momentum(view: View, params: dict[str, float], side: int) -> Hits:
    n, volume_bars = int(params["way_bars"]), int(params["volume_bars"])
    close = view.window(CLOSE, n + 1)
    # n steps of a random walk are sqrt(n) times as long as one.
    way = (close[-1] - close[0]) / (view.atr * np.sqrt(n)) * side
    volume = view.window(VOLUME, volume_bars + int(params["usual_bars"]))
    recent, usual = volume[-volume_bars:].mean(axis=0), volume[:-volume_bars].mean(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(usual > 0, recent / usual, np.nan)
    rsi, vwap = view.indicator(RSI), view.indicator(VWAP)
    ahead = (view.indicator(EMA5) - view.indicator(EMA20)) * side > 0
    from_vwap = (close[-1] - vwap) * side
    hit = (way >= params["min_way"]) & ahead & (from_vwap > 0)
    hit &= (rsi >= params["rsi_low"]) & (rsi <= params["rsi_high"])
    hit &= ratio >= params["min_volume_ratio"]
    evidence = {"way": way, "volume_ratio": ratio, "vwap_atr": from_vwap / view.atr, "rsi": rsi}
    return hits_of(view, hit, side, evidence)
