"""How far a consumer group is behind its stream, and what it has lost: from ids, not from hope.

XINFO's own `lag` is taken only where the ids agree with it: after trimming past a slow group it can
stay above 0 for ever, after XDEL it is null, and Redis 6.2 has none.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from kitetui.engine.health.lag import LagState, LagWindow, Sample
from kitetui.engine.replies import NEVER, pairs, parse_id

NS = 1_000_000_000
COUNT_MAX = 1_000
"""Entries that are counted one by one, where nothing better tells."""

Ask = Callable[..., Awaitable[Any]]


class StreamInfo(msgspec.Struct, frozen=True):
    """What XINFO STREAM says; numbers that a server does not tell are None."""

    length: int
    last: tuple[int, int]
    first: tuple[int, int]
    added: int | None
    deleted: tuple[int, int] | None
    first_seq: tuple[bytes, int] | None
    last_seq: tuple[bytes, int] | None

    @classmethod
    def read(cls, info: dict[bytes, Any]) -> StreamInfo:
        """From XINFO's fields."""
        first, last = info.get(b"first-entry"), info.get(b"last-entry")
        deleted = info.get(b"max-deleted-entry-id")
        added = info.get(b"entries-added")
        return cls(
            length=int(info.get(b"length", 0)),
            last=parse_id(info.get(b"last-generated-id", b"0-0")),
            first=parse_id(first[0]) if first else NEVER,
            added=None if added is None else int(added),
            deleted=None if deleted is None else parse_id(deleted),
            first_seq=_seq(first), last_seq=_seq(last),
        )  # fmt: skip

    @property
    def whole(self) -> bool:
        """Whether no entry between the first and the last was taken away."""
        return self.deleted is not None and self.deleted < self.first


class GroupHealth(msgspec.Struct, frozen=True):
    """One consumer group.

    Attributes:
        lag: entries not yet delivered; None where it cannot be known.
        lag_at_least: the true lag is this or more.
        lag_s: age of the oldest undelivered entry; 0 when there is none.
        oldest_s: how long the oldest pending entry has been delivered and not acknowledged.
        lost: entries trimmed before they were delivered, since we look.
    """

    server: str
    stream: str
    db: int
    name: str
    lag: int | None
    lag_at_least: bool
    lag_s: float
    pending: int
    oldest_s: float
    idle_s: float
    consumers: int
    out_per_s: float | None
    lost: int
    state: LagState


class Lag(msgspec.Struct, frozen=True):
    """Entries after the last delivered one, and their age in seconds."""

    entries: int | None
    at_least: bool = False
    age_s: float = 0.0


class GroupWatch:
    """One group, poll by poll."""

    def __init__(self) -> None:
        self._window = LagWindow()
        self._position: tuple[bytes, int] | None = None
        """Producer and number of the first entry that it was not given."""
        self._read: tuple[int, float] | None = None
        self._missing = 0
        self._polls = 0
        self.lost = 0
        self.out_per_s: float | None = None

    @property
    def state(self) -> LagState:
        """By Burrow's rules."""
        return self._window.state

    async def look(self, ask: Ask, key: bytes, group: dict[bytes, Any], info: StreamInfo,
                   now_s: float, wall_s: float) -> Lag:  # fmt: skip
        """Lag at this moment; loss and state follow it."""
        delivered = parse_id(group[b"last-delivered-id"])
        lag, first = await self._lag(ask, key, delivered, group, info, wall_s)
        self._count_lost(delivered, group, info)
        self._position = _seq(first) or self._after_last(info)
        self._polls += 1
        self._window.add(Sample(now_s, delivered, lag.entries))
        self._rate(group, lag, info, now_s)
        return lag

    async def _lag(self, ask: Ask, key: bytes, delivered: tuple[int, int],
                   group: dict[bytes, Any], info: StreamInfo,
                   wall_s: float) -> tuple[Lag, Any]:  # fmt: skip
        if delivered >= info.last:
            return Lag(0), None
        after = f"({delivered[0]}-{delivered[1]}"
        found = await ask("XRANGE", key, after, "+", "COUNT", 1)
        if not found:
            return Lag(0), None
        first = found[0]
        age_s = max(wall_s - parse_id(first[0])[0] / 1000, 0.0)
        if info.first > delivered:
            return Lag(info.length, False, age_s), first
        told = group.get(b"lag")
        if info.whole and not self.lost and told is not None and _agrees(int(told), group, info):
            return Lag(int(told), False, age_s), first
        mine, last = _seq(first), info.last_seq
        numbered = None
        if mine is not None and last is not None and mine[0] == last[0]:
            numbered = Lag(last[1] - mine[1] + 1, False, age_s)
            if info.whole:
                return numbered, first
        counted = len(await ask("XRANGE", key, after, "+", "COUNT", COUNT_MAX))
        if counted >= COUNT_MAX and numbered is not None and info.deleted is None:
            return numbered, first  # Redis 6.2 does not tell of deletions: few are likely
        return Lag(counted, counted >= COUNT_MAX, age_s), first

    def _count_lost(self, delivered: tuple[int, int], group: dict[bytes, Any],
                    info: StreamInfo) -> None:  # fmt: skip
        """Entries that went from the front of the stream before this group was given them."""
        read = group.get(b"entries-read")
        known = info.added is not None and read is not None
        missing = max((info.added or 0) - info.length - int(read or 0), 0) if known else 0
        if info.length and info.first <= delivered:
            self._missing = missing
            return
        if self._position is not None and info.first_seq is not None:
            producer, number = self._position
            if producer == info.first_seq[0] and info.first_seq[1] > number:
                self.lost += info.first_seq[1] - number
            return
        if not known:
            return
        if self._polls or delivered != NEVER:  # else it began behind what was trimmed
            self.lost += max(missing - self._missing, 0)
        self._missing = missing

    @staticmethod
    def _after_last(info: StreamInfo) -> tuple[bytes, int] | None:
        return None if info.last_seq is None else (info.last_seq[0], info.last_seq[1] + 1)

    def _rate(self, group: dict[bytes, Any], lag: Lag, info: StreamInfo, now_s: float) -> None:
        """Entries a second that it is given."""
        read = group.get(b"entries-read")
        if read is None and info.added is not None and lag.entries is not None:
            read = None if lag.at_least else info.added - lag.entries
        if read is None:
            self.out_per_s = None
            return
        if self._read is not None and now_s > self._read[1]:
            self.out_per_s = max(int(read) - self._read[0], 0) / (now_s - self._read[1])
        self._read = int(read), now_s


def _agrees(told: int, group: dict[bytes, Any], info: StreamInfo) -> bool:
    """Whether the server's lag follows from its own counts, and these from each other."""
    read = group.get(b"entries-read")
    if read is None or info.added is None:
        return False
    trimmed = info.added - info.length
    return int(read) >= trimmed and info.added - int(read) == told <= info.length


def _seq(entry: Any) -> tuple[bytes, int] | None:
    """Producer and number of an entry of ours."""
    if not entry:
        return None
    fields = entry[1]
    told = pairs(fields)
    producer, seq = told.get(b"producer"), told.get(b"seq", b"")
    if producer is None or not seq.isdigit() or b"count" in told:
        return None  # a packed entry numbers its ticks, not itself
    return bytes(producer), int(seq)
