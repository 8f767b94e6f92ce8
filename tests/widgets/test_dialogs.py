"""Dialogs say all of what they have to say, on the smallest screen as well."""

from __future__ import annotations

import pytest
from textual.widgets import Static

from kitetui.app import KiteApp
from kitetui.settings import Settings
from kitetui.widgets.dialogs import ExplainScreen, ListScreen
from tests.widgets.test_states import StateLink, painted

LINES = (
    "P3 RELIANCE volume_spike 1m up, confidence 97 %",
    "raised 09:44:20; valid until 09:52; entry 1,412.10, target 1,417.40, stop 1,409.10",
    "",
    "  ratio 6.10: the volume of this bar against its usual one at this time of the day",
)


@pytest.mark.parametrize("columns", [80, 60, 200])
async def test_an_explanation_is_never_cut(settings: Settings, columns: int) -> None:
    app = KiteApp(settings.screen, StateLink("live"))
    async with app.run_test(size=(columns, 30)) as pilot:
        await painted(app, pilot)
        await app.push_screen(ExplainScreen(LINES))
        await pilot.pause()
        text = app.screen.query_one(Static)
        shown = [text.render_line(y).text for y in range(text.size.height)]
        assert text.region.right < columns * 0.95 and text.region.x > 0
        words = " ".join(" ".join(shown).split())
        for line in LINES:
            assert " ".join(line.split()) in words
        hung = next(line for line in shown if "1,409.10" in line)
        indent = len(hung) - len(hung.lstrip())
        assert (indent == 2) == (columns < 100), "what is left of a line stands further in"


async def test_a_list_is_never_cut(settings: Settings) -> None:
    app = KiteApp(settings.screen, StateLink("live"))
    async with app.run_test(size=(60, 30)) as pilot:
        await painted(app, pilot)
        await app.push_screen(ListScreen("entries of ticks:intraday:processed", LINES))
        await pilot.pause()
        text = app.screen.query_one("#found", Static)
        lines = text.app.screen.query_one("#lines").scrollable_content_region
        assert text.region.right <= lines.right
        shown = " ".join(text.render_line(y).text for y in range(text.size.height))
        for line in LINES:
            assert " ".join(line.split()) in " ".join(shown.split())
