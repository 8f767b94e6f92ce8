"""An engine that runs on for days whose nights take no time: the wall's clock is set forward.

Usage: python tests/e2e/days_child.py DAYS STATE KEY=VALUE... Prints a line of JSON for each day:
how long the turn took, resident MB, open files, threads, and what was held.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import threading
import time as real_time
from pathlib import Path

from kitetui.config import load
from kitetui.engine import clock
from kitetui.engine.day import turn
from kitetui.engine.feed.credentials import Credentials
from kitetui.engine.runtime import Engine, EnginePlan
from kitetui.places import places
from kitetui.secret import Secret

DAY_NS = 86_400 * 1_000_000_000


class Wall:
    """The real clocks, the wall's set forward by whole days."""

    def __init__(self) -> None:
        self.days = 0

    def time_ns(self) -> int:
        return real_time.time_ns() + self.days * DAY_NS

    def __getattr__(self, name: str) -> object:
        return getattr(real_time, name)


def when(engine: Engine, state: str, limit_s: float = 30.0) -> dict:
    end = real_time.monotonic() + limit_s
    while real_time.monotonic() < end:
        status = engine.status()
        if status and status["state"] == state and status["ticks"]["used"] > 0:
            return status
        real_time.sleep(0.05)
    raise AssertionError(f"never {state}: {engine.status()}")


def another_core(engine: Engine, core: object, limit_s: float = 30.0) -> None:
    """Wait until the day's engine is another one: how long it runs tells nothing of that."""
    end = real_time.monotonic() + limit_s
    while engine._core in (None, core):
        if real_time.monotonic() > end:
            raise AssertionError(f"the day never turned: {engine.status()}")
        real_time.sleep(0.02)


def own_threads() -> int:
    """Threads but those of a pool, which come as they are needed."""
    return sum(not thread.name.startswith("asyncio_") for thread in threading.enumerate())


def main() -> None:
    days, state, *overrides = sys.argv[1:]
    wall = Wall()
    clock.time = wall  # type: ignore[assignment]
    turn.LOOK_S = 0.05
    login = Credentials("demo", Secret("demo"))
    plan = EnginePlan(places=places(Path(state), "default"), credentials=lambda: login)
    engine = Engine(load(overrides=overrides), plan)
    engine.start()
    engine.wait_ready(30)
    for day in range(int(days)):
        when(engine, "LIVE")
        core = engine._core
        began = real_time.monotonic()
        wall.days += 1
        another_core(engine, core)
        after = when(engine, "LIVE")
        took_s = real_time.monotonic() - began
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        print(json.dumps({
            "day": day, "took_s": round(took_s, 2), "session": after["session_time"],
            "resident_mb": pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
            "files": len(os.listdir("/proc/self/fd")), "threads": own_threads(),
            "instruments": len(engine._core.pipeline.announced),
        }), flush=True)  # fmt: skip
    engine.stop()
    if engine.error is not None:
        raise engine.error


main()
