"""Redis as the engine sees it: the server, what of a batch is written there, how its streams do."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from secrets import token_hex

import msgspec

from kitetui.engine.alerts.alert import Alert
from kitetui.engine.alerts.line import Line
from kitetui.engine.clock import monotonic_ns, sleep, wall_ns
from kitetui.engine.feed.records import Kept
from kitetui.engine.flow.derived import Derived
from kitetui.engine.flow.track_record import Told
from kitetui.engine.health.streams import ServerHealth, StreamMonitor, Target
from kitetui.engine.market.market import Market
from kitetui.engine.outlets.redis_control import RedisControl
from kitetui.engine.outlets.redis_rows import MarketRows
from kitetui.engine.sinks.redis.embedded import EmbeddedServer
from kitetui.engine.sinks.redis.notices import LOGS, Notice
from kitetui.engine.sinks.redis.publisher import Publisher
from kitetui.redis_contract import KEYS
from kitetui.redis_url import server_url
from kitetui.secret import redacted_url
from kitetui.settings import RedisSettings

NS = 1_000_000_000
DRAIN_S = 2.0
"""How long stopping waits for Redis to take what is queued."""
EMBEDDED = "embedded"
SERVER_S = 0.5

Last = Callable[[str, Awaitable[object], float], Awaitable[None]]
"""One step of stopping, within its time: what, the work, seconds."""


class KeptNotices(msgspec.Struct):
    """What a checkpoint keeps of the streams of single entries; empty where there was none."""

    notices: bytes = b""


class RedisOutlet:
    """A server of our own or somebody's, a publisher to it, and a monitor of its streams.

    Attributes:
        url: where the server is; address: as the settings have it. To be shown redacted only.
        health: what the last poll found, at `health_ns` (0: none yet).
        kept: of the newest checkpoint.
    """

    def __init__(self, settings: RedisSettings, folder: Path, market: Market,
                 focus: Iterable[str], note: Callable[[str, str], None]) -> None:  # fmt: skip
        """`focus`: symbols with streams of their own."""
        self._settings = settings
        self._server = EmbeddedServer(folder) if settings.url == EMBEDDED else None
        self.address = settings.url
        self.url = server_url(settings.url) if self._server is None else self._server.url
        # In a container the process has the same number again, and a clock may be set back.
        producer = f"{os.uname().nodename}:{os.getpid()}:{wall_ns() // NS}:{token_hex(4)}"
        self.publisher = Publisher(settings, self.url, market.rows, MarketRows(market), note,
                                   producer, focus)  # fmt: skip
        self.control = RedisControl(self.url, self.publisher)
        self._monitors = [self._watch_over(self.url, self.address)]
        self._monitors += [self._watch_over(server_url(other)) for other in settings.watch]
        self.servers: list[ServerHealth] = []
        self._publishing: asyncio.Task[None] | None = None
        self._told: tuple[Line, ...] = ()
        self._minute = 0
        self.kept = KeptNotices()
        self._before: list[Notice] = []
        self._changed: dict[str, Alert] = {}
        """Of before too: some have left the desk since, and their last word counts."""
        self._restored = False
        self.health = ServerHealth([], [], error="not polled yet")
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

    async def keep_server(self, note: Callable[[str, str], None]) -> None:
        """Start a server of our own again when it ends, for ever.

        Raises:
            RedisUnavailable: it does not come up again.
        """
        server = self._server
        while server is not None:
            await sleep(SERVER_S)
            if await asyncio.to_thread(server.has_ended):
                note("redis", "the embedded server ended; it is started again")
                await asyncio.to_thread(server.start)

    def take(self, derived: Derived, kept: Kept) -> None:
        """Queue what a batch led to; `kept`: what a journal has of it."""
        wall_ms = wall_ns() // 1_000_000
        self.publisher.take(derived.runs, kept, derived.alerts, derived.changed, wall_ms,
                            derived.outcomes)  # fmt: skip
        for item in derived.news:
            self.publisher.put(self.publisher.notices.news(item, wall_ms))

    def before(self, derived: Derived) -> None:
        """Keep what a batch led to that an engine before this one took in: it may not have written
        all of it."""
        notices, wall_ms = self.publisher.notices, wall_ns() // 1_000_000
        self._before += [
            *(notices.raised(alert, wall_ms) for alert in derived.alerts),
            *(notices.outcome(outcome, wall_ms) for outcome in derived.outcomes),
            *(notices.news(item, wall_ms) for item in derived.news),
        ]
        self._changed |= {alert.alert_id: alert for alert in derived.changed}

    def restored(self, alerts: Iterable[Alert]) -> None:
        """All of before was taken in: what is not in the streams yet is written, and every alert
        as it is."""
        if self.kept.notices:
            self.publisher.go_on(self.kept.notices)
        self.publisher.again(self._before)
        as_they_are = {**self._changed, **{alert.alert_id: alert for alert in alerts}}
        self._before, self._changed, self._restored = [], {}, True
        for alert in as_they_are.values():
            self.publisher.put(self.publisher.notices.alert(alert))

    def keep(self) -> None:
        """Have a checkpoint know what is in the streams now."""
        self.kept.notices = self.publisher.keep()

    def fired(self, told: Told) -> None:
        """What fired, and what became of it."""
        wall_ms = wall_ns() // 1_000_000
        notice = self.publisher.notices.fired(told.entries, told.settled, wall_ms)
        if not told.before:
            self.publisher.put(notice)
        elif self._restored:
            self.publisher.again([notice])
        else:
            self._before.append(notice)

    def scoreboard(self, lines: tuple[Line, ...], date: str) -> None:
        """The scoreboard into the metrics store, where it differs from what was told."""
        if lines is not self._told:
            self.publisher.put(self.publisher.notices.scoreboard(lines, date))
            self._told = lines

    def vitals(self, metrics: Mapping[str, Mapping[str, float]],
               health: Mapping[str, tuple[str, str]]) -> None:  # fmt: skip
        """What the engine measures of itself, and how its parts do."""
        now_s = wall_ns() // NS
        minute = now_s // 60
        turned, self._minute = minute != self._minute, minute
        notices = self.publisher.notices
        self.publisher.put(notices.metrics(metrics, minute if turned else None))
        self.publisher.put(notices.health(health, now_s))

    def paced(self, ticks_per_s: float) -> None:
        """The rate that caps by age are reckoned with."""
        self.publisher.ticks.rate = ticks_per_s

    async def watch(self) -> None:
        """Poll the streams until cancelled."""
        while True:
            await sleep(self._settings.poll_s)
            await self._poll()

    async def _poll(self) -> None:
        """Look at all servers; what one does not answer keeps no other from being looked at."""
        now_s = wall_ns() / NS
        found = await asyncio.gather(*(
            monitor.poll(self._targets() if number == 0 else (), now_s)
            for number, monitor in enumerate(self._monitors)
        ))  # fmt: skip
        self.servers = list(found)
        self.health = ServerHealth(
            [stream for one in found for stream in one.streams],
            [group for one in found for group in one.groups],
            found[0].stats, found[0].error, found[0].server, found[0].foreign,
        )  # fmt: skip
        self.health_ns = monotonic_ns()

    def _targets(self) -> list[Target]:
        """Streams to look at whatever else there is."""
        names, ticks = self.publisher.names, self.publisher.ticks
        caps = {name: ticks.cap(name) for name in ticks.streams}
        caps |= {name: getattr(self._settings.caps, KEYS[name].cap) for name in LOGS}
        return [Target(names.key(name), names.db(KEYS[name].store), cap)
                for name, cap in caps.items()]  # fmt: skip

    def _watch_over(self, url: str, name: str = "") -> StreamMonitor:
        """A monitor that knows the contract."""
        stores = self._settings.stores
        families = []
        for key, entry in KEYS.items():
            if entry.type == "stream" and entry.parts:
                begins, _, _ = self._settings.keys[key].partition("{")
                families.append((stores[entry.store].db, stores[entry.store].prefix + begins))
        return StreamMonitor(
            url, redacted_url(name), (store.db for store in stores.values()), families
        )

    async def stop(self, last: Last) -> None:
        """Write what is queued, look once more, let go; each step within its time."""
        if self._publishing is not None:
            self.publisher.close()
            await last("redis", asyncio.shield(self._publishing), DRAIN_S)
            self._publishing.cancel()
            if self.publisher.state == "ok":
                await last("streams", self._poll(), 0.5)
            await last("redis", self.publisher.disconnect(), 0.5)
        for monitor in self._monitors:
            await last("streams", monitor.close(), 0.5)
        if self._server is not None:
            await last("redis", asyncio.to_thread(self._server.stop), 4.0)
