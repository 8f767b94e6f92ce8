"""The only source of time: wall clock, monotonic clock, and waiting."""

from __future__ import annotations

import asyncio
import time

NS = 1_000_000_000


def wall_ns() -> int:
    """Nanoseconds since the epoch, UTC."""
    return time.time_ns()


def monotonic_ns() -> int:
    """Nanoseconds of a clock that never goes back; for intervals only."""
    return time.monotonic_ns()


async def sleep(seconds: float) -> None:
    """Wait on the running loop."""
    await asyncio.sleep(seconds)


def pause(seconds: float) -> None:
    """Wait on a thread that has no loop."""
    time.sleep(seconds)
