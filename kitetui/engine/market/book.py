"""The order book: what it says now, and how it changed over the last seconds."""

from __future__ import annotations

from collections.abc import Collection

import msgspec
import numpy as np

from kitetui.engine.feed.batch import F64, FULL, I32, I64, Bool
from kitetui.engine.market.bar_ring import BarRing
from kitetui.engine.market.by_row import ByRow, put_rows
from kitetui.engine.market.minutes import Trades
from kitetui.engine.market.normalise import Clean

LEVELS = 5
WINDOW_S = 5
"""Seconds over which changes are summed."""
_SLOTS = 8
_NUMBERS = 2 * LEVELS * 3
_NO_PRICE = 1 << 40
_SHARE_BARS = 32
"""Bars over which the mean share of a side may be asked for, and one."""

FLOWS = ("ofi", "bid_stacked", "ask_stacked", "bid_pulled", "ask_pulled", "bid_queue", "ask_queue")
"""Changes, shares. `ofi`: order-flow imbalance at the best prices (Cont, Kukanov and Stoikov,
The Price Impact of Order Book Events, 2014). Stacked: added at prices that both books show;
pulled: removed there beyond what was traded. Queue: change of the best level while its price
stays."""
OFI, BID_STACKED, ASK_STACKED, BID_PULLED, ASK_PULLED, BID_QUEUE, ASK_QUEUE = range(7)


class BookNow(msgspec.Struct):
    """What the books of n rows say; raw prices, NaN where a side is empty or the book is crossed.

    Attributes:
        spread, mid, microprice: f64 (n,), raw; the microprice weighs each side by the other's
            best quantity.
        imbalance: f64 (n,), (bid - ask) / (bid + ask) of all five levels, -1 to 1.
        bid, ask: i64 (n,), quantity of all five levels.
        largest_price, largest_quantity: i64 (n,), the fullest level of either side; 0 for none.
        crossed: bool (n,).
    """

    spread: F64
    mid: F64
    microprice: F64
    imbalance: F64
    bid: I64
    ask: I64
    largest_price: I64
    largest_quantity: I64
    crossed: Bool


def read_book(depth: I64) -> BookNow:
    """What books say: depth i64 (n, 10, 3), five bids, then five asks: quantity, price, orders."""
    quantity, price = depth[:, :, 0], depth[:, :, 1]
    bid, ask = price[:, 0], price[:, LEVELS]
    bid_size, ask_size = quantity[:, 0], quantity[:, LEVELS]
    both = (bid > 0) & (ask > 0) & (bid_size > 0) & (ask_size > 0)
    crossed = both & (bid >= ask)
    sound = both & ~crossed
    bids, asks = quantity[:, :LEVELS].sum(axis=1), quantity[:, LEVELS:].sum(axis=1)
    fullest = quantity.argmax(axis=1)
    rows = np.arange(len(depth))
    with np.errstate(divide="ignore", invalid="ignore"):
        micro = (ask * bid_size + bid * ask_size) / (bid_size + ask_size)
        imbalance = (bids - asks) / (bids + asks)
    return BookNow(
        spread=np.where(sound, ask - bid, np.nan),
        mid=np.where(sound, (ask + bid) / 2, np.nan),
        microprice=np.where(sound, micro, np.nan),
        imbalance=np.where(bids + asks > 0, imbalance, np.nan),
        bid=bids,
        ask=asks,
        largest_price=price[rows, fullest],
        largest_quantity=quantity[rows, fullest],
        crossed=crossed,
    )


def changes(before: I64, after: I64, bought: I64, sold: I64) -> I64:
    """What changed between two books of each row: i64 (n, len(FLOWS)).

    Args:
        before, after: i64 (n, 10, 3); bought, sold: i64 (n,), shares traded in between against
            the asks and against the bids.
    """
    difference = _level_major(after - before)
    delta = difference[:, :, 0]
    out = np.empty((len(FLOWS), len(after)), np.int64)
    added = np.maximum(delta, 0).sum(axis=1)
    out[BID_STACKED : ASK_STACKED + 1] = added
    out[BID_PULLED : ASK_PULLED + 1] = added - delta.sum(axis=1)
    out[BID_QUEUE : ASK_QUEUE + 1] = delta[:, 0]
    out[OFI] = delta[0, 0] - delta[1, 0]
    moved = np.flatnonzero(difference[:, :, 1].any(axis=(0, 1)))
    if len(moved):
        out[:, moved] = _at_other_prices(before.take(moved, axis=0), after.take(moved, axis=0))
    out[BID_PULLED] = np.maximum(out[BID_PULLED] - sold, 0)
    out[ASK_PULLED] = np.maximum(out[ASK_PULLED] - bought, 0)
    return out.T


def _level_major(books: I64) -> I64:
    """Books as (side, level, field, tick): every step over them runs along the ticks."""
    n = len(books)
    return np.ascontiguousarray(books.reshape(n, _NUMBERS).T).reshape(2, LEVELS, 3, n)


def _at_other_prices(before: I64, after: I64) -> I64:
    """Changes where prices came or went, trades not yet taken off: i64 (len(FLOWS), n)."""
    old, now = _level_major(before), _level_major(after)
    for asks in (old[1, :, 1], now[1, :, 1]):  # negative: the higher the better, on both sides
        asks[...] = np.where(asks > 0, -asks, -_NO_PRICE)
    old_quantity, old_price = old[:, :, 0], old[:, :, 1]
    quantity, price = now[:, :, 0], now[:, :, 1]
    out = np.empty((len(FLOWS), len(after)), np.int64)
    step = price[:, 0] - old_price[:, 0]
    strength = np.where(step >= 0, quantity[:, 0], 0) - np.where(step <= 0, old_quantity[:, 0], 0)
    out[OFI] = strength[0] - strength[1]
    out[BID_QUEUE : ASK_QUEUE + 1] = np.where(step == 0, quantity[:, 0] - old_quantity[:, 0], 0)
    # Only prices that both books reach can be compared: beyond the worst level nothing is known,
    # unless the side ends before its fifth level.
    reach = np.maximum(price[:, -1], old_price[:, -1])[:, None]
    quantity = np.where(price >= reach, quantity, 0)
    old_quantity = np.where(old_price >= reach, old_quantity, 0)
    same = price[:, :, None] == old_price[:, None]  # at most one level has another's price
    met = np.where(same, old_quantity[:, None], 0).sum(axis=2)
    kept = np.minimum(met, quantity).sum(axis=1)
    out[BID_STACKED : ASK_STACKED + 1] = quantity.sum(axis=1) - kept
    out[BID_PULLED : ASK_PULLED + 1] = old_quantity.sum(axis=1) - kept
    return out


class BookShares:
    """The bids' part of five levels, summed over every book seen.

    Attributes:
        total: i64 (rows, 2), the sum of the parts in 65536ths, and how many.
    """

    def __init__(self, capacity: int, timeframes: Collection[int]) -> None:
        self.total: I64 = np.zeros((capacity, 2), np.int64)
        self._rings = {
            minutes: (BarRing(capacity, _SHARE_BARS), BarRing(capacity, _SHARE_BARS))
            for minutes in timeframes
        }

    @staticmethod
    def read(clean: Clean) -> I64:
        """The part of each tick's book, and 1; zeros without one: i64 (n, 2)."""
        quantity = clean.ticks.depth[:, :, 0]
        bids, asks = quantity[:, :LEVELS].sum(axis=1), quantity[:, LEVELS:].sum(axis=1)
        both = bids + asks
        out = np.empty((len(both), 2), np.int64)
        out[:, 1] = both > 0
        out[:, 0] = (bids << 16) // np.maximum(both, 1)
        return out

    def add(self, row: I64, found: I64, *, unique: bool) -> None:
        """Sum what `read` found up."""
        if unique:
            put_rows(self.total, row, self.total.take(row, axis=0) + found)
        else:
            np.add.at(self.total, row, found)

    def close(self, minutes: int, rows: I64, bars: I64) -> None:
        """Bars closed: what was summed so far belongs to them and the ones before."""
        for ring, column in zip(self._rings.get(minutes, ()), self.total[rows].T, strict=False):
            ring.put(rows, bars, column.astype(np.float64))

    def over(self, minutes: int, rows: I64, bars: I64, n: int) -> tuple[F64, F64]:
        """Mean part of the bids over the newest n bars, 0 to 1, and of how many books."""
        parts, books = (
            ring.before(rows, bars, 0) - ring.before(rows, bars, n) for ring in self._rings[minutes]
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            return parts / books / (1 << 16), np.nan_to_num(books)


class BookFlow:
    """Changes of every row's book, summed by second over a short window.

    Attributes:
        depth: i64 (rows, 10, 3), the newest book: five bids, then five asks: quantity, price,
            orders.
        second: i64 (rows, slots), the second each slot holds.
        flow: i64 (rows, slots, len(FLOWS)).
    """

    def __init__(self, capacity: int) -> None:
        self.depth: I64 = np.zeros((capacity, 2 * LEVELS, 3), np.int64)
        self.second: I64 = np.full((capacity, _SLOTS), -1, np.int64)
        self.flow: I64 = np.zeros((capacity, _SLOTS, len(FLOWS)), np.int64)
        self._stamp: I32 = np.zeros(capacity, np.int32)

    def read(self, clean: Clean, trades: Trades) -> I64:
        """What each tick changed: i64 (n, len(FLOWS)); 0 without a book before or now."""
        ticks, by, shares, side = clean.ticks, clean.by, clean.increment, trades.side
        depth = ticks.depth
        full: Bool = ticks.length == FULL
        if not clean.full:
            by, depth = ByRow(ticks.row[full], self._stamp), depth[full]
            shares, side = shares[full], side[full]
        before = by.previous(depth, self.depth)
        found = changes(before, depth, shares * (side >= 0), shares * (side <= 0))
        had = before[:, 0, 1] + before[:, LEVELS, 1]
        has = depth[:, 0, 1] + depth[:, LEVELS, 1]
        if np.count_nonzero(had) < len(had) or np.count_nonzero(has) < len(has):
            found[(had == 0) | (has == 0)] = 0
        if clean.full:
            return found
        out = np.zeros((len(ticks), len(FLOWS)), np.int64)
        out[full] = found
        return out

    def add(self, row: I64, second: I64, found: I64, *, unique: bool) -> None:
        """Sum what `read` found up, by the second of the packet."""
        slot = second % _SLOTS
        place = row * _SLOTS + slot
        seconds = self.second.reshape(-1)
        flow = self.flow.reshape(-1, len(FLOWS))
        held = seconds[place]
        if np.count_nonzero(second != held):
            np.maximum.at(seconds, place, second)
            flow[place[seconds[place] > held]] = 0
            current = second == seconds[place]
            place, found = place[current], found[current]
        if unique:
            put_rows(flow, place, flow.take(place, axis=0) + found)
        else:
            np.add.at(flow, place, found)

    def recent(self, rows: I64, now_s: int) -> I64:
        """Changes of the last seconds, the present one included: i64 (n, len(FLOWS))."""
        inside = (self.second[rows] > now_s - WINDOW_S) & (self.second[rows] <= now_s)
        out: I64 = (self.flow[rows] * inside[:, :, None]).sum(axis=1)
        return out
