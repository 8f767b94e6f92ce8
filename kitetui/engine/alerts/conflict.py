"""Conflicts: what becomes of alerts that contradict one another on one symbol.

Two alerts meet within five bars of their timeframe. Ranks of different patterns are never
compared: where neither wins by rule, the higher expected result does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import msgspec

from kitetui.engine.alerts.alert import Alert

WINDOW_BARS = 5
CLOSE_R = 0.05
"""Expected results that differ by no more are one contested alert."""
MOST_HELD = 64
"""Alerts a symbol is remembered with; a window holds far fewer."""

CONTEXT = frozenset({"ict_killzone", "ict_premium_discount"})
"""They tell where a price is, and contradict nothing."""
MOMENTUM = frozenset({"upside_momentum", "downside_momentum"})
BREAKS = frozenset({"breakout", "volume_breakout"})
TURNS = frozenset({"reversal", "ict_liquidity_pools"})
TRENDS = MOMENTUM | BREAKS | {"ict_momentum", "volume_profile_breakout"}
SALES = frozenset({"range_bound_strangle", "premium_collection_strategy", "kow_signal_straddle"})
"""Sales of premium that a trend of the underlying forbids."""
SIDELESS = CONTEXT | SALES | {"iv_crush_play_straddle"}
"""Their side, if any, is not the underlying's."""


class Mark(msgspec.Struct, frozen=True):
    """Words for an alert that was raised before."""

    alert_id: str
    tags: tuple[str, ...]


class Ruling(msgspec.Struct, frozen=True):
    """What becomes of a candidate.

    Attributes:
        refused: why it is not raised, `conflict` or `contested`; empty where it is.
        tags: words for it; marks: words for those raised before.
    """

    refused: str = ""
    tags: tuple[str, ...] = ()
    marks: tuple[Mark, ...] = ()


class Conflicts:
    """Rules on candidates in the order in which they come; a pure function of its own past."""

    def __init__(self) -> None:
        self._held: dict[str, deque[Alert]] = {}
        self._trends: dict[str, Alert] = {}

    def rule(self, candidate: Alert) -> Ruling:
        """Rule on a candidate, by the alerts that were raised before; `hold` it if it is."""
        held = self._held.get(candidate.symbol, ())
        reach_s = WINDOW_BARS * (candidate.at_s - candidate.bar_s)
        near = [alert for alert in held if candidate.at_s - alert.at_s < reach_s]
        name, underlying = candidate.family, candidate.underlying or candidate.symbol
        trend = self._trends.get(underlying)
        if name in SALES and trend is not None and candidate.at_s - trend.at_s < reach_s:
            return Ruling("conflict")
        tags: list[str] = []
        marks: list[Mark] = []
        for alert in near:
            if not _opposed(alert, candidate):
                continue
            ruling = _between(alert, candidate)
            if ruling.refused:
                return ruling
            tags += ruling.tags
            marks += ruling.marks
        return Ruling("", tuple(dict.fromkeys(tags)), tuple(marks))

    def hold(self, alert: Alert, marks: Iterable[Mark]) -> None:
        """An alert was raised; those that its marks beat stand against nobody any more."""
        held = self._held.setdefault(alert.symbol, deque(maxlen=MOST_HELD))
        beaten = {mark.alert_id for mark in marks if {"invalidated", "outweighed"} & {*mark.tags}}
        for earlier in [earlier for earlier in held if earlier.alert_id in beaten]:
            held.remove(earlier)
        held.append(alert)
        if alert.family in TRENDS:
            self._trends[alert.underlying or alert.symbol] = alert


def _opposed(alert: Alert, candidate: Alert) -> bool:
    return (
        alert.timeframe == candidate.timeframe
        and alert.side * candidate.side < 0
        and not {alert.family, candidate.family} & SIDELESS
    )


def _between(alert: Alert, candidate: Alert) -> Ruling:
    """An alert, and a later candidate for the other side."""
    two = {alert.family, candidate.family}
    if two & BREAKS and "volume_price_divergence" in two:
        return Ruling(tags=("contested",), marks=(Mark(alert.alert_id, ("contested",)),))
    if two <= MOMENTUM:
        return Ruling(marks=(Mark(alert.alert_id, ("invalidated",)),))
    if two & BREAKS and two & TURNS:
        stopped = alert.stop is not None and (candidate.price - alert.stop) * alert.side <= 0
        return Ruling(marks=(Mark(alert.alert_id, ("invalidated",)),) if stopped else ())
    ahead = (candidate.expected_r or 0.0) - (alert.expected_r or 0.0)
    if abs(ahead) <= CLOSE_R:
        told = ("contested", f"{candidate.pattern} {candidate.direction}")
        return Ruling("contested", marks=(Mark(alert.alert_id, told),))
    if ahead < 0:
        return Ruling("conflict")
    return Ruling(marks=(Mark(alert.alert_id, ("outweighed",)),))
