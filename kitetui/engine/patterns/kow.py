"""Selling a straddle while its premium lies below its session VWAP."""

from __future__ import annotations

import math
from collections.abc import Iterator

import msgspec
import numpy as np

from kitetui.engine.market.straddle import Straddles
from kitetui.engine.patterns.chains import Sale, sales, underlying
from kitetui.engine.patterns.registry import Hits, detector
from kitetui.engine.patterns.straddle import StraddleEvent, StraddleRules, StraddleTrader
from kitetui.engine.patterns.view import View
from kitetui.settings import PatternSettings

_RULES = ("enter_bars", "exit_bars", "enter_after", "enter_until", "leave_at")
_KOW = ("below_share", "ratio", "slope", "minutes_below", "premium", "vwap", "strike")


@detector("kow_signal_straddle", evidence=_KOW, needs=["chains"],
          params=("max_chains", *_RULES, "max_entries", "dead_band", "target_share", "stop_share",
                  "usual_minutes"),
          words="the straddle at {strike:.0f} closed at {premium:.2f}, {below_share:.4f} below its "
                "VWAP of {vwap:.2f}, for {minutes_below:.0f} minutes")  # fmt: skip
def kow_signal_straddle(view: View, settings: PatternSettings) -> Hits:
    """Sell the straddle at the money when its premium closes below its own session VWAP."""
    return sales(_below_vwap(view, settings.params), _KOW)


def _below_vwap(view: View, params: dict[str, float]) -> Iterator[Sale]:
    opens, closes = view.market.calendar.session_minutes(view.day)
    limit, chains = int(params["max_chains"]), view.market.chains.straddles
    view.silence.counts["beyond max_chains"] = max(len(chains) - limit, 0)
    for series in chains[:limit]:
        leg = max(int(series.chain.call[0]), int(series.chain.put[0]))
        hours = int(view.market.rows.hours[leg])
        if series.day != opens[hours] or not np.isfinite(series.premium).any():
            view.silence.counts["a leg did not trade"] += 1
            continue
        book = _book(view, series, params)
        # The straddle is cheapest where call and put cost the same: at the forward.
        at = book.place if book.trader.sold else int(np.nanargmin(series.premium))
        now = series.now()
        premium, vwap = float(series.premium[at]), float(now.vwap[at])
        if not (math.isfinite(vwap) and math.isfinite(premium)):
            view.silence.counts["no VWAP"] += 1
            continue
        share = (vwap - premium) / vwap
        below = int(now.below[at]) if share >= params["dead_band"] or book.trader.sold else 0
        if not book.trader.sold and book.entries >= params["max_entries"]:
            view.silence.counts["entered often enough today"] += 1
            continue
        event = book.trader.close(below, int(now.above[at]), view.start - opens[hours],
                                  closes[hours] - view.start)  # fmt: skip
        if event is not StraddleEvent.SELL:
            continue
        book.place, book.entries = at, book.entries + 1
        _, shares, vwaps = series.last(at, int(params["usual_minutes"]) + 1)
        usual = float(shares[:-1].mean()) if len(shares) > 1 else 0.0
        yield Sale(
            underlying(view, series), series.chain.first, -1, premium,
            premium * (1 - params["target_share"]),
            premium * (1 + params["stop_share"]),
            (int(series.chain.call[at]), int(series.chain.put[at])),
            {"below_share": share, "ratio": float(shares[-1]) / usual if usual else math.nan,
             "slope": float(len(vwaps) > 1 and vwaps[-1] < vwaps[-2]),
             "minutes_below": float(below), "premium": premium, "vwap": vwap,
             "strike": float(series.chain.strikes[at])},
            ("sell", f"{series.chain.name} {series.chain.expiry}"),
        )  # fmt: skip


class _Book(msgspec.Struct):
    """What is sold of one chain: at which strike, and how often today."""

    day: int
    trader: StraddleTrader
    place: int = -1
    entries: int = 0


def _book(view: View, series: Straddles, params: dict[str, float]) -> _Book:
    key = ("kow", series.chain.name, series.chain.expiry)
    held: _Book | None = view.memory.get(key)
    rules = StraddleRules(*(int(params[name]) for name in _RULES))
    if held is None or held.day != series.day:
        held = view.memory[key] = _Book(series.day, StraddleTrader(rules))
    held.trader.rules = rules
    return held
