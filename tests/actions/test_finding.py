"""Finding: the palette, letters on panes, arrangements by name, and the hints of the first day."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from textual.command import CommandPalette
from textual.screen import ModalScreen

from kitetui.actions.touring import STEPS
from kitetui.app import KiteApp
from kitetui.keys import KEYS
from kitetui.layout import PRESETS, leaves
from kitetui.settings import Settings
from kitetui.widgets.hint_bar import HintBar
from kitetui.widgets.jump import JumpScreen
from kitetui.widgets.watchlist import Watchlist
from tests.links import MarketLink, market
from tests.pilots import settle


@pytest.fixture
def app(settings: Settings) -> KiteApp:
    return KiteApp(settings.screen, MarketLink())


def drawn(app: KiteApp) -> str:
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


async def typed(pilot: Any, text: str) -> None:
    await pilot.press("colon")
    await settle(pilot)
    await pilot.press(*[{" ": "space"}.get(char, char) for char in text])
    await pilot.pause(0.8)


@pytest.mark.parametrize("size", [(200, 50), (80, 24)])
async def test_a_symbol_is_found_by_typing_a_part_of_it(
    app: KiteApp, size: tuple[int, int]
) -> None:
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        await typed(pilot, "bajfin")
        assert isinstance(app.screen, CommandPalette) and "BAJFINANCE" in drawn(app)
        await pilot.press("enter")
        await settle(pilot)
        await settle(pilot)
        rows = market().pipeline.market.rows
        at = rows.token[: rows.count].tolist().index(app.query_one(Watchlist).token)
        assert rows.instruments[at].symbol == "BAJFINANCE"


@pytest.mark.parametrize(
    ("text", "preset"), [("layout redis", "redis"), ("options: the chain", "options")]
)
async def test_an_arrangement_is_found_by_name(app: KiteApp, text: str, preset: str) -> None:
    async with app.run_test(size=(200, 50)) as pilot:
        await settle(pilot)
        await typed(pilot, text)
        await pilot.press("enter")
        await settle(pilot)
        assert app._preset == preset
        assert app._layout.panes == set(leaves(PRESETS[preset].wide))


async def test_an_action_of_another_pane_goes_there_first(app: KiteApp) -> None:
    async with app.run_test(size=(200, 50)) as pilot:
        await settle(pilot)
        await pilot.press("6")
        await typed(pilot, "every price a row")
        await pilot.press("enter")
        await settle(pilot)
        assert app._active == "depth" and app.query_one("#depth").ladder.on  # type: ignore[attr-defined]


async def test_the_palette_lists_every_action_before_anything_is_typed(app: KiteApp) -> None:
    from kitetui.actions.palette import _Actions, _Choices

    async with app.run_test(size=(200, 50)) as pilot:
        await settle(pilot)
        hits = [hit async for hit in _Actions(app.screen).discover()]
        assert len(hits) == len(KEYS)
        choices = [str(hit.display) async for hit in _Choices(app.screen).discover()]
        assert len([words for words in choices if words.startswith("layout ")]) == len(PRESETS)


@pytest.mark.parametrize("size", [(200, 50), (120, 40), (80, 24)])
async def test_a_letter_goes_to_its_pane(app: KiteApp, size: tuple[int, int]) -> None:
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        await pilot.press("f")
        await settle(pilot)
        assert isinstance(app.screen, JumpScreen)
        panes = [name for _, (name, _) in app.screen._boxes.items()]
        text = drawn(app)
        assert set(panes) == app._layout.panes and all(name in text for name in panes)
        letter, (name, _) = list(app.screen._boxes.items())[-1]
        await pilot.press(letter)
        await settle(pilot)
        assert app._active == name and not isinstance(app.screen, JumpScreen)
        await pilot.press("f", "escape")
        await settle(pilot)
        assert app._active == name


@pytest.mark.parametrize("size", [(200, 50), (120, 40), (80, 24)])
async def test_w_goes_through_all_arrangements(app: KiteApp, size: tuple[int, int]) -> None:
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        seen = []
        for _ in PRESETS:
            await pilot.press("w")
            await settle(pilot)
            seen.append(app._preset)
            assert app.focused is not None and app.focused.id in app._layout.panes
        assert seen == [*list(PRESETS)[1:], "trade"]


async def test_keys_that_come_fast_end_where_the_last_one_says(app: KiteApp) -> None:
    async with app.run_test(size=(200, 50)) as pilot:
        await settle(pilot)
        await pilot.press("v")
        for _ in range(len(PRESETS) + 2):
            app.action_preset()  # as quick as two keys in one read of the terminal
        await settle(pilot)
        assert app._preset == "feed"
        assert app._layout.panes == set(leaves(PRESETS["feed"].wide))


async def test_the_first_day_s_hints_are_done_by_doing_them(
    settings: Settings, tmp_path: Path
) -> None:
    app = KiteApp(settings.screen, MarketLink(), tmp_path)
    async with app.run_test(size=(200, 50)) as pilot:
        await settle(pilot)
        bar = app.query_one(HintBar)
        keys = {key.id: key.keys.split(",")[0] for key in KEYS}
        for at, (name, does) in enumerate(STEPS):
            assert bar.display and does.format(undo="u") in "".join(bar.plain), name
            assert f"{at + 1} of {len(STEPS)}" in bar.plain[0]
            await pilot.press(keys[name])
            await settle(pilot)
            if name == "pane.filter" or isinstance(app.screen, ModalScreen):
                await pilot.press("escape")
                await settle(pilot)
        assert not bar.display
    again = KiteApp(settings.screen, MarketLink(), tmp_path)
    async with again.run_test(size=(200, 50)) as pilot:
        await settle(pilot)
        assert not again.query_one(HintBar).display


async def test_the_tour_is_ended_by_escape_and_stays_ended(
    settings: Settings, tmp_path: Path
) -> None:
    for shown in (True, False):
        app = KiteApp(settings.screen, MarketLink(), tmp_path)
        async with app.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            assert app.query_one(HintBar).display == shown
            await pilot.press("escape")
            await settle(pilot)
            assert not app.query_one(HintBar).display


async def test_what_is_said_of_keys_follows_the_settings(
    settings: Settings, tmp_path: Path
) -> None:
    changed = msgspec.structs.replace(settings.screen, keys={"alert.ack": "f2", "alert.undo": "U",
                                                             "alert.shelve": ""})  # fmt: skip
    app = KiteApp(changed, MarketLink(), tmp_path)
    async with app.run_test(size=(200, 50)) as pilot:
        await settle(pilot)
        told = str(app.query_one("#alerts").border_subtitle)
        assert "f2 ack" in told.lower() and "U undo" in told and "shelve" not in told
