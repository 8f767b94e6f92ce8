"""The watchdog: a loop that stands is noticed while it does, with the place; one that goes on is
left alone."""

from __future__ import annotations

import asyncio
import time

from kitetui.engine.health.watchdog import Stall, Watchdog


def block(seconds: float) -> None:
    time.sleep(seconds)


def test_where_a_loop_stood_and_how_long() -> None:
    async def scene() -> tuple[list[Stall], int]:
        watchdog = Watchdog()
        found: list[Stall] = []
        for turn in range(30):
            await asyncio.sleep(0.02)
            found += watchdog.beat()
            if turn == 10:
                block(0.6)
                assert watchdog.standing_s > 0.5
            if turn == 20:
                block(0.1)
        watchdog.close()
        return found, watchdog.stalls

    ((stall,), count) = asyncio.run(scene())
    assert count == 1 and 0.5 < stall.seconds < 2
    assert stall.where.startswith("block (test_watchdog.py:") and "in scene" in stall.where
