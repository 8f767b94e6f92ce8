"""Where open interest pulls the price to, and where it turns it back."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from kitetui.engine.feed.batch import I64
from kitetui.engine.market.bars import CLOSE, HIGH, LOW
from kitetui.engine.patterns.chains import ChainSeen, Sale, sales, seen
from kitetui.engine.patterns.registry import Hits, detector
from kitetui.engine.patterns.view import View
from kitetui.settings import PatternSettings

_TRAP = ("nearness", "dominance", "open_interest_change", "level", "spot")


@detector("market_maker_trap_detection", kinds=("pin", "wall"), evidence=_TRAP, needs=["chains"],
          params=("max_chains", "pin_before_close", "pin_steps", "min_dominance", "wall_share",
                  "wall_bars", "min_oi_change", "min_snapshots", "target_share", "stop_share"),
          words="{spot:.2f} by the strike {level:.0f}: nearness {nearness:.2f}, dominance "
                "{dominance:.1f}, open interest changed by {open_interest_change:.2f}")  # fmt: skip
def market_maker_trap_detection(view: View, settings: PatternSettings) -> Hits:
    """Pinned to max pain on expiry day, or turned back at the largest wall of open interest."""
    params = settings.params
    found = []
    for chain in seen(view, int(params["max_chains"])):
        interest = chain.now.interest
        if not math.isfinite(interest.max_pain):
            view.silence.counts["no open interest"] += 1
            continue
        if not math.isfinite(chain.now.forward):
            view.silence.counts["no forward"] += 1
            continue
        key = ("open interest", chain.name)
        past = [*view.memory.get(key, []),
                (view.start, chain.now.calls.oi.copy(), chain.now.puts.oi.copy())]  # fmt: skip
        view.memory[key] = past[-4:]
        found += [*_pin(view, chain, params), *_wall(view, chain, params, past)]
    return sales(iter(found), _TRAP)


def _pin(view: View, chain: ChainSeen, params: dict[str, float]) -> Iterator[Sale]:
    interest, spot, strikes = chain.now.interest, chain.now.forward, chain.now.chain.strikes
    if chain.left_s > params["pin_before_close"] * 60 or len(strikes) < 2:
        return
    step = float(np.diff(strikes).min())
    both = np.sort((chain.now.calls.oi + chain.now.puts.oi).astype(np.float64))
    dominance = both[-1] / both[-2] if both[-2] > 0 else math.inf
    off = abs(spot - interest.max_pain) / step
    if off <= params["pin_steps"] and dominance >= params["min_dominance"]:
        legs = chain.atm_legs
        yield Sale(
            chain.row, chain.now.chain.first, 0, chain.now.straddle, math.nan, math.nan, legs,
            {"nearness": 1 - off / params["pin_steps"], "dominance": min(dominance, 10.0),
             "open_interest_change": math.nan, "level": interest.max_pain, "spot": spot},
            (chain.name, "max pain"), kind=0,
        )  # fmt: skip


def _wall(view: View, chain: ChainSeen, params: dict[str, float],
          past: list[tuple[int, I64, I64]]) -> Iterator[Sale]:  # fmt: skip
    history = view.market.frames[5].history
    bars = int(params["wall_bars"])
    if history.count[chain.row] < bars or len(past) < 4:
        view.silence.counts["warming up"] += 1
        return
    row = np.array([chain.row])
    frame = view.market.frames[5]
    spot = float(frame.prices(CLOSE, row, 1)[0, 0])
    interest = chain.now.interest
    for side, wall, rows, held in (
        (-1, interest.call_wall, chain.now.chain.call, [calls for _, calls, _ in past]),
        (1, interest.put_wall, chain.now.chain.put, [puts for _, _, puts in past]),
    ):
        if not math.isfinite(wall):
            continue
        at = int(np.flatnonzero(chain.now.chain.strikes == wall)[0])
        leg = int(rows[at])
        if view.market.chains.oi_snapshots[leg] < params["min_snapshots"]:
            view.silence.counts["open interest told only once"] += 1
            continue
        before = float(held[0][at])
        change = float(held[-1][at]) / before - 1 if before > 0 else math.nan
        field = HIGH if side < 0 else LOW
        extremes = frame.prices(field, row, bars)[0]
        farthest = float(extremes.max() if side < 0 else extremes.min())
        over = (wall - farthest) * side / wall
        back = (spot - wall) * side > 0
        if 0 < over <= params["wall_share"] and back and change >= params["min_oi_change"]:
            yield Sale(
                chain.row, chain.now.chain.first, side, spot,
                spot * (1 + side * params["target_share"]),
                farthest - side * params["stop_share"] * spot, (-1, -1),
                {"nearness": 1 - over / params["wall_share"], "dominance": math.nan,
                 "open_interest_change": change, "level": wall, "spot": spot},
                (chain.name, "call wall" if side < 0 else "put wall"), kind=1,
            )  # fmt: skip
