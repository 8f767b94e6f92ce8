"""Outcomes: every firing followed to its target, its stop or its time, told or not.

The entry is written down when it fires, before anything of its outcome is known.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec
import numpy as np

from kitetui.engine.alerts.barriers import Entries, Outcome, Settled, begun, step, time_out
from kitetui.engine.feed.batch import F64, I64, Bool
from kitetui.engine.market.bars import CLOSE, HIGH, LOW, OPEN, ClosedBars
from kitetui.engine.patterns.firing import Fired

Columns = TypeVar("Columns", Entries, Settled)

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

    def __len__(self) -> int:
        return sum(len(held.numbers) for held in self._open.values())

    def follow(self, minutes: int, fired: Fired, until: I64) -> I64:
        """Take firings of a timeframe; their numbers, -1 for those that are not followed.

        Args:
            until: i64 (k,), the minute at which each is timed out, whatever its horizon.
        """
        numbers = np.full(len(fired.hits), -1, np.int64)
        # Without a side there is no target; a chain's premium has no bars of its own.
        followed = (fired.hits.side != 0) & (fired.hits.legs[:, 0] < 0)
        at = np.flatnonzero(followed & (until > fired.start + minutes))
        if len(self) + len(at) > MOST_OPEN:
            self.left_out += len(at)
            return numbers
        n = len(at)
        numbers[at] = self.followed + np.arange(n)
        self.followed += n
        entries = Entries(fired.hits.side[at], fired.entry[at], fired.target[at], fired.stop[at])
        fresh = _Open(numbers[at], fired.hits.rows[at], entries, begun(entries),
                      np.full(n, fired.settings.horizon_bars), until[at],
                      np.zeros(n, np.bool_))  # fmt: skip
        held = self._open.get(minutes)
        self._open[minutes] = fresh if held is None else _joined(held, fresh)
        return numbers

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
        end = bars.start + minutes
        time_out(held.held, (held.held.bars >= held.horizon) | (held.until <= end))
        done = held.held.outcome != Outcome.OPEN
        if not done.any():
            return None
        held.held.outcome[done & held.doubtful] = Outcome.UNRESOLVABLE
        found = _resolved(held, np.flatnonzero(done), end * 60)
        self._open[minutes] = _kept(held, np.flatnonzero(~done))
        self.settled += len(found.number)
        return found


def _resolved(held: _Open, at: I64, at_s: int) -> Resolved:
    done, entries = _part(held.held, at), _part(held.entries, at)
    return Resolved(held.numbers[at], done.outcome, done.bars, at_s, done.exit, done.r(entries),
                    done.best / entries.stop, done.best_bar, done.worst / entries.stop,
                    done.worst_bar)  # fmt: skip


def _kept(held: _Open, at: I64) -> _Open:
    return _Open(held.numbers[at], held.rows[at], _part(held.entries, at), _part(held.held, at),
                 held.horizon[at], held.until[at], held.doubtful[at])  # fmt: skip


def _joined(one: _Open, other: _Open) -> _Open:
    return _Open(np.concatenate([one.numbers, other.numbers]),
                 np.concatenate([one.rows, other.rows]),
                 _both(one.entries, other.entries), _both(one.held, other.held),
                 np.concatenate([one.horizon, other.horizon]),
                 np.concatenate([one.until, other.until]),
                 np.concatenate([one.doubtful, other.doubtful]))  # fmt: skip


def _part(of: Columns, at: I64) -> Columns:
    names = of.__struct_fields__
    return type(of)(**{name: getattr(of, name)[at] for name in names})


def _both(one: Columns, other: Columns) -> Columns:
    names = one.__struct_fields__
    return type(one)(
        **{name: np.concatenate([getattr(one, name), getattr(other, name)]) for name in names}
    )
