"""The gate: which candidates become alerts. Every exit is counted by its reason."""

from __future__ import annotations

from collections import OrderedDict

import msgspec

from kitetui.engine.alerts.alert import Alert

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

    def admit(self, candidate: Alert, *, doubtful: bool) -> bool:
        """Whether a candidate becomes an alert.

        Args:
            doubtful: its bar is marked uncertain, or follows a gap of the feed.
        """
        self.counts.candidates += 1
        reason = self._reason(candidate, doubtful)
        if reason:
            self.counts.by_reason[reason] = self.counts.by_reason.get(reason, 0) + 1
            return False
        self.counts.admitted += 1
        self._seen[candidate.alert_id] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return True

    def _reason(self, candidate: Alert, doubtful: bool) -> str:
        if doubtful:
            return "data_quality"
        if candidate.alert_id in self._seen:
            return "duplicate"
        if candidate.confidence < self.min_confidence:
            return "low_confidence"
        return ""
