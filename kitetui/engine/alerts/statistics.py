"""Statistics of outcomes: rates with intervals, expectancy, and how good probabilities are."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np

from kitetui.engine.feed.batch import F64, I64, Bool

BINS = 10
FALSE_DISCOVERIES = 0.10
DRAWS = 2000
_SEED = 20_250_101
"""The bootstrap is to give the same interval for the same outcomes."""


def profit_factor(r: F64) -> float:
    """Sum of gains over sum of losses; inf without losses, NaN without either."""
    gained, lost = float(r[r > 0].sum()), float(-r[r < 0].sum())
    if lost > 0:
        return gained / lost
    return float("inf") if gained > 0 else float("nan")


def max_drawdown(r: F64) -> float:
    """The deepest fall of the running sum below its highest, in R, >= 0."""
    if not len(r):
        return 0.0
    running = np.concatenate([[0.0], np.cumsum(r)])
    return float((np.maximum.accumulate(running) - running).max())


def block_bootstrap(r: F64, block: I64) -> tuple[float, float]:
    """95 % interval of the mean when whole blocks (session days) are drawn; NaN without two.

    Args:
        r: f64 (n,); block: i64 (n,), which block each belongs to.
    """
    unique, place = np.unique(block, return_inverse=True)
    if len(unique) < 2:
        return float("nan"), float("nan")
    sums = np.bincount(place, r)
    counts = np.bincount(place).astype(np.float64)
    drawn = np.random.default_rng(_SEED).integers(0, len(unique), (DRAWS, len(unique)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def beats(hits: int, n: int, null: float) -> float:
    """Chance of at least so many hits of n if each had the null's rate: one-sided, exact.

    NaN without a null or outcomes.
    """
    if not n or not 0 < null < 1:
        return float("nan")
    counts = np.arange(n + 1)
    log_of = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))])
    ways = log_of[n] - log_of[counts] - log_of[n - counts]
    chances = np.exp(ways + counts * math.log(null) + (n - counts) * math.log1p(-null))
    return float(min(chances[hits:].sum(), 1.0))


def notable(p_values: Sequence[float], rate: float = FALSE_DISCOVERIES) -> list[bool]:
    """Which of many tests stand out, a share of whom may be false (Benjamini, Hochberg 1995)."""
    p = np.array(p_values, np.float64)
    told = np.flatnonzero(np.isfinite(p))
    order = told[np.argsort(p[told], kind="stable")]
    passed = np.flatnonzero(p[order] <= rate * np.arange(1, len(order) + 1) / max(len(order), 1))
    out = np.zeros(len(p), np.bool_)
    if len(passed):
        out[order[: passed[-1] + 1]] = True
    return out.tolist()


class Bin(msgspec.Struct, frozen=True):
    """Outcomes whose probability lay in one of ten equal bins."""

    low: float
    n: int
    told: float
    """Mean probability."""
    came: float
    """Share that hit."""


class Calibration(msgspec.Struct, frozen=True):
    """How good probabilities were.

    Attributes:
        brier: mean squared error; base: of always telling the base rate; skill: 1 - brier / base.
        log_loss: mean negative log likelihood.
        ece: expected calibration error over ten bins; reliability: its squared sister, the first
            term of Murphy's decomposition (1973).
    """

    brier: float
    base: float
    skill: float
    log_loss: float
    ece: float
    reliability: float
    bins: tuple[Bin, ...]


def calibration(told: F64, hit: Bool) -> Calibration | None:
    """How good the probabilities f64 (n,) of outcomes were; None without any."""
    n = len(told)
    if not n:
        return None
    came = hit.astype(np.float64)
    brier, rate = float(np.mean((told - came) ** 2)), float(came.mean())
    base = rate * (1 - rate)
    safe = np.clip(told, 1e-12, 1 - 1e-12)
    loss = -float(np.mean(came * np.log(safe) + (1 - came) * np.log(1 - safe)))
    at = np.minimum((told * BINS).astype(np.int64), BINS - 1)
    bins = tuple(
        Bin(number / BINS, int(of.sum()), float(told[of].mean()), float(came[of].mean()))
        for number in range(BINS)
        if (of := at == number).any()
    )
    off = [(b.n / n, b.told - b.came) for b in bins]
    return Calibration(brier, base, 1 - brier / base if base > 0 else float("nan"), loss,
                       sum(share * abs(gap) for share, gap in off),
                       sum(share * gap * gap for share, gap in off), bins)  # fmt: skip
