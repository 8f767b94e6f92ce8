"""The turn of the day: contracts, holidays, tables and memory are one day's."""

from __future__ import annotations

from collections.abc import Callable

from kitetui.engine.calendar import ist_day
from kitetui.engine.clock import sleep, wall_ns

NS = 1_000_000_000
LOOK_S = 5.0


async def day_over(begins_s: int, trades: Callable[[], bool]) -> None:
    """Wait until a day begins and nothing of the one before trades any more.

    Args:
        begins_s: the second of a day, in India, at which one is taken in.
    """
    began = ist_day(wall_ns() // NS - begins_s)
    while ist_day(wall_ns() // NS - begins_s) == began or trades():
        await sleep(LOOK_S)
