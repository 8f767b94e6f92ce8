"""Parts that fail while the engine runs: its own Redis server, viewers that read nothing."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from kitetui.caller import Caller, NoEngine, NotAllowed
from kitetui.engine import supervisor
from kitetui.engine.door import sockets
from kitetui.engine.door.doorway import VERSION, Hello, Report, framed
from kitetui.engine.door.sockets import CALLERS_MAX, VIEWERS_MAX, Sockets
from kitetui.engine.outlets import redis as redis_outlet
from kitetui.engine.outlets.redis import RedisOutlet
from kitetui.engine.sinks.redis.embedded import EmbeddedServer, RedisUnavailable
from kitetui.engine.supervisor import Supervisor
from tests.programs import LOGIN, engine, exchange, feed_options, status_when


def server_below(folder: Path) -> int:
    """The process of the engine's own Redis server."""
    told = subprocess.run(["pgrep", "-f", f"valkey.*{folder}"], text=True, capture_output=True,
                          check=True)  # fmt: skip
    return int(told.stdout.split()[0])


@pytest.mark.e2e
def test_the_engines_own_redis_server_is_started_again(tmp_path: Path) -> None:
    with (
        exchange(tmp_path, "--speed", "10") as hello,
        engine(tmp_path, *feed_options(hello), **LOGIN) as process,
    ):
        before = status_when(tmp_path, lambda s: s["redis"]["published"] > 500)
        first = server_below(tmp_path)
        os.kill(first, signal.SIGKILL)
        more = before["redis"]["published"] + 1000
        after = status_when(
            tmp_path,
            lambda s: s["redis"]["state"] == "ok" and s["redis"]["published"] > more,
        )
        assert server_below(tmp_path) != first and after["state"] == "LIVE"
        assert after["redis"]["dropped"] == 0
    assert process.returncode == 0


async def test_a_server_that_does_not_come_back_is_tried_until_it_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "AGAIN_S", 0.01)
    monkeypatch.setattr(redis_outlet, "SERVER_S", 0.01)
    notes: list[str] = []
    kept = Supervisor(lambda: None, lambda source, text: notes.append(text))
    server = EmbeddedServer(tmp_path)
    await asyncio.to_thread(server.start)
    outlet = RedisOutlet.__new__(RedisOutlet)
    outlet._server = server
    tries = 0

    def fails() -> None:
        nonlocal tries
        tries += 1
        server._end()
        raise RedisUnavailable("its binary is gone")

    monkeypatch.setattr(server, "start", fails)
    kept.keep("redis server", lambda: outlet.keep_server(lambda *_: None))
    os.kill(server_below(tmp_path), signal.SIGKILL)
    for _ in range(200):
        await asyncio.sleep(0.02)
        if kept.given_up:
            break
    assert tries == supervisor.MOST and "RedisUnavailable" in kept.given_up["redis server"]
    server.stop()
    assert not server.has_ended(), "stopped is not ended"
    await kept.cancel()


async def test_viewers_that_read_nothing_make_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "DRAIN_S", 0.5)
    large = {"text": "x" * 1_000_000}
    folder = tmp_path / "run"
    folder.mkdir()
    listening = Sockets(folder, {"ro": "", "rw": ""}, None, None, lambda: large,  # type: ignore[arg-type]
                        lambda source, text: None)  # fmt: skip
    await listening.start()
    deaf = []
    for _ in range(VIEWERS_MAX + CALLERS_MAX):
        plug = socket.socket(socket.AF_UNIX)
        plug.setblocking(False)
        await asyncio.get_running_loop().sock_connect(plug, str(folder / "ro.sock"))
        plug.send(framed(Hello(VERSION, "test")) + framed(Report()) * 3)
        deaf.append(plug)
    await asyncio.sleep(0.2)

    def look() -> int:
        with Caller(folder, "ro") as caller:
            return len(caller.status()["text"])

    with pytest.raises((NotAllowed, NoEngine)):  # refused, or shut before it asked
        await asyncio.to_thread(look)
    await asyncio.sleep(1.0)
    assert await asyncio.to_thread(look) == 1_000_000
    for plug in deaf:  # what the kernel holds, then the end: nothing of them is kept
        with contextlib.suppress(ConnectionError):
            while plug.recv(1 << 20):
                pass
    for plug in deaf:
        plug.close()
    await listening.close()


@pytest.mark.e2e
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_headless_engine_in_order(number: int, tmp_path: Path) -> None:
    with (
        exchange(tmp_path, "--speed", "10") as hello,
        engine(tmp_path, *feed_options(hello), **LOGIN) as process,
    ):
        status_when(tmp_path, lambda s: s["state"] == "LIVE")
        began = time.monotonic()
        process.send_signal(number)
        process.wait(20)
        took_s = time.monotonic() - began
    said = (tmp_path / "said").read_text()
    assert process.returncode == 0, said
    assert took_s < 4 and "Traceback" not in said
