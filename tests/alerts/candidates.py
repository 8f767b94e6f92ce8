"""Candidates made by hand, and a desk with the shipped settings."""

from __future__ import annotations

from typing import Any

import msgspec

from kitetui.config import load
from kitetui.engine.alerts.alert import Alert, Origin, Priority, alert_id
from kitetui.settings import AlertSettings

NOON_S = 1_765_782_000
SETTINGS: AlertSettings = load().alerts


def settings(**changes: Any) -> AlertSettings:
    """The shipped ones, with changes."""
    return msgspec.structs.replace(SETTINGS, **changes)


def candidate(symbol: str = "RELIANCE", at_s: int = NOON_S, *, pattern: str = "volume_spike",
              side: int = 1, timeframe: str = "1m", priority: Priority = Priority.P3,
              confidence: float = 0.9, **changes: Any) -> Alert:  # fmt: skip
    """A pattern's candidate at the close of a minute bar."""
    bar_s = at_s - 60
    base = Alert(
        alert_id=alert_id(symbol, pattern, timeframe, side, bar_s), symbol=symbol, token=1,
        pattern=pattern, timeframe=timeframe, side=side, bar_s=bar_s, at_s=at_s, price=100.0,
        score=0.5, confidence=confidence, evidence={"ratio": 3.0}, horizon_bars=10,
        valid_until_s=at_s + 600, session_end_s=NOON_S + 4 * 3600, priority=priority,
    )  # fmt: skip
    return msgspec.structs.replace(base, **changes)


def condition_alert(name: str = "feed_lost", at_s: int = NOON_S, *,
                    priority: Priority = Priority.P1, scope: str = "feed") -> Alert:  # fmt: skip
    """What one of the engine's own conditions raises."""
    return candidate(scope, at_s, pattern=name, side=0, timeframe="", priority=priority,
                     origin=Origin.SYSTEM, confidence=1.0, valid_until_s=0, session_end_s=0,
                     horizon_bars=0)  # fmt: skip
