"""The player: held, hurried, stepped, there and back, a recording leads to what it always does."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from kitetui.engine.calendar import ist
from kitetui.engine.commands import Play, Result
from kitetui.engine.day import playing
from kitetui.engine.day.playing import Playing
from kitetui.engine.feed.records import RecordBatch
from kitetui.engine.feed.replay import Replay, ReplaySource
from kitetui.engine.flow.intake import Intake
from kitetui.engine.flow.pipeline import Pipeline
from kitetui.engine.sinks.journal import JournalWriter
from tests.property.test_partition import EASY
from tests.property.test_restart import CAPACITY, SETTINGS, SOURCE, same, state_of
from tests.samples import MONDAY_OPEN_S, market_day, split

MINUTES = 5


@pytest.fixture(scope="module")
def parts() -> list[RecordBatch]:
    day = market_day(minutes=MINUTES)
    return split(day, range(0, len(day), 40))


@pytest.fixture
def journal(tmp_path: Path, parts: list[RecordBatch]) -> Path:
    path = tmp_path / f"{ist(MONDAY_OPEN_S):%Y%m%d}-091500-000001-7.000.arrows"
    writer = JournalWriter(path, SETTINGS, SOURCE)
    for part in parts:
        writer.write(part, 0)
    writer.close()
    return path


class Cinema:
    """A player with somebody who looks on."""

    def __init__(self, journal: Path, speed: float | None, *, looked_on: bool = True) -> None:
        self.pipeline = Pipeline(EASY, CAPACITY)
        self.intake = Intake(EASY.batch, self.pipeline, lambda _: None, lambda *_: None)
        replay = Replay((journal,), speed)
        self.source = ReplaySource(replay, self.intake, lambda: self.pipeline.session_s)
        self.notes: list[str] = []
        self.playing = Playing(EASY, replay, self.source, self.intake, journal.parent / "none",
                               lambda source, text: self.notes.append(text))  # fmt: skip
        self.went_back = 0
        house = playing.Theatre({"pipeline": self.pipeline}, lambda: self.pipeline.session_s,
                                self.pipeline.market.profiles.settle, self._went_back)  # fmt: skip
        self.task = asyncio.create_task(self.playing.run(house, looked_on=looked_on))

    def _went_back(self) -> None:
        self.went_back += 1

    def do(self, action: str, value: str = "") -> Result:
        asked = Play(action, "me", value)  # type: ignore[arg-type]
        return self.playing.obey(asked, self.pipeline.session_s)

    async def reach(self, text: str) -> None:
        """Wait until it shows a time of the day, or a later one."""
        async with asyncio.timeout(10):
            while f"{ist(self.pipeline.session_s or MONDAY_OPEN_S):%H:%M:%S}" < text:
                await asyncio.sleep(0.005)

    async def settle(self) -> None:
        """Wait until it is held where it was sent."""
        async with asyncio.timeout(10):
            while self.source.state()[0] != "PAUSED":
                await asyncio.sleep(0.005)

    async def end(self) -> None:
        async with asyncio.timeout(20):
            while not self.source.done.is_set() or self.source.transport.back_s:
                await asyncio.sleep(0.01)
        self.task.cancel()


@pytest.fixture(scope="module")
def played(parts: list[RecordBatch]) -> dict[str, Any]:
    """What it leads to that nobody touched."""
    pipeline = Pipeline(EASY, CAPACITY)
    for part in parts:
        pipeline.apply(part)
    return state_of(pipeline)


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_is_asked_of_it_the_end_is_the_same(
    seed: int, journal: Path, played: dict[str, Any]
) -> None:
    rng = random.Random(seed)
    cinema = Cinema(journal, 100.0)
    for _ in range(12):
        await asyncio.sleep(rng.uniform(0, 0.05))
        minute = f"10:{15 + rng.randrange(MINUTES):02}:{rng.randrange(60):02}"
        action, value = rng.choice(
            [("pause", ""), ("step", "1"), ("step", "60"), ("speed", "50"), ("speed", "max"),
             ("seek", minute), ("seek", minute)]
        )  # fmt: skip
        cinema.do(action, value)
    cinema.do("speed", "max")
    cinema.source.transport.pause(held=False)
    await cinema.end()
    same(state_of(cinema.pipeline), played)


async def test_held_it_stands_and_steps_go_as_far_as_they_say(journal: Path) -> None:
    cinema = Cinema(journal, 100.0)
    await cinema.reach("10:15:30")
    assert cinema.do("pause").text == "held"
    cinema.do("seek", "10:17")
    await cinema.settle()
    at_s = cinema.pipeline.session_s
    assert f"{ist(at_s):%H:%M}" == "10:17" and cinema.source.state()[0] == "PAUSED"
    cinema.do("step", "20")
    await cinema.settle()
    assert at_s + 20 <= cinema.pipeline.session_s < at_s + 25
    await asyncio.sleep(0.1)
    assert cinema.pipeline.session_s < at_s + 25, "it is held there"
    cinema.do("seek", "10:16")
    await cinema.settle()
    assert cinema.went_back == 1
    assert f"{ist(cinema.pipeline.session_s):%H:%M}" == "10:16"
    assert cinema.source.state() == ("PAUSED", "")
    cinema.task.cancel()


async def test_after_the_end_it_goes_back_when_asked(journal: Path, played: dict[str, Any]) -> None:
    cinema = Cinema(journal, None)
    async with asyncio.timeout(10):
        await cinema.source.done.wait()
    assert cinema.source.state()[0] == "REPLAYED"
    cinema.do("pause")
    cinema.do("seek", "10:18:30")
    await cinema.settle()
    assert f"{ist(cinema.pipeline.session_s):%H:%M:%S}" == "10:18:30"
    cinema.do("pause")
    await cinema.end()
    same(state_of(cinema.pipeline), played)


async def test_pace_is_kept_and_changed(journal: Path, parts: list[RecordBatch]) -> None:
    lasts_s = (parts[-1].recv_ns[-1] - parts[0].recv_ns[0]) / 1e9
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    cinema = Cinema(journal, lasts_s / 4)
    await asyncio.sleep(1.0)
    assert 0 < cinema.source.files.share < 0.6, "a quarter of the way"
    told = cinema.do("speed", str(lasts_s * 2))
    assert told.done and told.text == f"plays replay {lasts_s * 2:g}x"
    async with asyncio.timeout(15):
        await cinema.source.done.wait()
    assert loop.time() - began_s > 1.0
    cinema.task.cancel()


async def test_what_makes_no_sense_is_said(journal: Path) -> None:
    cinema = Cinema(journal, 100.0, looked_on=False)
    assert cinema.do("seek", "10:20") == Result(False, "nothing was played yet")
    await cinema.reach("10:15:30")
    for action, value, words in (
        ("seek", "soon", "'soon' is no time"), ("speed", "fast", "a number is expected"),
        ("step", "x", "a number is expected"), ("seek", "09:00", "only a replay with a screen"),
    ):  # fmt: skip
        result = cinema.do(action, value)
        assert not result.done and words in result.text, action
    speed = cinema.source.transport.speed
    for value, wanted in (
        ("faster", 200.0), ("faster", 500.0), ("faster", None), ("faster", None),
        ("slower", 500.0), ("0.15", 0.15), ("slower", 0.1), ("slower", 0.1),
    ):  # fmt: skip
        assert cinema.do("speed", value).done, speed
        assert cinema.source.transport.speed == wanted
    cinema.do("speed", "1000000")
    assert cinema.source.transport.speed == 1_000.0
    cinema.task.cancel()
