"""An engine that nobody looks after: day after day, with nothing growing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.programs import environment, exchange

pytestmark = pytest.mark.e2e

DAYS = 30


@pytest.mark.timeout(300)
def test_thirty_days_unattended(tmp_path: Path) -> None:
    """Each morning everything is taken in anew, within seconds, and nothing of yesterday stays."""
    with exchange(tmp_path, "--clock", "15:29", "--speed", "1") as hello:
        done = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("days_child.py")), str(DAYS),
             str(tmp_path / "s"), f"feed.url={hello['ws_url']}",
             f"feed.rest_url={hello['rest_url']}", "feed.instruments=[RELIANCE, TCS, INFY]",
             "feed.warmup_sessions=0", "journal.restore=false",
             "feed.new_day='00:00'"],
            env=environment(tmp_path), text=True, capture_output=True, check=False, timeout=280,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Traceback" not in done.stderr and "never retrieved" not in done.stderr
    days = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(days) == DAYS
    assert max(day["took_s"] for day in days) < 10
    assert {day["instruments"] for day in days} == {3}
    settled = days[5:]
    assert settled[-1]["files"] <= settled[0]["files"] + 1
    assert settled[-1]["threads"] <= settled[0]["threads"] + 1
    memory = np.array([day["resident_mb"] for day in settled])
    slope = float(np.polyfit(np.arange(len(memory)), memory, 1)[0])
    assert slope < 0.5, f"{slope:.2f} MB a day: {memory.tolist()}"
