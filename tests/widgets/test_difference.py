"""A held pane beside what it is now: exactly what differs is marked."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from kitetui.app import KiteApp
from kitetui.settings import Settings
from kitetui.widgets.difference import CHANGED, count, marked
from kitetui.widgets.lines import Line
from kitetui.widgets.live_pane import LivePane
from tests.links import MarketLink
from tests.widgets import views

LINES = st.lists(
    st.lists(st.tuples(st.text("ab 12", max_size=4), st.sampled_from(["", "bid"])), max_size=4).map(
        tuple
    ),
    max_size=4,
)


@given(LINES, LINES)
def test_the_text_is_the_later_one_s_and_only_what_differs_is_marked(
    before: list[Line], after: list[Line]
) -> None:
    told = marked(before, after)
    assert ["".join(t for t, _ in line) for line in told] == [
        "".join(t for t, _ in line) for line in after
    ]
    assert all(style != CHANGED for line in marked(after, after) for _, style in line)
    for old, line in zip(before, told, strict=False):
        was = "".join(t for t, _ in old)
        at = 0
        for text, style in line:
            for char in text:
                same = (at < len(was) and was[at] == char) or char == " "
                assert (style == CHANGED) != same
                at += 1
    assert count(before, before) == 0


async def test_a_held_pane_is_compared_and_goes_back(settings: Settings) -> None:
    link = MarketLink()
    app = KiteApp(settings.screen, link)
    async with app.run_test(size=(200, 50)) as pilot:
        await pilot.pause(0.4)
        pane = app.query_one("#depth", LivePane)
        await pilot.press("1", "j", "j", "j", "2", "equals_sign")
        await pilot.pause(0.4)
        assert not pane.comparing, "nothing is held yet"
        await pilot.press("space")
        held = list(pane.plain)
        assert str(pane.border_title).startswith("❚❚ 2 Depth RELIANCE")
        await pilot.press("1", "j", "2")
        await pilot.pause(0.5)
        assert pane.plain == held
        await pilot.press("equals_sign")
        await pilot.pause(0.4)
        now = pane.plain
        assert now != held
        styles = {name for line in pane._lines for _, name in line}
        assert CHANGED in styles
        await pilot.press("equals_sign")
        await pilot.pause(0.2)
        assert pane.plain == held
        await pilot.press("space")
        await pilot.pause(0.4)
        assert pane.plain == now and "HDFCBANK" in str(pane.border_title)


async def test_a_held_grid_is_compared_too(settings: Settings) -> None:
    link = MarketLink()
    app = KiteApp(settings.screen, link)
    async with app.run_test(size=(200, 50)) as pilot:
        await pilot.pause(0.4)
        pane = app.query_one("#lag", LivePane)
        await pilot.press("5", "space")
        held = list(pane.plain)
        groups = tuple(
            msgspec.structs.replace(g, lag=(g.lag or 0) + 77) for g in views.snapshot().groups
        )
        link.picture = msgspec.structs.replace(link.picture, groups=groups)
        await pilot.pause(0.5)
        assert pane.plain == held
        await pilot.press("equals_sign")
        await pilot.pause(0.2)
        assert "77" in "".join(pane.plain) and pane.plain != held
        await pilot.press("F", "F")
        await pilot.pause(0.5)
        assert "77" in "".join(pane.plain) and not pane.frozen
