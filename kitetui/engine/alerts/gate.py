"""The gate: which candidates become alerts. Every exit is counted by its reason and priority."""

from __future__ import annotations

from collections import Counter, OrderedDict
from enum import IntEnum
from math import isfinite

import msgspec
import numpy as np

from kitetui.engine.alerts.alert import Alert, AlertState, Key, Origin, Priority
from kitetui.engine.alerts.conflict import Conflicts, Ruling
from kitetui.engine.alerts.desk import Desk
from kitetui.engine.alerts.flap import Flaps
from kitetui.engine.alerts.rates import Rates
from kitetui.engine.feed.batch import F64, I64, Bool
from kitetui.settings import AlertSettings

REMEMBERED = 20_000
"""Alert ids and cooldowns kept."""
ACTORS_MAX = 20_000
"""Symbols with rules that are counted as bad actors."""
_PRIORITIES = len(Priority) + 1
_FREE = Ruling()


class Exit(IntEnum):
    """How a candidate left the gate, in the order in which it is asked."""

    ADMITTED = 0
    DATA_QUALITY = 1
    LOW_CONFIDENCE = 2
    DUPLICATE = 3
    CONFLICT = 4
    CONTESTED = 5
    INVALID = 6
    MERGED = 7
    SHELVED = 8
    FLAPPING = 9
    COOLDOWN = 10
    RATE = 11


class Departure(msgspec.Struct, frozen=True):
    """A candidate that left the gate otherwise than as an alert of its own, as the ledger has it.

    Attributes:
        number: which candidate at the gate it was, from 1.
        at_s: session second; exit: the name of its `Exit`, in small letters.
    """

    number: int
    at_s: int
    alert_id: str
    symbol: str
    rule: str
    priority: int
    exit: str


class GateCounts:
    """candidates = admitted + the sum of what left otherwise, of each priority, always."""

    def __init__(self) -> None:
        self._counts = np.zeros((_PRIORITIES, len(Exit)), np.int64)

    def add(self, way: Exit, priority: Priority, count: int = 1) -> None:
        """Candidates of a priority left one way."""
        self._counts[priority, way] += count

    @property
    def candidates(self) -> int:
        """All that ever came."""
        return int(self._counts.sum())

    @property
    def admitted(self) -> int:
        """Those that became alerts."""
        return int(self._counts[:, Exit.ADMITTED].sum())

    @property
    def by_reason(self) -> dict[str, int]:
        """Those that did not, by the reason."""
        total = self._counts.sum(axis=0)
        return {way.name.lower(): int(total[way]) for way in Exit if way and total[way]}

    def of(self, priority: Priority) -> dict[str, int]:
        """All of a priority by how they left."""
        line = self._counts[priority]
        return {way.name.lower(): int(line[way]) for way in Exit if line[way]}


class _Last(msgspec.Struct):
    """What a key was when it was last admitted."""

    at_s: int
    priority: Priority
    confidence: float


class Gate:
    """Admits candidates in order; a pure function of its own past and the desk.

    Attributes:
        inhibited: whether prices cannot be believed now: what patterns and rules find is kept
            from people until they can.
        actors: candidates by symbol and rule.
    """

    def __init__(self, settings: AlertSettings, desk: Desk) -> None:
        self._settings = settings
        self._desk = desk
        self.counts = GateCounts()
        self.inhibited = False
        self.actors: Counter[tuple[str, str]] = Counter()
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._last: OrderedDict[Key, _Last] = OrderedDict()
        self._conflicts = Conflicts()
        self._flaps = Flaps(settings.flap_start, settings.flap_stop)
        self._rates = Rates(settings.symbol_burst, settings.symbol_per_hour)

    def tune(self, settings: AlertSettings) -> None:
        """Go by other thresholds from now on."""
        self._settings = settings

    def screen(self, confidence: F64, doubtful: Bool) -> I64:
        """How each of many firings leaves; those that are still `ADMITTED` are to be admitted.

        Args:
            confidence: f64 (n,); doubtful: bool (n,), whose bar is marked uncertain, or follows a
                gap of the feed.
        """
        weak = ~(confidence >= self._settings.min_confidence)
        exits = np.where(weak, int(Exit.LOW_CONFIDENCE), int(Exit.ADMITTED))
        exits[doubtful] = Exit.DATA_QUALITY
        for way in (Exit.DATA_QUALITY, Exit.LOW_CONFIDENCE):
            self.counts.add(way, Priority.EVENT, int(np.count_nonzero(exits == way)))
        return exits

    def admit(self, candidate: Alert) -> tuple[Exit, Alert | None]:
        """How a candidate leaves, and the alert it is now: raised, or merged into one that rose.

        The alert is given where people are to be told of it.
        """
        actor = candidate.symbol, candidate.pattern
        if actor in self.actors or len(self.actors) < ACTORS_MAX:
            self.actors[actor] += 1
        way, alert = self._decide(candidate)
        self.counts.add(way, candidate.priority)
        return way, alert

    def _decide(self, candidate: Alert) -> tuple[Exit, Alert | None]:
        if not _sound(candidate):
            return Exit.INVALID, None
        if candidate.alert_id in self._seen:
            return Exit.DUPLICATE, None
        key = candidate.key
        earlier = self._desk.open_episode(key)
        if earlier is not None:
            if earlier.state is AlertState.SHELVED:
                self._desk.merge(earlier, candidate)
                return Exit.SHELVED, None
            rose = self._desk.merge(earlier, candidate)
            return Exit.MERGED, self._desk.get(earlier.alert_id) if rose else None
        ruling = _FREE
        if candidate.origin is Origin.PATTERN:
            ruling = self._conflicts.rule(candidate)
            if ruling.refused:
                self._mark(ruling)
                return Exit[ruling.refused.upper()], None
        if self._desk.shelves.covering(key, candidate.at_s) is not None:
            return Exit.SHELVED, None
        if candidate.priority is not Priority.P1 and (way := self._too_often(candidate, key)):
            return way, None
        self._mark(ruling)
        if ruling.tags:
            candidate = msgspec.structs.replace(candidate, tags=candidate.tags + ruling.tags)
        if candidate.origin is Origin.PATTERN:
            self._conflicts.hold(candidate, ruling.marks)
        return Exit.ADMITTED, self._raise(candidate, key)

    def _mark(self, ruling: Ruling) -> None:
        for mark in ruling.marks:
            self._desk.mark(mark.alert_id, mark.tags)

    def _too_often(self, candidate: Alert, key: Key) -> Exit:
        """Flapping, cooling down, or one of too many of its symbol; `ADMITTED` where it is not."""
        if candidate.origin is Origin.PATTERN:
            length_s = max(candidate.at_s - candidate.bar_s, 1)
            step = candidate.bar_s // length_s
            if self._flaps.fired(key, step, max(candidate.horizon_bars, 1)):
                return Exit.FLAPPING
        last = self._last.get(key)
        if last is not None and candidate.origin is not Origin.SYSTEM:
            cool = candidate.at_s - last.at_s < self._settings.cooldown_minutes * 60
            pierces = candidate.priority < last.priority or (
                candidate.confidence >= last.confidence + self._settings.pierce_confidence
            )
            if cool and not pierces:
                return Exit.COOLDOWN
        if candidate.origin is not Origin.SYSTEM and not self._rates.take(
            candidate.symbol, candidate.at_s
        ):
            return Exit.RATE
        return Exit.ADMITTED

    def _raise(self, candidate: Alert, key: Key) -> Alert:
        self._seen[candidate.alert_id] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        self._last[key] = _Last(candidate.at_s, candidate.priority, candidate.confidence)
        self._last.move_to_end(key)
        if len(self._last) > REMEMBERED:
            self._last.popitem(last=False)
        if self.inhibited and candidate.origin is not Origin.SYSTEM:
            candidate = msgspec.structs.replace(
                candidate, state=AlertState.SUPPRESSED, reason="the feed is down"
            )
        return self._desk.raise_alert(candidate)


def _sound(candidate: Alert) -> bool:
    """Whether its numbers are numbers, and it says what it is about."""
    total = candidate.price + candidate.score + candidate.confidence
    total += (candidate.target or 0.0) + (candidate.stop or 0.0)
    return isfinite(total) and candidate.at_s > 0 and bool(candidate.symbol)
