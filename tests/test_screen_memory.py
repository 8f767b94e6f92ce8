"""What a screen remembers: what was left is there again, and what does not do is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from kitetui.app import KiteApp
from kitetui.screen_memory import Remembered, ScreenMemory
from kitetui.settings import Settings
from kitetui.widgets.depth import DepthPane
from kitetui.widgets.watchlist import Watchlist
from tests.links import MarketLink
from tests.pilots import until


async def test_a_screen_comes_up_as_it_was_left(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "screen.json"
    first = KiteApp(settings.screen, MarketLink(), tmp_path)
    async with first.run_test(size=(200, 50)) as pilot:
        await pilot.pause(0.4)
        await pilot.press("w", "1", "j", "j", "j")
        await pilot.pause(0.4)
        await pilot.press("s", "s", "S", "2", "L", "full_stop", "t", "9")
        token = first.query_one(Watchlist).token
        await until(
            pilot, lambda: b'"toured"' in path.read_bytes() and first._memory.read().theme != ""
        )
        assert token
        shown = set(first._layout.panes)
    assert path.stat().st_mode & 0o777 == 0o600
    again = KiteApp(settings.screen, MarketLink(), tmp_path)
    async with again.run_test(size=(200, 50)) as pilot:
        await pilot.pause(0.5)
        assert again._preset == "options" and again._layout.panes == shown
        assert again._active == "news" and again.focused is again.query_one("#news")
        watching = again.query_one(Watchlist).watching
        assert (watching.sort, watching.reverse) == ("price", True)
        await until(pilot, lambda: again.query_one(Watchlist).token == token)
        await until(pilot, lambda: "▸" in "".join(again.query_one(Watchlist).plain))
        ladder = again.query_one(DepthPane).ladder
        assert ladder.on and ladder.grouping == 2
        assert again.theme == "classic"


@pytest.mark.parametrize(
    ("held", "words"),
    [
        (b"{", "Input data was truncated"),
        (msgspec.json.encode(Remembered(version=0)), "is of another version"),
        (msgspec.json.encode(Remembered(preset="gone")), "is of another version"),
        (msgspec.json.encode(Remembered(guests={"depth": "pane"})), "is of another version"),
        (b'{"version": 1, "colour": "red"}', "unknown field"),
        (b"[]", "Expected `object`"),
    ],
)
async def test_what_does_not_do_is_said_and_the_screen_starts_afresh(
    settings: Settings, tmp_path: Path, held: bytes, words: str
) -> None:
    path = tmp_path / "screen.json"
    path.write_bytes(held)
    path.chmod(0o600)
    memory = ScreenMemory(path)
    assert memory.read() == Remembered() and words in memory.reason
    app = KiteApp(settings.screen, MarketLink(), tmp_path)
    said: list[Any] = []
    app.notify = lambda text, **_: said.append(text)  # type: ignore[method-assign]
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause(0.4)
        assert any(words in text for text in said)


def test_a_link_and_a_file_that_others_read_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "screen.json"
    path.write_bytes(b"{}")
    path.chmod(0o644)
    memory = ScreenMemory(path)
    assert memory.read() == Remembered() and "chmod 600" in memory.reason


def test_a_folder_that_takes_no_file_costs_nothing_but_the_memory(tmp_path: Path) -> None:
    memory = ScreenMemory(tmp_path / "gone" / "screen.json")
    memory.keep(Remembered(preset="redis"))
    assert "No such file" in memory.reason
