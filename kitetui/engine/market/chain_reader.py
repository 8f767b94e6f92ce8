"""ChainReader: what an option chain says, from the last packets of its instruments."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import numpy as np

from kitetui.engine.calendar import SEGMENTS, Calendar, date_day
from kitetui.engine.feed.batch import F64, I64
from kitetui.engine.market.instruments import Rows
from kitetui.engine.market.last_packet import ASK, BID, LTP, LTT, OI, VOLUME, LastPacket
from kitetui.engine.market.options import (
    SECONDS_A_YEAR,
    Chain,
    ChainNow,
    Quotes,
    VolatilityRank,
    fair_price,
    read_chain,
    volatility_rank,
)
from kitetui.settings import OptionSettings

_NOTHING = np.zeros(0)


class ChainReader:
    """Reads chains; it holds no state of its own.

    Attributes:
        volatility: daily volatilities of past sessions by underlying, oldest first.
    """

    def __init__(self, rows: Rows, packets: LastPacket, calendar: Calendar,
                 settings: OptionSettings) -> None:  # fmt: skip
        self._rows = rows
        self._packets = packets
        self._calendar = calendar
        self._settings = settings
        self.volatility: Mapping[str, F64] = {}

    def now(self, chain: Chain, now_s: int) -> ChainNow:
        """Everything a chain says at a session second."""
        future = float("nan")
        if chain.future >= 0:
            quotes = self.quotes(np.array([chain.future]), now_s)
            tick = self._rows.instruments[chain.future].tick_size
            future = float(fair_price(quotes, tick, self._settings)[0])
        years = max(self.left_s(chain, now_s) // 60 * 60, 0) / SECONDS_A_YEAR
        return read_chain(chain, self.quotes(chain.call, now_s), self.quotes(chain.put, now_s),
                          future, years, self._settings)  # fmt: skip

    def left_s(self, chain: Chain, now_s: int) -> int:
        """Seconds until the chain expires, at the close of its last session."""
        segment = SEGMENTS[int(self._rows.hours[max(chain.call[0], chain.put[0])])]
        day = date_day(date.fromisoformat(chain.expiry))
        # The instrument table knows the day of expiry, even where our calendar calls it closed.
        session = self._calendar.session(segment, day) or self._calendar.usual(segment, day)
        return session.close_s - now_s

    def rank(self, now: ChainNow) -> VolatilityRank:
        """Where the chain's volatility stands among past days."""
        own = self.volatility.get(now.chain.name, _NOTHING)
        vix = self.volatility.get("INDIA VIX", _NOTHING)
        return volatility_rank(now.atm_volatility, own, vix, self._settings)

    def buy_back(self, legs: I64) -> F64:
        """What it costs to buy options back now, at the ask: f64 (k,), NaN where one is missing.

        Args:
            legs: i64 (k, 2), rows of the calls and the puts.
        """
        asks = self._packets.cols[legs, ASK] / self._rows.divisor[legs]
        asked = (legs >= 0) & (self._packets.length[legs] > 0) & (asks > 0)
        cost: F64 = np.where(asked, asks, np.nan).sum(axis=1)
        return cost

    def quotes(self, rows: I64, now_s: int) -> Quotes:
        """What the rows' last packets say; nothing for row -1."""
        there = rows >= 0
        at = np.where(there, rows, 0)
        cols = self._packets.cols[at]
        divisor = self._rows.divisor[at].astype(np.float64)
        nothing = ~there | (self._packets.length[at] == 0)
        age_s = now_s - np.maximum(cols[:, LTT], 0)
        bid, ask, last = (
            np.where(nothing, 0.0, cols[:, column] / divisor) for column in (BID, ASK, LTP)
        )
        return Quotes(bid, ask, last, age_s.astype(np.float64),
                      np.where(nothing, 0, cols[:, OI]),
                      np.where(nothing, 0, cols[:, VOLUME]))  # fmt: skip
