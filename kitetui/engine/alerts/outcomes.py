"""Outcomes: every firing followed to its target, its stop or its time, told or not.

The entry is written down when it fires, before anything of its outcome is known. What was sold
as options is followed minute by minute, by what it costs to buy it back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
import numpy as np

from kitetui.engine.alerts.barriers import Entries, Outcome, Settled, begun, step, time_out
from kitetui.engine.feed.batch import F64, I64, Bool
from kitetui.engine.market.bars import CLOSE, HIGH, LOW, OPEN, ClosedBars
from kitetui.engine.patterns.firing import Fired

Columns = TypeVar("Columns", bound=msgspec.Struct)

SOLD = 0
"""The group of what was sold as options, beside those of the timeframes in minutes."""
MOST_OPEN = 100_000
"""Entries followed at once; more are counted and left out."""


class Resolved(msgspec.Struct):
    """What became of firings: all (k,).

    Attributes:
        number: i64, as `follow` gave them out.
        outcome: i64, `Outcome`; bars: i64, until then; at_s: second of the last bar's close.
        exit: f64, rupees; r: f64, result in units of the stop's distance.
        best_r, worst_r: f64, the farthest for and against it; best_bar, worst_bar: i64, when.
    """

    number: I64
    outcome: I64
    bars: I64
    at_s: int
    exit: F64
    r: F64
    best_r: F64
    best_bar: I64
    worst_r: F64
    worst_bar: I64


class _Open(msgspec.Struct):
    """Entries of one timeframe that are not settled, as columns."""

    numbers: I64
    rows: I64
    entries: Entries
    held: Settled
    horizon: I64
    until: I64
    """The minute at which the entry's session is over for it."""
    doubtful: Bool
    """Whether a bar on the way is marked uncertain."""
    legs: I64
    """(k, 2): rows of the call and the put that were sold; -1 for entries in the row itself."""
    minutes: I64
    """Length of the timeframe's bars."""


class OutcomeDesk:
    """All entries that wait for their outcome. A pure function of firings and bars.

    Attributes:
        followed, settled, left_out: how many so far.
    """

    def __init__(self) -> None:
        self.followed = 0
        self.settled = 0
        self.left_out = 0
        self._open: dict[int, _Open] = {}
        self._newest = -1

    def __len__(self) -> int:
        return sum(len(held.numbers) for held in self._open.values())

    def follow(self, minutes: int, fired: Fired, until: I64) -> I64:
        """Take firings of a timeframe; their numbers, -1 for those that are not followed.

        Args:
            until: i64 (k,), the minute at which each is timed out, whatever its horizon.
        """
        numbers = np.full(len(fired.hits), -1, np.int64)
        # Without a side or a distance there is nothing to reach.
        followed = (fired.hits.side != 0) & np.isfinite(fired.target) & np.isfinite(fired.stop)
        at = np.flatnonzero(followed & (until > fired.start + minutes))
        if len(self) + len(at) > MOST_OPEN:
            self.left_out += len(at)
            return numbers
        n = len(at)
        numbers[at] = self.followed + np.arange(n)
        self.followed += n
        entries = Entries(fired.hits.side[at], fired.entry[at], fired.target[at], fired.stop[at])
        fresh = _Open(numbers[at], fired.hits.rows[at], entries, begun(entries),
                      np.full(n, fired.settings.horizon_bars), until[at], np.zeros(n, np.bool_),
                      fired.hits.legs[at], np.full(n, minutes))  # fmt: skip
        sold = fresh.legs[:, 0] >= 0
        self._hold(minutes, _kept(fresh, np.flatnonzero(~sold)))
        premiums = _kept(fresh, np.flatnonzero(sold))
        premiums.horizon *= minutes
        self._hold(SOLD, premiums)
        return numbers

    def _hold(self, group: int, fresh: _Open) -> None:
        if len(fresh.numbers):
            held = self._open.get(group)
            self._open[group] = fresh if held is None else _joined(held, fresh)

    def take(self, minutes: int, bars: ClosedBars, divisor: I64, flags: I64) -> Resolved | None:
        """Bars of a timeframe closed, before what fires on them: what is settled by them.

        Args:
            divisor: i64 (rows,), raw prices to rupees; flags: i64 (n,), of the bars.
        """
        held = self._open.get(minutes)
        if held is None or not len(held.numbers):
            return None
        # An entry's time may be over without a bar of its own.
        time_out(held.held, held.until <= bars.start)
        place = np.searchsorted(bars.rows, held.rows)
        place[place == len(bars.rows)] = 0
        seen = bars.rows[place] == held.rows
        scale = divisor[held.rows]
        open_, high, low, close = (
            bars.values[field, place] / scale for field in (OPEN, HIGH, LOW, CLOSE)
        )
        step(held.entries, held.held, open_, high, low, close, seen)
        held.doubtful |= seen & (flags[place] != 0)
        return self._settle(minutes, held, bars.start + minutes)

    def minute(self, bars: ClosedBars, flags: I64,
               premium: Callable[[I64], F64]) -> Resolved | None:  # fmt: skip
        """Minute bars closed: what was sold and is settled by the minute, once for each.

        Args:
            flags: i64 (n,), of the bars: where the underlying's is marked, nobody knows.
            premium: what legs i64 (k, 2) cost to buy back now, rupees; NaN where nobody offers.
        """
        start, held = bars.start, self._open.get(SOLD)
        told, self._newest = self._newest, max(start, self._newest)
        if held is None or not len(held.numbers):
            return None
        if len(bars.rows):
            place = np.minimum(np.searchsorted(bars.rows, held.rows), len(bars.rows) - 1)
            held.doubtful |= (bars.rows[place] == held.rows) & (flags[place] != 0)
        if start <= told:
            return None
        time_out(held.held, held.until <= start)
        price = premium(held.legs)
        step(held.entries, held.held, price, price, price, price, np.isfinite(price))
        return self._settle(SOLD, held, start + 1)

    def _settle(self, group: int, held: _Open, end: int) -> Resolved | None:
        """Time out what is over at a minute, and give what is settled."""
        time_out(held.held, (held.held.bars >= held.horizon) | (held.until <= end))
        done = held.held.outcome != Outcome.OPEN
        if not done.any():
            return None
        held.held.outcome[done & held.doubtful] = Outcome.UNRESOLVABLE
        found = _resolved(held, np.flatnonzero(done), end * 60, 1 if group else held.minutes[done])
        self._open[group] = _kept(held, np.flatnonzero(~done))
        self.settled += len(found.number)
        return found


def _resolved(held: _Open, at: I64, at_s: int, steps: I64 | int) -> Resolved:
    """Settled entries; `steps`: how many steps made a bar of their timeframe."""
    done, entries = _part(held.held, at), _part(held.entries, at)
    bars, best, worst = (-(-n // steps) for n in (done.bars, done.best_bar, done.worst_bar))
    return Resolved(held.numbers[at], done.outcome, bars, at_s, done.exit, done.r(entries),
                    done.best / entries.stop, best, done.worst / entries.stop, worst)  # fmt: skip


def _kept(held: _Open, at: I64) -> _Open:
    return _each(lambda one, _: one[at], held, held)


def _joined(one: _Open, other: _Open) -> _Open:
    return _each(lambda a, b: np.concatenate([a, b]), one, other)


def _part(of: Columns, at: I64) -> Columns:
    return _each(lambda one, _: one[at], of, of)


def _each(make: Callable[[Any, Any], Any], one: Columns, other: Columns) -> Columns:
    """Two sets of columns made into one, column by column; sets within sets as well."""
    return type(one)(*(
        _each(make, a, b) if isinstance(a, msgspec.Struct) else make(a, b)
        for a, b in zip(msgspec.structs.astuple(one), msgspec.structs.astuple(other), strict=True)
    ))  # fmt: skip
