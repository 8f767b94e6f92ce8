"""Black boxes: what surrounds a P1 alert or a crash is left in a folder that plays by itself."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from kitetui.engine.sinks.black_box import boxes
from tests.programs import LOGIN, PROGRAM, environment, exchange, feed_options, kitetui, run_until

pytestmark = pytest.mark.e2e
SETTINGS = ("--set", "feed.warmup_sessions=0", "--set", "journal.checkpoint_s=2",
            "--set", "feed.refused_wait_s=2")  # fmt: skip


def played(tmp_path: Path, box: Path, settings: tuple[str, ...]) -> dict[str, Any]:
    """What a box tells that is played alone, elsewhere."""
    elsewhere = tmp_path / "far"  # sockets have short paths
    elsewhere.mkdir()
    done = kitetui(elsewhere, "--replay", str(box), "--headless", "--speed", "max", "--json",
                   *settings)  # fmt: skip
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_p1_leaves_a_box_that_plays_alone(tmp_path: Path) -> None:
    with exchange(tmp_path, "--speed", "10", "--faults", "expire@8:30,drop@9") as hello:
        settings = (*feed_options(hello), *SETTINGS, "--set", "feed.speed=10")
        where = tmp_path / "kitetui" / "black-boxes"
        run_until(tmp_path, lambda _: where.exists() and any(where.glob("*/report.json")),
                  *settings, **LOGIN)  # fmt: skip
    (box,) = boxes(where)
    assert "P1-feed-" in box.name and box.stat().st_mode & 0o777 == 0o700
    assert all(f.stat().st_mode & 0o777 == 0o600 for f in box.rglob("*") if f.is_file())
    report = json.loads((box / "report.json").read_text())
    assert report["why"].startswith("P1 feed ") and report["status"]["ticks"]["used"] > 1000
    assert "auth_expired" in {alert["pattern"] for alert in report["alerts"]}
    whole = sum(p.stat().st_size for p in (tmp_path / "kitetui" / "journals").glob("*.arrows"))
    assert sum(p.stat().st_size for p in box.glob("*.arrows")) < whole, "the last minutes alone"
    status = played(tmp_path, box, settings)
    assert status["replay"]["opened_at"] and not status["replay"]["lost"]
    assert status["ticks"]["used"] > report["status"]["ticks"]["used"] - 2000
    played_alerts = {line["alert_id"] for line in report["alerts"]}
    assert status["alerts"]["admitted"] >= len(played_alerts)


def test_without_room_there_is_no_box(tmp_path: Path) -> None:
    with exchange(tmp_path, "--speed", "10", "--faults", "expire@4:30,drop@4.5") as hello:
        kitetui(tmp_path, "--headless", "--duration", "9", *feed_options(hello), *SETTINGS,
                "--set", "journal.black_box_mb=0", **LOGIN)  # fmt: skip
    assert not (tmp_path / "kitetui" / "black-boxes").exists()


CRASH = """
import asyncio, sys
from kitetui.engine.pulse import Pulse

async def fails(self):
    await asyncio.sleep(6)
    raise ValueError("wss://ticker?access_token=s3cret")

Pulse.timers = fails
from kitetui.cli.main import main
main()
"""


def test_a_crash_leaves_a_box_and_what_was_kept_plays(tmp_path: Path) -> None:
    with exchange(tmp_path, "--speed", "10") as hello:
        settings = (*feed_options(hello), *SETTINGS)
        began = time.monotonic()
        done = subprocess.run(
            [PROGRAM[0], "-c", CRASH, "--headless", *settings], text=True, capture_output=True,
            env=environment(tmp_path, **LOGIN), timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 1 and time.monotonic() - began < 20
    (box,) = boxes(tmp_path / "kitetui" / "black-boxes")
    report = (box / "report.json").read_text()
    assert "crash ValueError in fails" in report and "s3cret" not in report
    status = played(tmp_path, box, settings)
    assert status["replay"]["opened_at"] and status["ticks"]["used"] > 500
