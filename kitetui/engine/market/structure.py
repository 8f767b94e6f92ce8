"""Market structure, causal: swings, fair value gaps, and pools of liquidity.

What is known after each close and nothing more; prices are raw integers.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from kitetui.engine.feed.batch import I64, Bool

_NO_LEVEL = -(1 << 40)


class SwingEvents(msgspec.Struct):
    """What one close told of n rows.

    Attributes:
        rows: i64 (n,), rows with a confirmed pivot, which lies `length` bars back.
        side: i64 (n,), +1 high, -1 low; level: i64 (n,).
        replaced: bool (n,), whether the row's last swing, of the same side, is dropped for it.
    """

    rows: I64
    side: I64
    level: I64
    replaced: Bool


class Swings:
    """Alternating swing highs and lows of every row.

    A bar is a pivot when it is the extreme of the `length` bars up to it and the `length` after
    it: known only then. Of pivots of one side in a row the more extreme stays; the opposite locks
    it (as smartmoneyconcepts' swing_highs_lows on every prefix, without its made-up ends).

    Attributes:
        length: bars on either side.
        count: i64 (rows,), swings ever locked or open.
        bar, side, level: i64 (rows, depth), a ring; the newest lies at (count - 1) % depth.
    """

    def __init__(self, capacity: int, length: int, depth: int = 16) -> None:
        self.length = length
        self.depth = depth
        self.count: I64 = np.zeros(capacity, np.int64)
        self.bar: I64 = np.full((capacity, depth), -1, np.int64)
        self.side: I64 = np.zeros((capacity, depth), np.int64)
        self.level: I64 = np.zeros((capacity, depth), np.int64)

    def advance(self, rows: I64, bars: I64, high: I64, low: I64) -> SwingEvents:
        """Take one close of rows with at least 3 x length bars.

        Args:
            bars: i64 (n,), number of each row's newest bar, from 0.
            high, low: i64 (n, 2 x length), the newest bars, oldest first.
        """
        at = self.length - 1
        top = high[:, at] == high.max(axis=1)
        bottom = ~top & (low[:, at] == low.min(axis=1))
        side = np.where(top, 1, -1)
        level = np.where(top, high[:, at], low[:, at])
        last = (self.count[rows] - 1) % self.depth
        held = self.count[rows] > 0
        same = held & (self.side[rows, last] == side)
        beyond = (level - self.level[rows, last]) * side > 0
        told = (top | bottom) & (~same | beyond)
        rows, side, level, same = rows[told], side[told], level[told], same[told]
        self.count[rows] += ~same
        place = (self.count[rows] - 1) % self.depth
        self.bar[rows, place] = bars[told] - self.length
        self.side[rows, place] = side
        self.level[rows, place] = level
        return SwingEvents(rows, side, level, same)

    def last(self, row: int, n: int) -> tuple[I64, I64, I64]:
        """Up to n newest swings of a row, oldest first: bars, sides, levels."""
        count = int(self.count[row])
        at = np.arange(max(count - min(n, self.depth), 0), count) % self.depth
        return self.bar[row, at], self.side[row, at], self.level[row, at]


class FairValueGaps:
    """Three-bar gaps of every row and what became of them.

    The middle bar m rises and the bar before it ends below the start of the one after: the zone
    between is a gap, known at m + 1 (mirrored for falling bars). Mitigated: the first bar from
    m + 2 on that touches it; halved: reaches its middle; filled: goes through it.

    Attributes:
        count: i64 (rows,), gaps ever found.
        middle, side, top, bottom: i64 (rows, depth), a ring, the newest at (count - 1) % depth.
        mitigated, halved, filled: i64 (rows, depth), numbers of bars, -1 while it has not been.
        touched_rows: i64 (k,), ascending, rows with a gap that the last close touched first.
    """

    def __init__(self, capacity: int, depth: int = 16) -> None:
        self.depth = depth
        self.count: I64 = np.zeros(capacity, np.int64)
        self.middle: I64 = np.full((capacity, depth), -1, np.int64)
        self.side: I64 = np.zeros((capacity, depth), np.int64)
        self.top: I64 = np.zeros((capacity, depth), np.int64)
        self.bottom: I64 = np.zeros((capacity, depth), np.int64)
        self.mitigated: I64 = np.full((capacity, depth), -1, np.int64)
        self.halved: I64 = np.full((capacity, depth), -1, np.int64)
        self.filled: I64 = np.full((capacity, depth), -1, np.int64)
        self.touched_rows: I64 = np.zeros(0, np.int64)
        self._highest: I64 = np.full(capacity, _NO_LEVEL, np.int64)
        self._lowest: I64 = np.full(capacity, -_NO_LEVEL, np.int64)

    def advance(self, rows: I64, bars: I64, open_: I64, high: I64, low: I64, close: I64) -> I64:
        """Take one close; the rows that have a gap now.

        Args:
            bars: i64 (n,), number of each row's newest bar, from 0.
            open_, high, low, close: i64 (n, 3), the newest bars, oldest first.
        """
        self._touch(rows, bars, high[:, 2], low[:, 2])
        up = (close[:, 1] > open_[:, 1]) & (high[:, 0] < low[:, 2])
        down = (close[:, 1] < open_[:, 1]) & (low[:, 0] > high[:, 2])
        found = up | down
        if not found.any():
            return rows[:0]
        rows, up = rows[found], up[found]
        self.count[rows] += 1
        place = (self.count[rows] - 1) % self.depth
        self.middle[rows, place] = bars[found] - 1
        self.side[rows, place] = np.where(up, 1, -1)
        self.top[rows, place] = np.where(up, low[found, 2], low[found, 0])
        self.bottom[rows, place] = np.where(up, high[found, 0], high[found, 2])
        for mark in (self.mitigated, self.halved, self.filled):
            mark[rows, place] = -1
        self._note_edges(rows)
        return rows

    def _touch(self, rows: I64, bars: I64, high: I64, low: I64) -> None:
        self.touched_rows = rows[:0]
        near = np.flatnonzero((low <= self._highest[rows]) | (high >= self._lowest[rows]))
        if not len(near):
            return
        rows, bars, high, low = rows[near], bars[near], high[near], low[near]
        side, top, bottom = self.side[rows], self.top[rows], self.bottom[rows]
        rising = side > 0
        reached = np.where(rising, low[:, None], high[:, None])
        for mark, level, twice in (
            (self.mitigated, np.where(rising, top, bottom), 2),
            (self.halved, top + bottom, 1),
            (self.filled, np.where(rising, bottom, top), 2),
        ):
            held = mark[rows]
            hit = (side != 0) & (held < 0) & ((reached * 2 - level * twice) * side <= 0)
            if hit.any():
                mark[rows] = np.where(hit, bars[:, None], held)
                if mark is self.mitigated:
                    self.touched_rows = rows[hit.any(axis=1)]
        self._note_edges(rows)

    def _note_edges(self, rows: I64) -> None:
        """The nearest edges of the gaps that are not filled: beyond them nothing can change."""
        side, whole = self.side[rows], self.filled[rows] < 0
        rising, falling = whole & (side > 0), whole & (side < 0)
        self._highest[rows] = np.where(rising, self.top[rows], _NO_LEVEL).max(axis=1)
        self._lowest[rows] = np.where(falling, self.bottom[rows], -_NO_LEVEL).min(axis=1)

    def forget(self, rows: I64) -> None:
        """Begin anew for some rows."""
        self.count[rows] = self.side[rows] = 0
        self._highest[rows], self._lowest[rows] = _NO_LEVEL, -_NO_LEVEL

    def last(self, row: int, n: int) -> I64:
        """Up to n newest gaps of a row, oldest first: i64 (7, k).

        Middle bar, side, top, bottom, and the bars that mitigated, halved and filled it.
        """
        count = int(self.count[row])
        at = np.arange(max(count - min(n, self.depth), 0), count) % self.depth
        return np.stack([column[row, at] for column in (
            self.middle, self.side, self.top, self.bottom, self.mitigated, self.halved,
            self.filled,
        )])  # fmt: skip


class Pool(msgspec.Struct, frozen=True):
    """Swings of one side at nearly the same level: where stops lie.

    Attributes:
        first, last: numbers of the bars of its first and last swing.
        level: mean of its swings, raw; touches: how many.
        swept: the bar that went through it, -1 while none has.
    """

    side: int
    first: int
    last: int
    level: float
    touches: int
    swept: int


def pools(swings: Sequence[tuple[int, int, float]], high: Sequence[float], low: Sequence[float],
          tolerance: float, share: float = 0.0) -> list[Pool]:  # fmt: skip
    """Clusters of at least two swings within a tolerance of their first, not traded through.

    The tolerance is `tolerance`, or `share` of the first swing's level where that is more.

    The swings up to the bar that goes `tolerance` beyond the first one belong together
    (smartmoneyconcepts' liquidity, with an absolute tolerance instead of a share of the whole
    data's range, which nobody knows beforehand).

    Args:
        swings: (bar number, side, level), oldest first; high, low: of every bar.
    """
    out = []
    for side, extremes in ((1, np.asarray(high)), (-1, np.asarray(low))):
        own = [(bar, level) for bar, s, level in swings if s == side]
        used: set[int] = set()
        for at, (first, level) in enumerate(own):
            if first in used:
                continue
            width = max(tolerance, share * level)
            limit = level + side * width
            through = np.flatnonzero((extremes[first + 1 :] - limit) * side >= 0)
            swept = first + 1 + int(through[0]) if len(through) else -1
            group = [(first, level)]
            for bar, other in own[at + 1 :]:
                if 0 <= swept <= bar:
                    break
                if bar not in used and level - width <= other <= level + width:
                    group.append((bar, other))
                    used.add(bar)
            if len(group) > 1:
                mean = sum(price for _, price in group) / len(group)
                out.append(Pool(side, first, group[-1][0], mean, len(group), swept))
    return sorted(out, key=lambda pool: (pool.first, -pool.side))
