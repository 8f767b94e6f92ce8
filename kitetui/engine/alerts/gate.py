"""The gate: which candidates become alerts. Every exit is counted by its reason."""

from __future__ import annotations

from collections import OrderedDict
from enum import IntEnum

import msgspec
import numpy as np

from kitetui.engine.alerts.alert import Alert
from kitetui.engine.alerts.conflict import Conflicts, Mark
from kitetui.engine.feed.batch import F64, I64, Bool

REMEMBERED = 20_000
"""Alert ids kept to tell a repetition from a second event."""


class Exit(IntEnum):
    """How a candidate left the gate."""

    ADMITTED = 0
    DATA_QUALITY = 1
    LOW_CONFIDENCE = 2
    DUPLICATE = 3
    CONFLICT = 4
    CONTESTED = 5


class GateCounts(msgspec.Struct):
    """candidates = admitted + the sum of by_reason, always."""

    candidates: int = 0
    admitted: int = 0
    by_reason: dict[str, int] = msgspec.field(default_factory=dict)


class Admission(msgspec.Struct, frozen=True):
    """What became of one candidate.

    Attributes:
        alert: as it is raised; None where it is not.
        marks: words for alerts raised before.
    """

    exit: Exit
    alert: Alert | None = None
    marks: tuple[Mark, ...] = ()


class Gate:
    """Admits candidates in order; a pure function of its own past."""

    def __init__(self, min_confidence: float) -> None:
        self.min_confidence = min_confidence
        self.counts = GateCounts()
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._conflicts = Conflicts()

    def screen(self, confidence: F64, doubtful: Bool) -> I64:
        """How each of many candidates leaves; those that are still `ADMITTED` are to be admitted.

        Args:
            confidence: f64 (n,); doubtful: bool (n,), whose bar is marked uncertain, or follows a
                gap of the feed.
        """
        weak = ~(confidence >= self.min_confidence)
        exits = np.where(weak, int(Exit.LOW_CONFIDENCE), int(Exit.ADMITTED))
        exits[doubtful] = Exit.DATA_QUALITY
        for way in (Exit.DATA_QUALITY, Exit.LOW_CONFIDENCE):
            self._count(way, int(np.count_nonzero(exits == way)))
        return exits

    def admit(self, candidate: Alert) -> Admission:
        """Whether a candidate that passed `screen` becomes an alert."""
        if candidate.alert_id in self._seen:
            self._count(Exit.DUPLICATE, 1)
            return Admission(Exit.DUPLICATE)
        ruling = self._conflicts.rule(candidate)
        if ruling.refused:
            way = Exit[ruling.refused.upper()]
            self._count(way, 1)
            return Admission(way, marks=ruling.marks)
        self.counts.candidates += 1
        self.counts.admitted += 1
        self._seen[candidate.alert_id] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        if ruling.tags:
            candidate = msgspec.structs.replace(candidate, tags=candidate.tags + ruling.tags)
        return Admission(Exit.ADMITTED, candidate, ruling.marks)

    def _count(self, way: Exit, count: int) -> None:
        if count:
            self.counts.candidates += count
            reason = way.name.lower()
            self.counts.by_reason[reason] = self.counts.by_reason.get(reason, 0) + count
