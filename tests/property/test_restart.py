"""Killed and started again at any moment: every later value as if it had never stopped."""

from __future__ import annotations

import asyncio
import os
import tempfile
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from kitetui.engine.calendar import ist
from kitetui.engine.day.restart import Keeper, Restart, source_name
from kitetui.engine.feed.records import RecordBatch
from kitetui.engine.flow.intake import Intake
from kitetui.engine.flow.pipeline import Pipeline
from kitetui.engine.sinks.journal import JournalWriter
from kitetui.engine.sinks.journal_packer import pack
from kitetui.settings import JournalSettings
from tests.property.test_partition import EASY, same, state_of
from tests.samples import MONDAY_OPEN_S, market_day, split

SOURCE = source_name("ws://here")
SETTINGS = JournalSettings(
    enabled=True,
    sync="1s",
    compression="zstd",
    segment_mb=256,
    held_mb=64,
    restore=True,
    checkpoint_s=60,
    keyframe_min=15,
    black_box_mb=0,
    retention_days=3,
)
CAPACITY = 200


def record(folder: Path, part: RecordBatch, name: str, source: bytes = SOURCE) -> Path:
    """What a killed engine leaves behind: a journal without an end."""
    path = folder / f"{ist(MONDAY_OPEN_S):%Y%m%d}-{name}.arrows"
    writer = JournalWriter(path, SETTINGS, source)
    for batch in split(part, range(0, len(part), 40)):
        writer.write(batch, 0)
    os.utime(path, (MONDAY_OPEN_S, MONDAY_OPEN_S))
    return path


def restarted(folder: Path, source: bytes = SOURCE) -> tuple[Pipeline, Restart]:
    pipeline = Pipeline(EASY, CAPACITY)
    keeper = Keeper(folder / "checkpoint.bin", EASY, folder / "keyframes")
    restart = Restart(folder, source, MONDAY_OPEN_S, keeper)
    intake = Intake(EASY.batch, pipeline, lambda batch: None, lambda batch, derived: None)
    held = {"pipeline": pipeline}
    asyncio.run(restart.play(pipeline, intake, lambda batch, derived: None, held))
    return pipeline, restart


@cache
def whole_day() -> tuple[RecordBatch, dict[str, Any]]:
    """A simulated day, and the state after it."""
    day = market_day()
    pipeline = Pipeline(EASY, CAPACITY)
    pipeline.apply(day)
    return day, state_of(pipeline)


@given(st.lists(st.integers(1, 1 << 30), min_size=1, max_size=3))
@examples(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
def test_at_any_record_and_any_number_of_times(cuts: list[int]) -> None:
    day, whole = whole_day()
    parts = split(day, [cut % len(day) for cut in cuts])
    with tempfile.TemporaryDirectory() as folder:
        for number, part in enumerate(parts[:-1]):
            record(Path(folder), part, f"09{number:04}")
        pipeline, restart = restarted(Path(folder))
        assert restart.files.files == len(parts) - 1
        pipeline.apply(parts[-1])
        same(whole, state_of(pipeline))


def test_a_torn_tail_is_said_and_all_before_it_counts(tmp_path: Path) -> None:
    path = record(tmp_path, market_day(minutes=4), "091500")
    path.write_bytes(path.read_bytes()[:-100])
    os.utime(path, (MONDAY_OPEN_S, MONDAY_OPEN_S))
    pipeline, restart = restarted(tmp_path)
    assert restart.files.unread_bytes > 0 and restart.files.share == 1.0
    assert pipeline.market.normaliser.counts.received > 1000
    assert any("could not be read" in event.text for event in pipeline.events)


def test_a_missing_file_and_a_changed_byte_are_said_and_the_rest_counts(tmp_path: Path) -> None:
    day = market_day(minutes=4)
    path = tmp_path / f"{ist(MONDAY_OPEN_S):%Y%m%d}-091500-7.000.arrows"
    writer = JournalWriter(path, SETTINGS, SOURCE)
    writer._most_bytes = 20_000
    for part in split(day, range(0, len(day), 8)):
        writer.write(part, 0)
    writer.close()
    files = sorted(tmp_path.glob("*.arrows"))
    assert len(files) > 4
    files[2].unlink()
    data = bytearray(files[1].read_bytes())
    data[len(data) // 2] ^= 0xFF
    files[1].write_bytes(data)
    for file in tmp_path.glob("*.arrows"):
        os.utime(file, (MONDAY_OPEN_S, MONDAY_OPEN_S))
    pipeline, restart = restarted(tmp_path)
    assert restart.files.files == len(files) - 1
    assert restart.files.lost_batches > 1 and restart.files.unread_bytes > 0
    assert restart.files.batches + restart.files.lost_batches == writer.batches
    assert pipeline.market.normaliser.counts.received > 1000
    assert any("batches before others are missing" in event.text for event in pipeline.events)


@pytest.mark.parametrize("source", [source_name("ws://elsewhere"), b"simulated", b""])
def test_journals_of_another_feed_are_not_taken_in(source: bytes, tmp_path: Path) -> None:
    record(tmp_path, market_day(minutes=4), "091500", source)
    pipeline, restart = restarted(tmp_path)
    assert restart.files.files == 0 and pipeline.market.rows.count == 0


def test_yesterdays_journals_are_left_alone_unless_they_went_on_today(tmp_path: Path) -> None:
    path = record(tmp_path, market_day(minutes=4), "091500")
    path = path.rename(tmp_path / "20251214-091500.arrows")
    assert restarted(tmp_path)[1].files.files == 1
    os.utime(path, (MONDAY_OPEN_S - 86_400, MONDAY_OPEN_S - 86_400))
    assert restarted(tmp_path)[1].files.files == 0


def test_a_restart_goes_on_from_a_checkpoint(tmp_path: Path) -> None:
    """Kept at a batch, then killed: what is behind it is played, and every value is the same."""
    day, whole = whole_day()
    parts = split(day, range(0, len(day), 40))
    path = tmp_path / f"{ist(MONDAY_OPEN_S):%Y%m%d}-091500-7.000.arrows"
    writer = JournalWriter(path, SETTINGS, SOURCE)
    keeper = Keeper(tmp_path / "checkpoint.bin", EASY, tmp_path / "keyframes")
    for part in parts:
        writer.write(part, 0)

    async def first(kept_at: int) -> None:
        pipeline = Pipeline(EASY, CAPACITY)
        intake = Intake(EASY.batch, pipeline, lambda batch: None, lambda batch, derived: None)
        for part in parts[:kept_at]:
            await intake.play(part)
        restart = Restart(tmp_path, SOURCE, MONDAY_OPEN_S, keeper)
        await restart.keep(intake, lambda: None, {"pipeline": pipeline},
                           lambda: (parts[kept_at - 1].kept.place, 0), MONDAY_OPEN_S)  # fmt: skip

    os.utime(path, (MONDAY_OPEN_S, MONDAY_OPEN_S))
    for kept_at in (1, len(parts) // 2, len(parts)):
        asyncio.run(first(kept_at))
        os.utime(path, (MONDAY_OPEN_S, MONDAY_OPEN_S))
        pipeline, restart = restarted(tmp_path)
        assert restart.resumed and restart.files.batches == len(parts) - kept_at
        assert restart.files.lost() == ""
        same(whole, state_of(pipeline))
    assert keeper.path.stat().st_mode & 0o777 == 0o600
    loose = path.read_bytes()
    assert pack(path).after < len(loose), "a rewritten journal has other places"
    pipeline, restart = restarted(tmp_path)
    assert not restart.resumed and restart.files.lost() == ""
    same(whole, state_of(pipeline))
    path.write_bytes(loose)
    os.utime(path, (MONDAY_OPEN_S, MONDAY_OPEN_S))
    data = keeper.path.read_bytes()
    for spoiled in (data[: len(data) // 2], data[:-1] + b"\0", b"", b"kitetui-checkpoint-9\n"):
        keeper.path.write_bytes(spoiled)
        pipeline, restart = restarted(tmp_path)
        assert not restart.resumed and restart.files.batches == len(parts)
        assert any("were played from the beginning" in event.text for event in pipeline.events)
        same(whole, state_of(pipeline))


@pytest.mark.parametrize(
    ("began", "now", "taken"),
    [
        ("20251215-081502-000001", "2025-12-15 09:20", True),
        ("20251215-081459-999999", "2025-12-15 09:20", False),
        ("20251214-091500-000001", "2025-12-15 00:31", True),
        ("20251214-081500-000001", "2025-12-15 08:15", False),
        ("20251214-081500-000001", "2025-12-15 08:14", True),
    ],
)
def test_a_day_begins_when_a_running_engine_begins_it(
    tmp_path: Path, began: str, now: str, taken: bool
) -> None:
    day, _ = whole_day()
    path = record(tmp_path, split(day, [40])[0], "unused")
    path = path.rename(tmp_path / f"{began}-7.000.arrows")
    now_s = datetime.fromisoformat(f"{now}+05:30").timestamp()
    os.utime(path, (now_s - 1, now_s - 1))
    keeper = Keeper(tmp_path / "checkpoint.bin", EASY, tmp_path / "keyframes")
    restart = Restart(tmp_path, SOURCE, now_s, keeper, begins_s=8 * 3600 + 15 * 60)
    assert restart._find() == ([path] if taken else [])
    assert Restart(tmp_path, SOURCE, now_s, keeper)._find() == [path]
