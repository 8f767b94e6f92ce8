"""Ticks are archived by themselves: days that are due at a start, and one that is over."""

from __future__ import annotations

import asyncio
import os
from datetime import date
from pathlib import Path

import pytest

from kitetui.config import load
from kitetui.engine.calendar import ist_day
from kitetui.engine.day.tick_archiving import TickArchiving
from kitetui.engine.sinks.tick_archive import archive_path
from kitetui.places import Places, places
from kitetui.settings import Settings
from tests.programs import processes_below
from tests.samples import MONDAY_OPEN_S, market_day
from tests.sinks.test_tick_archive import held, packets, write

DAY = date(2025, 12, 15)


@pytest.fixture
def where(tmp_path: Path, settings: Settings) -> Places:
    found = places(tmp_path, "default")
    write(found.journals, market_day(minutes=1), settings)
    return found


async def until(notes: list[str], count: int) -> None:
    async with asyncio.timeout(30):
        while len(notes) < count:
            await asyncio.sleep(0.05)


async def test_a_day_that_is_due_is_archived_at_the_start(where: Places) -> None:
    notes: list[str] = []
    wanted = packets(list(where.journals.iterdir()))
    settings = load(overrides=["feed.divisors={11: 100}"])
    archiving = TickArchiving(settings, where, lambda source, text: notes.append(text))
    task = asyncio.create_task(archiving.run())
    await until(notes, 1)
    assert "2025-12-15" in notes[0] and "as the journals have them" in notes[0]
    path = archive_path(where.archive, DAY)
    assert held(path) == wanted
    path.unlink()
    archiving.over(ist_day(MONDAY_OPEN_S))
    await until(notes, 2)
    assert held(path) == wanted
    task.cancel()


async def test_an_engine_that_ends_takes_it_along(where: Places) -> None:
    notes: list[str] = []
    task = asyncio.create_task(
        TickArchiving(load(), where, lambda source, text: notes.append(text)).run()
    )
    async with asyncio.timeout(10):
        while not processes_below(where.state):
            await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert processes_below(where.state) == [] and notes == []
    assert list(where.journals.glob("*.arrows"))


async def test_what_cannot_be_archived_is_said(where: Places) -> None:
    for path in where.journals.glob("*.arrows"):
        path.write_bytes(path.read_bytes()[:600])
        os.utime(path, (1765790000, 1765790000))
    notes: list[str] = []
    archiving = TickArchiving(load(), where, lambda source, text: notes.append(text))
    archiving.over(ist_day(MONDAY_OPEN_S))
    task = asyncio.create_task(archiving.run())
    await until(notes, 1)
    assert "no tick" in notes[0] or "is not a kitetui journal" in notes[0]
    assert not archive_path(where.archive, DAY).exists()
    task.cancel()


async def test_none_where_none_is_wanted(where: Places) -> None:
    settings = load(overrides=["archive.ticks=false"])
    await TickArchiving(settings, where, lambda source, text: None).run()
    assert not archive_path(where.archive, DAY).exists()
