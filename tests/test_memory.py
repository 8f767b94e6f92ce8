"""Memory that was let go is given back to the system."""

from __future__ import annotations

import ctypes
import sys

import pytest

from kitetui.engine.memory import TRIM_MB, Trimmer, memory_mb


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc is told to give memory back")
def test_what_an_outage_took_goes_back() -> None:
    ctypes.CDLL(None).malloc_trim(ctypes.c_size_t(0))  # what other tests left
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
