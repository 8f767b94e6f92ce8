"""Chains as detectors see them: each with its underlying, its quotes' state, and its rank."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np

from kitetui.engine.feed.batch import F64, I64
from kitetui.engine.market.bars import CLOSE
from kitetui.engine.market.indicators import realised_volatility
from kitetui.engine.market.last_packet import EXCHANGE
from kitetui.engine.market.market import Market
from kitetui.engine.market.options import ChainNow, VolatilityRank
from kitetui.engine.market.straddle import Straddles
from kitetui.engine.patterns.registry import Hits
from kitetui.engine.patterns.view import View

TRADING_DAYS = 252
TRADING_MINUTES = 375


class ChainSeen(msgspec.Struct):
    """One chain at the close of a bar.

    Attributes:
        series: its straddles; row: of its underlying, or of what stands for it.
        left_s: seconds until it expires.
    """

    series: Straddles
    row: int
    now: ChainNow
    rank: VolatilityRank
    left_s: int

    @property
    def name(self) -> str:
        """The underlying's name and the expiry, for tags."""
        return f"{self.now.chain.name} {self.now.chain.expiry}"

    @property
    def atm_legs(self) -> tuple[int, int]:
        """Rows of the call and the put at the money."""
        chain, atm = self.now.chain, self.now.atm
        return int(chain.call[atm]), int(chain.put[atm])


def now_s(view: View) -> int:
    """The second at which the view's bars closed."""
    return (view.start + view.frame.minutes) * 60


def seen(view: View, limit: int) -> list[ChainSeen]:
    """The first chains that have not expired and whose underlying is watched.

    Those beyond the limit, or without an underlying, are counted as silent.
    """
    key = ("chains", view.frame.minutes)
    held = view.memory.get(key)
    if held is None or held[0] != (view.start, limit):
        second, beyond, alone = now_s(view), 0, 0
        found: list[ChainSeen] = []
        for series in view.market.chains.straddles:
            left_s = view.market.chain_reader.left_s(series.chain, second)
            if left_s <= 0:
                continue
            if len(found) == limit:
                beyond += 1
                continue
            row = underlying(view, series)
            if row in (series.chain.call[0], series.chain.put[0]):
                alone += 1
                continue
            now = view.market.chain_reader.now(series.chain, second)
            rank = view.market.chain_reader.rank(now)
            found.append(ChainSeen(series, row, now, rank, left_s))
        held = view.memory[key] = ((view.start, limit), found, beyond, alone)
    view.silence.counts["beyond max_chains"] = held[2]
    view.silence.counts["neither its future nor its share is watched"] = held[3]
    return list(held[1])


def underlying(view: View, series: Straddles) -> int:
    """The row of a chain's future, else of the name's nearest one or its share, else of a leg."""
    chain = series.chain
    if chain.future >= 0:
        return chain.future
    rows = view.market.rows
    held = view.memory.get("underlyings")
    if held is None or held[0] != rows.count:
        listed = [(i.expiry, row, i) for row, i in enumerate(rows.instruments)]
        nearest: dict[str, int] = {}
        for _, at, item in sorted(listed, key=lambda one: one[:2]):
            if item.kind in ("FUT", "EQ"):
                nearest.setdefault(item.name if item.kind == "FUT" else item.tradingsymbol, at)
        held = view.memory["underlyings"] = (rows.count, nearest)
    row: int = held[1].get(chain.name, -1)
    return row if row >= 0 else int(chain.call[0] if chain.call[0] >= 0 else chain.put[0])


def tradable(view: View, chain: ChainSeen, legs: tuple[int, int], params: dict[str, float]) -> bool:
    """Whether both legs are quoted closely and lately; else the reason is counted."""
    counts = view.silence.counts
    if min(legs) < 0:
        counts["a leg is missing"] += 1
        return False
    quotes = view.market.chain_reader.quotes(np.array(legs), now_s(view))
    if not ((quotes.bid > 0) & (quotes.ask > 0)).all():
        counts["a leg is not quoted"] += 1
        return False
    age_s = now_s(view) - view.market.packets.cols[np.array(legs), EXCHANGE]
    if (age_s > params["max_age_s"]).any():
        counts["stale quotes"] += 1
        return False
    middle, spread = (quotes.bid + quotes.ask) / 2, quotes.ask - quotes.bid
    widest = np.maximum(2 * chain.now.chain.tick, params["max_spread"] * middle)
    if (spread > widest + 1e-9).any():
        counts["wide quotes"] += 1
        return False
    return True


def realised(market: Market, minutes: int, row: int, n: int, bars_a_year: float) -> float:
    """Realised volatility of a row's newest n bars of one length; NaN with fewer."""
    history = market.frames[minutes].history
    if history.count[row] <= n or n >= history.depth:
        return float("nan")
    close: F64 = history.window(CLOSE, np.array([row]), n + 1).astype(np.float64)
    return float(realised_volatility(close, bars_a_year)[0])


class Sale(msgspec.Struct):
    """Options to sell together, or what a chain foretells.

    Attributes:
        row: of the underlying; chain: the first option's row.
        legs: rows of the call and the put; entry: their premium, rupees.
        target, stop: premiums at which it is over.
    """

    row: int
    chain: int
    side: int
    entry: float
    target: float
    stop: float
    legs: tuple[int, int]
    evidence: dict[str, float]
    tags: tuple[str, ...]
    kind: int = 0


def sales(found: Iterator[Sale], evidence: tuple[str, ...]) -> Hits:
    """Hits of chains, by ascending rows."""
    of = sorted(found, key=lambda sale: sale.row)

    def column(values: list[float]) -> F64:
        return np.array(values, np.float64)

    rows: I64 = np.array([sale.row for sale in of], np.int64)
    return Hits(
        rows=rows,
        side=np.array([sale.side for sale in of], np.int64),
        evidence={name: column([sale.evidence[name] for sale in of]) for name in evidence},
        kind=np.array([sale.kind for sale in of], np.int64),
        factor=np.ones(len(of)),
        stop=column([sale.stop for sale in of]),
        target=column([sale.target for sale in of]),
        entry=column([sale.entry for sale in of]),
        legs=np.array([sale.legs for sale in of], np.int64).reshape(-1, 2),
        chain=np.array([sale.chain for sale in of], np.int64),
        tags=[sale.tags for sale in of],
    )
