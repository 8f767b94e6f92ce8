"""Memory that was let go is given back to the system."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import weakref

import pytest

from kitetui.engine.memory import (
    ARENAS,
    COLLECT_LOOKS,
    LOOK_S,
    Memory,
)
from tests.simulation.virtual_loop import VirtualClock, VirtualLoop

OUTAGE = """
from kitetui.engine.memory import TRIM_MB, Trimmer, memory_mb
trimmer = Trimmer()
trimmer.look()
assert not trimmer.look(), "nothing was let go since"
before_mb = memory_mb()
held = [bytes(900) for _ in range(100_000)]
kept = held[::5000]
assert memory_mb() > before_mb + 80
trimmer.look()  # in the middle of the outage
assert memory_mb() > before_mb + 80
del held
assert trimmer.look() and len(kept) == 20
assert memory_mb() < before_mb + TRIM_MB
"""


def run(program: str) -> str:
    """In a process of its own: what other tests left is nobody's here."""
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True,
                          text=True)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc is told to give memory back")
def test_what_an_outage_took_goes_back() -> None:
    run(OUTAGE)


class Knot:
    """What no count of references lets go."""

    def __init__(self) -> None:
        self.itself = self


def test_what_was_left_in_cycles_goes_within_a_minute() -> None:
    memory = Memory(1e6, lambda error: None)
    loop = VirtualLoop(VirtualClock(0.0), network=None)
    left = weakref.ref(Knot())

    async def live(seconds: float) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(memory.run(), seconds)

    gc.disable()  # as in an engine whose thresholds are hours away
    try:
        assert left() is not None
        loop.run_until_complete(live(LOOK_S * (COLLECT_LOOKS + 1)))
        assert left() is None
    finally:
        gc.enable()
        loop.close()


CHURN = """
import re, threading
import numpy as np
from kitetui.engine.memory import keep_together, memory_mb
keep_together()
kept, before_mb = [], memory_mb()

def work():
    for _ in range(20):
        large = [np.ones(300_000) for _ in range(4)]
        kept.append(bytes(900))
        del large

for _ in range(3):
    threads = [threading.Thread(target=work) for _ in range(8)]
    for one in threads: one.start()
    for one in threads: one.join()
with open("/proc/self/maps") as maps:
    heaps = sum(int(line.split("-")[0], 16) % (64 << 20) == 0 and "rw-p" in line for line in maps)
print(heaps, memory_mb() - before_mb)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc has heaps of threads")
def test_threads_share_heaps_and_large_arrays_leave_nothing_behind() -> None:
    heaps, grown_mb = map(float, run(CHURN).split())
    assert heaps <= ARENAS + 1, (
        "eight threads would have eight; other memory may lie at such a place"
    )
    assert grown_mb < 2.0
