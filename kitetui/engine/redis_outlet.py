"""Redis as the engine sees it: the server, what of a batch is written there, how its streams do."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

from kitetui.engine.alerts.line import Line
from kitetui.engine.clock import monotonic_ns, sleep, wall_ns
from kitetui.engine.derived import Derived
from kitetui.engine.health.streams import ServerHealth, StreamMonitor
from kitetui.engine.market.instruments import Rows
from kitetui.engine.sinks.redis.embedded import EmbeddedServer
from kitetui.engine.sinks.redis.encode import PROCESSED_ENTRY_BYTES, RAW_ENTRY_BYTES, Encoder
from kitetui.engine.sinks.redis.publisher import Publisher, RowStates
from kitetui.settings import RedisSettings

NS = 1_000_000_000
DRAIN_S = 2.0
"""How long stopping waits for Redis to take what is queued."""
EMBEDDED = "embedded"

Last = Callable[[str, Awaitable[object], float], Awaitable[None]]
"""One step of stopping, within its time: what, the work, seconds."""


class RedisOutlet:
    """A server of our own or somebody's, a publisher to it, and a monitor of its streams.

    Attributes:
        url: where the server is; address: as the settings have it. To be shown redacted only.
        health: what the last poll found, at `health_ns` (0: none yet).
    """

    def __init__(self, settings: RedisSettings, folder: Path, rows: Rows, states: RowStates,
                 note: Callable[[str, str], None]) -> None:  # fmt: skip
        self._settings = settings
        self._server = EmbeddedServer(folder) if settings.url == EMBEDDED else None
        self.address = settings.url
        self.url = settings.url if self._server is None else self._server.url
        self._encoder = Encoder(settings, rows, f"{os.uname().nodename}:{os.getpid()}")
        self.publisher = Publisher(settings, self.url, self._encoder, states, note)
        self._monitor = StreamMonitor(self.url)
        self._publishing: asyncio.Task[None] | None = None
        self._told: tuple[Line, ...] = ()
        self.health = ServerHealth([], [], 0.0, "not polled yet")
        self.health_ns = 0

    async def start(self) -> asyncio.Task[None]:
        """Bring the server up and begin to publish; the publisher's task.

        Raises:
            RedisUnavailable: an embedded server that does not start.
        """
        if self._server is not None:
            await asyncio.to_thread(self._server.start)
        self._publishing = asyncio.get_running_loop().create_task(self.publisher.run())
        return self._publishing

    def take(self, derived: Derived) -> None:
        """Queue what a batch led to."""
        wall_ms = wall_ns() // 1_000_000
        self.publisher.take(derived.runs, derived.alerts, derived.changed, wall_ms,
                            derived.outcomes)  # fmt: skip
        for item in derived.news:
            self.publisher.put("news", self._encoder.news(item, wall_ms))

    def scoreboard(self, lines: tuple[Line, ...], date: str) -> None:
        """The scoreboard into the metrics store, where it differs from what was told."""
        if lines is not self._told:
            self.publisher.put("metrics", self._encoder.scoreboard(lines, date))
            self._told = lines

    def paced(self, ticks_per_s: float) -> None:
        """The rate that caps by age are reckoned with."""
        self._encoder.rate = ticks_per_s

    async def watch(self) -> None:
        """Poll the streams until cancelled."""
        while True:
            await sleep(self._settings.poll_s)
            await self._poll()

    async def _poll(self) -> None:
        self.health = await self._monitor.poll(self._targets(), wall_ns() / NS)
        self.health_ns = monotonic_ns()

    def _targets(self) -> list[tuple[str, int, int]]:
        """Streams to look at: name, database, cap."""
        names, cap = self._encoder.names, self._encoder.cap
        market, alerts = names.db("continuous_market"), names.db("alerts")
        return [
            (names.processed_stream.decode(), market, cap(PROCESSED_ENTRY_BYTES)),
            (names.raw_stream.decode(), market, cap(RAW_ENTRY_BYTES)),
            (names.alert_stream.decode(), alerts, self._settings.caps.alerts),
        ]

    async def stop(self, last: Last) -> None:
        """Write what is queued, look once more, let go; each step within its time."""
        if self._publishing is not None:
            self.publisher.close()
            await last("redis", asyncio.shield(self._publishing), DRAIN_S)
            self._publishing.cancel()
            if self.publisher.state == "ok":
                await last("streams", self._poll(), 0.5)
            await last("redis", self.publisher.disconnect(), 0.5)
        await last("streams", self._monitor.close(), 0.5)
        if self._server is not None:
            await last("redis", asyncio.to_thread(self._server.stop), 4.0)
