"""Score and confidence: how strong a hit is, and how strong among the pattern's own firings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from kitetui.config import PatternSettings
from kitetui.engine.feed.batch import F64

FLOOR = 0.1
"""The scaled ramp at a component's threshold, so that one weak component does not zero all."""

UNKNOWN_TABLE = (FLOOR, 1.0)
"""For a pattern without a reference: every score is as likely as any other."""


def ramp(x: F64, low: float, high: float) -> F64:
    """clip((x - low) / (high - low)) scaled to [0.1, 1]; undefined evidence scores the floor."""
    risen = np.clip((np.nan_to_num(x, nan=low) - low) / (high - low), 0.0, 1.0)
    scaled: F64 = FLOOR + (1 - FLOOR) * risen
    return scaled


def score(evidence: Mapping[str, F64], settings: PatternSettings) -> F64:
    """Geometric mean of the pattern's ramped components, in [0.1, 1]."""
    parts = [ramp(evidence[name], low, high) for name, (low, high) in settings.ramps.items()]
    combined: F64 = np.exp(np.mean(np.log(parts), axis=0))
    return combined


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
