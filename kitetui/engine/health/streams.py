"""Streams and consumer groups as the server holds them: lengths, rates, lag, loss."""

from __future__ import annotations

from typing import Any

import msgspec
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from kitetui.engine.clock import monotonic_ns
from kitetui.engine.health.lag import LagState, LagWindow, Sample, parse_id

NS = 1_000_000_000
STREAMS_MAX = 64
COUNT_MAX = 1_000


class StreamHealth(msgspec.Struct, frozen=True):
    """One stream. `in_per_s` is None until two polls have seen it."""

    name: str
    db: int
    length: int
    cap: int
    in_per_s: float | None
    groups: int


class GroupHealth(msgspec.Struct, frozen=True):
    """One consumer group.

    Attributes:
        lag: entries not yet delivered; None where it cannot be known.
        lag_at_least: the true lag is this or more.
        lag_s: age of the oldest undelivered entry; 0 when there is none.
        lost: entries trimmed before they were delivered; None when nothing hints at loss.
    """

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
    state: LagState


class ServerHealth(msgspec.Struct, frozen=True):
    """What a poll found."""

    streams: list[StreamHealth]
    groups: list[GroupHealth]
    used_mb: float
    error: str = ""


class StreamMonitor:
    """Polls one server through a client of its own."""

    def __init__(self, url: str) -> None:
        self._redis: Redis = Redis.from_url(
            url, retry=Retry(NoBackoff(), 0), socket_timeout=1.0, socket_connect_timeout=1.0,
            client_name="kitetui-monitor", decode_responses=True,
            encoding_errors="replace", protocol=2, single_connection_client=True,
        )  # fmt: skip
        self._windows: dict[tuple[str, str], LagWindow] = {}
        self._added: dict[str, tuple[int, int]] = {}
        self._read: dict[tuple[str, str], tuple[int, int]] = {}

    async def poll(self, targets: list[tuple[str, int, int]], wall_s: float) -> ServerHealth:
        """Look at streams, given as (name, db, cap); a server that is away gives an error text."""
        streams: list[StreamHealth] = []
        groups: list[GroupHealth] = []
        try:
            for name, db, cap in targets[:STREAMS_MAX]:
                await self._ask("SELECT", db)
                found = await self._stream(name, db, cap)
                if found is None:
                    continue
                streams.append(found[0])
                groups += [await self._group(name, group, found[1], wall_s) for group in found[2]]
            memory = await self._redis.info("memory")
        except (RedisError, OSError, TimeoutError) as error:
            return ServerHealth([], [], 0.0, f"{type(error).__name__}: {error}"[:160])
        return ServerHealth(streams, groups, float(memory.get("used_memory", 0)) / 1e6)

    async def close(self) -> None:
        """Let the connection go."""
        await self._redis.aclose()

    async def _ask(self, *parts: object) -> Any:
        return await self._redis.execute_command(*parts)  # type: ignore[no-untyped-call]

    async def _stream(
        self, name: str, db: int, cap: int
    ) -> tuple[StreamHealth, dict[str, Any], list[dict[str, Any]]] | None:
        try:
            info = _pairs(await self._ask("XINFO", "STREAM", name))
        except ResponseError:
            return None
        groups = [_pairs(g) for g in await self._ask("XINFO", "GROUPS", name)]
        now_ns = monotonic_ns()
        added = int(info.get("entries-added") or 0)
        before = self._added.get(name)
        self._added[name] = (added, now_ns)
        rate = None
        if before is not None and now_ns > before[1] and added >= before[0]:
            rate = (added - before[0]) * NS / (now_ns - before[1])
        health = StreamHealth(name, db, int(info["length"]), cap, rate, len(groups))
        return health, info, groups

    async def _group(
        self, stream: str, group: dict[str, Any], info: dict[str, Any], wall_s: float
    ) -> GroupHealth:
        name = str(group["name"])
        delivered = str(group["last-delivered-id"])
        lag, at_least, lag_s = await self._lag(stream, delivered, group, info, wall_s)
        window = self._windows.setdefault((stream, name), LagWindow())
        window.add(Sample(monotonic_ns() / NS, parse_id(delivered), lag))
        idle_s = 0.0
        consumers = [_pairs(c) for c in await self._ask("XINFO", "CONSUMERS", stream, name)]
        if consumers:
            idle_s = min(int(c.get("idle") or 0) for c in consumers) / 1000
        read = group.get("entries-read")
        return GroupHealth(
            stream=stream, name=name, lag=lag, lag_at_least=at_least, lag_s=lag_s,
            pending=int(group.get("pending") or 0), idle_s=idle_s, consumers=len(consumers),
            out_per_s=self._out_rate(stream, name, read), state=window.state,
            lost=_lost(delivered, info, read),
        )  # fmt: skip

    def _out_rate(self, stream: str, name: str, read: Any) -> float | None:
        if read is None:
            return None
        now_ns = monotonic_ns()
        before = self._read.get((stream, name))
        self._read[(stream, name)] = (int(read), now_ns)
        if before is None or now_ns <= before[1]:
            return None
        return max(int(read) - before[0], 0) * NS / (now_ns - before[1])

    async def _lag(
        self, stream: str, delivered: str, group: dict[str, Any], info: dict[str, Any],
        wall_s: float,
    ) -> tuple[int | None, bool, float]:  # fmt: skip
        """Entries after the last delivered one, whether that is a lower bound, and their age.

        XINFO's own lag is taken only where the ids agree with it: after trimming it can stay
        above 0 for ever, and after XDEL it is null.
        """
        if parse_id(delivered) >= parse_id(str(info.get("last-generated-id", "0-0"))):
            return 0, False, 0.0
        first = await self._ask("XRANGE", stream, f"({delivered}", "+", "COUNT", 1)
        if not first:
            return 0, False, 0.0
        age_s = max(wall_s - parse_id(first[0][0])[0] / 1000, 0.0)
        told = group.get("lag")
        if told is not None and int(told) > 0 and _untouched(delivered, info):
            return int(told), False, age_s
        counted = len(await self._ask("XRANGE", stream, f"({delivered}", "+", "COUNT", COUNT_MAX))
        return counted, counted >= COUNT_MAX, age_s


def _untouched(delivered: str, info: dict[str, Any]) -> bool:
    """Nothing behind the group's position was deleted or trimmed."""
    deleted = parse_id(str(info.get("max-deleted-entry-id", "0-0")))
    first = info.get("first-entry")
    head = parse_id(str(first[0])) if first else (0, 0)
    return deleted <= parse_id(delivered) and head <= _after(parse_id(delivered), head)


def _after(delivered: tuple[int, int], head: tuple[int, int]) -> tuple[int, int]:
    return head if delivered == (0, 0) else max(delivered, head)


def _lost(delivered: str, info: dict[str, Any], read: Any) -> int | None:
    """Entries trimmed past the group: the stream's first entry lies beyond what it was given."""
    first = info.get("first-entry")
    added, length = int(info.get("entries-added") or 0), int(info["length"])
    if not first or added == length or parse_id(str(first[0])) <= parse_id(delivered):
        return None
    if read is None:
        return 0
    return max(added - length - int(read), 0)


def _pairs(flat: Any) -> dict[str, Any]:
    """XINFO's flat list (RESP2) as a dict."""
    if isinstance(flat, dict):
        return flat
    return dict(zip(flat[::2], flat[1::2], strict=False))
