"""A service manager hears that the engine is ready, alive and stopping; nobody else hears."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kitetui.engine.service import ServiceManager
from tests.programs import LOGIN, PROGRAM, environment, exchange, feed_options


class Manager:
    """Listens as systemd does."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._plug = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._plug.bind(address.replace("@", "\0", 1))
        self._plug.settimeout(0.2)
        self.heard: list[str] = []

    def until(self, words: str, wait_s: float) -> bool:
        end = time.monotonic() + wait_s
        while time.monotonic() < end and not any(words in line for line in self.heard):
            try:
                self.heard += self._plug.recv(4096).decode().splitlines()
            except TimeoutError:
                continue
        return any(words in line for line in self.heard)

    def close(self) -> None:
        self._plug.close()


@pytest.fixture(params=["file", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    name = str(tmp_path / "n.sock") if request.param == "file" else f"@kitetui-{os.getpid()}"
    found = Manager(name)
    yield found
    found.close()


async def test_it_is_told_that_the_loop_goes_on(manager: Manager) -> None:
    environ = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "300000", "HOME": "/"}
    service = ServiceManager(environ)
    assert environ == {"HOME": "/"}, "children are not the service"
    service.tell("READY=1")
    task = asyncio.create_task(service.run(lambda: "LIVE\nMAINPID=1"))
    await asyncio.sleep(0.45)
    task.cancel()
    assert manager.until("STATUS=", 1)
    while manager.until("nothing else", 0.1):
        pass
    assert manager.heard[0] == "READY=1"
    assert 2 <= manager.heard.count("WATCHDOG=1") <= 6
    assert "MAINPID=1" not in manager.heard and "STATUS=LIVE MAINPID=1" in manager.heard


@pytest.mark.parametrize(
    "environ",
    [{}, {"NOTIFY_SOCKET": "vsock:2:1"}, {"NOTIFY_SOCKET": "/nowhere/at.all"},
     {"NOTIFY_SOCKET": "", "WATCHDOG_USEC": "x"}, {"WATCHDOG_USEC": "100", "WATCHDOG_PID": "1"}],
)  # fmt: skip
async def test_without_a_manager_nothing_happens(environ: dict[str, str]) -> None:
    service = ServiceManager(dict(environ))
    service.tell("READY=1")
    assert service.watchdog_s == 0.0
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await service.run(lambda: "")
            raise TimeoutError


@pytest.mark.e2e
def test_a_real_engine_says_so(tmp_path: Path) -> None:
    manager = Manager(str(tmp_path / "n.sock"))
    with exchange(tmp_path) as hello:
        process = subprocess.Popen(
            [*PROGRAM, "--headless", *feed_options(hello)],
            env=environment(tmp_path, NOTIFY_SOCKET=manager.address, WATCHDOG_USEC="600000",
                            **LOGIN), stdout=subprocess.DEVNULL,
        )  # fmt: skip
        assert manager.until("READY=1", 20)
        assert manager.until("STATUS=LIVE", 20)
        process.terminate()
        assert manager.until("STOPPING=1", 10)
        assert process.wait(20) == 0
    manager.close()


async def test_a_loop_that_stands_is_not_said_to_go_on(manager: Manager) -> None:
    environ = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "200000", "HOME": "/"}
    service = ServiceManager(environ)
    task = asyncio.create_task(service.run(lambda: "LIVE"))
    await asyncio.sleep(0.25)
    while manager.until("nothing else", 0.05):
        pass
    manager.heard.clear()
    time.sleep(0.6)  # the loop does nothing for three times as long as is allowed
    manager.until("nothing", 0.05)
    assert manager.heard.count("WATCHDOG=1") == 0
    await asyncio.sleep(0.25)
    assert manager.until("WATCHDOG=1", 1), "it goes on"
    task.cancel()


@pytest.mark.e2e
def test_an_engine_that_takes_settings_in_is_not_taken_for_one_that_stops(tmp_path: Path) -> None:
    """A manager that heard STOPPING kills what still runs some seconds later."""
    manager = Manager(str(tmp_path / "n.sock"))
    config = tmp_path / "config" / "kitetui"
    config.mkdir(parents=True)
    with exchange(tmp_path) as hello:
        process = subprocess.Popen(
            [*PROGRAM, "--headless", *feed_options(hello)],
            env=environment(tmp_path, NOTIFY_SOCKET=manager.address, WATCHDOG_USEC="600000",
                            **LOGIN), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert manager.until("STATUS=LIVE", 20)
        (config / "kitetui.yaml").write_text("screen: {hz: 2}\n")
        manager.heard.clear()
        process.send_signal(signal.SIGHUP)
        assert manager.until("READY=1", 20), "the next core says that it is ready"
        manager.heard.clear()
        assert manager.until("WATCHDOG=1", 5) and manager.until("STATUS=LIVE", 20)
        assert not any("STOPPING" in line for line in manager.heard)
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            (config / "kitetui.yaml").write_text(
                f"screen: {{hz: 2}}\nmetrics: {{listen: '127.0.0.1:{port}'}}\n"
            )
            process.send_signal(signal.SIGHUP)
            manager.heard.clear()
            assert manager.until("READY=1", 20), "with the settings before, as these do not start"
            log = tmp_path / "kitetui" / "logs" / "kitetui.jsonl"
            end = time.monotonic() + 10
            while not log.exists() or "the settings stay as they were" not in log.read_text():
                assert time.monotonic() < end
                time.sleep(0.1)
        assert process.poll() is None
        process.terminate()
        assert manager.until("STOPPING=1", 10)
        assert process.wait(20) == 0
    manager.close()
