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
