"""Backfill end to end: an engine on an exchange that falls silent, and what history tells after."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa

from kitetui.engine.market.bars import BarFlag
from tests.programs import LOGIN, exchange, feed_options, kitetui


def minutes_of(folder: Path) -> pa.Table:
    (part,) = folder.glob("*.part.arrows")
    with pa.OSFile(str(part), "rb") as source:
        return pa.ipc.open_stream(source).read_all()


def test_minutes_that_a_silence_hid_come_from_history(tmp_path: Path) -> None:
    with exchange(tmp_path, "--speed", "30", "--faults", "mute@6:4") as hello:
        done = kitetui(tmp_path, "--headless", "--duration", "18", "--json", *feed_options(hello),
                       "--set", "feed.warmup_sessions=0", "--set", "feed.history_per_s=50",
                       "--set", "feed.backfill_instruments=20", **LOGIN)  # fmt: skip
    status = json.loads(done.stdout)
    (gap,) = [gap for gap in status["feed"]["gaps"] if gap["cause"] == "silence"]
    assert 90 <= gap["seconds"] <= 200 and gap["missed"] > 0
    assert 8 <= gap["backfilled"] <= 20 < gap["jumped"]
    kept = minutes_of(tmp_path / "kitetui" / "archive")
    told = kept.filter(np.array(kept["flags"].to_numpy() & BarFlag.BACKFILLED, bool))
    asked = gap["backfilled"]
    assert len(set(told["token"].to_pylist())) == asked
    assert asked * 3 <= told.num_rows <= asked * 6, "each has the minutes of the gap"
    assert (told["volume"].to_numpy() > 0).mean() > 0.5
