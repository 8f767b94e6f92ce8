"""The alert queue beside other panes: what is seen of it, and which alert keys mean."""

from __future__ import annotations

import pytest
from textual import events

from kitetui.app import KiteApp
from kitetui.settings import Settings
from kitetui.widgets.alerts import AlertsPane
from tests.links import DeskLink
from tests.pilots import settle, until
from tests.widgets import views

LARGE = (200, 50)


@pytest.fixture(autouse=True)
def _settles_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kitetui.widgets.live_grid.SETTLE_S", 0.05)


@pytest.fixture
def link() -> DeskLink:
    return DeskLink(alerts=25)


@pytest.fixture
def app(settings: Settings, link: DeskLink) -> KiteApp:
    return KiteApp(settings.screen, link)


@pytest.mark.parametrize("interruption", ["a prompt", "another window"])
async def test_an_interruption_leaves_the_cursor_where_it_was(
    app: KiteApp, link: DeskLink, interruption: str
) -> None:
    async with app.run_test(size=LARGE) as pilot:
        await settle(pilot)
        queue = app.query_one(AlertsPane)
        await pilot.press("6", *["j"] * 20)
        here = queue.cursor_key
        if interruption == "a prompt":
            await pilot.press("slash")
        else:
            app.post_message(events.AppBlur())
        await until(pilot, lambda: not queue.has_focus)
        link.desk.raise_alert(views.alert(99))
        await settle(pilot)
        assert queue.cursor_key == here and "1 new" in str(queue.border_title)
        assert any("▸" in line for line in queue.plain)


async def test_from_elsewhere_one_after_the_other_is_acknowledged(
    app: KiteApp, link: DeskLink
) -> None:
    async with app.run_test(size=LARGE) as pilot:
        await pilot.press("2")
        await settle(pilot)
        for left in (24, 23, 22):
            await pilot.press("a")
            await settle(pilot)
            assert link.desk.unacked == left


async def test_marked_alerts_stay_in_sight(app: KiteApp, link: DeskLink) -> None:
    async with app.run_test(size=LARGE) as pilot:
        await settle(pilot)
        await pilot.press("6", *["j"] * 20, "m", "2")
        await settle(pilot)
        queue = app.query_one(AlertsPane)
        assert any("◆" in line for line in queue.plain)
        await pilot.press("a")
        await settle(pilot)
        assert link.desk.unacked == 24
        assert "SYM0 " in queue.plain[1], "the top again, once nothing is marked"


async def test_nothing_is_done_with_alerts_that_are_not_those_on_the_screen(
    app: KiteApp, link: DeskLink
) -> None:
    async with app.run_test(size=LARGE) as pilot:
        await settle(pilot)
        await pilot.press("6", "m", "space")
        for n in range(40, 55):
            link.desk.raise_alert(views.alert(n))
        await settle(pilot)
        await pilot.press("equals_sign")
        before = link.desk.unacked
        for key in ("a", "A", "y", "x", "1"):
            await pilot.press(key)
            await settle(pilot)
        assert link.desk.unacked == before
        await pilot.press("6", "equals_sign", "a")
        await settle(pilot)
        assert link.desk.unacked == before - 1


async def test_a_held_queue_shows_which_alert_is_meant_and_keeps_its_rows(
    app: KiteApp, link: DeskLink
) -> None:
    async with app.run_test(size=LARGE) as pilot:
        await settle(pilot)
        await pilot.press("6", *["j"] * 20, "space", "2")
        await settle(pilot)
        queue = app.query_one(AlertsPane)
        here, (meant,) = queue.cursor_key, [line for line in queue.plain if "▸" in line]
        await pilot.resize_terminal(198, 50)
        await settle(pilot)
        assert queue.cursor_key == here
        (now,) = [line for line in queue.plain if "▸" in line]
        assert now.split()[:4] == meant.split()[:4]
        await pilot.press("a")
        await settle(pilot)
        assert link.desk.get(str(here)).state == "acked"  # type: ignore[union-attr]
