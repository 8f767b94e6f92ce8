"""Replay equals live: the same alerts at any pace, in any batches, and after any restarts."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import pytest

from kitetui.engine.feed.journal_files import JournalFiles
from kitetui.engine.feed.records import RecordBatch
from kitetui.engine.feed.replay import Replay, ReplaySource, parts
from kitetui.engine.feed.transport import PART_NS, Transport
from kitetui.engine.flow.intake import Intake
from kitetui.engine.flow.pipeline import Pipeline
from kitetui.engine.sinks.journal import JournalWriter
from kitetui.tools.importer import import_ticks
from tests.property.test_partition import EASY, operated
from tests.property.test_restart import CAPACITY, SETTINGS, SOURCE, record, restarted
from tests.samples import market_day, split

RESTARTS = 20


def applied(batches: Iterable[RecordBatch]) -> Pipeline:
    pipeline = Pipeline(EASY, CAPACITY)
    for batch in batches:
        pipeline.apply(batch)
    return pipeline


def played(path: Path, speed: float | None) -> str:
    """The alert hash after a replay at some pace, through the engine's own intake."""
    pipeline = Pipeline(EASY, CAPACITY)

    async def play() -> None:
        intake = Intake(EASY.batch, pipeline, lambda batch: None, lambda batch, derived: None)
        await ReplaySource(Replay((path,), speed), intake, lambda: pipeline.session_s).play()

    asyncio.run(play())
    return pipeline.desk.alert_hash


@pytest.fixture(scope="module", params=["simulated", "real depth"])
def day(request: pytest.FixtureRequest,
        tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RecordBatch, str]:  # fmt: skip
    """A day as a journal, its records, and the alert hash that they lead to."""
    path = tmp_path_factory.mktemp("day") / "day.arrows"
    if request.param == "simulated":
        whole = operated(market_day(minutes=20))
        writer = JournalWriter(path, SETTINGS, SOURCE)
        for part in split(whole, range(0, len(whole), 40)):
            writer.write(part, 0)
        writer.close()
    else:
        shared: Path = request.getfixturevalue("shared")
        assert import_ticks(shared / "data" / "upstox_depth_20251215", path, None, EASY) == 0
    records = RecordBatch()
    for batch in JournalFiles([path]):
        records.extend(batch)
    pipeline = applied([records])
    assert pipeline.gate.counts.candidates > 20
    return path, records, pipeline.desk.alert_hash


@pytest.mark.parametrize("size", [1, 7, 500])
def test_batches_of(size: int, day: tuple[Path, RecordBatch, str]) -> None:
    _, records, wanted = day
    few = records.part(0, min(len(records), 12_000 * size))  # each batch costs, however small
    whole = wanted if len(few) == len(records) else applied([few]).desk.alert_hash
    assert applied(split(few, range(0, len(few), size))).desk.alert_hash == whole


@pytest.mark.parametrize("speed", [None, 4_000.0])
def test_any_pace(speed: float | None, day: tuple[Path, RecordBatch, str]) -> None:
    path, _, wanted = day
    assert played(path, speed) == wanted


@pytest.mark.parametrize("speed", [1.0, 60.0, None])
def test_what_is_played_at_once_takes_a_moment_at_its_pace(
    speed: float | None, day: tuple[Path, RecordBatch, str]
) -> None:
    records = day[1]
    transport = Transport(speed, lambda: 0)
    played = list(parts(records, lambda: transport.part_ns))
    if speed is None:
        assert played == [records]
        return
    assert [one for part in played for one in part.payload] == list(records.payload)
    times = [part.recv_ns for part in played]
    most_ns = PART_NS * speed
    assert all(part[-1] - part[0] <= most_ns for part in times)
    assert all(after[0] - part[0] > most_ns for part, after in pairwise(times))


def test_random_restarts(day: tuple[Path, RecordBatch, str], tmp_path: Path) -> None:
    """Each engine takes in what the ones before left, then its own part."""
    _, records, wanted = day
    rng = random.Random(11)
    parts = split(records, [rng.randrange(1, len(records)) for _ in range(RESTARTS)])
    looked = {len(parts) // 3, len(parts) - 1}
    for number, part in enumerate(parts):
        if number in looked:
            pipeline, restart = restarted(tmp_path)
            assert restart.files.files == number and not restart.files.lost()
            before = applied(parts[:number])
            assert pipeline.desk.alert_hash == before.desk.alert_hash
            pipeline.apply(part)
            before.apply(part)
            assert pipeline.desk.alert_hash == before.desk.alert_hash
        record(tmp_path, part, f"09{number:04}")
    assert pipeline.desk.alert_hash == wanted
