"""Keyframes: any hour of a recorded day opens at once, and goes on as if all had been played."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import msgspec
import pytest

from kitetui.engine.calendar import ist
from kitetui.engine.day.restart import Keeper, Restart, made_by
from kitetui.engine.feed.journal_files import JournalFiles
from kitetui.engine.feed.records import RecordBatch
from kitetui.engine.flow.intake import Intake
from kitetui.engine.flow.pipeline import Pipeline
from kitetui.engine.sinks.journal import JournalWriter
from kitetui.engine.sinks.journal_packer import pack
from kitetui.engine.sinks.keyframes import Keyframe, Keyframes
from kitetui.engine.state import thaw
from tests.property.test_partition import EASY
from tests.property.test_restart import CAPACITY, SETTINGS, SOURCE, same, state_of
from tests.samples import MONDAY_OPEN_S, market_day, split

MINUTES = 8
EVERY = msgspec.structs.replace(EASY, journal=msgspec.structs.replace(EASY.journal, keyframe_min=2))
MADE_BY = made_by(EVERY)


@pytest.fixture(scope="module")
def parts() -> list[RecordBatch]:
    day = market_day(minutes=MINUTES)
    return split(day, range(0, len(day), 40))


@pytest.fixture(scope="module")
def whole(parts: list[RecordBatch]) -> Pipeline:
    pipeline = Pipeline(EVERY, CAPACITY)
    for part in parts:
        pipeline.apply(part)
    return pipeline


@pytest.fixture
def journal(request: pytest.FixtureRequest, tmp_path: Path, parts: list[RecordBatch]) -> Path:
    """A day as a running engine records it, with a checkpoint every few batches.

    Its name tells the wall's date: some days behind the session's where a test says so.
    """
    begun_s = MONDAY_OPEN_S + getattr(request, "param", 0) * 86_400
    path = tmp_path / "journals" / f"{ist(begun_s):%Y%m%d}-091500-000001-7.000.arrows"
    path.parent.mkdir()
    writer = JournalWriter(path, SETTINGS, SOURCE)
    keeper = Keeper(tmp_path / "checkpoint.bin", EVERY, tmp_path / "keyframes")

    async def live() -> None:
        pipeline = Pipeline(EVERY, CAPACITY)
        intake = Intake(EASY.batch, pipeline, lambda batch: None, lambda batch, derived: None)
        restart = Restart(path.parent, SOURCE, MONDAY_OPEN_S, keeper)
        for at, part in enumerate(parts):
            writer.write(part, 0)
            await intake.play(part)
            if at % 6 == 5:
                reached = part.kept.place, pipeline.session_s
                await restart.keep(intake, lambda: None, {"pipeline": pipeline},
                                   lambda reached=reached: reached, MONDAY_OPEN_S)  # fmt: skip

    asyncio.run(live())
    writer.close()
    return path


def opened(journal: Path, hour: str) -> tuple[Pipeline, JournalFiles] | None:
    """An engine's pipeline at an hour, and what is to be played from there."""
    keyframes = Keyframes(journal.parent.parent / "keyframes")
    for place, state in keyframes.before(hour, {journal.name: journal}, MADE_BY):
        pipeline = Pipeline(EVERY, CAPACITY)
        thaw({"pipeline": pipeline}, state)
        return pipeline, JournalFiles([journal], place)
    return None


def kept(journal: Path) -> list[Keyframe]:
    return Keyframes(journal.parent.parent / "keyframes").all()


@pytest.mark.parametrize(
    ("packed", "journal"), [(False, 0), (True, 0), (False, 6)], indirect=["journal"]
)
def test_an_hour_opens_and_goes_on(
    packed: bool, journal: Path, whole: Pipeline, parts: list[RecordBatch]
) -> None:
    if packed:
        keyframes = Keyframes(journal.parent.parent / "keyframes")
        found = pack(journal, keyframes.numbers(journal.name))
        assert set(found.offsets) == {one.number for one in kept(journal)}
        keyframes.moved(journal.name, found.offsets)
    stamps = [one.stamp[-6:] for one in kept(journal)]
    assert len(stamps) >= MINUTES // 2 - 1 and stamps == sorted(stamps)
    for stamp in stamps:
        minute = int(stamp[:2]) * 60 + int(stamp[2:4]) + 1
        found_at = opened(journal, f"{minute // 60:02}:{minute % 60:02}")
        assert found_at is not None
        pipeline, files = found_at
        assert f"{ist(pipeline.session_s):%H%M%S}" == stamp
        for batch in files:
            pipeline.apply(batch)
        assert 0 < files.records < sum(map(len, parts)) and files.lost() == ""
        same(state_of(whole), state_of(pipeline))


def test_nothing_is_taken_that_does_not_fit(journal: Path) -> None:
    assert opened(journal, "09:00") is None, "before the first"
    keyframes = Keyframes(journal.parent.parent / "keyframes")
    assert not list(keyframes.before("15:30", {journal.name: journal}, "another version"))
    assert not list(keyframes.before("15:30", {}, MADE_BY))
    *_, before, last = kept(journal)
    last.path.write_bytes(last.path.read_bytes()[:-9])
    found = opened(journal, "15:30")
    assert found is not None and f"{ist(found[0].session_s):%Y%m%d-%H%M%S}" == before.stamp
    pack(journal)  # and nobody said where the batches lie now
    assert opened(journal, "15:30") is None
    journal.rename(journal.with_suffix(".gone"))
    keyframes.remove_left(journal.parent)
    assert kept(journal) == []


def test_the_command_opens_an_hour(tmp_path: Path) -> None:
    """A real engine's day plays from an hour to the same alerts, and is sooner there."""
    from tests.programs import LOGIN, exchange, feed_options, kitetui

    settings = ["--set", "journal.keyframe_min=1", "--set", "journal.checkpoint_s=1",
                "--set", "feed.speed=60", "--set", "redis.url=unix:///nowhere.sock"]  # fmt: skip
    with exchange(tmp_path, "--speed", "60", "--rate", "2000") as hello:
        # Settings must be the same for a keyframe to fit, those of the feed as well.
        options = settings + feed_options(hello)
        live = kitetui(tmp_path, "--headless", "--duration", "10", *options, **LOGIN)
    assert live.returncode == 0, live.stderr
    folder = tmp_path / "kitetui"
    stamps = sorted(path.name[9:13] for path in (folder / "keyframes").iterdir())
    assert len(stamps) > 4
    (day,) = {path.name[:8] for path in (folder / "journals").glob("*.arrows")}
    date = f"{day[:4]}-{day[4:6]}-{day[6:]}"
    play = ["--replay", date, "--headless", "--json", "--speed", "max", *options]
    told = [kitetui(tmp_path, *play, *begin)
            for begin in ((), ("--from", f"{stamps[-1][:2]}:{stamps[-1][2:]}"))]  # fmt: skip
    assert [one.returncode for one in told] == [0, 0], told[1].stderr
    everything, late = (json.loads(one.stdout) for one in told)
    for name in ("alerts", "ticks", "bars"):
        assert (
            late[name].items()
            >= {key: value for key, value in everything[name].items() if key != "per_s"}.items()
        ), name
    assert everything["replay"]["opened_at"] == "" and everything["replay"]["share"] == 1
    opened_at = late["replay"]["opened_at"][11:16].replace(":", "")
    assert opened_at in stamps[-2:], "the last one that is not behind the hour"
    assert late["replay"]["records"] < everything["replay"]["records"] / 2
