"""The engine itself: the header, its links and events, how long things take, what is held back."""

from __future__ import annotations

import msgspec

SILENT = frozenset({"AUTH_EXPIRED", "REFUSED", "RECONNECTING", "STALE"})
"""States of a feed that is not what it should be."""


class Link(msgspec.Struct, frozen=True):
    """One connection to the ticker."""

    connection: int
    state: str
    reason: str


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The one line that is always visible. Times in seconds, latencies in ms.

    `login`: what is to be said of the access token's age, '' for nothing;
    `urgent`: unacknowledged alerts of P1; `bells`: how often people were told something so far;
    `notify`: what the channels to people elsewhere wait for, '' for nothing.
    """

    simulated: bool
    source: str
    state: str
    reason: str
    market: str
    session_s: float
    links: tuple[Link, ...]
    subscribed: int
    ticks_per_s: float
    ticks: int
    gaps: int
    latency_p50_ms: float
    latency_p99_ms: float
    loop_lag_p99_ms: float
    redis_state: str
    redis_reason: str
    redis_ms: float
    spooled: int
    max_lag: int | None
    unacked: int
    urgent: int
    alerts: int
    bells: int
    notify: str
    journal: str
    memory_mb: float
    warmed: int
    warm_wanted: int
    frame_age_s: float
    login: str = ""

    @property
    def silent(self) -> bool:
        """Whether nothing comes in that should: what is shown of the market is old."""
        return self.state in SILENT


LATENCY_MS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0)
"""Upper ends of the classes in which latencies are counted; a last one has what is beyond."""


class Stage(msgspec.Struct, frozen=True):
    """How long a stage takes, in ms; `counts`: how many of the newest lie in each of
    `LATENCY_MS`."""

    name: str
    p50_ms: float
    p90_ms: float
    p99_ms: float
    most_ms: float
    counts: tuple[int, ...]


class Ingestion(msgspec.Struct, frozen=True):
    """What came in, what became of it, and how fast that goes."""

    stages: tuple[Stage, ...] = ()
    counts: tuple[tuple[str, int], ...] = ()
    gaps: tuple[str, ...] = ()


class Flood(msgspec.Struct, frozen=True):
    """What people are told, and what is held back.

    Attributes:
        active: whether alerts go into digests, since session second `since_s`.
        pending: alerts that the next digest stands for; held: those of all digests.
        told, urgent, digests: messages so far; overflowed: alerts that left unseen.
        minutes: the last ones: minute, candidates, raised, told.
    """

    active: bool = False
    since_s: int = 0
    pending: int = 0
    held: int = 0
    told: int = 0
    urgent: int = 0
    digests: int = 0
    overflowed: int = 0
    minutes: tuple[tuple[int, ...], ...] = ()


class Event(msgspec.Struct, frozen=True):
    """A line of the log."""

    at_s: int
    source: str
    text: str


class Threshold(msgspec.Struct, frozen=True):
    """A threshold that can be changed: its value and that of the files, in JSON.

    `actor`: who changed it, '' where it is as in the files.
    """

    key: str
    value: str
    of_files: str
    actor: str
