"""Straddles at fixed strikes: premium, its session VWAP, and how long it has lain below."""

from __future__ import annotations

import msgspec
import numpy as np

from kitetui.engine.feed.batch import F64, I64
from kitetui.engine.market.bars import CLOSE, OI, VOLUME, ClosedBars
from kitetui.engine.market.instruments import Rows
from kitetui.engine.market.options import Chain

MINUTES_KEPT = 64
"""Minutes of every straddle that are kept."""


class Premium(msgspec.Struct):
    """The straddles of one chain after its newest minute, f64 or i64 (k,) by strike.

    Attributes:
        premium: call close + put close, rupees; NaN where a leg did not trade in that minute.
        vwap: since the session's open, weighed by both legs' volume; NaN without volume.
        below, above: minutes in a row that the premium closed below and above its VWAP.
    """

    premium: F64
    vwap: F64
    below: I64
    above: I64


class Straddles:
    """Every strike of one chain, minute by minute; each has its own series from the open on."""

    def __init__(self, chain: Chain) -> None:
        k = len(chain.strikes)
        self.chain = chain
        self.day = -1
        self.premium: F64 = np.full(k, np.nan)
        self.below: I64 = np.zeros(k, np.int64)
        self.above: I64 = np.zeros(k, np.int64)
        self._spent: F64 = np.zeros(k)
        self._shares: F64 = np.zeros(k)
        self._minutes = 0
        self._premiums: F64 = np.full((MINUTES_KEPT, k), np.nan)
        self._traded: F64 = np.zeros((MINUTES_KEPT, k))
        self._vwaps: F64 = np.full((MINUTES_KEPT, k), np.nan)

    def last(self, place: int, n: int) -> tuple[F64, F64, F64]:
        """Premium, shares and VWAP of one strike over the session's newest n minutes.

        f64 (up to n,), oldest first; premium NaN in minutes without a trade of a leg.
        """
        held = min(n, self._minutes, MINUTES_KEPT)
        at = (self._minutes - held + np.arange(held)) % MINUTES_KEPT
        return self._premiums[at, place], self._traded[at, place], self._vwaps[at, place]

    def now(self) -> Premium:
        """As it stands after the newest minute."""
        return Premium(self.premium, self._vwap(), self.below, self.above)

    def minute(self, day: int, call_close: F64, put_close: F64, shares: F64) -> None:
        """Take one closed minute: f64 (k,), NaN closes where a leg did not trade.

        Args:
            day: what tells sessions apart.
        """
        if day != self.day:
            self.day = day
            for total in (self._spent, self._shares):
                total[:] = 0.0
            self.below[:] = self.above[:] = 0
            self._minutes = 0
        premium = call_close + put_close
        traded = np.isfinite(premium)
        self.premium = premium
        self._spent[traded] += premium[traded] * shares[traded]
        self._shares[traded] += shares[traded]
        vwap = self._vwap()
        with np.errstate(invalid="ignore"):
            below, above = premium < vwap, premium > vwap
        self.below = np.where(below, self.below + 1, np.where(traded, 0, self.below))
        self.above = np.where(above, self.above + 1, np.where(traded, 0, self.above))
        at = self._minutes % MINUTES_KEPT
        self._premiums[at], self._traded[at], self._vwaps[at] = premium, shares, vwap
        self._minutes += 1

    def _vwap(self) -> F64:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self._shares > 0, self._spent / self._shares, np.nan)


class ChainMinutes:
    """Straddles and open interest of all chains, advanced when minutes close.

    Attributes:
        straddles: one a chain.
        oi_open: i64 (rows,), open interest as the session's first bar told it; -1 before.
        oi_changed: i64 (rows,), minute of its last change; oi_snapshots: distinct values seen.
    """

    def __init__(self, rows: Rows) -> None:
        capacity = rows.capacity
        self.straddles: list[Straddles] = []
        self.oi_open: I64 = np.full(capacity, -1, np.int64)
        self.oi_changed: I64 = np.full(capacity, -1, np.int64)
        self.oi_snapshots: I64 = np.zeros(capacity, np.int64)
        self._oi: I64 = np.full(capacity, -1, np.int64)
        self._day: I64 = np.full(capacity, -1, np.int64)
        self._divisor = rows.divisor
        self._place: I64 = np.full(capacity, -1, np.int64)

    def chains(self, chains: list[Chain]) -> None:
        """Use these chains; series of the ones that stay as they were go on."""
        held = {(s.chain.name, s.chain.expiry): s for s in self.straddles}
        self.straddles = []
        for chain in chains:
            old = held.get((chain.name, chain.expiry))
            same = old is not None and np.array_equal(old.chain.strikes, chain.strikes)
            self.straddles.append(old if old is not None and same else Straddles(chain))
            self.straddles[-1].chain = chain

    def close(self, bars: ClosedBars, opened: I64) -> None:
        """Minutes closed together; `opened`: i64 (n,), first minutes of their sessions."""
        rows, oi = bars.rows, bars.values[OI]
        fresh = opened != self._day[rows]
        self.oi_open[rows[fresh]] = oi[fresh]
        self.oi_snapshots[rows[fresh]] = 0
        self._day[rows] = opened
        moved = fresh | (oi != self._oi[rows])
        self.oi_changed[rows[moved]] = bars.start
        self.oi_snapshots[rows[moved]] += 1
        self._oi[rows] = oi
        if not self.straddles:
            return
        self._place[rows] = np.arange(len(rows))
        close = np.append(bars.values[CLOSE] / self._divisor[rows], np.nan)
        shares = np.append(bars.values[VOLUME].astype(np.float64), 0.0)
        for series in self.straddles:
            call, put = self._at(series.chain.call), self._at(series.chain.put)
            traded = np.concatenate([call, put])
            traded = traded[traded >= 0]
            if len(traded):
                series.minute(int(opened[traded[0]]), close[call], close[put],
                              shares[call] + shares[put])  # fmt: skip
        self._place[rows] = -1

    def _at(self, rows: I64) -> I64:
        """Where rows stand among the bars that close; -1 for the ones that do not."""
        return np.where(rows >= 0, self._place[rows], -1)
