"""Selling that does not move the price, and buying that does not."""

from __future__ import annotations

import numpy as np

from kitetui.engine.feed.batch import F64
from kitetui.engine.market.bars import BUY, CLOSE, HIGH, LOW, OPEN, SELL, VOLUME
from kitetui.engine.market.volume import close_location
from kitetui.engine.patterns.registry import Hits, detector, hits_of, joined
from kitetui.engine.patterns.view import View
from kitetui.settings import PatternSettings


@detector("hidden_accumulation",
          evidence=("volume_ratio", "absorbed", "book_tilt", "drift_atr", "snapshots"),
          params=("window_bars", "usual_bars", "min_volume_ratio", "max_drift_atr", "min_absorbed",
                  "min_book_share", "min_snapshots"), needs=["volume", "landmarks"], edge=True,
          words="{volume_ratio:.1f} times the usual volume while the price drifted "
                "{drift_atr:.2f} ATR; {absorbed:.2f} of it was absorbed")  # fmt: skip
def hidden_accumulation(view: View, settings: PatternSettings) -> Hits:
    """Aggressive selling absorbed by the bids while the price holds; mirrored: distribution.

    Without the book's own data (a bar file, or packets without depth) the Chaikin line of
    accumulation over the window stands in for it, and the hit is tagged so.
    """
    params = settings.params
    n = int(params["window_bars"])
    volume = view.window(VOLUME, n + int(params["usual_bars"]))
    recent, usual = volume[-n:].sum(axis=0), volume[:-n].mean(axis=0) * n
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(usual > 0, recent / usual, np.nan)
    at = np.flatnonzero(ratio >= params["min_volume_ratio"])
    view, ratio = view.only(at), ratio[at]
    return joined([_absorbed(view, params, ratio, side) for side in (1, -1)])


def _absorbed(view: View, params: dict[str, float], ratio: F64, side: int) -> Hits:
    n = int(params["window_bars"])
    opens, high, low, close = (view.window(f, n) for f in (OPEN, HIGH, LOW, CLOSE))
    volume = view.window(VOLUME, n)
    bought, sold = view.window(BUY, n).sum(axis=0), view.window(SELL, n).sum(axis=0)
    tilt = (sold - bought) / volume.sum(axis=0) * side
    drift = np.abs(close[-1] - opens[0]) / (view.atr * np.sqrt(n))
    half = n // 2
    if side > 0:
        holds = low[half:].min(axis=0) >= low[:half].min(axis=0) - view.tick
    else:
        holds = high[half:].max(axis=0) <= high[:half].max(axis=0) + view.tick
    share, snapshots = view.book_share(n)
    leaning = share if side > 0 else 1 - share
    seen = snapshots >= params["min_snapshots"]
    absorbed = np.where(seen, tilt, _chaikin(high, low, close, volume) * side)
    leans = np.where(seen, leaning >= params["min_book_share"], True)
    hit = (drift <= params["max_drift_atr"]) & holds
    hit &= (absorbed >= params["min_absorbed"]) & leans & view.earlier_bars(n - 1)
    evidence = {
        "volume_ratio": ratio,
        "absorbed": absorbed,
        "book_tilt": np.where(seen, leaning, np.nan),
        "drift_atr": drift,
        "snapshots": snapshots,
    }
    return hits_of(view, hit, side, evidence, tags={"depth_absent": ~seen})


def _chaikin(high: F64, low: F64, close: F64, volume: F64) -> F64:
    """Volume weighed by where each bar closed in its range, as a share of it: f64 (n,)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found: F64 = (close_location(high, low, close) * volume).sum(axis=0) / volume.sum(axis=0)
    return np.nan_to_num(found)
