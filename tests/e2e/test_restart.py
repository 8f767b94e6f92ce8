"""A killed engine's session goes on in the next one."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

from kitetui.config import load
from kitetui.engine.feed.journal_reader import JournalReader
from kitetui.engine.pipeline import Pipeline
from tests.programs import LOGIN, PROGRAM, environment, exchange, feed_options, kitetui

pytestmark = pytest.mark.e2e


def test_kill_and_start_again(tmp_path: Path) -> None:
    with exchange(tmp_path, "--speed", "30") as hello:
        options = ["--headless", "--json", *feed_options(hello)]
        first = subprocess.Popen(
            [*PROGRAM, *options], env=environment(tmp_path, **LOGIN), stdout=subprocess.DEVNULL
        )
        time.sleep(9)
        first.send_signal(signal.SIGKILL)
        first.wait(timeout=10)
        done = kitetui(tmp_path, *options, "--duration", "7", **LOGIN)
    assert done.returncode == 0, done.stderr
    status = json.loads(done.stdout)
    journals = sorted((tmp_path / "kitetui" / "journals").glob("*.arrows"))
    assert len(journals) == 2 and status["restored"]["journals"] == 1
    pipeline = Pipeline(load(), 1256)
    received = []
    for path in journals:
        for batch in JournalReader(path):
            pipeline.apply(batch)
        received.append(pipeline.market.normaliser.counts.received)
    assert 0 < received[0] < received[1]
    assert status["restored"]["records"] > 100
    assert status["ticks"]["received"] == received[1]
    assert status["bars"]["closed"] == pipeline.bars_closed > 0
    assert status["alert_hash"] == pipeline.desk.alert_hash
