"""A trading day from a seed: the engine on a simulated exchange, and what goes wrong on it."""

from __future__ import annotations

import asyncio
import os
import random
import traceback
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import msgspec
import numpy as np

from kitetui.config import load
from kitetui.engine import clock as engine_clock
from kitetui.engine import core as engine_core
from kitetui.engine import pulse as engine_pulse
from kitetui.engine.alerts.alert import WAITING
from kitetui.engine.calendar import IST, Calendar
from kitetui.engine.commands import Acknowledge
from kitetui.engine.core import Core, EnginePlan
from kitetui.engine.feed import sources
from kitetui.engine.feed.credentials import Credentials
from kitetui.engine.feed.session import LinkState
from kitetui.engine.health.watchdog import Watchdog
from kitetui.engine.outlets import redis as redis_outlet
from kitetui.engine.service import ServiceManager
from kitetui.engine.sinks import journal
from kitetui.exchange import server as exchange_server
from kitetui.exchange.faults import FaultKind
from kitetui.exchange.listing import listing, table
from kitetui.exchange.market import Market
from kitetui.exchange.paths import Day, Paths
from kitetui.exchange.rest import Accounts
from kitetui.exchange.server import Ticker
from kitetui.places import places
from kitetui.secret import Secret
from kitetui.tools.serve import session_clock
from tests.chaos.truth import Truth
from tests.simulation.memory_net import Network
from tests.simulation.redis_seam import RedisSeam
from tests.simulation.virtual_loop import VirtualClock, VirtualLoop

WHOLE_DAY, ONE_HOUR = "2026-11-25T09:15", "2026-11-08T18:00"
"""When the session opens: an ordinary one, and Muhurat trading."""
SPEED = 60
STEP_S = 0.5
QUIET_S = 15.0
"""The day's last seconds, in which everything has to be well again."""
AFTER_S = 3.0
INSTRUMENTS = 6
TICKER, REDIS = ("127.0.0.1", 9000), ("redis.sim", 6379)
SETTINGS = (
    f"feed.speed={SPEED}", "feed.url=ws://127.0.0.1:9000", "feed.rest_url=http://rest.sim",
    "feed.warmup_sessions=0", "feed.refused_wait_s=3", "feed.backoff_max_s=3", "news.feeds=[]",
    "archive.ticks=false",
    "redis.url=redis://redis.sim:6379", "redis.profile=full", "redis.conflate_ms=5000",
    "redis.poll_s=15", "redis.commands=false", "journal.checkpoint_s=20", "journal.segment_mb=1",
    "alerts.min_confidence=0.0", "thresholds.volume_spike.min_bars=2",
    "alerts.rules=[RELIANCE price > 1 minute, INFY price > 1 minute]",
    "thresholds.volume_spike.params.min_ratio=0.5",
    "thresholds.volume_spike.params.min_robust_z=-9.0",
)  # fmt: skip


class Event(msgspec.Struct, frozen=True):
    """Something that happens at a second of the day, and may last."""

    at_s: float
    kind: str
    for_s: float = 0.0


KINDS: dict[str, tuple[float, float]] = {
    "kill": (0.1, 8), "drop": (0, 0), "mute": (1, 20), "garble": (0, 0), "truncate": (0, 0),
    "busy": (1, 10), "expire": (1, 10), "redis cut": (0, 5), "redis frozen": (0.1, 30),
    "redis full": (0.5, 20), "redis loading": (0.5, 10), "redis empty": (0, 0),
    "disk full": (0.5, 20), "clock set": (-30, 30), "acknowledge": (0, 0), "slow network": (1, 20),
}  # fmt: skip
"""What can happen, and for how many seconds; of the clock: by how many it is set."""


def plan(rng: random.Random, until_s: float) -> list[Event]:
    """The day's events, in order; all are over at that second."""
    out = []
    for _ in range(rng.randint(4, 14)):
        kind = rng.choice(list(KINDS))
        low, high = KINDS[kind]
        at_s = rng.uniform(1, until_s)
        out.append(Event(at_s, kind, min(rng.uniform(low, high), until_s - at_s)))
    return sorted(out, key=lambda event: event.at_s)


class Troubles:
    """The exchange's faults, as `Schedule` has them, by the day's clock."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.pending: list[FaultKind] = []
        self.until: dict[FaultKind, float] = {}

    def due(self, _: float) -> list[FaultKind]:
        pending, self.pending = self.pending, []
        return pending

    def active(self, kind: FaultKind, _: float) -> bool:
        return self._clock.monotonic() < self.until.get(kind, 0.0)


class FullDisk:
    """Stands in for `os` where journals are written; what is written while it is full fails."""

    def __init__(self) -> None:
        self.full = False

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def write(self, fd: int, data: bytes) -> int:
        if self.full:
            raise OSError(28, "No space left on device")
        return os.write(fd, data)


class QuietWatchdog(Watchdog):
    """It watches a thread's real time, and here is none."""

    def __init__(self, hang: Path) -> None:
        super().__init__(hang)
        self._stop.set()
        self._thread.join()


class World:
    """What lives on when an engine is killed: market, exchange, Redis, disk and clock.

    Attributes:
        violations: what must not be, in words.
    """

    def __init__(self, folder: Path, seed: int, opens: str = WHOLE_DAY) -> None:
        self.rng = random.Random(seed)
        calendar = Calendar(load().calendar)
        start_s, sessions = session_clock(calendar, opens, 0)
        self.clock = VirtualClock(start_s)
        self.places = places(folder, "default")
        days = [Day(s.open_s, s.close_s) for s in sessions][-2:]
        self.day_s = (days[-1].close_s - start_s) / SPEED
        listed = listing(_date(start_s), 0)[:INSTRUMENTS]
        symbols = msgspec.json.encode([item.symbol for item in listed]).decode()
        self.settings = load(overrides=[*SETTINGS, f"feed.instruments={symbols}"])
        self.market = Market(listed, Paths(listed, days, start_s, seed), seed)
        self.network = Network(self.rng)
        self.redis = RedisSeam(self.clock)
        self.troubles = Troubles(self.clock)
        self.disk = FullDisk()
        self.events = plan(self.rng, self.day_s - QUIET_S)
        self.accounts = Accounts("demo", "demo", "demo")
        self.token = "demo"
        self.acked: set[str] = set()
        self.lives = 0
        self.emptied = 0
        self.forgot = 0
        self.unpublished = 0
        self.dropped = 0
        self.digest = ""
        self.violations: list[str] = []
        self.unhandled: list[str] = []
        self._ends: list[tuple[int, Callable[[], None]]] = []
        self._graveyard: list[Any] = []
        self._table = table(listed)
        self._patch()

    def _patch(self) -> None:
        """Time, chance, disk and HTTP are this world's, in this process and for good."""
        engine_clock.time = exchange_server.time = self.clock  # type: ignore[attr-defined]
        sources.random = self.rng  # type: ignore[attr-defined]
        exchange_server.secrets = SimpleNamespace(  # type: ignore[attr-defined]
            token_bytes=self.rng.randbytes
        )
        redis_outlet.token_hex = lambda n: self.rng.randbytes(n).hex()
        journal.os = self.disk  # type: ignore[attr-defined]
        engine_core.Watchdog = QuietWatchdog  # type: ignore[misc]
        engine_pulse.LAG_SAMPLE_S = 1.0
        real, answer = httpx.AsyncClient, self._answer
        httpx.AsyncClient = lambda **options: real(  # type: ignore[assignment,misc]
            **options, transport=httpx.MockTransport(answer)
        )

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if self.rng.random() < 0.1:
            return httpx.Response(self.rng.choice((429, 500, 502)))
        if request.url.path == "/instruments":
            return httpx.Response(200, content=self._table, headers={"content-encoding": "gzip"})
        return httpx.Response(200, json={"status": "success", "data": {"candles": []}})

    # ---- the day ---------------------------------------------------------------------------

    def run(self) -> None:
        """Live through the day, in as many lives as it takes."""
        end_ns = self.clock.now_ns + int(self.day_s * 1e9)
        while True:
            self.lives += 1
            loop = VirtualLoop(self.clock, self.network)
            loop.set_debug(False)
            asyncio.set_event_loop(loop)
            again_s = loop.run_until_complete(self._life(end_ns))
            if again_s is None:
                loop.close()
                return
            self._graveyard.append(loop)  # nothing of it runs any more, not even an end
            if self.rng.random() < 0.5:
                for link in self.network.to(REDIS):
                    link.flush()  # what the kernel had arrives
            asyncio.events._set_running_loop(None)
            self.network.servers.clear()
            self.network.links.clear()
            self.clock.sleep(again_s)
            self._end_faults()
            self.market.step(again_s * SPEED, 1.0)
            for path in self.places.journals.glob("*"):
                os.utime(path, (self.clock.time(), self.clock.time()))

    async def _life(self, end_ns: int) -> float | None:
        """One engine, until it is killed (seconds until the next one) or the day is over."""
        loop = asyncio.get_running_loop()
        ticker = Ticker(self.accounts, self.troubles, conflate=True)  # type: ignore[arg-type]
        await ticker.listen(TICKER[1])
        self.network.listen(loop, self.redis.session, REDIS)
        plan = EnginePlan(
            places=self.places, credentials=lambda: Credentials("demo", Secret(self.token))
        )
        core = Core(self.settings, plan, lambda: None, ServiceManager({}))
        self._graveyard.append(core)
        await core.start()
        loop.set_exception_handler(self._uncaught)
        exchange = [loop.create_task(self._trade(ticker)), loop.create_task(_beat(ticker))]
        self._graveyard.append(exchange)
        while self.clock.now_ns < end_ns:
            self._end_faults()
            while self.events and self.events[0].at_s <= self._second(end_ns):
                event = self.events.pop(0)
                if event.kind == "kill":
                    self._note_kill(core)
                    return event.for_s
                await self._happen(event, core)
            await asyncio.sleep(0.2)
            if core.stopping.is_set():
                self.violations.append(f"the engine ended by itself: {_words(core.error)}")
                break
        await asyncio.sleep(AFTER_S)
        self.violations += self._unwell(core)
        await core.stop()
        self.core = core
        self.dropped += core.redis.publisher.dropped
        for task in exchange:
            task.cancel()
        await asyncio.gather(*exchange, return_exceptions=True)
        return None

    def _note_kill(self, core: Core) -> None:
        """What is lost with this engine's memory."""
        backlog, journal = core.redis.publisher.backlog, core.vitals.journal
        self.unpublished += backlog.next_seq - backlog.written
        self.dropped += core.redis.publisher.dropped
        self.forgot += journal is not None and journal.held_bytes > 0

    def _second(self, end_ns: int) -> float:
        return self.day_s - (end_ns - self.clock.now_ns) / 1e9

    async def _trade(self, ticker: Ticker) -> None:
        market = self.market
        await ticker.send(market.packets(np.arange(len(market.listed))))
        await ticker.started.wait()
        while market.now_s + STEP_S * SPEED < market.day.close_s:  # a later trade is in no bar
            changed = market.step(STEP_S * SPEED, 0.6)
            if len(changed):
                await ticker.send(market.packets(changed))
            await asyncio.sleep(STEP_S)

    def _uncaught(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.unhandled.append(f"{context.get('message')}: {context.get('exception')!r}")

    # ---- what goes wrong -------------------------------------------------------------------

    async def _happen(self, event: Event, core: Core) -> None:
        kind, for_s = event.kind, event.for_s
        if kind in ("drop", "garble", "truncate"):
            self.troubles.pending.append(FaultKind(kind))
        elif kind in ("mute", "busy", "expire"):
            self.troubles.until[FaultKind(kind)] = self.clock.monotonic() + for_s
            if kind == "expire":
                self._over_in(for_s, self._login)
            if kind != "mute":
                self.troubles.pending.append(FaultKind.DROP)
        elif kind == "acknowledge":
            await self._acknowledge(core)
        elif kind == "clock set":
            self.clock.wall_offset_ns += int(for_s * 1e9)
        else:
            self._over_in(for_s, self._begin(kind))

    def _over_in(self, seconds: float, over: Callable[[], None]) -> None:
        """A fault ends, whoever lives then."""
        self._ends.append((self.clock.now_ns + int(seconds * 1e9), over))

    def _end_faults(self) -> None:
        due = [over for at_ns, over in self._ends if at_ns <= self.clock.now_ns]
        self._ends = [end for end in self._ends if end[0] > self.clock.now_ns]
        for over in due:
            over()

    def _login(self) -> None:
        asked = self.accounts.request()
        digest = sha256(f"demo{asked}demo".encode()).hexdigest()
        token = self.accounts.login("demo", asked, digest)
        assert token is not None
        self.token = token

    def _begin(self, kind: str) -> Callable[[], None]:
        """A fault of Redis, the disk or the network; what ends it."""
        links = self.network.to(REDIS)
        if kind == "redis cut":
            self.network.refused.add(REDIS)
            for link in links:
                link.cut()
            return lambda: self.network.refused.discard(REDIS)
        if kind == "redis frozen":
            for link in links:
                link.silent = True
            return lambda: [link.thaw() for link in links] and None
        if kind == "redis full":
            self.redis.refusal = "-OOM command not allowed when used memory > 'maxmemory'."
            return lambda: setattr(self.redis, "refusal", "")
        if kind == "redis loading":
            self.redis.loading = True
            return lambda: setattr(self.redis, "loading", False)
        if kind == "redis empty":
            self.redis.replace()
            self.emptied += 1
            for link in links:
                link.cut()
            return lambda: None
        if kind == "disk full":
            self.disk.full = True
            return lambda: setattr(self.disk, "full", False)
        slow = [(link, link.latency_s) for link in self.network.links]
        for link, _ in slow:
            link.latency_s += 0.3
        return lambda: [setattr(link, "latency_s", was) for link, was in slow] and None

    async def _acknowledge(self, core: Core) -> None:
        for alert in core.pipeline.desk:
            if alert.state in WAITING:
                done = await core.obey(Acknowledge(*alert.seen, "ops"))
                journal = core.vitals.journal
                failing = journal is not None and bool(journal.failed)
                if done.done and failing != ("not durable" in done.text):
                    self.violations.append(f"journal failing: {failing}, but said: {done.text}")
                if done.done:
                    self.acked.add(alert.alert_id)
                return

    # ---- what must hold --------------------------------------------------------------------

    def _unwell(self, core: Core) -> Iterator[str]:
        """What did not come back after the last fault."""
        assert isinstance(core.vitals.source, sources.KiteSource)
        for connection in core.vitals.source.connections:
            if connection.state is not LinkState.LIVE:
                yield f"the feed is {connection.state}: {connection.reason}"
        publisher = core.redis.publisher
        if publisher.state != "ok":
            yield f"the publisher is {publisher.state}"
        assert core.vitals.journal is not None
        if core.vitals.journal.failed:
            yield f"the journal is not durable: {core.vitals.journal.failed}"
        yield from self.unhandled

    def check(self) -> None:
        """What is on the disk and in Redis at the end; after `run`."""
        truth = Truth(self.places.journals, self.settings)
        self.digest = f"{truth.digest} {truth.pipeline.desk.alert_hash}"
        found = self.violations
        found += truth.of_itself()
        found += [f"{name} failed: {why}" for name, why in
                  self.core.pipeline.detectors.failed.items()]  # fmt: skip
        if truth.lost_batches and not self.forgot:
            found.append(f"{truth.lost_batches} batches are missing before others")
        if self.forgot:  # killed while the disk was full: what memory held is gone, as was said
            return
        found += truth.against_stream(
            self.redis.shelf(4), whole=not self.emptied, dropped=self.dropped
        )
        found += truth.against_bars(self.redis.shelf(2))
        found += truth.against_logs({db: self.redis.shelf(db) for db in (6, 10, 11)})
        found += truth.against_desk(self.acked)
        if self.core.pipeline.desk.alert_hash != truth.pipeline.desk.alert_hash:
            found.append("a replay raises other alerts than the day did")
        in_redis = len(self.redis.shelf(4).xrange("ticks:raw:binary"))
        used = sum(truth.packets.values())
        least = used - self.unpublished - self.dropped
        if not least <= in_redis <= used and not self.emptied:
            found.append(f"{used} packets came, {in_redis} of them stand in Redis")


async def _beat(ticker: Ticker) -> None:
    while True:
        await asyncio.sleep(0.25)
        await ticker.idle()


def _words(error: BaseException | None) -> str:
    """What happened, and where."""
    if error is None:
        return "?"
    places = traceback.extract_tb(error.__traceback__)[-4:]
    return f"{error!r} in " + ", ".join(f"{p.name} ({p.filename}:{p.lineno})" for p in places)


def _date(at_s: int) -> Any:
    from datetime import datetime

    return datetime.fromtimestamp(at_s, IST).date()
