"""Stops beyond known levels: sweeps of pools, and where in the dealing range the price stands."""

from __future__ import annotations

import numpy as np

from kitetui.engine.feed.batch import F64, I64, Bool
from kitetui.engine.market.bars import CLOSE, HIGH, LOW
from kitetui.engine.market.indicators import EMA50
from kitetui.engine.patterns.registry import Hits, detector, hits_of, joined
from kitetui.engine.patterns.view import View
from kitetui.settings import PatternSettings

_ROUNDING = 1e-9


class DealingRange:
    """The leg between the last two confirmed swings of every row of a view.

    Attributes:
        known: bool (n,); low, high: f64 (n,), rupees.
        up: bool (n,), whether the leg rises: the newer swing is its high.
    """

    def __init__(self, view: View) -> None:
        newer, older = view.swing(0), view.swing(1)
        self.known: Bool = newer.known & older.known
        self.up: Bool = newer.side > 0
        self.low: F64 = np.where(self.up, older.level, newer.level)
        self.high: F64 = np.where(self.up, newer.level, older.level)
        self.known &= self.high > self.low

    def position(self, price: F64) -> F64:
        """0 at the low, 1 at the high; NaN outside, where the range is void, or unknown."""
        with np.errstate(divide="ignore", invalid="ignore"):
            found = (price - self.low) / (self.high - self.low)
        return np.where(self.known & (found >= 0) & (found <= 1), found, np.nan)


def dear(view: View, side: I64, factor: float) -> F64:
    """The score's factor: less for buying in the upper half of the range, or selling in the lower.

    Premium and discount are a filter of the other patterns, no reason of their own.
    """
    position = DealingRange(view).position(view.window(CLOSE, 1)[0])
    against = ((side > 0) & (position > 0.5)) | ((side < 0) & (position < 0.5))
    return np.where(against, factor, 1.0)


@detector("ict_liquidity_pools", kinds=("previous_day", "opening_range", "swings"),
          evidence=("touches", "wick", "ratio", "level"),
          params=("tolerance_share", "tolerance_ticks", "min_swings", "dear_factor", "target_atr",
                  "stop_ticks"),
          needs=["landmarks"],
          words="went beyond {level:.2f}, touched {touches:.0f} times, and closed back; wick "
                "{wick:.2f} of the bar, {ratio:.1f} times the usual volume")  # fmt: skip
def ict_liquidity_pools(view: View, settings: PatternSettings) -> Hits:
    """A sweep: beyond a level where stops lie, and closed back inside on the same bar."""
    params = settings.params
    parts = []
    for kind, (high, low) in enumerate((view.previous_day, view.opening_range)):
        parts += [_swept(view, params, kind, high, -1), _swept(view, params, kind, low, 1)]
    parts += [_swept(view, params, 2, _pool(view, params, side), -side) for side in (1, -1)]
    return joined(parts)


def _tolerance(view: View, params: dict[str, float], level: F64) -> F64:
    return np.maximum(params["tolerance_ticks"] * view.tick, params["tolerance_share"] * level)


def _pool(view: View, params: dict[str, float], side: int) -> F64:
    """The pool of swings on one side that the closed bar swept: its farthest level, or NaN."""
    marks, swings = view.landmarks, view.landmarks.swings
    out = np.full(len(view), np.nan)
    at = np.flatnonzero(np.isin(view.rows, marks.swept_rows))
    rows = view.rows[at]
    taken = (marks.swept[rows] == view.bars[at, None] - 1) & (swings.side[rows] == side)
    some = taken.any(axis=1)
    at, rows, taken = at[some], rows[some], taken[some]
    if len(at):
        level = swings.level[rows] * side / view.divisor[at, None]
        out[at] = np.where(taken, level, -np.inf).max(axis=1) * side
    return out


def _swept(view: View, params: dict[str, float], kind: int, level: F64, side: int) -> Hits:
    """Sweeps of one level a row: side -1 of what lies above, 1 of what lies below."""
    high, low, close = (view.window(f, 1)[0] for f in (HIGH, LOW, CLOSE))
    above = side < 0
    beyond = high - level if above else level - low
    inside = close < level if above else close > level
    hit = (beyond >= view.tick - _ROUNDING) & inside
    at = np.flatnonzero(hit)
    view, level, high, low, close = view.only(at), level[at], high[at], low[at], close[at]
    touches = _touches(view, params, level, -side) + (kind < 2)
    wick = high - np.maximum(close, view.open) if above else np.minimum(close, view.open) - low
    with np.errstate(divide="ignore", invalid="ignore"):
        wick = np.where(high > low, wick / (high - low), 0.0)
    sides = np.full(len(at), side, np.int64)
    extreme = high if above else low
    evidence = {"touches": touches, "wick": wick, "ratio": view.relative_volume, "level": level}
    return hits_of(
        view,
        touches >= params["min_swings"] if kind == 2 else np.ones(len(at), np.bool_),
        sides, evidence, kind=kind, factor=dear(view, sides, params["dear_factor"]),
        stop=extreme - side * params["stop_ticks"] * view.tick,
        target=close + side * params["target_atr"] * view.atr,
    )  # fmt: skip


def _touches(view: View, params: dict[str, float], level: F64, side: int) -> F64:
    """Swings of one side at a level that were whole before the closed bar: f64 (n,)."""
    marks, swings = view.landmarks, view.landmarks.swings
    rows = view.rows
    whole = (swings.side[rows] == side) & (
        (marks.swept[rows] < 0) | (marks.swept[rows] == (view.bars - 1)[:, None])
    )
    apart = np.abs(swings.level[rows] / view.divisor[:, None] - level[:, None])
    near = apart <= _tolerance(view, params, level)[:, None] + _ROUNDING
    touches: F64 = (whole & near).sum(axis=1).astype(np.float64)
    return touches


@detector("ict_optimal_trade_entry",
          evidence=("leg_atr", "centred", "overlap", "retrace", "leg_low", "leg_high"),
          params=("min_leg_atr", "from_retrace", "to_retrace", "best_retrace", "dear_factor"),
          needs=["landmarks"],
          words="retraced {retrace:.2f} of a leg of {leg_atr:.1f} ATR from {leg_low:.2f} to "
                "{leg_high:.2f} that had broken the structure")  # fmt: skip
def ict_optimal_trade_entry(view: View, settings: PatternSettings) -> Hits:
    """The first return into the deep part of a leg that broke the swing before it."""
    return joined([_deep(view, settings.params, side) for side in (1, -1)])


def _deep(view: View, params: dict[str, float], side: int) -> Hits:
    leg, origin = DealingRange(view), view.swing(2)
    rising = leg.up if side > 0 else ~leg.up
    end = leg.high if side > 0 else leg.low
    broke = origin.known & ((end - origin.level) * side > 0)
    far = view.window(LOW if side > 0 else HIGH, 1)[0]
    close, height = view.window(CLOSE, 1)[0], leg.high - leg.low
    with np.errstate(divide="ignore", invalid="ignore"):
        reached, retrace = (end - far) * side / height, (end - close) * side / height
    hit = leg.known & rising & broke & (height >= params["min_leg_atr"] * view.atr)
    hit &= (reached >= params["from_retrace"]) & (retrace <= params["to_retrace"])
    at = np.flatnonzero(hit)
    view, end, height, retrace = view.only(at), end[at], height[at], retrace[at]
    low, high = leg.low[at], leg.high[at]
    # Bars since the leg's end was known, the closed one included.
    known_for = view.bars - 1 - (view.swing(0).bar + view.landmarks.swings.length)
    reach = view.frame.history.depth - 1
    worst = view.window(LOW if side > 0 else HIGH, reach)
    since = np.arange(reach)[:, None] >= reach - 1 - known_for
    deepest = (end - worst) * side / height
    before = np.where(since[:-1], deepest[:-1], -np.inf).max(axis=0)
    hit = (known_for < reach) & (before < params["from_retrace"])
    half = (params["to_retrace"] - params["from_retrace"]) / 2
    evidence = {
        "leg_atr": height / view.atr,
        "centred": np.clip(1 - np.abs(retrace - params["best_retrace"]) / half, 0, 1),
        "overlap": view.inside_gap(side).astype(np.float64),
        "retrace": retrace,
        "leg_low": low,
        "leg_high": high,
    }
    sides = np.full(len(view), side, np.int64)
    stop = (low - view.tick) if side > 0 else high + view.tick
    return hits_of(view, hit, side, evidence, stop=stop, target=end,
                   factor=dear(view, sides, params["dear_factor"]))  # fmt: skip


@detector("ict_premium_discount", evidence=("depth", "slope_atr", "position"),
          params=("edge", "slope_bars"), needs=["landmarks"],
          words="entered {position:.2f} of the dealing range, with a 50-bar average that moves "
                "{slope_atr:.2f} ATR the other way")  # fmt: skip
def ict_premium_discount(view: View, settings: PatternSettings) -> Hits:
    """Enters the cheap quarter of its range in a rising market, or the dear one in a falling."""
    params = settings.params
    leg, close = DealingRange(view), view.window(CLOSE, 2)
    now, before = leg.position(close[1]), leg.position(close[0])
    slope = view.ema_slope(EMA50, 50, int(params["slope_bars"])) / view.atr
    edge = params["edge"]
    cheap = (now <= edge) & (before > edge) & (slope > 0)
    dearer = (now >= 1 - edge) & (before < 1 - edge) & (slope < 0)
    side = np.where(cheap, 1, -1)
    evidence = {
        "depth": np.where(cheap, edge - now, now - (1 - edge)),
        "slope_atr": slope * side,
        "position": now,
    }
    return hits_of(view, cheap | dearer, side, evidence)
