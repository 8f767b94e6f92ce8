"""Backfill end to end: an engine on an exchange that falls silent, and what history tells after."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from kitetui.engine.market.bars import BarFlag
from tests.programs import LOGIN, engine, exchange, feed_options, status_when


def minutes_of(folder: Path) -> pa.Table:
    (part,) = folder.glob("*.part.arrows")
    with pa.OSFile(str(part), "rb") as source:
        return pa.ipc.open_stream(source).read_all()


def silence(status: dict[str, Any]) -> dict[str, Any]:
    """The gap that the silence left; nothing yet where it is not over."""
    found = [gap for gap in status["feed"]["gaps"] if gap["cause"] == "silence"]
    assert len(found) <= 1
    return found[0] if found else {"backfilled": 0}


def test_minutes_that_a_silence_hid_come_from_history(tmp_path: Path) -> None:
    with exchange(tmp_path, "--speed", "30", "--faults", "mute@6:4") as hello, engine(
        tmp_path, *feed_options(hello), "--set", "feed.warmup_sessions=0", "--set",
        "feed.history_per_s=50", "--set", "feed.backfill_instruments=20", **LOGIN,
    ):  # fmt: skip
        status = status_when(tmp_path, lambda s: silence(s)["backfilled"] >= 8, 60)
    gap = silence(status)
    assert 90 <= gap["seconds"] <= 200 and gap["missed"] > 0
    assert 8 <= gap["backfilled"] <= 20 < gap["jumped"]
    kept = minutes_of(tmp_path / "kitetui" / "archive")
    told = kept.filter(np.array(kept["flags"].to_numpy() & BarFlag.BACKFILLED, bool))
    asked = len(set(told["token"].to_pylist()))
    assert gap["backfilled"] <= asked <= 20
    assert asked * 3 <= told.num_rows <= asked * 6, "each has the minutes of the gap"
    assert (told["volume"].to_numpy() > 0).mean() > 0.5
