"""Selling a straddle below its VWAP: entries and exits, minute by minute."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class StraddleEvent(StrEnum):
    """What a minute's close calls for."""

    SELL = "SELL_STRADDLE"
    EXIT_CROSS = "EXIT_VWAP_CROSS"
    EXIT_TIME = "EXIT_TIME"


class StraddleRules(msgspec.Struct, frozen=True):
    """Minutes in a row below VWAP to enter and above it to leave; times in minutes of session.

    Attributes:
        enter_after: minutes after the open; enter_until, leave_at: minutes before the close.
    """

    enter_bars: int = 1
    exit_bars: int = 2
    enter_after: int = 15
    enter_until: int = 30
    leave_at: int = 15


class StraddleTrader(msgspec.Struct):
    """One straddle at a fixed strike: flat or sold, decided on closed minutes only."""

    rules: StraddleRules
    sold: bool = False

    def close(self, below: int, above: int, since_open: int, to_close: int) -> StraddleEvent | None:
        """One closed minute.

        Args:
            below, above: minutes in a row that the premium closed below and above its VWAP.
            since_open, to_close: minutes from the session's open to this bar's start, and from
                there to the session's close.
        """
        rules = self.rules
        if self.sold:
            if to_close <= rules.leave_at:
                self.sold = False
                return StraddleEvent.EXIT_TIME
            if above >= rules.exit_bars:
                self.sold = False
                return StraddleEvent.EXIT_CROSS
            return None
        inside = since_open >= rules.enter_after and to_close > rules.enter_until
        if inside and below >= rules.enter_bars:
            self.sold = True
            return StraddleEvent.SELL
        return None
