"""The intake: order, turns on the loop, its cap, and what is kept after a bug."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import Iterator

import pytest

from kitetui.config import load
from kitetui.engine.feed.records import Kind, RecordBatch
from kitetui.engine.flow import intake as module
from kitetui.engine.flow.derived import Derived
from kitetui.engine.flow.intake import Intake
from kitetui.engine.flow.pipeline import Pipeline

SETTINGS = load().batch


class Slow(Pipeline):
    """A pipeline that takes five steps for each batch, each as long as a turn may be."""

    def __init__(self) -> None:
        super().__init__(load(), 10)
        self.log: list[str] = []

    def steps(self, records: RecordBatch, out: Derived) -> Iterator[None]:
        for number in range(5):
            self.log.append(f"{first_of(records)}{number}")
            if records.payload[0] == b"bug" and number == 2:
                raise RuntimeError("a bug")
            started = module.monotonic_ns()
            while module.monotonic_ns() - started < module.HOLD_NS:
                pass
            yield


def first_of(batch: RecordBatch) -> str:
    return batch.payload[0].decode(errors="replace")


def intake_of(pipeline: Pipeline, kept: list[RecordBatch], told: list[str]) -> Intake:
    return Intake(SETTINGS, pipeline, kept.append, lambda batch, _: told.append(first_of(batch)))


def one(name: bytes) -> RecordBatch:
    batch = RecordBatch()
    batch.append(Kind.TEXT, 0, name)
    return batch


def test_others_get_their_turn_within_a_batch_and_order_stays() -> None:
    pipeline, told = Slow(), list[str]()

    async def scene() -> int:
        intake = intake_of(pipeline, [], told)
        turns = 0
        intake.put(Kind.TEXT, b"a")
        intake.flush()
        intake.put(Kind.TEXT, b"b")
        intake.flush()
        playing = asyncio.ensure_future(intake.play(one(b"c")))
        while not playing.done():
            await asyncio.sleep(0)
            turns += 1
        return turns

    assert asyncio.run(scene()) >= 12
    assert told == ["a", "b", "c"]
    assert pipeline.log == [f"{name}{n}" for name in "abc" for n in range(5)]


def test_a_batch_closes_early_only_when_the_loop_has_rested() -> None:
    pipeline, kept = Slow(), list[RecordBatch]()
    frame = struct.pack(">H", 50) + bytes(50 * 10)  # says that it holds 50 packets

    async def scene() -> None:
        intake = intake_of(pipeline, kept, [])
        for _ in range(2):
            intake.put(Kind.FRAME, frame)
        assert len(kept) == 1  # 100 packets, and nothing was done before
        while pipeline.log[-1][-1] != "4":
            await asyncio.sleep(0)
        for _ in range(3):
            intake.put(Kind.FRAME, frame)
        assert len(kept) == 1  # the one before has just been worked at
        await asyncio.sleep(0.015)
        intake.put(Kind.FRAME, frame)
        assert len(kept) == 2 and len(kept[1]) == 4
        for _ in range(10):
            intake.put(Kind.FRAME, frame)
        assert len(kept) == 3 and len(kept[2]) == 10  # busy, but full
        intake.finish()

    asyncio.run(scene())


def test_finishing_applies_all_that_was_taken_in() -> None:
    pipeline, kept, told = Slow(), list[RecordBatch](), list[str]()

    async def scene() -> None:
        intake = intake_of(pipeline, kept, told)
        for name in (b"a", b"b"):
            intake.put(Kind.TEXT, name)
            intake.flush()
        intake.put(Kind.TEXT, b"c")
        intake.finish()

    asyncio.run(scene())
    assert told == ["a", "b", "c"] and len(kept) == 3


def test_beyond_its_cap_the_loop_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 2)
    monkeypatch.setattr(module, "HOLD_NS", 1_000_000)
    pipeline, told = Slow(), list[str]()

    async def scene() -> None:
        intake = intake_of(pipeline, [], told)
        for number in range(6):
            intake.put(Kind.TEXT, str(number).encode())
            intake.flush()
            assert number < len(told) + 3
        intake.finish()

    asyncio.run(scene())
    assert told == [str(n) for n in range(6)]


def test_after_a_bug_what_comes_is_kept_and_not_applied() -> None:
    pipeline, kept, told = Slow(), list[RecordBatch](), list[str]()

    async def scene() -> None:
        intake = intake_of(pipeline, kept, told)
        waiting = asyncio.ensure_future(intake.play(one(b"bug")))
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="a bug"):
            intake.finish()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        intake.put(Kind.TEXT, b"after")
        intake.finish()
        with pytest.raises(asyncio.CancelledError):
            await intake.play(one(b"later"))

    asyncio.run(scene())
    assert [batch.payload for batch in kept] == [[b"after"]] and told == []
    assert pipeline.log == ["bug0", "bug1", "bug2"]


def test_a_bug_ends_the_engine_whoever_put_in_what_it_came_up_with() -> None:
    failed: list[BaseException] = []

    async def viewer() -> None:
        intake = Intake(SETTINGS, Slow(), lambda batch: None, lambda *_: None, failed.append)
        intake.put(Kind.TEXT, b"bug")
        with contextlib.suppress(RuntimeError):  # a connection's own handler
            intake.finish()

    asyncio.run(viewer())
    assert [str(error) for error in failed] == ["a bug"]
