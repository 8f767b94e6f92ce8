"""The gate: which candidates become alerts. Every exit is counted by its reason."""

from __future__ import annotations

from collections import OrderedDict

import msgspec

from kitetui.engine.alerts.alert import Alert
from kitetui.engine.feed.batch import F64, Bool

REMEMBERED = 20_000
"""Alert ids kept to tell a repetition from a second event."""


class GateCounts(msgspec.Struct):
    """candidates = admitted + the sum of by_reason, always."""

    candidates: int = 0
    admitted: int = 0
    by_reason: dict[str, int] = msgspec.field(default_factory=dict)


class Gate:
    """Admits candidates in order; a pure function of its own past."""

    def __init__(self, min_confidence: float) -> None:
        self.min_confidence = min_confidence
        self.counts = GateCounts()
        self._seen: OrderedDict[str, None] = OrderedDict()

    def screen(self, confidence: F64, doubtful: Bool) -> Bool:
        """Which of many candidates are worth a look of their own; the others are counted.

        Args:
            confidence: f64 (n,); doubtful: bool (n,), whose bar is marked uncertain, or follows a
                gap of the feed.
        """
        weak = ~doubtful & ~(confidence >= self.min_confidence)
        self._refuse("data_quality", int(doubtful.sum()))
        self._refuse("low_confidence", int(weak.sum()))
        return ~(doubtful | weak)

    def admit(self, candidate: Alert) -> bool:
        """Whether a candidate that passed `screen` becomes an alert."""
        if candidate.alert_id in self._seen:
            self._refuse("duplicate", 1)
            return False
        self.counts.candidates += 1
        self.counts.admitted += 1
        self._seen[candidate.alert_id] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return True

    def _refuse(self, reason: str, count: int) -> None:
        if count:
            self.counts.candidates += count
            self.counts.by_reason[reason] = self.counts.by_reason.get(reason, 0) + count
