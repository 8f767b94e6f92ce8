"""Scoreboard: how good each pattern was, next to what chance would have done."""

from __future__ import annotations

from collections import deque

import msgspec
import numpy as np

from kitetui.engine.alerts.barriers import Outcome
from kitetui.engine.alerts.outcomes import Resolved
from kitetui.engine.alerts.statistics import block_bootstrap, max_drawdown, profit_factor
from kitetui.engine.calendar import ist_day
from kitetui.engine.feed.batch import F64, I64
from kitetui.engine.patterns.intervals import wilson

KEPT = 5000
"""Newest outcomes that each line of the board is made from."""
CLAIM = 0.80
CLAIM_OUTCOMES = 100

Key = tuple[str, str, str]
"""Pattern label, timeframe, asset class."""


class _Waiting(msgspec.Struct):
    key: Key
    null: float
    at_s: int
    barrier: float


class _Told(msgspec.Struct):
    """Outcomes of one key, oldest first."""

    outcome: deque[int] = msgspec.field(default_factory=lambda: deque(maxlen=KEPT))
    r: deque[float] = msgspec.field(default_factory=lambda: deque(maxlen=KEPT))
    null: deque[float] = msgspec.field(default_factory=lambda: deque(maxlen=KEPT))
    day: deque[int] = msgspec.field(default_factory=lambda: deque(maxlen=KEPT))
    bars: deque[int] = msgspec.field(default_factory=lambda: deque(maxlen=KEPT))
    barrier: deque[float] = msgspec.field(default_factory=lambda: deque(maxlen=KEPT))
    unresolvable: int = 0


class Line(msgspec.Struct, frozen=True):
    """One pattern's record; rates are of resolved outcomes, timeouts counted as misses.

    Attributes:
        n: resolved; hits: those that reached the target first.
        low, high: Wilson's 95 % interval of the rate; null: the mean rate by chance alone.
        lift: rate over null; NaN without.
        expectancy_r: mean result in stops' distances, with the interval of whole days drawn.
        timeouts, ambiguous: shares; unresolvable: how many were left out for gaps of the feed.
        claim: whether "80 %" may be said: the interval lies above it, above the null, targets are
            as far as stops, the expectancy's interval is positive, and n is at least 100.
    """

    pattern: str
    timeframe: str
    asset_class: str
    n: int
    hits: int
    rate: float
    low: float
    high: float
    null: float
    lift: float
    expectancy_r: float
    expectancy_low: float
    expectancy_high: float
    profit_factor: float
    max_drawdown_r: float
    timeouts: float
    ambiguous: float
    median_bars: float
    unresolvable: int
    claim: bool


class Scoreboard:
    """Outcomes by pattern, timeframe and asset class. A pure function of what it was told."""

    def __init__(self) -> None:
        self._waiting: dict[int, _Waiting] = {}
        self._told: dict[Key, _Told] = {}

    def expect(self, numbers: I64, keys: list[Key], null: F64, barrier: F64, at_s: int) -> None:
        """Firings that are followed; `barrier`: the target's distance over the stop's."""
        for number, key, chance, ratio in zip(
            numbers.tolist(), keys, null.tolist(), barrier.tolist(), strict=True
        ):
            if number >= 0:
                self._waiting[number] = _Waiting(key, chance, at_s, ratio)

    def take(self, resolved: Resolved) -> None:
        """What became of some."""
        for number, outcome, r, bars in zip(
            resolved.number.tolist(), resolved.outcome.tolist(), resolved.r.tolist(),
            resolved.bars.tolist(), strict=True,
        ):  # fmt: skip
            waited = self._waiting.pop(number, None)
            if waited is None:
                continue
            told = self._told.setdefault(waited.key, _Told())
            if outcome == Outcome.UNRESOLVABLE:
                told.unresolvable += 1
                continue
            told.outcome.append(outcome)
            told.r.append(r)
            told.null.append(waited.null)
            told.day.append(ist_day(waited.at_s))
            told.bars.append(bars)
            told.barrier.append(waited.barrier)

    def lines(self) -> list[Line]:
        """The board, by pattern."""
        return [_line(key, told) for key, told in sorted(self._told.items())]


def _line(key: Key, told: _Told) -> Line:
    outcome, r = np.array(told.outcome, np.int64), np.array(told.r, np.float64)
    n = len(outcome)
    hits = int(np.count_nonzero(outcome == Outcome.TARGET))
    low, high = wilson(hits, n)
    rate = hits / n if n else float("nan")
    chances = np.array(told.null, np.float64)
    chances = chances[np.isfinite(chances)]
    null = float(chances.mean()) if len(chances) else float("nan")
    worst, best = block_bootstrap(r, np.array(told.day, np.int64))
    fair = bool(n) and float(np.median(told.barrier)) >= 1.0
    return Line(
        *key,
        n=n,
        hits=hits,
        rate=rate,
        low=low,
        high=high,
        null=null,
        lift=rate / null if null > 0 else float("nan"),
        expectancy_r=float(r.mean()) if n else float("nan"),
        expectancy_low=worst,
        expectancy_high=best,
        profit_factor=profit_factor(r),
        max_drawdown_r=max_drawdown(r),
        timeouts=float(np.mean(outcome == Outcome.TIMEOUT)) if n else float("nan"),
        ambiguous=float(np.mean(outcome == Outcome.STOP_AMBIGUOUS)) if n else float("nan"),
        median_bars=float(np.median(told.bars)) if n else float("nan"),
        unresolvable=told.unresolvable,
        claim=n >= CLAIM_OUTCOMES and low >= CLAIM and low > null and fair and worst > 0,
    )
