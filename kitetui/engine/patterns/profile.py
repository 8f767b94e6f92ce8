"""What volume by price says: breaks of the value area, and five readings of the profile."""

from __future__ import annotations

import numpy as np

from kitetui.engine.feed.batch import F64, I64, Bool
from kitetui.engine.market.bars import CLOSE, HIGH, LOW
from kitetui.engine.market.profile import Levels
from kitetui.engine.patterns.registry import Hits, detector, hits_of, joined
from kitetui.engine.patterns.view import View
from kitetui.settings import PatternSettings

_KINDS = ("naked_poc", "poc_migration", "shape", "lvn_traversal", "poor_extreme", "va_reentry")
NAKED_POC, POC_MIGRATION, SHAPE, LVN_TRAVERSAL, POOR_EXTREME, VA_REENTRY = range(6)
_SESSION_BARS = 76
"""Bars of five minutes that a session has, one more: looked back over at most."""


@detector("volume_profile_breakout",
          evidence=("distance_atr", "ratio", "lvn_ahead", "edge"), params=("min_ratio", "stop_atr"),
          needs=["volume", "previous_session"],
          words="a second close {distance_atr:.2f} ATR outside yesterday's value area at "
                "{edge:.2f}, {ratio:.1f} times the usual volume")  # fmt: skip
def volume_profile_breakout(view: View, settings: PatternSettings) -> Hits:
    """Two closes outside the value area of the session before, the first of them leaving it."""
    params = settings.params
    close, (val, vah) = view.window(CLOSE, 3), view.previous_value_area
    up = (close[0] <= vah) & (close[1] > vah) & (close[2] > vah)
    down = (close[0] >= val) & (close[1] < val) & (close[2] < val)
    hit = (up | down) & (view.relative_volume >= params["min_ratio"])
    at = np.flatnonzero(hit)
    side = np.where(up, 1, -1)[at]
    edge, ratio, price = np.where(up, vah, val)[at], view.relative_volume[at], close[2, at]
    view = view.only(at)
    thin, target = _ahead(view, side, price)
    evidence = {
        "distance_atr": (price - edge) * side / view.atr,
        "ratio": ratio,
        "lvn_ahead": thin,
        "edge": edge,
    }
    return hits_of(view, view.earlier_bars(2), side, evidence, target=target,
                   stop=edge - side * params["stop_atr"] * view.atr)  # fmt: skip


def _ahead(view: View, side: I64, price: F64) -> tuple[F64, F64]:
    """Whether a thin place lies within 1.5 ATR ahead (NaN: unknown), and the next thick one."""
    thin, thick = np.full(len(view), np.nan), np.full(len(view), np.nan)
    for at, row in enumerate(view.rows.tolist()):
        found = view.market.levels_around(row)
        if found is None:
            continue
        far = 1.5 * view.atr[at]
        thin[at] = any(0 < (level - price[at]) * side[at] <= far for level in found.lvn)
        beyond = [level for level in found.hvn if (level - price[at]) * side[at] > 0]
        thick[at] = min(beyond, key=lambda level: abs(level - price[at]), default=np.nan)
    return thin, thick


@detector("volume_profile_advanced", kinds=_KINDS,
          evidence=("strength", "ratio", "level", "distance_atr"),
          params=("min_session_minutes", "min_bins", "naked_ticks", "naked_atr", "min_wick",
                  "migration_atr", "migration_bars", "third", "min_ratio", "min_step_atr",
                  "thin_share", "poor_share", "poor_from_atr", "poor_to_atr"),
          needs=["volume", "landmarks"], edge=True,
          words="{strength:.2f} of its full strength at {level:.2f}, {distance_atr:.2f} ATR from "
                "the close")  # fmt: skip
def volume_profile_advanced(view: View, settings: PatternSettings) -> Hits:
    """A POC never traded back to, a POC that moves, a lopsided profile, a thin place crossed, an
    extreme left unfinished, a return into yesterday's value area."""
    params = settings.params
    view = view.only(view.start >= view.opened + int(params["min_session_minutes"]))
    readings = (_naked_poc, _poc_migration, _shape, _lvn_traversal, _poor_extreme, _va_reentry)
    return joined([reading(view, params) for reading in readings])


def _hits(view: View, hit: Bool, side: I64 | int, kind: int, strength: F64, level: F64,
          target: F64 | float = np.nan) -> Hits:  # fmt: skip
    close = view.window(CLOSE, 1)[0]
    evidence = {
        "strength": strength,
        "ratio": view.relative_volume,
        "level": level,
        "distance_atr": np.abs(close - level) / view.atr,
    }
    return hits_of(view, hit, side, evidence, kind=kind, target=target)


def _naked_poc(view: View, params: dict[str, float]) -> Hits:
    """Yesterday's POC, untouched today, approached and rejected; strength: the wick's share."""
    poc = view.previous_poc
    high, low, close = (view.window(f, 1)[0] for f in (HIGH, LOW, CLOSE))
    above = poc > close
    side = np.where(above, -1, 1)
    short_of = np.where(above, poc - high, low - poc)
    with np.errstate(divide="ignore", invalid="ignore"):
        body_end = np.where(above, np.maximum(close, view.open), np.minimum(close, view.open))
        wick = np.abs(np.where(above, high, low) - body_end) / (high - low)
    near = np.maximum(params["naked_ticks"] * view.tick, params["naked_atr"] * view.atr)
    hit = (np.abs(short_of) <= near) & (wick >= params["min_wick"])
    at = np.flatnonzero(hit)
    view, poc, side, wick, above = view.only(at), poc[at], side[at], wick[at], above[at]
    reach = min(_SESSION_BARS, view.frame.history.depth)
    today = np.arange(reach)[:, None] >= reach - 1 - view.bars_today
    today[-1] = False
    highest = np.where(today, view.window(HIGH, reach), -np.inf).max(axis=0)
    lowest = np.where(today, view.window(LOW, reach), np.inf).min(axis=0)
    untouched = np.where(above, highest < poc, lowest > poc)
    return _hits(view, untouched, side, NAKED_POC, wick, poc)


def _poc_migration(view: View, params: dict[str, float]) -> Hits:
    """The POC moved by an ATR with the price; strength: how many ATRs, five are full."""
    back = int(params["migration_bars"])
    poc, before = view.developing_poc(0), view.developing_poc(back)
    close = view.window(CLOSE, back + 1)
    way = close[-1] - close[0]
    moved = (poc - before) / view.atr
    hit = (np.abs(moved) >= params["migration_atr"]) & (np.sign(moved) == np.sign(way))
    hit &= view.earlier_bars(back)
    return _hits(view, hit, np.where(moved > 0, 1, -1), POC_MIGRATION, np.abs(moved) / 5, poc)


def _shape(view: View, params: dict[str, float]) -> Hits:
    """The POC came into the top third (P) or the bottom third (b); strength: how far beyond it.

    A profile that has long been lopsided, as that of an option that decays, tells nothing.
    """
    shapes, third = view.shapes, params["third"]
    with np.errstate(divide="ignore", invalid="ignore"):
        place = (shapes.poc + 0.5) / shapes.bins
        before = ((view.developing_poc(1) - shapes.low) / shapes.size + 0.5) / shapes.bins
    enough = (shapes.bins >= params["min_bins"]) & np.isfinite(shapes.size)
    top = (place >= 1 - third) & (before < 1 - third)
    bottom = (place <= third) & (before > third)
    strength = np.where(top, place - (1 - third), third - place) / third
    return _hits(view, enough & (top | bottom), np.where(top, 1, -1), SHAPE, strength,
                 view.developing_poc(0))  # fmt: skip


def _lvn_traversal(view: View, params: dict[str, float]) -> Hits:
    """A close across a thin place on volume; strength: how thin, of the mean bin."""
    close = view.window(CLOSE, 2)
    way = close[1] - close[0]
    at = np.flatnonzero(
        (view.relative_volume >= params["min_ratio"])
        & (np.abs(way) >= params["min_step_atr"] * view.atr)
        & (view.shapes.bins >= params["min_bins"])
    )
    view, way, mean, now = view.only(at), way[at], view.shapes.mean[at], close[1, at]
    least = view.thinnest(close[0, at], now)
    thin = np.flatnonzero(least <= params["thin_share"] * mean)
    view, way, now = view.only(thin), way[thin], now[thin]
    strength = 1 - least[thin] / mean[thin]
    crossed, target = np.full(len(view), np.nan), np.full(len(view), np.nan)
    for at_row, row in enumerate(view.rows.tolist()):
        found: Levels | None = view.market.levels_around(row)
        if found is None:
            continue
        low, high = sorted((now[at_row], now[at_row] - way[at_row]))
        inside = [level for level in found.lvn if low < level < high]
        side = np.sign(way[at_row])
        ahead = [level for level in found.hvn if (level - now[at_row]) * side > 0]
        if inside and ahead:
            crossed[at_row] = inside[-1] if side > 0 else inside[0]
            target[at_row] = min(ahead, key=lambda level: abs(level - now[at_row]))
    return _hits(view, np.isfinite(crossed), np.where(way > 0, 1, -1), LVN_TRAVERSAL, strength,
                 crossed, target)  # fmt: skip


def _poor_extreme(view: View, params: dict[str, float]) -> Hits:
    """The session's high or low still trades like its middle: unfinished, the price may return.

    Strength: the extreme bin's volume over the mean bin's, 1 at twice.
    """
    shapes, close = view.shapes, view.window(CLOSE, 1)[0]
    top = shapes.low + shapes.bins * shapes.size
    out = []
    for side, level, volume in ((1, top, shapes.highest), (-1, shapes.low, shapes.lowest)):
        with np.errstate(divide="ignore", invalid="ignore"):
            share = volume / shapes.mean
        away = (level - close) * side / view.atr
        hit = (share >= params["poor_share"]) & (shapes.bins >= params["min_bins"])
        hit &= (away >= params["poor_from_atr"]) & (away <= params["poor_to_atr"])
        out.append(_hits(view, hit, side, POOR_EXTREME, np.minimum(share / 2, 1), level, level))
    return joined(out)


def _va_reentry(view: View, params: dict[str, float]) -> Hits:
    """Opened outside yesterday's value area, two half-hours closed inside: the other edge is next.

    Strength: how deep inside the close is, 1 at the middle of the area.
    """
    half_hour = 30 // view.frame.minutes
    close, (val, vah) = view.window(CLOSE, 2 * half_hour + 1), view.previous_value_area
    now, before, first = close[-1], close[-1 - half_hour], close[0]
    opened = view.session_open
    on_the_mark = (view.start + view.frame.minutes - view.opened) % 30 == 0
    inside = (now >= val) & (now <= vah) & (before >= val) & (before <= vah)
    outside_before = (first < val) | (first > vah) | ~view.earlier_bars(2 * half_hour)
    below, above = opened < val, opened > vah
    side = np.where(below, 1, -1)
    with np.errstate(divide="ignore", invalid="ignore"):
        deep = np.where(below, now - val, vah - now) / (vah - val) * 2
    hit = on_the_mark & inside & outside_before & (below | above)
    edge = np.where(below, vah, val)
    return _hits(view, hit, side, VA_REENTRY, np.minimum(deep, 1), edge, edge)
