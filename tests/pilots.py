"""Waiting on a screen: until something is so, not for how long it takes here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

WAIT_S = 10.0
LOOK_S = 0.05


async def until(pilot: Any, so: Callable[[], bool]) -> None:
    """Wait until something is so.

    Raises:
        AssertionError: it never was.
    """
    for _ in range(int(WAIT_S / LOOK_S)):
        if so():
            return
        await pilot.pause(LOOK_S)
    raise AssertionError("it never came to that")


async def settle(pilot: Any, seconds: float = 0.3) -> None:
    """Some time, and at least one frame that was asked for after it."""
    await pilot.pause(seconds)
    made = pilot.app.frames
    await until(pilot, lambda: pilot.app.frames > made)
