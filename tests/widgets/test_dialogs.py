"""Dialogs say all of what they have to say, on the smallest screen as well."""

from __future__ import annotations

from concurrent.futures import Future

import msgspec
import pytest
from textual.widgets import Static

from kitetui.app import KiteApp
from kitetui.engine.snapshot import Snapshot, View
from kitetui.settings import Settings
from kitetui.widgets.dialogs import ExplainScreen, ListScreen
from tests.links import answered
from tests.widgets.test_states import StateLink, painted

LINES = (
    "P3 RELIANCE volume_spike 1m up, confidence 97 %",
    "raised 09:44:20; valid until 09:52; entry 1,412.10, target 1,417.40, stop 1,409.10",
    "",
    "  ratio 6.10: the volume of this bar against its usual one at this time of the day",
    "a line of the sixty-four cells that the engine breaks its own at",
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


@pytest.mark.parametrize(
    ("size", "pane"),
    [((80, 24), "depth"), ((80, 24), "alerts"), ((120, 35), "depth"), ((200, 50), "chart")],
)
@pytest.mark.parametrize("tour", [False, True])
async def test_what_is_told_for_a_moment_lies_on_a_border(
    settings: Settings, size: tuple[int, int], pane: str, tour: bool
) -> None:
    app = KiteApp(settings.screen, StateLink("live"))
    async with app.run_test(size=size, notifications=True) as pilot:
        app.action_pane(pane)
        await painted(app, pilot)
        app._base.set_class(tour, "-hint")
        await painted(app, pilot)
        before = [strip.text for strip in app.screen._compositor.render_strips()]
        app.notify("acknowledged SYM0: u takes it back", markup=False)
        await pilot.pause(0.5)
        after = [strip.text for strip in app.screen._compositor.render_strips()]
        hidden = [old for old, new in zip(before, after, strict=True) if "takes it back" in new]
        assert len(hidden) == 1 and hidden[0][:1] in "┗╰"
        assert "acknowledged SYM0: u takes it back" in after[before.index(hidden[0])]


class NamedLink(StateLink):
    """Every search finds an instrument with a name that looks like markup."""

    def snapshot(self, wanted: View) -> Future[Snapshot]:
        picture = super().snapshot(wanted).result()
        return answered(msgspec.structs.replace(picture, found=(("X[/b]Y[red]", 1),)))


async def test_a_symbol_is_no_markup_in_the_palette(settings: Settings) -> None:
    app = KiteApp(settings.screen, NamedLink("live"))
    async with app.run_test(size=(80, 24)) as pilot:
        await painted(app, pilot)
        await pilot.press("colon", "x", "y")
        for _ in range(40):
            await pilot.pause(0.05)
            shown = "\n".join(strip.text for strip in app.screen._compositor.render_strips())
            if "X[/b]Y[red]" in shown:
                break
        assert "X[/b]Y[red]" in shown
