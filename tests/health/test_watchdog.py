"""The watchdog: a loop that stands is noticed while it does, with the place; one that goes on is
left alone."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import pytest

from kitetui.engine.health import watchdog as module
from kitetui.engine.health.watchdog import Stall, Watchdog


def block(seconds: float) -> None:
    time.sleep(seconds)


def test_where_a_loop_stood_and_how_long(tmp_path: Path) -> None:
    async def scene() -> tuple[list[Stall], int]:
        watchdog = Watchdog(tmp_path / "hang.txt")
        found: list[Stall] = []
        for turn in range(30):
            await asyncio.sleep(0.02)
            found += watchdog.beat()
            if turn == 10:
                block(0.6)
                assert watchdog.standing_s > 0.5
            if turn == 20:
                block(0.1)
        watchdog.close()
        return found, watchdog.stalls

    ((stall,), count) = asyncio.run(scene())
    assert count == 1 and 0.5 < stall.seconds < 2
    assert stall.where.startswith("block (test_watchdog.py:") and "in scene" in stall.where


def test_a_loop_that_may_never_go_on_leaves_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HANG_NS", 400_000_000)
    hang = tmp_path / "hang.txt"
    watchdog = Watchdog(hang)
    watchdog.beat()
    block(0.8)
    told = hang.read_text()
    assert "the engine has done nothing for" in told and "in block" in told
    assert "thread MainThread" in told and "thread watchdog" in told
    assert hang.stat().st_mode & 0o777 == 0o600
    watchdog.beat()
    hang.unlink()
    time.sleep(0.2)
    assert not hang.exists(), "it goes on"
    watchdog.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_watchdog_that_died_is_begun_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die() -> str:
        raise SystemExit

    watchdog = Watchdog(tmp_path / "hang.txt")
    monkeypatch.setattr(watchdog, "_look", die)
    block(0.4)
    assert not any(thread.name == "watchdog" for thread in threading.enumerate())
    monkeypatch.undo()
    watchdog.beat()
    block(0.4)
    ((stall,), count) = watchdog.beat(), watchdog.stalls
    watchdog.close()
    assert count == 1 and stall.where.startswith("block")
