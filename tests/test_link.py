"""What a screen's question to the engine ends in: an answer, a reason, or the asker's own end."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future

import pytest

from kitetui import link
from kitetui.link import answered


async def test_an_answer_is_handed_on() -> None:
    asked: Future[int] = Future()
    asked.set_result(7)
    assert await answered(asked) == 7


async def test_a_failure_is_handed_on() -> None:
    asked: Future[int] = Future()
    asked.set_exception(ValueError("no such alert"))
    with pytest.raises(ValueError, match="no such alert"):
        await answered(asked)


async def test_an_engine_that_ends_is_a_reason() -> None:
    asked: Future[int] = Future()
    asked.cancel()
    with pytest.raises(ConnectionError, match="ends"):
        await answered(asked)


async def test_an_engine_that_is_silent_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "ANSWER_S", 0.01)
    asked: Future[int] = Future()
    with pytest.raises(ConnectionError, match="does not answer"):
        await answered(asked)
    await asyncio.sleep(0)
    assert asked.cancelled()


async def test_an_asker_that_is_cancelled_ends() -> None:
    """A screen leaves by cancelling its timers; one that goes on keeps the screen up for ever."""
    asked: Future[int] = Future()
    asker = asyncio.ensure_future(answered(asked))
    await asyncio.sleep(0)
    asker.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asker
    await asyncio.sleep(0)
    assert asked.cancelled()
