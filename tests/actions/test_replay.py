"""The player's keys: each asks the engine for what the help says, and the header shows it."""

from __future__ import annotations

from concurrent.futures import Future

import msgspec
import pytest

from kitetui.app import KiteApp
from kitetui.engine.commands import Command, Play, Result
from kitetui.settings import Settings
from tests.links import PictureLink, answered


class ReplayLink(PictureLink):
    """An engine that plays a recording, and keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, str]] = []
        header = msgspec.structs.replace(self.picture.header, source="replay", simulated=False,
                                         state="REPLAY", reason="10x")  # fmt: skip
        self.picture = msgspec.structs.replace(self.picture, header=header)

    def command(self, command: Command) -> Future[Result]:
        assert isinstance(command, Play)
        self.asked.append((command.action, command.value))
        return answered(Result(True, "done"))


@pytest.mark.parametrize(
    ("keys", "asked"),
    [
        (["p"], ("pause", "")),
        (["right_square_bracket"], ("step", "1")),
        (["left_square_bracket"], ("step", "-1")),
        (["greater_than_sign"], ("step", "60")),
        (["less_than_sign"], ("step", "-60")),
        (["right_curly_bracket"], ("speed", "faster")),
        (["left_curly_bracket"], ("speed", "slower")),
        (["T", *"10:55", "enter"], ("seek", "10:55")),
    ],
)
async def test_a_key_asks_for_what_it_says(
    settings: Settings, keys: list[str], asked: tuple[str, str]
) -> None:
    link = ReplayLink()
    app = KiteApp(settings.screen, link)
    async with app.run_test(size=(200, 50)) as pilot:
        await pilot.pause(0.3)
        await pilot.press(*[{":": "colon"}.get(key, key) for key in keys])
        await pilot.pause(0.2)
        assert link.asked == [asked]


async def test_nothing_is_asked_where_no_time_is_typed(settings: Settings) -> None:
    link = ReplayLink()
    app = KiteApp(settings.screen, link)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause(0.3)
        await pilot.press("T", "enter")
        await pilot.press("T", "escape")
        await pilot.pause(0.2)
        assert link.asked == []
