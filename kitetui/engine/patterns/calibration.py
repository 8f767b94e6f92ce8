"""Calibration: what a pattern's own past makes of a score, its rank and its chance to hit.

Everything is told before the session and does not change within it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import msgspec
import numpy as np

from kitetui.engine.feed.batch import F64
from kitetui.engine.patterns.intervals import wilson
from kitetui.engine.patterns.score import UNKNOWN_TABLE, confidence

OWN_FIRINGS = 200
"""Past firings from which on they count; as many reference firings stay beside them."""
OWN_OUTCOMES = 100
"""Resolved outcomes from which on a probability is calibrated."""
KEPT = 2000
BINS = 5
_PRIOR = 50
"""Outcomes that the null weighs in a pattern's rate."""
_PRIOR_BIN = 20
"""Outcomes that the pattern's rate weighs in a bin's."""


class Past(msgspec.Struct, frozen=True):
    """Past firings of one pattern, timeframe and asset class, oldest first.

    Attributes:
        scores: of all firings; resolved: scores of those whose outcome is known, and whether
            each hit.
    """

    scores: tuple[float, ...] = ()
    resolved: tuple[tuple[float, bool], ...] = ()


class Chance(msgspec.Struct, frozen=True):
    """The probability that the target is reached before the stop.

    Attributes:
        n: resolved outcomes behind it; calibrated: whether they are enough.
        low, high: Wilson's 95 % interval of the hits of its bin; 0 to 1 while not calibrated.
        null: the rate that chance alone would have.
    """

    p: float
    n: int
    calibrated: bool
    low: float
    high: float
    null: float

    def expected_r(self, target: float, stop: float) -> float:
        """Expected result in units of the stop's distance, before costs."""
        return self.p * target / stop - (1 - self.p)


Distance = TypeVar("Distance", float, F64)


def null_rate(target: Distance, stop: Distance) -> Distance:
    """How often a walk without drift reaches the target first: its distances' share."""
    return stop / (target + stop)


class Calibration:
    """Ranks and chances of one pattern, timeframe and asset class."""

    def __init__(self, table: Sequence[float] | None, past: Past) -> None:
        """`table`: reference scores at evenly spaced percentiles; None where there is none."""
        self._table = table or UNKNOWN_TABLE
        self._own = np.sort(np.array(past.scores[-KEPT:], np.float64))
        resolved = past.resolved[-KEPT:]
        self.n = len(resolved)
        scores = np.array([s for s, _ in resolved], np.float64)
        hits = np.array([h for _, h in resolved], np.float64)
        self._edges: F64 = np.zeros(0)
        self._bin_n: F64 = np.zeros(BINS)
        self._bin_hits: F64 = np.zeros(BINS)
        if self.n >= OWN_OUTCOMES:
            self._edges = np.quantile(scores, np.linspace(0, 1, BINS + 1)[1:-1])
            at = np.searchsorted(self._edges, scores, "right")
            self._bin_n = np.bincount(at, minlength=BINS).astype(np.float64)
            self._bin_hits = np.bincount(at, hits, BINS).astype(np.float64)

    def confidence(self, scores: F64) -> F64:
        """How strong scores are among the pattern's firings: f64 (k,), 0 to 1."""
        shipped = confidence(scores, self._table)
        n = len(self._own)
        if n < OWN_FIRINGS:
            return shipped
        below = np.searchsorted(self._own, scores, "left")
        upto = np.searchsorted(self._own, scores, "right")
        own = (below + upto) / (2 * n)
        weight = n / (n + OWN_FIRINGS)
        blended: F64 = (1 - weight) * shipped + weight * own
        return blended

    def chance(self, score: float, null: float) -> Chance:
        """The chance of one firing; `null`: the rate that its own barriers have by chance."""
        if self.n < OWN_OUTCOMES:
            p = min(max(null * (0.9 + 0.2 * score), 0.0), 1.0)
            return Chance(p, self.n, False, 0.0, 1.0, null)
        rate = (float(self._bin_hits.sum()) + _PRIOR * null) / (self.n + _PRIOR)
        rates = (self._bin_hits + _PRIOR_BIN * rate) / (self._bin_n + _PRIOR_BIN)
        at = int(np.searchsorted(self._edges, score, "right"))
        p = float(rising(rates, self._bin_n + _PRIOR_BIN)[at])
        low, high = wilson(float(self._bin_hits[at]), float(self._bin_n[at]))
        return Chance(p, self.n, True, low, high, null)


def rising(values: F64, weights: F64) -> F64:
    """The nearest sequence that never falls: neighbours that do are pooled (PAV)."""
    pools: list[list[float]] = []
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        pools.append([value, weight, 1])
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            last = pools.pop()
            first = pools[-1]
            weight = first[1] + last[1]
            first[0] = (first[0] * first[1] + last[0] * last[1]) / weight
            first[1], first[2] = weight, first[2] + last[2]
    return np.concatenate([np.full(int(count), value) for value, _, count in pools])


class Calibrations:
    """Calibrations by pattern label, timeframe and asset class."""

    def __init__(self, reference: Mapping[str, Mapping[str, Sequence[float]]]) -> None:
        self._reference = reference
        self._past: dict[tuple[str, str, str], Past] = {}
        self._made: dict[tuple[str, str, str], Calibration] = {}

    def tell(self, label: str, timeframe: str, asset_class: str, past: Past) -> None:
        """What is remembered of past sessions."""
        key = (label, timeframe, asset_class)
        self._past[key] = past
        self._made.pop(key, None)

    def of(self, label: str, timeframe: str, asset_class: str) -> Calibration:
        """The calibration in force."""
        key = (label, timeframe, asset_class)
        found = self._made.get(key)
        if found is None:
            table = self._reference.get(label, {}).get(timeframe)
            found = self._made[key] = Calibration(table, self._past.get(key, Past()))
        return found
