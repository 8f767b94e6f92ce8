"""Supervision: what may fail alone, and what ends the engine."""

from __future__ import annotations

import asyncio

import pytest

from kitetui.engine import supervisor as module
from kitetui.engine.supervisor import MOST, Supervisor, where

CANARY = "s3cret-token"


class Scene:
    def __init__(self) -> None:
        self.stopped = 0
        self.notes: list[str] = []
        self.supervisor = Supervisor(self.stop, lambda source, text: self.notes.append(text))
        self.runs = 0

    def stop(self) -> None:
        self.stopped += 1

    async def fails(self) -> None:
        self.runs += 1
        raise ValueError(f"wss://ticker?access_token={CANARY}")

    async def lasts(self) -> None:
        self.runs += 1
        await asyncio.sleep(3600)


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setattr(module, "AGAIN_S", 0.001)
    return Scene()


async def test_a_part_that_keeps_failing_is_given_up_and_the_engine_goes_on(scene: Scene) -> None:
    scene.supervisor.keep("news", scene.fails)
    scene.supervisor.need(scene.lasts())
    await asyncio.sleep(0.2)
    assert scene.runs == MOST + 1 and not scene.stopped
    assert list(scene.supervisor.given_up) == ["news"] and scene.supervisor.failures == MOST
    assert len(scene.notes) == MOST and scene.notes[-1].startswith("given up after 5 failures")
    assert CANARY not in " ".join(scene.notes) + str(scene.supervisor.given_up)
    assert "ValueError in fails (test_supervisor.py:" in scene.notes[0]
    await scene.supervisor.cancel()


async def test_a_part_that_fails_now_and_then_is_begun_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_ns = 0

    def monotonic_ns() -> int:
        nonlocal now_ns
        now_ns += 20_000_000_000
        return now_ns

    monkeypatch.setattr(module, "monotonic_ns", monotonic_ns)
    scene.supervisor.keep("news", scene.fails)
    await asyncio.sleep(0.2)
    assert scene.runs > 3 * MOST and not scene.supervisor.given_up
    await scene.supervisor.cancel()


async def test_what_the_engine_cannot_do_without_ends_it(scene: Scene) -> None:
    scene.supervisor.keep("news", scene.lasts)
    scene.supervisor.need(scene.fails())
    await asyncio.sleep(0.01)
    assert scene.stopped == 1 and isinstance(scene.supervisor.error, ValueError)
    scene.supervisor.fail(OSError("later"))
    assert isinstance(scene.supervisor.error, ValueError), "the first counts"
    await scene.supervisor.cancel()


async def test_ending_is_not_failing(scene: Scene) -> None:
    scene.supervisor.keep("news", scene.lasts)
    scene.supervisor.need(scene.lasts())
    await asyncio.sleep(0.01)
    await scene.supervisor.cancel()
    assert not scene.stopped and not scene.notes and scene.supervisor.error is None


def test_words_of_a_failure_without_a_place() -> None:
    assert where(KeyError("x")) == "KeyError"
