"""The desk of a running engine: its log, and what a kill leaves of it."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from kitetui.config import load
from kitetui.engine.calendar import date_day, ist_day
from kitetui.engine.feed.journal_reader import JournalReader
from kitetui.engine.pipeline import Pipeline
from kitetui.engine.sinks.desk_log import DeskLog
from tests.programs import LOGIN, environment, exchange, feed_options, kitetui

pytestmark = pytest.mark.e2e

EASY = ["alerts.min_confidence=0.0", "thresholds.volume_spike.min_bars=2",
        "thresholds.volume_spike.params.min_ratio=0.5",
        "thresholds.volume_spike.params.min_robust_z=-9.0"]  # fmt: skip
SETS = [part for text in EASY for part in ("--set", text)]


def test_the_log_of_a_live_day_is_what_its_journal_gives_again(tmp_path: Path) -> None:
    with exchange(tmp_path, "--speed", "30", "--seed", "3", "--faults", "drop@8") as hello:
        done = kitetui(tmp_path, "--headless", "--json", "--duration", "14", *SETS,
                       *feed_options(hello), "--set", "feed.speed=30", **LOGIN)  # fmt: skip
    assert done.returncode == 0, done.stderr
    status = json.loads(done.stdout)
    pipeline = Pipeline(load(overrides=[*EASY, "feed.speed=30"]), 1256)
    raised, transitions = [], []
    for batch in JournalReader(Path(status["journal"]["path"])):
        derived = pipeline.apply(batch)
        raised += derived.alerts
        transitions += derived.transitions
    assert len(raised) > 20
    day = ist_day(transitions[0].at_s)
    log = DeskLog(tmp_path / "kitetui" / "desk", 60)
    assert log.transitions(day) == transitions
    assert log.alerts(day) == sorted(raised, key=lambda a: (a.at_s, a.alert_id))
    assert status["alert_hash"] == pipeline.desk.alert_hash
    counts = status["alerts"]
    assert counts["candidates"] == counts["admitted"] + sum(counts["by_reason"].values())
    file = next((tmp_path / "kitetui" / "desk").glob("*.sqlite"))
    assert file.stat().st_mode & 0o777 == 0o600 and file.parent.stat().st_mode & 0o777 == 0o700


def test_an_acknowledgement_survives_the_kill_right_after_it_was_shown(tmp_path: Path) -> None:
    with exchange(tmp_path, "--speed", "30", "--seed", "3") as hello:
        options = [*feed_options(hello)[1::2], *EASY, "feed.speed=30"]
        child = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("desk_child.py")), *options],
            env=environment(tmp_path, **LOGIN), text=True, capture_output=True, timeout=120,
            check=False,
        )  # fmt: skip
        assert child.returncode == -9, child.stderr[-2000:]
        shown = json.loads(child.stdout)
        assert shown["done"] and shown["text"].startswith("acknowledged")
        log = DeskLog(tmp_path / "kitetui" / "desk", 60)
        files = list((tmp_path / "kitetui" / "desk").glob("*.sqlite"))
        day = date_day(date.fromisoformat(files[0].stem))
        acked = [t for t in log.transitions(day) if t.after == "acked"]
        assert [(t.alert_id, t.actor) for t in acked] == [(shown["alert_id"], "ops")]
        done = kitetui(tmp_path, "--headless", "--json", "--duration", "6", *SETS,
                       *feed_options(hello), "--set", "feed.speed=30", **LOGIN)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["restored"]["journals"] == 1
    again = [t for t in log.transitions(day) if t.after == "acked"]
    assert again == acked, "the next engine takes it in from the journal and writes nothing twice"
