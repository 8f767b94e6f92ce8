"""The process's memory: how much is resident, and giving back what was let go."""

from __future__ import annotations

import ctypes
import resource
import sys
from pathlib import Path

TRIM_MB = 16.0
"""More than this over what was left the last time, and it is worth looking."""


def memory_mb() -> float:
    """Resident memory now on Linux, its peak elsewhere."""
    try:
        with Path("/proc/self/statm").open() as file:
            return int(file.read().split()[1]) * resource.getpagesize() / 1e6
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / 1e6 if sys.platform == "darwin" else peak / 1e3


class Trimmer:
    """Has the C library give back what it holds on to, as after an outage of Redis.

    glibc keeps freed memory that lies below something still in use; other libraries give it back
    by themselves, and are left alone.
    """

    def __init__(self) -> None:
        self._trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        self._left_mb = 0.0

    def look(self) -> bool:
        """Trim where it is worth it, and say whether; it takes some milliseconds, on any thread."""
        if self._trim is None or memory_mb() < self._left_mb + TRIM_MB:
            return False
        self._trim(ctypes.c_size_t(0))
        self._left_mb = memory_mb()
        return True
