"""How often a journal is made durable: as is wanted, also where no thread is to be had."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kitetui.config import load
from kitetui.engine.day.recording import Recording
from kitetui.engine.feed.records import Kind, RecordBatch
from kitetui.places import places


def recording(tmp_path: Path, sync: str) -> Recording:
    settings = load()
    journal = msgspec.structs.replace(settings.journal, sync=sync)
    out = Recording(msgspec.structs.replace(settings, journal=journal),
                    places(tmp_path, "default"), b"here", lambda *_: None)  # fmt: skip
    out.begin(restores=False)
    return out


def one() -> RecordBatch:
    out = RecordBatch()
    out.append(Kind.TIMER, 1, bytes(8))
    return out


@pytest.mark.parametrize(
    ("sync", "least", "most"), [("always", 50, 60), ("10ms", 20, 55), ("1s", 0, 3)]
)
async def test_a_journal_is_made_durable_as_often_as_is_wanted(
    sync: str, least: int, most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0
    real = os.fsync

    def fsync(fd: int) -> None:
        nonlocal calls
        calls += 1
        real(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    kept = recording(tmp_path, sync)
    task = asyncio.create_task(kept.sync())
    for _ in range(50):  # half a second and a little more
        kept.keep(one())
        await asyncio.sleep(0.01)
    task.cancel()
    assert least <= calls <= most
    kept.close()


async def test_where_no_thread_is_to_be_had_it_is_done_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def no_thread(*_: Any) -> None:
        raise RuntimeError("can't start new thread")

    kept = recording(tmp_path, "10ms")
    monkeypatch.setattr(asyncio, "to_thread", no_thread)
    task = asyncio.create_task(kept.sync())
    kept.keep(one())
    await asyncio.sleep(0.1)
    assert not task.done() and kept.journal is not None and not kept.journal.dirty
    task.cancel()
    kept.close()
