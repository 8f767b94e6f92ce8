"""Scoreboard: how good each pattern was, next to what chance would have done."""

from __future__ import annotations

import msgspec
import numpy as np

from kitetui.engine.alerts.barriers import Outcome
from kitetui.engine.alerts.line import Line
from kitetui.engine.alerts.outcomes import Resolved
from kitetui.engine.alerts.statistics import (
    beats,
    block_bootstrap,
    calibration,
    max_drawdown,
    notable,
    profit_factor,
)
from kitetui.engine.calendar import DAY_S, IST_OFFSET_S
from kitetui.engine.feed.batch import F64, Bool
from kitetui.engine.patterns.intervals import wilson

KEPT = 5000
"""Newest outcomes that each line of the board is made from."""
CLAIM = 0.80
CLAIM_OUTCOMES = 100
MOST_WAITING = 200_000
_FIELDS = ("outcome", "r", "bars", "token", "at_s", "null", "chance", "barrier", "cost_r")
_FIRST = 64
"""Outcomes that a line has room for at first."""

Key = tuple[str, str, str]
"""Pattern label, timeframe, asset class."""


class Waiting(msgspec.Struct, frozen=True):
    """A firing whose outcome is to come.

    Attributes:
        null: rate to hit by chance alone, NaN where unknown; chance: the probability it was told.
        barrier: the target's distance over the stop's; cost_r: a round trip's cost in stops'.
    """

    key: Key
    token: int
    at_s: int
    null: float
    chance: float
    barrier: float
    cost_r: float


class _Told:
    """The newest outcomes of one key, as columns: a day has ten thousands of them.

    Attributes:
        count: outcomes ever told; unresolvable: others, that could not be.
    """

    def __init__(self) -> None:
        self._values: F64 = np.zeros((len(_FIELDS), _FIRST))
        self.count = 0
        self.unresolvable = 0

    def add(self, outcome: int, r: float, bars: int, waiting: Waiting) -> None:
        """One more."""
        at = self.count % KEPT
        if at >= self._values.shape[1]:
            more = min(at, KEPT - at)
            self._values = np.concatenate([self._values, np.zeros((len(_FIELDS), more))], axis=1)
        self._values[:, at] = (outcome, r, bars, waiting.token, waiting.at_s, waiting.null,
                               waiting.chance, waiting.barrier, waiting.cost_r)  # fmt: skip
        self.count += 1

    def columns(self) -> dict[str, F64]:
        """By name, oldest first: f64 (n,)."""
        kept = min(self.count, KEPT)
        order = (self.count - kept + np.arange(kept)) % KEPT
        return dict(zip(_FIELDS, self._values[:, order], strict=True))


class Scoreboard:
    """Outcomes by pattern, timeframe and asset class. A pure function of what it was told."""

    def __init__(self) -> None:
        self._waiting: dict[int, Waiting] = {}
        self._told: dict[Key, _Told] = {}

    def expect(self, number: int, waiting: Waiting) -> None:
        """A firing is followed by this number."""
        if len(self._waiting) < MOST_WAITING:
            self._waiting[number] = waiting

    def take(self, resolved: Resolved) -> None:
        """What became of some."""
        for number, outcome, r, bars in zip(
            resolved.number.tolist(), resolved.outcome.tolist(), resolved.r.tolist(),
            resolved.bars.tolist(), strict=True,
        ):  # fmt: skip
            waiting = self._waiting.pop(number, None)
            if waiting is not None:
                self.add(waiting, outcome, r, bars)

    def add(self, waiting: Waiting, outcome: int, r: float, bars: int) -> None:
        """What became of one; `r`: before costs."""
        told = self._told.setdefault(waiting.key, _Told())
        if outcome == Outcome.UNRESOLVABLE:
            told.unresolvable += 1
        else:
            told.add(outcome, r, bars, waiting)

    def lines(self) -> list[Line]:
        """The board, by pattern."""
        lines = [_line(key, told) for key, told in sorted(self._told.items())]
        beyond = notable([line.p_value for line in lines])
        return [
            msgspec.structs.replace(line, notable=told)
            for line, told in zip(lines, beyond, strict=True)
        ]


def _line(key: Key, told: _Told) -> Line:
    of = told.columns()
    outcome, bars, gross, null, chance, barrier, cost = (
        of[name] for name in ("outcome", "bars", "r", "null", "chance", "barrier", "cost_r")
    )
    n = len(outcome)
    day = (of["at_s"].astype(np.int64) + IST_OFFSET_S) // DAY_S
    hit = outcome == Outcome.TARGET
    hits = int(np.count_nonzero(hit))
    low, high = wilson(hits, n)
    by_chance = _mean(null[np.isfinite(null)])
    r = gross - np.nan_to_num(cost)
    worst, best = block_bootstrap(r, day)
    independent = len(set(zip(of["token"].tolist(), day.tolist(), strict=True)))
    told_well = calibration(chance[np.isfinite(chance)], hit[np.isfinite(chance)])
    fair = bool(n) and float(np.median(barrier)) >= 1.0
    return Line(
        *key,
        n=n,
        independent=independent,
        hits=hits,
        rate=_mean(hit),
        low=low,
        high=high,
        null=by_chance,
        lift=_mean(hit) / by_chance if by_chance > 0 else float("nan"),
        p_value=beats(hits, n, by_chance),
        notable=False,
        gross_r=_mean(gross),
        expectancy_r=_mean(r),
        expectancy_low=worst,
        expectancy_high=best,
        profit_factor=profit_factor(r),
        max_drawdown_r=max_drawdown(r),
        skill=told_well.skill if told_well else float("nan"),
        ece=told_well.ece if told_well else float("nan"),
        timeouts=_mean(outcome == Outcome.TIMEOUT),
        ambiguous=_mean(outcome == Outcome.STOP_AMBIGUOUS),
        median_bars=float(np.median(bars)) if n else float("nan"),
        unresolvable=told.unresolvable,
        claim=independent >= CLAIM_OUTCOMES and low >= CLAIM and low > by_chance and fair
        and worst > 0,
    )  # fmt: skip


def _mean(values: F64 | Bool) -> float:
    return float(values.mean()) if len(values) else float("nan")
