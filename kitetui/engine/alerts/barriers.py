"""Triple barrier: what became of entries with a target, a stop and a horizon.

After Lopez de Prado, Advances in Financial Machine Learning (2018), chapter 3: decided by the
path, bar by bar. Where one bar touches both barriers the stop counts; a bar that opens beyond a
barrier fills at its open.
"""

from __future__ import annotations

from enum import IntEnum

import msgspec
import numpy as np

from kitetui.engine.feed.batch import F64, I64, Bool

_ROUNDING = 1e-9


class Outcome(IntEnum):
    """How an entry ended."""

    OPEN = 0
    TARGET = 1
    STOP = 2
    STOP_AMBIGUOUS = 3
    """One bar touched both; nobody knows which came first."""
    TIMEOUT = 4
    UNRESOLVABLE = 5
    """The feed had a gap on the way: excluded from rates, and counted."""


class Entries(msgspec.Struct):
    """Entries whose outcome is followed: all (n,).

    Attributes:
        side: i64, +1 or -1.
        entry, target, stop: f64, rupees; target and stop are distances from the entry.
    """

    side: I64
    entry: F64
    target: F64
    stop: F64


class Settled(msgspec.Struct):
    """What became of entries: all (n,).

    Attributes:
        outcome: i64, `Outcome`.
        bars: i64, bars from the entry's to the last one looked at.
        exit: f64, rupees.
        best, worst: f64, the farthest the price went for and against the entry, rupees >= 0.
        best_bar, worst_bar: i64, bars from the entry's to those; 0 where it never went there.
    """

    outcome: I64
    bars: I64
    exit: F64
    best: F64
    worst: F64
    best_bar: I64
    worst_bar: I64

    def r(self, entries: Entries) -> F64:
        """Result in units of the stop's distance: f64 (n,)."""
        made: F64 = (self.exit - entries.entry) * entries.side / entries.stop
        return made


def begun(entries: Entries) -> Settled:
    """Entries of which no bar has been seen yet."""
    n = len(entries.side)
    nothing = np.zeros(n, np.int64)
    return Settled(nothing, nothing.copy(), entries.entry.copy(), np.zeros(n), np.zeros(n),
                   nothing.copy(), nothing.copy())  # fmt: skip


def step(entries: Entries, held: Settled, open_: F64, high: F64, low: F64, close: F64,
         seen: Bool) -> None:  # fmt: skip
    """One more bar of each entry; those already settled, and those without `seen`, stay.

    Args:
        open_, high, low, close: f64 (n,), rupees.
    """
    live = seen & (held.outcome == Outcome.OPEN)
    rising = entries.side > 0
    with np.errstate(invalid="ignore"):
        best = np.where(rising, high - entries.entry, entries.entry - low)
        worst = np.where(rising, entries.entry - low, high - entries.entry)
        opened = (open_ - entries.entry) * entries.side
        gap_stop = live & (opened <= -entries.stop + _ROUNDING)
        gap_target = live & (opened >= entries.target - _ROUNDING)
        stopped = live & (worst >= entries.stop - _ROUNDING) & ~gap_target
        reached = live & (best >= entries.target - _ROUNDING)
    held.bars[live] += 1
    better, worse = live & (best > held.best), live & (worst > held.worst)
    held.best[better], held.best_bar[better] = best[better], held.bars[better]
    held.worst[worse], held.worst_bar[worse] = worst[worse], held.bars[worse]
    held.exit[live] = close[live]
    both = stopped & reached & ~gap_stop
    held.outcome[reached] = Outcome.TARGET
    held.outcome[stopped] = Outcome.STOP
    held.outcome[both] = Outcome.STOP_AMBIGUOUS
    target_price = entries.entry + entries.side * entries.target
    stop_price = entries.entry - entries.side * entries.stop
    done = reached & ~stopped
    held.exit[done] = np.where(gap_target, open_, target_price)[done]
    held.exit[stopped] = np.where(gap_stop, open_, stop_price)[stopped]


def time_out(held: Settled, over: Bool) -> None:
    """Entries whose time is over, at the last close seen."""
    held.outcome[over & (held.outcome == Outcome.OPEN)] = Outcome.TIMEOUT


def walk(entries: Entries, bars: I64, prices: F64, horizon: I64, last: I64) -> Settled:
    """Follow entries through a series to the end.

    Args:
        bars: i64 (n,), numbers of the entries' bars in the series.
        prices: f64 (4, k), open, high, low, close of the series.
        horizon: i64 (n,), bars; last: i64 (n,), number of the last bar of each entry's session.
    """
    held = begun(entries)
    for ahead in range(1, int(horizon.max(initial=0)) + 1):
        at = bars + ahead
        seen = (ahead <= horizon) & (at <= last)
        if not np.count_nonzero(seen & (held.outcome == Outcome.OPEN)):
            break
        open_, high, low, close = prices[:, np.minimum(at, prices.shape[1] - 1)]
        step(entries, held, open_, high, low, close, seen)
    time_out(held, np.ones(len(bars), np.bool_))
    return held
