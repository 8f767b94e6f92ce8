"""Whether an alert still is what it was when its turn comes to be sent."""

from __future__ import annotations

from kitetui.engine.alerts.alert import WAITING, Alert, AlertState, Origin

STALE_S = 15.0
"""Seconds without a tick after which a price says nothing."""


def refusal(sent: Alert, now: Alert | None, price: float | None, age_s: float, *,
            open_: bool) -> str:  # fmt: skip
    """Why an alert is not to be sent now; '' where it is.

    Args:
        sent: as it was when it was told of; now: as it stands, None where it has left the queue.
        price: rupees now, None where unknown; age_s: seconds since the instrument's last tick.
        open_: whether its session is open.
    """
    if now is None:
        return "it has left the queue"
    if now.state is AlertState.ACKED:
        return "acknowledged already"
    if now.state not in WAITING:
        return str(now.state)
    if sent.origin is Origin.SYSTEM:
        return ""
    if now.state is AlertState.RETURNED:
        return "its condition is over"
    if "invalidated" in now.tags or "outweighed" in now.tags:
        return "superseded"
    if not open_:
        return "its session is over"
    if price is None or age_s > STALE_S:
        return "its price is stale"
    if not sent.side or sent.stop is None or sent.target is None:
        return ""
    if (price - sent.stop) * sent.side <= 0:
        return "the price passed its stop"
    if (price - sent.target) * sent.side >= 0:
        return "the price reached its target"
    return ""
