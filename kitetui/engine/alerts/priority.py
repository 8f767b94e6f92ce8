"""Priorities of pattern alerts: which are worth an interruption."""

from __future__ import annotations

from bisect import bisect_left, insort

from kitetui.engine.alerts.alert import Alert, Priority
from kitetui.settings import PrioritySettings

TOP_SHARE = 0.9
FEW = 20
"""Expected results of the day from which on their top decile means something."""
DAY_MAX = 20_000


class Priorities:
    """By what an alert is expected to bring, beside what its day has brought so far."""

    def __init__(self, settings: PrioritySettings) -> None:
        self._lift = Priority[settings.lift]
        self._top = Priority[settings.top_decile]
        self._other = Priority[settings.other]
        self._day = -1
        self._expected: list[float] = []

    def of(self, candidate: Alert, day: int) -> Priority:
        """The priority of a candidate past the confidence gate; its expected R joins the day's."""
        if day != self._day:
            self._day, self._expected = day, []
        r, known = candidate.expected_r, self._expected
        found = self._other
        if candidate.calibrated and (candidate.p_hit or 0.0) > (candidate.null_rate or 0.0):
            found = min(found, self._lift)
        if r is not None:
            top = len(known) >= FEW and bisect_left(known, r) >= TOP_SHARE * len(known)
            if top and r > 0:
                found = min(found, self._top)
            if len(known) < DAY_MAX:
                insort(known, r)
        return Priority(found)
