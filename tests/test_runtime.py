"""The runtime: one core after the other, by settings that do, and nothing of the ones before."""

from __future__ import annotations

import asyncio
import gc
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

from kitetui.config import load
from kitetui.engine import runtime
from kitetui.engine.core import Core, EnginePlan
from kitetui.engine.runtime import Engine
from kitetui.engine.service import ServiceManager
from kitetui.places import places
from kitetui.settings import Settings


class Fake:
    """Stands for a core: lives until it is told to stop."""

    alive: ClassVar[weakref.WeakSet[Fake]] = weakref.WeakSet()
    made: ClassVar[list[Settings]] = []
    refused: ClassVar[list[str]] = []

    def __init__(self, settings: Settings, *_: Any) -> None:
        Fake.made.append(settings)
        if settings.screen.hz == 7:
            raise ValueError("seven is refused")
        Fake.alive.add(self)
        self.error = None
        self.hz = settings.screen.hz
        self.started = self.day_over = False
        self.stopping = asyncio.Event()

    async def start(self) -> None:
        if self.hz == 8:
            raise OSError("eight does not start")
        self.started = True

    async def stop(self) -> None:
        """Nothing to take down."""

    def note_refused(self, why: str) -> None:
        Fake.refused.append(why)

    def status(self) -> dict[str, Any]:
        return {"hz": self.hz, "alive": len(Fake.alive)}


def settings(hz: int) -> Settings:
    return load(overrides=[f"screen.hz={hz}"])


def until(so: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not so():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize("bad", [7, 8])
def test_settings_with_which_nothing_starts_leave_those_before_and_nothing_else(
    bad: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setattr(runtime, "Core", Fake)
    monkeypatch.setattr(Fake, "made", [])
    monkeypatch.setattr(Fake, "refused", [])
    engine = Engine(settings(1), EnginePlan(places=tmp_path))
    engine.start()
    engine.wait_ready(5)
    for turn, hz in enumerate((2, bad, 3), 1):
        engine.renew(settings(hz))
        until(lambda t=turn, h=hz: len(Fake.made) > t + (h == 3))  # type: ignore[misc]
        until(lambda: engine._core is not None and engine._core.started)
    assert [made.screen.hz for made in Fake.made] == [1, 2, bad, 2, 3]
    (why,) = Fake.refused
    assert why in ("ValueError: seven is refused", "OSError: eight does not start")
    gc.collect()
    assert [core.hz for core in Fake.alive] == [3]
    assert engine.error is None
    engine.stop()


def test_what_does_not_start_at_first_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setattr(runtime, "Core", Fake)
    engine = Engine(settings(8), EnginePlan(places=tmp_path))
    engine.start()
    with pytest.raises(OSError, match="eight does not start"):
        engine.wait_ready(5)


async def test_a_bug_in_one_close_keeps_none_of_the_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plan = EnginePlan(places=places(tmp_path, "p"), credentials=lambda: None)  # type: ignore[arg-type,return-value]
    core = Core(load(), plan, lambda: None, ServiceManager())
    closed: list[str] = []

    def bug() -> None:
        raise RuntimeError("a bug")

    assert core._books is not None
    monkeypatch.setattr(core._record, "close", bug)
    monkeypatch.setattr(core._books.desk, "close", lambda: closed.append("desk"))
    monkeypatch.setattr(core._watchdog, "close", lambda: closed.append("watchdog"))
    monkeypatch.setattr(core._obeying, "close", lambda: closed.append("commands"))
    await core.stop()
    assert closed == ["desk", "watchdog", "commands"]
    assert str(core.error) == "a bug"
    assert any("ledger does not close" in f"{e.source} {e.text}" for e in core.pipeline.events)
