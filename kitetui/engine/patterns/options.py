"""Selling premium: when it is dear and falls, when nothing moves, when time takes it fast."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from kitetui.engine.market.bars import CLOSE, HIGH, LOW
from kitetui.engine.market.indicators import ADX
from kitetui.engine.market.timeframe import DAY
from kitetui.engine.patterns.chains import (
    TRADING_DAYS,
    TRADING_MINUTES,
    ChainSeen,
    Sale,
    now_s,
    realised,
    sales,
    seen,
    tradable,
)
from kitetui.engine.patterns.registry import Hits, detector
from kitetui.engine.patterns.view import View
from kitetui.settings import PatternSettings

_QUOTES = ("max_chains", "max_age_s", "max_spread")
_CRUSH = ("percentile", "term_ratio", "realised_gap", "volatility", "strike")
_STRANGLE = ("narrow", "adx_below", "distance", "percentile", "call_strike", "put_strike")
_COLLECT = ("dear", "percentile", "theta_share", "volatility", "strike", "days")


def _rank_known(view: View, chain: ChainSeen, params: dict[str, float]) -> bool:
    if chain.rank.days >= params["min_days"] and math.isfinite(chain.rank.percentile):
        return True
    view.silence.counts["too few daily volatilities"] += 1
    return False


def _no_event(view: View, chain: ChainSeen, upto_s: int) -> bool:
    """Whether no event of the calendar lies ahead that the premium may be waiting for."""
    event = view.market.calendar.pending(chain.now.chain.name, now_s(view), upto_s)
    if event:
        view.silence.counts[f"{event} is ahead"] += 1
    return not event


def _session_close_s(view: View) -> int:
    _, closes = view.market.calendar.session_minutes(view.day)
    return max(closes) * 60


@detector("iv_crush_play_straddle", evidence=_CRUSH, needs=["chains"],
          params=(*_QUOTES, "min_days", "min_percentile", "min_rank", "min_term_ratio",
                  "max_of_high", "falling_minutes", "max_realised", "target_share", "stop_share"),
          words="volatility {volatility:.3f} is dearer than on {percentile:.0f} % of past days, "
                "{term_ratio:.2f} times the next expiry's, and falls from its high; realised "
                "volatility lies {realised_gap:.2f} below it")  # fmt: skip
def iv_crush_play_straddle(view: View, settings: PatternSettings) -> Hits:
    """Sell the straddle: volatility dear, above the next expiry's, off its high, nothing ahead."""
    return sales(_crushed(view, settings.params), _CRUSH)


def _crushed(view: View, params: dict[str, float]) -> Iterator[Sale]:
    chains = seen(view, int(params["max_chains"]))
    by_name: dict[str, list[ChainSeen]] = {}
    for chain in sorted(chains, key=lambda c: c.now.chain.expiry):
        by_name.setdefault(chain.now.chain.name, []).append(chain)
    for front, *later in by_name.values():
        volatility = front.now.atm_volatility
        if not math.isfinite(volatility):
            view.silence.counts["no volatility at the money"] += 1
            continue
        key = ("highest volatility", front.name)
        day, highest = view.memory.get(key, (-1, 0.0))
        highest = max(highest, volatility) if day == view.day else volatility
        view.memory[key] = (view.day, highest)
        if not later or not math.isfinite(later[0].now.atm_volatility):
            view.silence.counts["no second expiry"] += 1
            continue
        if not _rank_known(view, front, params):
            continue
        term = volatility / later[0].now.atm_volatility
        quiet = realised(view.market, 1, front.row, 60, TRADING_DAYS * TRADING_MINUTES) / volatility
        premium, _, _ = front.series.last(front.now.atm, int(params["falling_minutes"]) + 1)
        falling = len(premium) > params["falling_minutes"] and bool((np.diff(premium) < 0).all())
        dear = front.rank.percentile >= params["min_percentile"]
        dear |= front.rank.rank >= params["min_rank"]
        if not (dear and term >= params["min_term_ratio"] and falling):
            continue
        if volatility > params["max_of_high"] * highest or not quiet < params["max_realised"]:
            continue
        legs = front.atm_legs
        if not tradable(view, front, legs, params) or not _no_event(
            view, front, _session_close_s(view)
        ):
            continue
        entry = front.now.straddle
        yield Sale(
            front.row, front.now.chain.first, -1, entry, entry * (1 - params["target_share"]),
            entry * (1 + params["stop_share"]), legs,
            {"percentile": front.rank.percentile, "term_ratio": term, "realised_gap": 1 - quiet,
             "volatility": volatility, "strike": float(front.now.chain.strikes[front.now.atm])},
            ("sell", front.name, f"rank of {front.rank.label}"),
        )  # fmt: skip


@detector("range_bound_strangle", evidence=_STRANGLE, needs=["chains"],
          params=(*_QUOTES, "min_days", "range_bars", "max_range", "max_adx", "middle",
                  "min_percentile", "max_percentile", "min_delta", "max_delta", "target_share",
                  "stop_share"),
          words="the range of two hours lies {narrow:.2f} of a day's expected move inside its "
                "limit, ADX {adx_below:.1f} below its own; {call_strike:.0f} and "
                "{put_strike:.0f} are {distance:.2f} expected moves away")  # fmt: skip
def range_bound_strangle(view: View, settings: PatternSettings) -> Hits:
    """Sell the strangle: a narrow range without a trend, the price in its middle."""
    return sales(_ranging(view, settings.params), _STRANGLE)


def _ranging(view: View, params: dict[str, float]) -> Iterator[Sale]:
    n = int(params["range_bars"])
    frame = view.market.frames[5]
    for chain in seen(view, int(params["max_chains"])):
        row = np.array([chain.row])
        volatility, forward = chain.now.atm_volatility, chain.now.forward
        if not (math.isfinite(volatility) and math.isfinite(forward)):
            view.silence.counts["no volatility at the money"] += 1
            continue
        if frame.history.count[chain.row] < n:
            view.silence.counts["warming up"] += 1
            continue
        if not _rank_known(view, chain, params):
            continue
        high = float(frame.prices(HIGH, row, n).max())
        low = float(frame.prices(LOW, row, n).min())
        spot = float(frame.prices(CLOSE, row, 1)[0, 0])
        day_move = spot * volatility / math.sqrt(TRADING_DAYS)
        adx = float(frame.indicators.value(ADX, row)[0])
        narrow = params["max_range"] - (high - low) / day_move
        middle = (high + low) / 2
        centred = abs(spot - middle) <= params["middle"] / 2 * (high - low)
        usual = params["min_percentile"] <= chain.rank.percentile <= params["max_percentile"]
        if not (narrow >= 0 and adx < params["max_adx"] and centred and usual):
            continue
        call = _by_delta(chain, 1, high, params)
        put = _by_delta(chain, -1, low, params)
        if call < 0 or put < 0:
            view.silence.counts["no strike of that delta outside the range"] += 1
            continue
        legs = int(chain.now.chain.call[call]), int(chain.now.chain.put[put])
        if not tradable(view, chain, legs, params):
            continue
        left = spot * volatility * math.sqrt(chain.now.years)
        strikes = chain.now.chain.strikes
        nearest = min(float(strikes[call]) - spot, spot - float(strikes[put]))
        entry = float(chain.now.calls.price[call] + chain.now.puts.price[put])
        yield Sale(
            chain.row, chain.now.chain.first, -1, entry, entry * (1 - params["target_share"]),
            entry * (1 + params["stop_share"]), legs,
            {"narrow": narrow, "adx_below": params["max_adx"] - adx, "distance": nearest / left,
             "percentile": chain.rank.percentile, "call_strike": float(strikes[call]),
             "put_strike": float(strikes[put])},
            ("sell", chain.name, f"rank of {chain.rank.label}"),
        )  # fmt: skip


def _by_delta(chain: ChainSeen, side: int, beyond: float, params: dict[str, float]) -> int:
    """The strike outside the range whose option has a delta in the middle of the limits; or -1."""
    of = chain.now.calls if side > 0 else chain.now.puts
    delta = np.abs(of.greeks.delta)
    wanted = (params["min_delta"] + params["max_delta"]) / 2
    with np.errstate(invalid="ignore"):
        fit = (delta >= params["min_delta"]) & (delta <= params["max_delta"])
    fit &= (chain.now.chain.strikes - beyond) * side > 0
    at = np.flatnonzero(fit & np.isfinite(of.price))
    return int(at[np.argmin(np.abs(delta[at] - wanted))]) if len(at) else -1


@detector("premium_collection_strategy", evidence=_COLLECT, needs=["chains"],
          params=(*_QUOTES, "min_days", "min_dear", "min_percentile", "min_theta",
                  "min_expiry_days", "max_expiry_days", "max_adx", "target_share", "stop_share"),
          words="volatility is {dear:.2f} times what 20 days realised and dearer than on "
                "{percentile:.0f} % of past days; the straddle loses {theta_share:.3f} of its "
                "premium a day, {days:.1f} days left")  # fmt: skip
def premium_collection_strategy(view: View, settings: PatternSettings) -> Hits:
    """Sell the straddle over night: the variance risk premium is high, time decay fast."""
    return sales(_collected(view, settings.params), _COLLECT)


def _collected(view: View, params: dict[str, float]) -> Iterator[Sale]:
    for chain in seen(view, int(params["max_chains"])):
        volatility, days = chain.now.atm_volatility, chain.left_s / 86_400
        if not params["min_expiry_days"] <= days <= params["max_expiry_days"]:
            continue
        if not math.isfinite(volatility):
            view.silence.counts["no volatility at the money"] += 1
            continue
        if not _rank_known(view, chain, params):
            continue
        past = realised(view.market, DAY, chain.row, 20, TRADING_DAYS)
        if not past > 0:
            view.silence.counts["fewer than 20 past sessions"] += 1
            continue
        atm, entry = chain.now.atm, chain.now.straddle
        theta = abs(float(chain.now.calls.greeks.theta[atm] + chain.now.puts.greeks.theta[atm]))
        adx = float(view.market.frames[15].indicators.value(ADX, np.array([chain.row]))[0])
        dear, decay = volatility / past, theta / entry
        if not (dear >= params["min_dear"] and chain.rank.percentile >= params["min_percentile"]
                and decay >= params["min_theta"] and adx < params["max_adx"]):  # fmt: skip
            continue
        legs = chain.atm_legs
        if not tradable(view, chain, legs, params) or not _no_event(
            view, chain, now_s(view) + chain.left_s
        ):
            continue
        yield Sale(
            chain.row, chain.now.chain.first, -1, entry, entry * (1 - params["target_share"]),
            entry * (1 + params["stop_share"]), legs,
            {"dear": dear, "percentile": chain.rank.percentile, "theta_share": decay,
             "volatility": volatility, "strike": float(chain.now.chain.strikes[atm]),
             "days": days},
            ("sell", chain.name, "overnight", f"rank of {chain.rank.label}"),
        )  # fmt: skip
