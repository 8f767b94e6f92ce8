"""An alert: what fired, how strong it is, and where it stands."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from kitetui.settings import PatternSettings


class AlertState(StrEnum):
    """Where an alert stands, in the words of ISA-18.2.

    RETURNED is unacknowledged while its condition is over; CLOSED has left the queue.
    """

    UNACKED = "unacked"
    ACKED = "acked"
    RETURNED = "returned"
    SHELVED = "shelved"
    SUPPRESSED = "suppressed"
    CLOSED = "closed"


WAITING = frozenset({AlertState.UNACKED, AlertState.RETURNED})
"""Somebody has to look at alerts in these."""


class Priority(IntEnum):
    """How urgent; EVENT is for the ledger only."""

    P1 = 1
    P2 = 2
    P3 = 3
    EVENT = 4


class Origin(StrEnum):
    """Who raises an alert: a detector, the engine's own health, a rule of the user."""

    PATTERN = "pattern"
    SYSTEM = "system"
    USER = "user"


class Key(NamedTuple):
    """What an alert is about: at most one episode of a key is open at a time."""

    symbol: str
    rule: str
    timeframe: str
    side: int


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How much of an alert to take. Rupees; for sold options of the premium together.

    Attributes:
        quantity: shares, whole lots; 0 for the reason.
        risk: lost at the stop, before costs; value: at the entry; costs: of a round trip.
    """

    entry: float
    stop: float
    target: float
    quantity: int = 0
    lots: int = 0
    risk: float = 0.0
    value: float = 0.0
    costs: float = 0.0
    reason: str = ""


class Thresholds(msgspec.Struct, frozen=True):
    """What a firing was measured against.

    Attributes:
        marks: of evidence that makes the score: where its part begins, where it is full, and the
            least part where that is its own; limits: the pattern's parameters.
    """

    marks: dict[str, tuple[float, ...]]
    limits: dict[str, float]

    @staticmethod
    def of(settings: PatternSettings) -> Thresholds:
        """Those of a pattern."""
        marks = {name: tuple(ramp) for name, ramp in settings.ramps.items()}
        return Thresholds(marks, dict(settings.params))


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One episode of one rule on one symbol.

    Attributes:
        about: which expiry of the symbol's, for patterns of chains; underlying: the name of what
            it moves with, such as NIFTY.
        bar_s: first second of the bar that opened the episode.
        at_s: session second at which it was raised.
        price: rupees at the bar's close; side: +1, -1 or 0.
        score, confidence: in [0, 1]; the confidence is the score's rank among past firings.
        evidence: each formula's value; thresholds: those in force when it fired, of an alert that
            was told.
        target, stop: rupees; horizon_bars: when the outcome is settled.
        p_hit: chance of the target before the stop within the horizon, with its 95 % interval
            p_low to p_high, from p_outcomes resolved ones; `calibrated` where they are enough.
        null_rate: the rate that chance alone would have.
        expected_r: expected result in units of the stop's distance, before costs. These, target
            and stop are None where the pattern names no direction or no distance.
        tags: words of the pattern, and of alerts that contradict it.
        message: a sentence, where the rule's name and evidence do not say it.
        valid_until_s: when its condition is over at the latest; 0: when it is told so.
        session_end_s: when its instrument's session ends; 0 for what knows no session.
        count: candidates that it stands for; last_s: session second of the newest.
        episode: how many of its key there were so far, from 1.
        revision: grows with every change; a command must name the one it saw.
        reason: why it stands where it does.
    """

    alert_id: str
    symbol: str
    token: int
    pattern: str
    timeframe: str
    side: int
    bar_s: int
    at_s: int
    price: float
    score: float
    confidence: float
    evidence: dict[str, float]
    thresholds: Thresholds | None = None
    about: str = ""
    underlying: str = ""
    target: float | None = None
    stop: float | None = None
    horizon_bars: int = 0
    p_hit: float | None = None
    p_low: float = 0.0
    p_high: float = 1.0
    p_outcomes: int = 0
    calibrated: bool = False
    null_rate: float | None = None
    expected_r: float | None = None
    tags: tuple[str, ...] = ()
    plan: Plan | None = None
    origin: Origin = Origin.PATTERN
    priority: Priority = Priority.P3
    message: str = ""
    valid_until_s: int = 0
    session_end_s: int = 0
    count: int = 1
    last_s: int = 0
    episode: int = 1
    revision: int = 1
    state: AlertState = AlertState.UNACKED
    reason: str = ""
    acked_by: str = ""
    acked_s: int = 0
    shelved_until_s: int = 0

    @property
    def key(self) -> Key:
        """What it is about."""
        return Key(self.symbol, f"{self.pattern} {self.about}".rstrip(), self.timeframe, self.side)

    @property
    def seen(self) -> tuple[str, int, int]:
        """What names it as it stands: who acknowledges it says that they saw this."""
        return self.alert_id, self.episode, self.revision

    @property
    def family(self) -> str:
        """The pattern without its sub-type."""
        return self.pattern.partition(".")[0]

    @property
    def direction(self) -> str:
        """up, down or none."""
        return {1: "up", -1: "down"}.get(self.side, "none")


class AlertOutcome(msgspec.Struct, frozen=True):
    """What became of an alert: in stops' distances, rupees, bars of its timeframe."""

    alert_id: str
    outcome: str
    r: float
    price: float
    bars: int
    at_s: int


def alert_id(symbol: str, rule: str, timeframe: str, side: int, opened_s: int) -> str:
    """The id of an episode: the same event has the same id in any process, replay or retry."""
    key = f"{symbol}\x1f{rule}\x1f{timeframe}\x1f{side}\x1f{opened_s}"
    return blake2b(key.encode(), digest_size=8).hexdigest()
