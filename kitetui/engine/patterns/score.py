"""Score and confidence: how strong a hit is, and how strong among the pattern's own firings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from kitetui.engine.feed.batch import F64
from kitetui.settings import PatternSettings

FLOOR = 0.1
"""The scaled ramp at a component's threshold, so that one weak component does not zero all."""

UNKNOWN_TABLE = (FLOOR, 1.0)
"""For a pattern without a reference: every score is as likely as any other."""


def ramp(x: F64, low: float, high: float, floor: float = FLOOR) -> F64:
    """clip((x - low) / (high - low)) scaled to [floor, 1]; NaN stays NaN."""
    risen = np.clip((x - low) / (high - low), 0.0, 1.0)
    scaled: F64 = floor + (1 - floor) * risen
    return scaled


def score(evidence: Mapping[str, F64], settings: PatternSettings) -> F64:
    """Geometric mean of the pattern's ramped components that are defined, in [0.1, 1]."""
    parts = np.log([ramp(evidence[name], *marks) for name, marks in settings.ramps.items()])
    told = np.isfinite(parts)
    combined: F64 = np.exp(np.where(told, parts, 0.0).sum(axis=0) / np.maximum(told.sum(axis=0), 1))
    return np.where(told.any(axis=0), combined, FLOOR)


def confidence(scores: F64, table: Sequence[float]) -> F64:
    """The share of past firings that a score beats, ties at their mid-rank, in [0, 1].

    Args:
        table: scores at evenly spaced percentiles, 0 to 100, ascending.
    """
    marks = np.asarray(table, np.float64)
    ranks = np.linspace(0.0, 1.0, len(marks))
    below = np.interp(scores, marks, ranks)
    lowest = ranks[np.minimum(np.searchsorted(marks, scores, "left"), len(marks) - 1)]
    highest = ranks[np.maximum(np.searchsorted(marks, scores, "right") - 1, 0)]
    tied = np.isin(scores, marks)
    return np.where(tied, (lowest + highest) / 2, below)
