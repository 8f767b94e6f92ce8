"""Risk: how much of an alert one may take, and when one had better take none. No order is placed.

Quantity is what loses no more than a share of the capital at the stop, within limits by position,
symbol, underlying, direction and day. The paper equity of the alerts that were raised tells the
drawdown at which plans are blocked. A pure function of alerts and outcomes, in their order.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from math import floor, isfinite

import msgspec

from kitetui.engine.alerts.alert import Alert, Plan
from kitetui.settings import RiskSettings

NEAREST_STOP = 3.0
"""A stop nearer than this many times spread and costs is noise."""
OPEN_MAX = 5_000


class _Taken(msgspec.Struct):
    """A plan whose outcome is not known."""

    symbol: str
    underlying: str
    side: int
    risk: float
    costs: float


class Risk:
    """Plans, and what became of those that were taken on paper.

    Attributes:
        equity: result of the session's closed plans, rupees after costs.
        blocked: why plans are blocked; '' where they are not.
    """

    def __init__(self, settings: RiskSettings) -> None:
        self._settings = settings
        self._open: OrderedDict[str, _Taken] = OrderedDict()
        self._day = -1
        self._past: deque[float] = deque(maxlen=max(settings.rolling_days - 1, 1))
        self._peak = 0.0
        self._taken_today = 0
        self._lifted = False
        self.equity = 0.0
        self.blocked = ""

    @property
    def open_risk(self) -> float:
        """Rupees that are lost if every open plan is stopped."""
        return sum(taken.risk for taken in self._open.values())

    def begin(self, day: int) -> None:
        """A session's day; a later one lifts the block and starts its equity at nothing."""
        if day <= self._day:
            return
        if self._day >= 0:
            self._past.append(self.equity)
        self._day, self.equity, self._peak = day, 0.0, 0.0
        self._taken_today, self._lifted, self.blocked = 0, False, ""
        self._open.clear()
        self._look()

    def plan(
        self, alert: Alert, entry: float, lot: int, spread: float, costs: float
    ) -> Plan | None:
        """How much of an alert to take; None where it has no direction or no distance.

        Args:
            entry: the next tradable quote, rupees; NaN where there is none.
            lot: shares in a lot, 0 where it cannot be traded.
            spread, costs: rupees a share, of a round trip.
        """
        if not alert.side or alert.stop is None or alert.target is None:
            return None
        bare = Plan(entry=entry if isfinite(entry) else alert.price, stop=alert.stop,
                    target=alert.target)  # fmt: skip
        distance = (bare.entry - alert.stop) * alert.side
        reason = self._why_not(alert, bare, distance, lot, spread + costs)
        if reason:
            return msgspec.structs.replace(bare, reason=reason)
        s = self._settings
        room = [
            (s.capital * s.risk_per_trade_pct / 100 / distance, ""),
            (s.capital * s.max_position_pct / 100 / bare.entry, ""),
            (float(s.max_lots * lot), ""),
            *((left / distance, words) for left, words in self._room(alert)),
        ]
        shares, limit = min(room, key=lambda one: one[0])
        quantity = max(floor(shares / lot), 0) * lot
        if not quantity:
            return msgspec.structs.replace(bare, reason=limit or "one lot is more than the limits")
        return msgspec.structs.replace(
            bare, quantity=quantity, lots=quantity // lot, risk=quantity * distance,
            value=quantity * bare.entry, costs=quantity * costs,
        )  # fmt: skip

    def take(self, alert: Alert) -> None:
        """An alert with a plan was raised: it is taken on paper."""
        plan = alert.plan
        if plan is None or not plan.quantity:
            return
        self._taken_today += 1
        if len(self._open) < OPEN_MAX:
            self._open[alert.alert_id] = _Taken(
                alert.symbol, alert.underlying or alert.symbol, alert.side, plan.risk, plan.costs
            )

    def close(self, alert_id: str, r: float) -> None:
        """The outcome of an alert is known, in units of its stop's distance."""
        taken = self._open.pop(alert_id, None)
        if taken is None or not isfinite(r):
            return
        self.equity += r * taken.risk - taken.costs
        self._peak = max(self._peak, self.equity)
        self._look()

    def lift(self) -> bool:
        """An operator takes the block away until the next session; whether there was one."""
        was, self._lifted, self.blocked = bool(self.blocked), True, ""
        return was

    def _why_not(self, alert: Alert, plan: Plan, distance: float, lot: int, noise: float) -> str:
        if self.blocked:
            return f"BLOCKED: {self.blocked}"
        if lot <= 0:
            return "it is not traded itself"
        if not distance > 0 or not plan.entry > 0:
            return "the price is beyond its stop"
        if distance < NEAREST_STOP * noise:
            return "its stop is nearer than three times spread and costs"
        if self._taken_today >= self._settings.max_plans_a_day:
            return f"{self._taken_today} plans were made today"
        return ""

    def _room(self, alert: Alert) -> list[tuple[float, str]]:
        """What each limit leaves, rupees at risk, and its words."""
        s, underlying = self._settings, alert.underlying or alert.symbol
        held = self._open.values()
        limits = (
            (s.max_symbol_risk_pct, sum(t.risk for t in held if t.symbol == alert.symbol),
             f"{alert.symbol} has its share of the risk"),
            (s.max_underlying_risk_pct, sum(t.risk for t in held if t.underlying == underlying),
             f"{underlying} has its share of the risk"),
            (s.max_direction_risk_pct, sum(t.risk for t in held if t.side == alert.side),
             f"{alert.direction} has its share of the risk"),
            (s.max_open_risk_pct, self.open_risk, "all the risk that may be open is"),
        )  # fmt: skip
        return [(s.capital * pct / 100 - risk, words) for pct, risk, words in limits]

    def _look(self) -> None:
        """Whether a drawdown is as deep as it may be."""
        if self._lifted or self.blocked:
            return
        s = self._settings
        down = (self._peak - self.equity) / s.capital * 100
        total = -(sum(self._past) + self.equity) / s.capital * 100
        if down >= s.daily_drawdown_pct:
            self.blocked = (
                f"drawdown of {down:.1f} % today, the limit is {s.daily_drawdown_pct:g} %"
            )
        elif total >= s.rolling_drawdown_pct:
            self.blocked = (f"down {total:.1f} % in {len(self._past) + 1} sessions, the limit is "
                            f"{s.rolling_drawdown_pct:g} %")  # fmt: skip
