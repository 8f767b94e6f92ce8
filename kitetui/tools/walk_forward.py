"""Walk forward: chances from outcomes that were known a whole session before, and no others."""

from __future__ import annotations

from collections import defaultdict

from kitetui.engine.alerts.barriers import Outcome
from kitetui.engine.alerts.outcomes import Resolved
from kitetui.engine.alerts.scoreboard import Key
from kitetui.engine.calendar import ist_day
from kitetui.engine.patterns.calibration import KEPT, Calibration, Past


class WalkForward:
    """What a calibration made anew before every session would have told.

    Between the outcomes that it knows and the session that it tells of lies a session's embargo,
    so that no outcome reaches into what it is measured by.
    """

    def __init__(self) -> None:
        self._waiting: dict[int, tuple[Key, int, float]] = {}
        self._sessions: list[int] = []
        self._ended: dict[Key, list[tuple[int, float, bool]]] = defaultdict(list)
        self._made: dict[Key, tuple[int, Calibration]] = {}

    def expect(self, number: int, key: Key, start: int, score: float) -> None:
        """A firing is followed; `start`: its bar's minute."""
        self._waiting[number] = key, ist_day(start * 60), score

    def take(self, resolved: Resolved) -> None:
        """What became of some."""
        for number, outcome in zip(
            resolved.number.tolist(), resolved.outcome.tolist(), strict=True
        ):
            waiting = self._waiting.pop(number, None)
            if waiting is not None and outcome != Outcome.UNRESOLVABLE:
                key, day, score = waiting
                self._ended[key].append((day, score, outcome == Outcome.TARGET))

    def chance(self, key: Key, start: int, score: float, null: float) -> float:
        """The probability that a firing would have been told."""
        day = ist_day(start * 60)
        if not self._sessions or day > self._sessions[-1]:
            self._sessions.append(day)
        made = self._made.get(key)
        if made is None or made[0] != day:
            embargoed = self._sessions[-2] if len(self._sessions) > 1 else day
            known = [(s, hit) for on, s, hit in self._ended[key] if on < embargoed]
            made = self._made[key] = day, Calibration(None, Past((), tuple(known[-KEPT:])))
        return made[1].chance(score, null).p
