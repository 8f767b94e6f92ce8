"""Pointing: what a click and the wheel do, where the mouse is wanted."""

from __future__ import annotations

import pytest
from textual import events

from kitetui.app import KiteApp
from kitetui.keys import PANES
from kitetui.settings import Settings
from kitetui.widgets.alerts import AlertsPane
from kitetui.widgets.live_pane import WHEEL_LINES, LivePane
from kitetui.widgets.watchlist import Watchlist
from tests.links import MarketLink
from tests.pilots import settle, until


@pytest.fixture
def app(settings: Settings) -> KiteApp:
    return KiteApp(settings.screen, MarketLink())


def roll(pane: LivePane, *, down: bool) -> None:
    """A notch of the wheel over a pane."""
    kind = events.MouseScrollDown if down else events.MouseScrollUp
    x, y = pane.region.offset
    pane.app.post_message(kind(None, x + 2, y + 2, 0, 0, 0, False, False, False))


async def test_a_click_goes_to_the_pane_and_to_the_row(app: KiteApp) -> None:
    async with app.run_test(size=(200, 50)) as pilot:
        await settle(pilot)
        watch, alerts = app.query_one(Watchlist), app.query_one(AlertsPane)
        await pilot.click(watch, offset=(4, 5))  # the border, the head, then rows
        assert app._active == "watchlist" and watch.cursor == watch.top + 3
        token = watch.token
        await settle(pilot)
        assert watch.plain[4].startswith("▸") and watch.token == token
        await pilot.click(alerts, offset=(4, 3))
        await until(pilot, lambda: app._active == "alerts")
        assert alerts.cursor_key == alerts.rows[1].key
        await pilot.click(alerts, offset=(4, 1))  # the head is no row
        assert alerts.cursor_key == alerts.rows[1].key


async def test_a_click_below_the_last_row_is_none(app: KiteApp) -> None:
    async with app.run_test(size=(200, 50)) as pilot:
        await settle(pilot)
        await pilot.press("4")
        await settle(pilot)
        streams = app.query_one("#streams", LivePane)
        before = streams.cursor_key  # type: ignore[attr-defined]
        await pilot.click(streams, offset=(4, streams.size.height))
        assert streams.cursor_key == before  # type: ignore[attr-defined]


async def test_the_wheel_goes_through_the_pane_under_it(app: KiteApp) -> None:
    async with app.run_test(size=(200, 50)) as pilot:
        await settle(pilot)
        watch = app.query_one(Watchlist)
        await pilot.press("6")
        before = watch.cursor
        roll(watch, down=True)
        await pilot.pause()
        assert watch.cursor == before + WHEEL_LINES and app._active == "alerts"
        roll(watch, down=False)
        roll(watch, down=False)
        await pilot.pause()
        assert watch.cursor == 0
        roll(app.query_one("#depth", LivePane), down=True)  # it has no lines to go through
        await settle(pilot)
        assert watch.cursor == 0


async def test_on_a_small_screen_tabs_and_the_strip_are_places_to_click(app: KiteApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        tabs = app.query_one("#tabs", LivePane)
        for name in PANES:
            word = f"{tabs.plain[0]} ".split(" ")[PANES.index(name)]
            x = f" {tabs.plain[0]}".index(f" {word} ")
            if x < 79:
                await pilot.click(tabs, offset=(x, 0))
                await until(pilot, lambda name=name: app._active == name)  # type: ignore[misc]
        await pilot.press("1")
        await settle(pilot)
        await pilot.click(app.query_one("#strip", LivePane), offset=(5, 0))
        await until(pilot, lambda: app._active == "alerts")
