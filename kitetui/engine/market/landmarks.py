"""Landmarks of one timeframe: swings, pivots and gaps, advanced with each closed bar.

What detectors measure a bar against. Everything is known after the close and nothing before.
"""

from __future__ import annotations

import msgspec
import numpy as np

from kitetui.engine.calendar import DAY_S, IST_OFFSET_S
from kitetui.engine.feed.batch import F64, I64, Bool
from kitetui.engine.market.bars import CLOSE, HIGH, LOW, OPEN, VOLUME
from kitetui.engine.market.history import History
from kitetui.engine.market.structure import FairValueGaps, Swings

SWING_LENGTH = 5
"""Bars on either side of a swing."""
PIVOT_REACH = 5
_AROUND = 2
_WINDOW = 2 * PIVOT_REACH + 1
_GAP_BARS = 3


class PivotPairs(msgspec.Struct, frozen=True):
    """Pivots that a close confirmed, each with its row's one before on the same side.

    Attributes:
        rows: i64 (k,); side: i64 (k,), +1 highs, -1 lows.
        bar, bar_before: i64 (k,), numbers of their bars; -1 where there was none before.
        level, level_before: i64 (k,), raw.
        volume, volume_before: f64 (k,), mean volume of the five bars around each.
        same_session: bool (k,).
    """

    rows: I64
    side: I64
    bar: I64
    bar_before: I64
    level: I64
    level_before: I64
    volume: F64
    volume_before: F64
    same_session: Bool


_NO = np.zeros(0, np.int64)
NO_PIVOTS = PivotPairs(_NO, _NO, _NO, _NO, _NO, _NO, np.zeros(0), np.zeros(0),
                       np.zeros(0, np.bool_))  # fmt: skip


class Pivots:
    """Highs above the five bars before and not below the five after them; lows mirrored.

    Attributes:
        bar, level, session: i64 (2, rows), the newest of each side, lows first; volume: f64.
    """

    def __init__(self, capacity: int) -> None:
        self.bar: I64 = np.full((2, capacity), -1, np.int64)
        self.level: I64 = np.zeros((2, capacity), np.int64)
        self.session: I64 = np.full((2, capacity), -1, np.int64)
        self.volume: F64 = np.zeros((2, capacity))

    def advance(self, rows: I64, bars: I64, high: I64, low: I64, volume: I64,
                session: I64) -> PivotPairs:  # fmt: skip
        """Take one close of rows with at least eleven bars.

        Args:
            bars: i64 (n,), number of each row's newest bar, from 0.
            high, low, volume: i64 (11, n), the newest bars, oldest first.
            session: i64 (n,), the date of the bar five back.
        """
        at = PIVOT_REACH
        top = (high[at] > high[:at].max(axis=0)) & (high[at] >= high[at + 1 :].max(axis=0))
        bottom = (low[at] < low[:at].min(axis=0)) & (low[at] <= low[at + 1 :].min(axis=0))
        place = np.concatenate([np.flatnonzero(bottom), np.flatnonzero(top)])
        lane = np.repeat([0, 1], [np.count_nonzero(bottom), np.count_nonzero(top)])
        row = rows[place]
        level = np.where(lane == 1, high[at, place], low[at, place])
        around = volume[at - _AROUND : at + _AROUND + 1, place].mean(axis=0)
        told = PivotPairs(
            row, lane * 2 - 1, bars[place] - PIVOT_REACH, self.bar[lane, row], level,
            self.level[lane, row], around, self.volume[lane, row],
            self.session[lane, row] == session[place],
        )  # fmt: skip
        self.bar[lane, row], self.level[lane, row] = told.bar, level
        self.volume[lane, row], self.session[lane, row] = around, session[place]
        return told


class Landmarks:
    """Swings, pivots and fair value gaps of every row, and what the last close told of them.

    Attributes:
        swept: i64 (rows, depth), the bar that traded a tick beyond each swing; -1 while none has.
        gap_body: i64 (rows, depth), raw height of each gap's middle bar from open to close.
        gap_atr: f64 (rows, depth), ATR before the bar that made each gap known, rupees.
        gap_inside: bool (rows, depth), whether the gap's three bars lie in one session.
        pivot_pairs: pivots that the last close confirmed.
        swept_rows: i64 (k,), ascending, rows with a swing that the last close traded beyond.
    """

    def __init__(self, capacity: int) -> None:
        self.swings = Swings(capacity, SWING_LENGTH)
        self.swept: I64 = np.full((capacity, self.swings.depth), -1, np.int64)
        self.pivots = Pivots(capacity)
        self.gaps = FairValueGaps(capacity)
        self.gap_body: I64 = np.zeros((capacity, self.gaps.depth), np.int64)
        self.gap_atr: F64 = np.full((capacity, self.gaps.depth), np.nan)
        self.gap_inside: Bool = np.zeros((capacity, self.gaps.depth), np.bool_)
        self.pivot_pairs = NO_PIVOTS
        self.swept_rows: I64 = _NO
        self._stale: set[int] = set()

    def advance(self, history: History, rows: I64, atr: F64, tick: I64, back: int = 0) -> None:
        """Take one closed bar of each row: the newest that `history` holds, or one before it.

        Args:
            atr: f64 (n,), ATR before that bar, rupees; tick: i64 (n,), raw price step.
            back: bars after the one to take.
        """
        self.pivot_pairs = NO_PIVOTS
        self.swept_rows = _NO
        bars = history.count[rows] - 1 - back
        ready = bars >= _WINDOW - 1
        if np.count_nonzero(ready) < len(rows):
            rows, bars, atr, tick = rows[ready], bars[ready], atr[ready], tick[ready]
        if not len(rows):
            return
        places = history.places(rows, _WINDOW, back)
        open_, close = (history.read(f, places[-_GAP_BARS:]) for f in (OPEN, CLOSE))
        high, low, volume = (history.read(f, places) for f in (HIGH, LOW, VOLUME))
        # Dates of the bars that are asked about: the newest, the gap's first, the pivot's.
        now, first, pivot = (
            (history.starts(rows, 1, back + ago)[:, 0] * 60 + IST_OFFSET_S) // DAY_S
            for ago in (0, _GAP_BARS - 1, PIVOT_REACH)
        )
        self._sweep(rows, bars, high[-1], low[-1], np.maximum(tick, 1))
        found = self.gaps.advance(rows, bars, open_.T, high[-_GAP_BARS:].T, low[-_GAP_BARS:].T,
                                  close.T)  # fmt: skip
        if len(found):
            at = np.searchsorted(rows, found)
            place = (self.gaps.count[found] - 1) % self.gaps.depth
            self.gap_body[found, place] = np.abs(close[1, at] - open_[1, at])
            self.gap_atr[found, place] = atr[at]
            self.gap_inside[found, place] = first[at] == now[at]
        self.pivot_pairs = self.pivots.advance(rows, bars, high, low, volume, pivot)
        told = bars >= 3 * SWING_LENGTH - 1
        part = slice(_WINDOW - 2 * SWING_LENGTH, None)
        events = self.swings.advance(rows[told], bars[told], high[part, told].T,
                                     low[part, told].T)  # fmt: skip
        place = (self.swings.count[events.rows] - 1) % self.swings.depth
        self.swept[events.rows, place] = -1

    def _sweep(self, rows: I64, bars: I64, high: I64, low: I64, tick: I64) -> None:
        """Mark the swings that a bar trades a tick beyond."""
        side, level, held = self.swings.side[rows], self.swings.level[rows], self.swept[rows]
        reached = np.where(side > 0, high[:, None], low[:, None])
        through = (held < 0) & ((reached - level) * side >= tick[:, None]) & (side != 0)
        hit = np.flatnonzero(through.any(axis=1))
        if len(hit):
            self.swept[rows[hit]] = np.where(through[hit], bars[hit, None], held[hit])
            self.swept_rows = rows[hit]

    def forget(self, row: int) -> None:
        """A row's history was replaced: its landmarks are to be found anew."""
        self._stale.add(row)

    @property
    def forgotten(self) -> int:
        """Rows whose landmarks are to be found anew."""
        return len(self._stale)

    def recall(self, history: History, atr: F64, tick: I64) -> None:
        """Find the landmarks of forgotten rows in the bars that their history holds.

        Args:
            atr: f64 (rows,), today's stands in for that of past bars; tick: i64 (rows,).
        """
        rows = np.array(sorted(self._stale), np.int64)
        self._stale.clear()
        if not len(rows):
            return
        self.swings.count[rows] = self.swings.side[rows] = 0
        self.gaps.forget(rows)
        self.pivots.bar[:, rows] = self.pivots.session[:, rows] = -1
        for back in range(history.depth - _WINDOW, -1, -1):
            self.advance(history, rows, atr[rows], tick[rows], back)
