"""The process's memory: how much is resident, and giving back what was let go."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import resource
import sys
from collections.abc import Callable
from pathlib import Path

from kitetui.engine.clock import sleep

LOOK_S = 1.0
COLLECT_LOOKS = 60
"""The engine's young objects die by themselves, so that the collector's thresholds are not reached
in hours; what connections and requests left in cycles would lie between what lives until then.
Measured: 10 ms with the market's ticks, 60 ms beside a screen."""
TRIM_LOOKS, TRIM_MB = 30, 8.0
"""More than so much over the least so far is worth giving back; looked at every so many looks."""

_MMAP_THRESHOLD, _TRIM_THRESHOLD, _ARENA_MAX = -3, -1, -8
"""Numbers of glibc's malloc.h."""
ARENAS, LARGE_BYTES = 2, 1 << 20


def keep_together() -> None:
    """Have glibc serve all threads from few heaps, and large arrays from pages of their own.

    Each thread of a pool would get a heap as large as the largest task it ever had, and arrays of a
    few megabytes would lie among small things that keep them from being given back. Call it before
    the threads start; elsewhere than on glibc it does nothing.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_ARENA_MAX, ARENAS)
        mallopt(_MMAP_THRESHOLD, LARGE_BYTES)
        mallopt(_TRIM_THRESHOLD, int(TRIM_MB) << 20)  # else every megabyte is a system call


def memory_mb() -> float:
    """Resident memory now on Linux, its peak elsewhere."""
    try:
        with Path("/proc/self/statm").open() as file:
            return int(file.read().split()[1]) * resource.getpagesize() / 1e6
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / 1e6 if sys.platform == "darwin" else peak / 1e3


class MemoryCapError(Exception):
    """More memory is used than the settings allow."""


class Memory:
    """What a running engine does about its own."""

    def __init__(self, most_mb: float, fail: Callable[[BaseException], None]) -> None:
        """`fail` ends the engine in order, before the system ends it in none."""
        self._most_mb = most_mb
        self._fail = fail

    def look(self) -> None:
        """Whether it is too much: what is started again takes less."""
        used_mb = memory_mb()
        if used_mb > self._most_mb:
            self._fail(MemoryCapError(
                f"{used_mb:,.0f} MB are resident; alerts.watch.memory_max_mb allows "
                f"{self._most_mb:,}"
            ))  # fmt: skip

    async def run(self) -> None:
        """Look every second, and give back what was let go and what an outage took; for ever."""
        trimmer, looks = Trimmer(), 0
        while True:
            await sleep(LOOK_S)
            self.look()
            looks += 1
            if looks % COLLECT_LOOKS == 0:
                gc.collect()
            if looks % TRIM_LOOKS == 0:
                await asyncio.to_thread(trimmer.look)


class Trimmer:
    """Has the C library give back what it holds on to, as after an outage of Redis.

    glibc keeps freed memory that lies below something still in use; other libraries give it back
    by themselves, and are left alone.
    """

    def __init__(self) -> None:
        self._trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        self._least_mb = float("inf")
        """Resident at the least so far; what is in use for good above it costs a trim a look."""

    def look(self) -> bool:
        """Trim where it is worth it, and say whether; it takes some milliseconds, on any thread."""
        self._least_mb = min(self._least_mb, memory_mb())
        if self._trim is None or memory_mb() < self._least_mb + TRIM_MB:
            return False
        self._trim(ctypes.c_size_t(0))
        return True
