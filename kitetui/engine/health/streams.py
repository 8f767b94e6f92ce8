"""The monitor: streams, consumer groups and the server itself, as one server has them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

import msgspec

from kitetui.engine.clock import monotonic_ns
from kitetui.engine.health.found_streams import At, FoundStreams
from kitetui.engine.health.group_lag import GroupHealth, GroupWatch, StreamInfo
from kitetui.engine.health.server import ServerStats, SlowCall, Trend, read_stats
from kitetui.engine.redis_py import redis
from kitetui.engine.replies import as_text, info_fields, pairs
from kitetui.secret import redacted_url

NS = 1_000_000_000
SHOWN_MAX = 64
"""Streams that are looked at one by one; the others are summed up by what they are called."""
SCAN_COUNT = 2_000
GROUPS_MAX = 64
"""Groups of a stream that are looked at."""
PROBED = 200
"""Streams of families that a poll looks at for groups."""
SLOW_SHOWN = 8
RATES_KEPT = 60


class Target(msgspec.Struct, frozen=True):
    """A stream to look at; `cap` 0 where we do not know of one."""

    key: bytes
    db: int
    cap: int = 0


class StreamHealth(msgspec.Struct, frozen=True):
    """One stream, or a family of them.

    Attributes:
        in_per_s: None until two polls have seen it; rates: the newest ones, oldest first.
        capped_in_s: until its cap is reached at this rate; None where it is, or never will be.
        count: streams of the family; 1 for a single one.
        ours: whether the contract knows it; family: it stands for `count` of them.
        error: why it could not be looked at.
    """

    server: str
    name: str
    db: int
    length: int
    cap: int
    in_per_s: float | None
    groups: int
    rates: tuple[float, ...] = ()
    capped_in_s: float | None = None
    age_s: float = 0.0
    count: int = 1
    ours: bool = True
    family: bool = False
    error: str = ""


class ServerHealth(msgspec.Struct, frozen=True):
    """What a poll found."""

    streams: list[StreamHealth]
    groups: list[GroupHealth]
    stats: ServerStats = ServerStats()
    error: str = ""
    server: str = ""
    foreign: int = 0


class StreamMonitor:
    """Polls one server through a client of its own."""

    def __init__(self, url: str, name: str = "", dbs: Iterable[int] = (),
                 families: Iterable[tuple[int, str]] = ()) -> None:  # fmt: skip
        """Streams are looked for in `dbs`; those of `families` (db, what stands before the symbol)
        are summed up."""
        self.name = name or redacted_url(url)
        self._url = url
        self._client: redis.asyncio.Redis | None = None
        self._dbs = sorted(set(dbs))
        self._cursors = dict.fromkeys(self._dbs, 0)
        self._found = FoundStreams(families)
        self._grouped: set[At] = set()
        self._probe: deque[At] = deque()
        self._watches: dict[tuple[int, bytes, bytes], GroupWatch] = {}
        self._added: dict[At, tuple[int, float]] = {}
        self._rates: dict[At, deque[float]] = {}
        self._trend = Trend()
        self._db = -1

    @property
    def _redis(self) -> redis.asyncio.Redis:
        """The client, made when it is first needed."""
        if self._client is None:
            self._client = redis.asyncio.Redis.from_url(
                self._url, retry=redis.asyncio.retry.Retry(redis.backoff.NoBackoff(), 0),
                socket_timeout=1.0, socket_connect_timeout=1.0, client_name="kitetui-monitor",
                protocol=2, single_connection_client=True,
            )  # fmt: skip
            self._client.response_callbacks.clear()  # answers as the server gives them
        return self._client

    async def poll(self, targets: Iterable[Target], wall_s: float) -> ServerHealth:
        """Look at the server; one that is away gives an error text."""
        try:
            return await self._poll(list(targets), wall_s)
        except (
            redis.RedisError,
            OSError,
            TimeoutError,
            ValueError,
            LookupError,
            TypeError,
        ) as error:
            self._db = -1
            await self._redis.aclose()
            text = str(error) or type(error).__name__
            return ServerHealth([], [], error=text[:160], server=self.name)

    async def close(self) -> None:
        """Let the connections go."""
        if self._client is not None:
            await self._client.aclose(close_connection_pool=True)

    async def _poll(self, targets: list[Target], wall_s: float) -> ServerHealth:
        stats = await self._stats()
        await self._scan()
        caps = {(t.db, t.key): t.cap for t in targets}
        foreign = [at for at in self._found.alone if at not in caps]
        single = list(dict.fromkeys([*caps, *foreign, *self._grouped]))[:SHOWN_MAX]
        streams: list[StreamHealth] = []
        groups: list[GroupHealth] = []
        for (db, key), told in (await self._info(single)).items():
            ours = (db, key) in caps or self._found.family((db, key)) is not None
            looked = await self._look(db, key, told, caps.get((db, key), 0), ours, wall_s)
            if looked is not None:
                streams.append(looked[0])
                groups += looked[1]
        await self._probe_groups()
        streams += [
            StreamHealth(
                self.name,
                f"{as_text(begins)}*",
                db,
                0,
                0,
                None,
                0,
                count=count,
                family=True,
            )
            for (db, begins), count in sorted(self._found.members(caps).items())
        ]
        return ServerHealth(streams, groups, stats, "", self.name, len(foreign))

    async def _ask(self, *parts: Any) -> Any:
        return await self._redis.execute_command(*parts)  # type: ignore[no-untyped-call]

    async def _select(self, db: int) -> None:
        if db != self._db:
            await self._ask("SELECT", db)
            self._db = db

    # ---- the server ----------------------------------------------------------------------

    async def _stats(self) -> ServerStats:
        try:
            info = info_fields(await self._ask("INFO", "all"))
        except redis.ResponseError:
            return ServerStats()  # an ACL may keep it from us
        policy = info.get("maxmemory_policy", "")
        self._trend.add(monotonic_ns() / NS, float(info.get("used_memory", 0)) / 1e6)
        slow: tuple[SlowCall, ...] = ()
        count = 0
        try:
            count = int(await self._ask("SLOWLOG", "LEN"))
            slow = tuple(_slow(line) for line in await self._ask("SLOWLOG", "GET", SLOW_SHOWN))
        except (redis.ResponseError, LookupError, TypeError, ValueError):
            pass  # an ACL may keep it from us, and some servers have none
        return read_stats(info, slow, count, policy, self._trend.mb_per_s)

    async def _scan(self) -> None:
        """Some more of the keys: in time, all of them."""
        for db in self._dbs:
            await self._select(db)
            cursor, keys = await self._raw_scan(self._cursors[db])
            self._cursors[db] = cursor
            for key in keys:
                gone = self._found.add((db, key))
                if gone is not None:
                    self._forget(*gone)

    async def _raw_scan(self, cursor: int) -> tuple[int, list[bytes]]:
        told = await self._ask("SCAN", cursor, "COUNT", SCAN_COUNT, "TYPE", "stream")
        return int(told[0]), [bytes(key) for key in told[1]]

    # ---- a stream and its groups ---------------------------------------------------------

    async def _info(self, streams: list[At]) -> dict[At, tuple[Any, Any]]:
        """XINFO STREAM and XINFO GROUPS of many streams in one round trip."""
        told = await self._each(streams, ("STREAM", "GROUPS"))
        return {at: (told[at, "STREAM"], told[at, "GROUPS"]) for at in streams}

    async def _each(self, streams: list[At], what: tuple[str, ...]) -> dict[tuple[At, str], Any]:
        pipe = self._redis.pipeline(transaction=False)
        order: list[tuple[At, str] | None] = []
        db = -1
        for at in sorted(streams, key=lambda at: at[0]):
            if at[0] != db:
                db = at[0]
                pipe.execute_command("SELECT", db)
                order.append(None)
            for part in what:
                pipe.execute_command("XINFO", part, at[1])
                order.append((at, part))
        replies = await pipe.execute(raise_on_error=False)
        for reply in replies:  # their frames hold all replies: cycles of megabytes, left to gc
            if isinstance(reply, Exception):
                reply.__traceback__ = None
        return {at: reply for at, reply in zip(order, replies, strict=True) if at is not None}

    async def _look(self, db: int, key: bytes, answers: tuple[Any, Any], cap: int, ours: bool,
                    wall_s: float) -> tuple[StreamHealth, list[GroupHealth]] | None:  # fmt: skip
        name = as_text(key)
        for answer in answers:
            if not isinstance(answer, Exception):
                continue
            if not isinstance(answer, redis.ResponseError):
                raise answer
            if "no such key" in str(answer):
                self._forget(db, key)
                return None
            text = str(answer)[:120]
            return StreamHealth(self.name, name, db, 0, cap, None, 0, ours=ours, error=text), []
        await self._select(db)
        groups = [pairs(g) for g in answers[1][:GROUPS_MAX]]
        info = StreamInfo.read(pairs(answers[0]))
        now_s = monotonic_ns() / NS
        rate, rates = self._rate((db, key), info, now_s)
        capped_in_s = None
        if cap and rate and info.length < cap:
            capped_in_s = (cap - info.length) / rate
        out = StreamHealth(
            self.name, name, db, info.length, cap, rate, len(groups), rates, capped_in_s,
            max(wall_s - info.first[0] / 1000, 0.0) if info.length else 0.0, ours=ours,
        )  # fmt: skip
        (self._grouped.add if groups else self._grouped.discard)((db, key))
        names = {bytes(group[b"name"]) for group in groups}
        for gone in [w for w in self._watches if w[:2] == (db, key) and w[2] not in names]:
            del self._watches[gone]
        return out, [await self._group(db, key, name, g, info, now_s, wall_s) for g in groups]

    def _rate(self, at: At, info: StreamInfo,
              now_s: float) -> tuple[float | None, tuple[float, ...]]:  # fmt: skip
        added = info.added
        if added is None:  # Redis 6.2 does not count: our own numbers do
            added = info.last_seq[1] if info.last_seq is not None else info.length
        before = self._added.get(at)
        self._added[at] = added, now_s
        kept = self._rates.setdefault(at, deque(maxlen=RATES_KEPT))
        if before is None or now_s <= before[1]:
            return None, tuple(kept)
        rate = max(added - before[0], 0) / (now_s - before[1])
        kept.append(rate)
        return rate, tuple(kept)

    async def _group(self, db: int, key: bytes, stream: str, group: dict[bytes, Any],
                     info: StreamInfo, now_s: float, wall_s: float) -> GroupHealth:  # fmt: skip
        name = bytes(group[b"name"])
        watch = self._watches.setdefault((db, key, name), GroupWatch())
        lag = await watch.look(self._ask, key, group, info, now_s, wall_s)
        consumers = [pairs(c) for c in await self._ask("XINFO", "CONSUMERS", key, name)]
        pending = int(group.get(b"pending") or 0)
        oldest_s = 0.0
        if pending:
            oldest = await self._ask("XPENDING", key, name, "-", "+", 1)
            oldest_s = int(oldest[0][2]) / 1000 if oldest else 0.0
        return GroupHealth(
            server=self.name, stream=stream, db=db, name=as_text(name),
            lag=lag.entries, lag_at_least=lag.at_least, lag_s=lag.age_s, pending=pending,
            oldest_s=oldest_s,
            idle_s=min((int(c.get(b"idle") or 0) for c in consumers), default=0) / 1000,
            consumers=len(consumers), out_per_s=watch.out_per_s, lost=watch.lost,
            state=watch.state,
        )  # fmt: skip

    def _forget(self, db: int, key: bytes) -> None:
        self._found.forget((db, key))
        self._grouped.discard((db, key))
        self._added.pop((db, key), None)
        self._rates.pop((db, key), None)
        for watched in [w for w in self._watches if w[:2] == (db, key)]:
            del self._watches[watched]

    async def _probe_groups(self) -> None:
        """Look at some streams of families: one that has a group is shown by itself."""
        if not self._probe:
            self._probe.extend(self._found)
        some = [self._probe.popleft() for _ in range(min(PROBED, len(self._probe)))]
        asked = [
            at for at in some if at not in self._grouped and self._found.family(at) is not None
        ]
        for (at, _), groups in (await self._each(asked, ("GROUPS",))).items():
            if isinstance(groups, Exception):
                self._forget(*at)
            elif groups:
                self._grouped.add(at)


def _slow(line: Any) -> SlowCall:
    _, at_s, took_us, words, *_ = line
    text = " ".join(as_text(word)[:40] for word in words[:3])
    return SlowCall(int(at_s), int(took_us) / 1000, text)
