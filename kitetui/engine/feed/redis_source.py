"""The fleet as a source: ticks that crawlers already put into Redis, by channel or by stream."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from typing import Any, Literal, Protocol

import msgspec

from kitetui.engine.clock import monotonic_ns, sleep
from kitetui.engine.feed import wire
from kitetui.engine.feed.batch import LENGTHS
from kitetui.engine.feed.records import Kind, LinkEvent
from kitetui.engine.feed.session import LinkState
from kitetui.engine.feed.tick_message import Named, TickError, TickMessage, read_ticks
from kitetui.settings import Settings

NS = 1_000_000_000
MESSAGE_MAX = 4 << 20
ENTRIES_AT_ONCE = 500
CLAIM_MS = 60_000
"""How long an entry lies with an engine that does not take it, before another does."""
BLOCK_MS = 1_000
RETRY_MAX_S = 30.0
SAYS_EVERY_S = 30.0
GROUP = "kitetui"


class Inbox(Protocol):
    """Where ticks go."""

    def put(self, kind: int, payload: bytes, connection: int = 0) -> None: ...

    def flush(self) -> None: ...


class RedisLink(msgspec.Struct):
    """The connection, as viewers see connections."""

    state: LinkState = LinkState.CONNECTING
    reason: str = ""


class RedisSource:
    """Listens, or reads as a consumer group, for ever.

    Attributes:
        connections: one; `reconnects`, `last_frame_ns` as of any source.
        unread: messages and entries that were no ticks, by reason.
        acknowledged: entries that were acknowledged, each after the journal had it.
    """

    def __init__(self, settings: Settings, url: str, inbox: Inbox,
                 announce: Callable[[list[Named]], None],
                 known: Callable[[str, str], int | None], durable: Callable[[], bool],
                 note: Callable[[str, str], None]) -> None:  # fmt: skip
        """
        Args:
            announce: is told of instruments that ticks name; known: gives tokens of symbols.
            durable: whether the journal has what it was given.
        """
        self._settings = settings
        self._url = url
        self._inbox = inbox
        self._announce = announce
        self._known = known
        self._note = note
        self._durable = durable
        self._joined = False
        self._most = settings.feed.max_connections * settings.feed.max_per_connection
        self._divisors = {**wire.DIVISORS, **settings.feed.divisors}
        self._named: set[int] = set()
        self._said_ns: dict[str, int] = {}
        self._closing = False
        self.connections = [RedisLink()]
        self.reconnects = 0
        self.last_frame_ns = 0
        self.unread: dict[str, int] = {}
        self.acknowledged = 0

    async def close(self) -> None:
        """Listen no more."""
        self._closing = True
        self._became(LinkState.CLOSED, "")

    async def run(self) -> None:
        """Take ticks in, whatever the server does."""
        from redis.asyncio import Redis
        from redis.exceptions import RedisError

        wait_s = 1.0
        while not self._closing:
            client: Any = Redis.from_url(
                self._url, client_name="kitetui-source", db=self._db(), protocol=2)  # fmt: skip
            reason = "closed"
            try:
                async with client:
                    if await self._by_stream(client) == "stream":
                        await self._read(client)
                    else:
                        await self._listen(client)
            except (RedisError, OSError, TimeoutError) as error:
                reason = type(error).__name__
            if self.connections[0].state is LinkState.LIVE:
                self.reconnects += 1
                wait_s = 1.0
            self._became(LinkState.RECONNECTING, reason)
            await sleep(wait_s)
            wait_s = min(wait_s * 2, RETRY_MAX_S)

    def _db(self) -> int:
        return self._settings.redis.stores["continuous_market"].db

    def _stream(self) -> str:
        redis = self._settings.redis
        return redis.stores["continuous_market"].prefix + redis.keys["raw_stream"]

    async def _by_stream(self, client: Any) -> Literal["stream", "channel"]:
        """Which of the two: as the settings say, or the stream where there is one."""
        asked = self._settings.feed.redis_ticks
        if asked != "auto":
            return asked
        if self._joined:
            return "stream"
        found = await client.type(self._stream())
        return "stream" if found == b"stream" else "channel"

    def _became(self, state: LinkState, reason: str) -> None:
        link = self.connections[0]
        if (link.state, link.reason) != (state, reason):
            link.state, link.reason = state, reason
            event = LinkEvent(0, str(state), reason, 0, 0)
            self._inbox.put(Kind.LINK, msgspec.json.encode(event))

    # ---- by channel ----------------------------------------------------------------------

    async def _listen(self, client: Any) -> None:
        channels = self._settings.redis.channels
        patterns = [channels["index"].partition("{")[0] + "*"]
        async with client.pubsub(ignore_subscribe_messages=True) as listening:
            await listening.subscribe(channels["ticks"], channels["premarket"])
            await listening.psubscribe(*patterns)
            self._became(LinkState.LIVE, "")
            async for message in listening.listen():
                self._hear(message["channel"], message.get("data"))

    def _hear(self, channel: bytes, data: Any) -> None:
        """One message: a frame of its own."""
        try:
            if not isinstance(data, bytes) or len(data) > MESSAGE_MAX:
                raise TickError("too long")
            ticks = read_ticks(data, self._settings.fields, self._divisors, self._known)
            self._count_named(len({t.token for t in ticks} - self._named))
        except TickError as error:
            self._refuse(channel.decode("utf-8", "replace"), str(error))
            return
        self._name(ticks)
        self._put([tick.packet for tick in ticks])

    def _count_named(self, more: int) -> None:
        """Refuse instruments beyond what an engine has rows for."""
        if len(self._named) + more > self._most:
            raise TickError(f"more than {self._most:,} instruments")

    def _name(self, ticks: list[TickMessage]) -> None:
        """Instruments that are seen for the first time, under the names that ticks give them."""
        fresh = {tick.token: tick for tick in ticks if tick.token not in self._named}
        if not fresh:
            return
        self._named.update(fresh)
        self._announce([Named(tick.token, tick.symbol, tick.exchange) for tick in fresh.values()])

    def _put(self, packets: list[bytes]) -> None:
        if packets:
            self.last_frame_ns = monotonic_ns()
            self._inbox.put(Kind.FRAME, wire.encode_frame(packets))

    def _refuse(self, where: str, reason: str) -> None:
        """What is no tick is counted, and said now and then."""
        word = reason.split(":", 1)[0][:40]
        self.unread[word] = self.unread.get(word, 0) + 1
        now_ns = monotonic_ns()
        if now_ns - self._said_ns.get(word, -(1 << 62)) > SAYS_EVERY_S * NS:
            self._said_ns[word] = now_ns
            self._note("redis", f"{where}: no tick: {reason[:160]} ({self.unread[word]} so far)")

    # ---- by stream -----------------------------------------------------------------------

    async def _read(self, client: Any) -> None:
        """As a consumer group of our own; an entry is acknowledged once the journal has it."""
        stream = self._stream()
        consumer = f"{os.uname().nodename}"
        from redis.exceptions import ResponseError

        with contextlib.suppress(ResponseError):  # it is there already
            # A stream that came back empty is read from its beginning.
            place = "0" if self._joined else "$"
            await client.xgroup_create(stream, GROUP, id=place, mkstream=self._joined)
        self._joined = True
        await self._claim(client, stream, consumer)
        self._became(LinkState.LIVE, "")
        after = "0"  # first what was given before and never acknowledged
        while not self._closing:
            told = await client.xreadgroup(GROUP, consumer, {stream: after},
                                           count=ENTRIES_AT_ONCE, block=BLOCK_MS)  # fmt: skip
            entries = told[0][1] if told else []
            if after != ">" and not entries:
                after = ">"
                continue
            if not entries:
                continue
            self._take(stream, entries)
            self._inbox.flush()
            if not self._durable():
                after = ">"  # what is not kept stays pending, and is read again another day
                continue
            ids = [entry_id for entry_id, _ in entries]
            self.acknowledged += await client.xack(stream, GROUP, *ids)
            await sleep(0)

    async def _claim(self, client: Any, stream: str, consumer: str) -> None:
        """Take over what an engine of another name left: a container's name changes with it."""
        from redis.exceptions import ResponseError

        after = b"0-0"
        with contextlib.suppress(ResponseError):  # a server from before it knew how
            while not self._closing:
                after, *_ = await client.xautoclaim(stream, GROUP, consumer, CLAIM_MS, after,
                                                    count=ENTRIES_AT_ONCE)  # fmt: skip
                if after == b"0-0":
                    return

    def _take(self, stream: str, entries: list[Any]) -> None:
        packets = []
        tokens: dict[int, None] = {}
        for _, fields in entries:
            packet = fields.get(b"binary_data", b"") if fields else b""
            if len(packet) in LENGTHS:
                packets.append(packet)
                tokens[int.from_bytes(packet[:4], "big")] = None
            else:
                self._refuse(stream, f"a packet of another length: {len(packet)} bytes")
        fresh = [token for token in tokens if token not in self._named]
        try:
            self._count_named(len(fresh))
        except TickError as error:
            self._refuse(stream, str(error))
            return
        if fresh:
            self._named.update(fresh)
            self._announce([Named(token) for token in fresh])
        self._put(packets)
