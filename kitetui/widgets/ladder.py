"""The stable ladder: a row is a price, and stays where it is until the market leaves the middle."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from kitetui.engine.snapshot import Depth, Level

GROUPINGS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
"""Ticks that one row may stand for."""
TICK = 0.05
"""Of an instrument whose table tells none."""
ROUNDING = 1e-6


class Rung(NamedTuple):
    """A row of the ladder.

    Attributes:
        price: in rupees; bid, ask: what lies there, None for nothing.
        bid_total, ask_total: with all that is nearer to the middle; last: whether the last trade
            was here.
    """

    price: float
    bid: Level | None
    ask: Level | None
    bid_total: int
    ask_total: int
    last: bool


class Rungs(NamedTuple):
    """The rows, and the shares that lie above and below all of them."""

    rows: list[Rung]
    above: int
    below: int


class Ladder:
    """Which prices the rows have.

    Attributes:
        on: whether prices have fixed rows; else the published levels are listed.
        grouping: ticks a row.
    """

    def __init__(self) -> None:
        self.on = False
        self.grouping = GROUPINGS[0]
        self._centre = 0
        self._of: tuple[int, float] = (0, 0.0)

    def step(self, d: Depth) -> float:
        """Rupees from row to row."""
        return (d.tick_size or TICK) * self.grouping

    def coarser(self, by: int) -> None:
        """The next grouping, or the one before."""
        at = GROUPINGS.index(self.grouping) if self.grouping in GROUPINGS else 0
        self.grouping = GROUPINGS[min(max(at + by, 0), len(GROUPINGS) - 1)]

    def recentre(self) -> None:
        """Put the last price into the middle at the next look."""
        self._of = (0, 0.0)

    def look(self, d: Depth, count: int) -> Rungs:
        """So many rows from the highest price down."""
        step = self.step(d)
        last = round(d.ltp / step)
        away = abs(last - self._centre) > max(count // 6, 1)
        if self._of != (d.token, step) or away:
            self._centre, self._of = last, (d.token, step)
        bids = _grouped(d.bids, lambda price: math.floor(price / step + ROUNDING))
        asks = _grouped(d.asks, lambda price: math.ceil(price / step - ROUNDING))
        bid_totals = _totals(sorted(bids, reverse=True), bids)
        ask_totals = _totals(sorted(asks), asks)
        top = self._centre + count // 2
        rows = [
            Rung(at * step, bids.get(at), asks.get(at), bid_totals.get(at, 0),
                 ask_totals.get(at, 0), at == last)
            for at in range(top, top - count, -1) if at > 0
        ]  # fmt: skip
        held = [(at, level.quantity) for side in (bids, asks) for at, level in side.items()]
        return Rungs(
            rows,
            sum(shares for at, shares in held if at > top),
            sum(shares for at, shares in held if at <= top - count),
        )


def _grouped(levels: tuple[Level, ...], row: Callable[[float], int]) -> dict[int, Level]:
    out: dict[int, Level] = {}
    for level in levels:
        if not level.price:
            continue
        at = row(level.price)
        known = out.get(at)
        out[at] = level if known is None else Level(
            known.price, known.quantity + level.quantity, known.orders + level.orders
        )  # fmt: skip
    return out


def _totals(order: list[int], levels: dict[int, Level]) -> dict[int, int]:
    out, total = {}, 0
    for at in order:
        total += levels[at].quantity
        out[at] = total
    return out
