"""What the system gives no more of: files while it runs, memory beyond what was allowed."""

from __future__ import annotations

import contextlib
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from kitetui.caller import Caller, NoEngine
from tests.programs import LOGIN, engine, exchange, feed_options, kitetui, status_when

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(sys.platform != "linux", reason="limits of other processes are Linux's"),
]


def status_of(folder: Path, wait_s: float, state: str) -> dict[str, Any]:
    """The status document once it tells a state."""
    return status_when(folder, lambda status: bool(status["state"] == state), wait_s)


def test_an_engine_without_a_file_to_open_goes_on(tmp_path: Path) -> None:
    """Viewers are not let in and a lost feed is not dialled; afterwards all is well again."""
    with exchange(tmp_path, "--speed", "30", "--faults", "drop@5,drop@7") as hello:
        options = [*feed_options(hello), "--set", "feed.speed=30", "--set", "feed.backoff_max_s=2"]
        with engine(tmp_path, *options, **LOGIN) as process:
            status_of(tmp_path, 20, "LIVE")
            held = len(os.listdir(f"/proc/{process.pid}/fd"))
            resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (held, 4096))
            for _ in range(6):
                with contextlib.suppress(NoEngine), Caller(tmp_path / "kitetui" / "run", "ro"):
                    time.sleep(0.1)
            time.sleep(6)
            assert process.poll() is None, (tmp_path / "said").read_text()
            resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (4096, 4096))
            before = status_of(tmp_path, 20, "LIVE")
            time.sleep(1.5)
            after = status_of(tmp_path, 10, "LIVE")
            assert after["ticks"]["received"] > before["ticks"]["received"]
            assert after["feed"]["reconnects"] >= 1
    said = (tmp_path / "said").read_text()
    assert process.returncode == 0 and "Traceback" not in said, said


def test_an_engine_beyond_its_memory_ends_in_order(tmp_path: Path) -> None:
    done = kitetui(tmp_path, "--demo", "--headless", "--duration", "20",
                   "--set", "alerts.watch.memory_max_mb=60", timeout=40)  # fmt: skip
    assert done.returncode == 75, done.stderr
    assert "alerts.watch.memory_max_mb" in done.stderr and "Traceback" not in done.stderr
    (journal,) = (tmp_path / "kitetui" / "journals").iterdir()
    assert journal.stat().st_size > 1_000
