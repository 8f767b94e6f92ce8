"""The end of a session: the whole of it is kept, whatever comes in between."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from pathlib import Path

import msgspec
import pytest

from kitetui.config import load
from kitetui.engine.calendar import ist_day
from kitetui.engine.day import ending
from kitetui.engine.day.ending import Ending
from kitetui.engine.feed.records import Kind, Subscribed
from kitetui.engine.flow.pipeline import Pipeline, timer_payload
from kitetui.engine.market.instruments import Instrument, write_table
from kitetui.engine.sinks.archive import read_bars
from kitetui.engine.sinks.store import SessionStore
from tests.samples import MONDAY_OPEN_S, NS, RELIANCE, frame, full_tick, records

CLOSE_S = MONDAY_OPEN_S + 375 * 60
LISTED = Instrument(token=RELIANCE, tradingsymbol="RELIANCE", exchange="NSE", tick_size=0.1,
                    lot_size=1, hours="equity")  # fmt: skip


class Day:
    """A session that ends, with an `Ending` beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pipeline = Pipeline(load(), 4)
        self.store = SessionStore(folder / "store.sqlite")
        self.over: list[int] = []
        self.ending = Ending(load(), self.pipeline, folder, self.store, self.over.append)
        asked = msgspec.json.encode(Subscribed([RELIANCE], "full"))
        self.apply((Kind.INSTRUMENTS, write_table([LISTED])), (Kind.SUBSCRIBE, asked))

    def apply(self, *items: tuple[int, bytes]) -> None:
        self.ending.take(self.pipeline.apply(records(*items)))

    def trade(self, second: int, volume: int) -> None:
        self.apply((Kind.FRAME, frame(full_tick(volume=volume, ltt_s=second))))

    def timer(self, second: int) -> None:
        self.apply((Kind.TIMER, timer_payload(second * NS)))

    def minutes(self) -> list[int]:
        found = read_bars(self.folder, [RELIANCE], [ist_day(CLOSE_S)])
        return (found[RELIANCE][0] - CLOSE_S // 60).tolist() if found else []


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ending, "LOOK_S", 0.01)
    monkeypatch.setattr(ending, "RETRY_S", 0.05)


async def test_the_last_minute_is_in_the_archive(tmp_path: Path, quick: None) -> None:
    day = Day(tmp_path)
    task = asyncio.create_task(day.ending.run())
    for n in range(4):
        day.trade(CLOSE_S - 230 + 60 * n, 100 + n)
    for second in range(5):
        day.timer(CLOSE_S + second)
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.2)
    assert day.minutes() == [-3, -2, -1], "the first tick of all is the baseline"
    assert not list(tmp_path.glob("*.part.arrows"))
    assert day.over == [ist_day(CLOSE_S)]
    (told,) = tmp_path.glob("*.gaps.json")
    gaps = json.loads(told.read_text())
    assert [gap["seconds"] for gap in gaps] == [60, 60, 60] and gaps[0]["missed"] == 1
    assert told.stat().st_mode & 0o777 == 0o600
    (kept,) = day.store.levels_before(ist_day(CLOSE_S) + 1, [RELIANCE])
    assert kept.day == ist_day(CLOSE_S) and kept.poc <= kept.high
    task.cancel()
    day.ending.close()


async def test_a_store_that_is_locked_is_told_and_tried_again(tmp_path: Path, quick: None) -> None:
    day = Day(tmp_path)
    other = sqlite3.connect(tmp_path / "store.sqlite")
    other.execute("BEGIN EXCLUSIVE")
    task = asyncio.create_task(day.ending.run())
    day.trade(CLOSE_S - 130, 90)
    day.trade(CLOSE_S - 100, 100)
    day.trade(CLOSE_S - 50, 110)
    day.timer(CLOSE_S + 3)
    await asyncio.sleep(2.5)
    assert not task.done()
    assert any("levels are not kept" in event.text for event in day.pipeline.events)
    other.rollback()
    await asyncio.sleep(1)
    assert day.store.levels_before(ist_day(CLOSE_S) + 1, [RELIANCE])
    assert day.minutes() == [-2, -1]
    task.cancel()
    day.ending.close()


async def test_stopping_at_the_close_keeps_what_has_ended(tmp_path: Path) -> None:
    day = Day(tmp_path)
    day.trade(CLOSE_S - 50, 110)
    day.trade(CLOSE_S - 40, 120)
    day.timer(CLOSE_S + 3)
    day.ending.close()
    assert SessionStore(tmp_path / "store.sqlite").levels_before(ist_day(CLOSE_S) + 1, [RELIANCE])
    assert len(list(tmp_path.glob("2025-12-15.0001.part.arrows"))) == 1


async def test_gaps_that_find_no_room_are_tried_until_they_are_kept(
    tmp_path: Path, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    day, tries = Day(tmp_path), []
    real = ending.keep_gaps

    def full_twice(folder: Path, of: int, told: bytes) -> None:
        tries.append(of)
        if len(tries) < 3:
            raise OSError(28, "No space left on device")
        real(folder, of, told)

    monkeypatch.setattr(ending, "keep_gaps", full_twice)
    task = asyncio.create_task(day.ending.run())
    day.trade(CLOSE_S - 110, 100)
    day.trade(CLOSE_S - 50, 110)
    day.timer(CLOSE_S + 3)
    for _ in range(100):
        await asyncio.sleep(0.05)
        if day.over:
            break
    assert day.over == [ist_day(CLOSE_S)] and len(tries) == 3
    assert list(tmp_path.glob("*.gaps.json")) and day.minutes() == [-1]
    task.cancel()
    day.ending.close()
