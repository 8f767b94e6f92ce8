"""Redis: streams, consumer groups, servers, and what is written there."""

from __future__ import annotations

import msgspec

from kitetui.engine.health.server import ServerStats


class Stream(msgspec.Struct, frozen=True):
    """A Redis stream, or a family of them (`count` of them, summed up by their name).

    Attributes:
        rates: entries a second over the last polls, oldest first.
        capped_in_s: until its cap is reached at this rate; None where it is, or never will be.
        age_s: of its oldest entry; ours: whether the contract knows it; error: what is wrong.
    """

    name: str
    length: int
    cap: int
    in_per_s: float | None
    groups: int
    db: int = 0
    rates: tuple[float, ...] = ()
    capped_in_s: float | None = None
    age_s: float = 0.0
    count: int = 1
    ours: bool = True
    error: str = ""
    server: str = ""
    family: bool = False


class Group(msgspec.Struct, frozen=True):
    """A consumer group and how far it is behind; `oldest_s`: age of its oldest pending entry."""

    stream: str
    name: str
    lag: int | None
    lag_at_least: bool
    lag_s: float
    pending: int
    idle_s: float
    consumers: int
    out_per_s: float | None
    lost: int | None
    state: str
    db: int = 0
    oldest_s: float = 0.0
    server: str = ""


class Server(msgspec.Struct, frozen=True):
    """A Redis server: its own figures, and what could not be asked (`error`)."""

    name: str
    stats: ServerStats
    error: str = ""
    foreign: int = 0


class Publication(msgspec.Struct, frozen=True):
    """What the engine writes to Redis, and how that goes."""

    profile: str = ""
    state: str = ""
    reason: str = ""
    published: int = 0
    spooled: int = 0
    dropped: int = 0
    refilled: int = 0
    refused: int = 0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    behind_s: float = 0.0
    troubles: tuple[str, ...] = ()
