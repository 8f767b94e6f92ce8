"""The keys of the Redis panes: nothing is done that was not said, counted and confirmed."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import pytest
from textual.screen import ModalScreen

from kitetui.app import KiteApp
from kitetui.engine import snapshot as view
from kitetui.engine.commands import Command, RedisAction, Result
from kitetui.settings import Settings
from kitetui.widgets.dialogs import ListScreen
from tests.links import PictureLink, answered
from tests.widgets import views

LOSES = "115,000 of 116,000 entries go; group archiver loses 7 it has NOT read"


class RedisLink(PictureLink):
    """An engine that says what would happen, and keeps what it was told to do."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[RedisAction] = []
        self.answer = Result(True, LOSES)

    def command(self, command: Command) -> Future[Result]:
        assert isinstance(command, RedisAction)
        self.asked.append(command)
        told = self.answer
        if command.action == "inspect":
            told = Result(True, "title\n\n1-0  data=RELIANCE 1412.1\n2-0  \x1b[31mred")
        return answered(told)

    @property
    def done(self) -> list[RedisAction]:
        """What was really to be done."""
        return [a for a in self.asked if not a.dry and a.action != "inspect"]


@pytest.fixture
def app(settings: Settings) -> KiteApp:
    return KiteApp(settings.screen, RedisLink())


def link(app: KiteApp) -> RedisLink:
    assert isinstance(app.link, RedisLink)
    return app.link


async def press(pilot: Any, *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
        await pilot.pause(0.1)


async def test_a_stream_is_trimmed_once_it_was_said_who_loses_what(app: KiteApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause(0.4)
        await press(pilot, "4", "o", "t", *"1000", "enter")
        assert isinstance(app.screen, ModalScreen) and link(app).done == []
        (said,) = link(app).asked
        assert said.dry and (said.action, said.stream, said.value) == (
            "trim", "ticks:intraday:processed", "1000")  # fmt: skip
        await press(pilot, "n")
        assert link(app).done == []
        await press(pilot, "o", "t", *"1000", "enter", "y")
        (done,) = link(app).done
        assert (done.action, done.stream, done.value, done.dry) == (
            "trim", "ticks:intraday:processed", "1000", False)  # fmt: skip


@pytest.mark.parametrize(("keys", "typed", "expected"), [
    ("v", "$", {"action": "advance", "value": "$"}),
    ("m", "dead alive", {"action": "claim", "consumer": "dead", "value": "alive"}),
    ("d", "dead", {"action": "forget", "consumer": "dead"}),
])  # fmt: skip
async def test_groups_are_mended(
    app: KiteApp, keys: str, typed: str, expected: dict[str, str]
) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause(0.4)
        await press(pilot, "5", "o", keys, *(" " if c == " " else c for c in typed), "enter", "y")
        (done,) = link(app).done
        assert (done.stream, done.group) == ("ticks:intraday:processed", "archiver")
        assert {name: getattr(done, name) for name in expected} == expected


async def test_what_would_not_work_is_said_and_not_asked(app: KiteApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause(0.4)
        link(app).answer = Result(False, "publication is paused already")
        await press(pilot, "0", "o", "p")
        assert not isinstance(app.screen, ModalScreen) and link(app).done == []
        assert any("paused already" in n.message for n in app._notifications)
        link(app).answer = Result(True, "nothing is written any more")
        await press(pilot, "o", "p", "y")
        assert [a.action for a in link(app).done] == ["pause"]
        await press(pilot, "o", "c", "o", "escape")
        assert len(link(app).done) == 1


async def test_enter_looks_into_what_is_under_the_cursor(app: KiteApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause(0.4)
        await press(pilot, "1", "enter")
        assert link(app).asked == []
        await press(pilot, "4", "enter")
        assert isinstance(app.screen, ListScreen)
        assert not any("\x1b" in line for line in app.screen._lines)
        await press(pilot, "escape", "5", "enter")
        assert link(app).asked[-1].group == "archiver", "the one in trouble is the first"


async def test_a_server_that_is_only_watched_is_not_touched(app: KiteApp) -> None:
    elsewhere = view.Stream("ticks:intraday:processed", 9, 0, 1.0, 0, 4, server="redis://b")
    link(app).picture = views.snapshot(streams=(elsewhere,))
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause(0.4)
        await press(pilot, "4", "enter")
        assert link(app).asked == []
        await press(pilot, "o", "t")
        assert link(app).asked == []
        assert any("redis://b is only looked at" in n.message for n in app._notifications)
