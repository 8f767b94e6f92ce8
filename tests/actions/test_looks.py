"""The screen's looks: themes one after the other, ASCII, and a slow link."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from kitetui.app import KiteApp
from kitetui.settings import Settings
from kitetui.widgets.header import HeaderBar
from kitetui.widgets.palette import PALETTES, styles
from tests.links import MarketLink, PictureLink


def drawn(app: KiteApp) -> str:
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


def changed(settings: Settings, **changes: Any) -> Any:
    return msgspec.structs.replace(settings.screen, **changes)


async def test_t_goes_through_all_themes_and_panes_take_them(settings: Settings) -> None:
    app = KiteApp(settings.screen, PictureLink())
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause(0.3)
        seen = []
        for _ in PALETTES:
            seen.append(app.theme)
            (first, *_), names = app.query_one(HeaderBar).render_line(0), styles(app.theme)
            assert first.style is not None and first.style.bgcolor == names["badge"].bgcolor
            await pilot.press("t")
            await pilot.pause(0.1)
        assert seen == list(PALETTES) and app.theme == seen[0]


@pytest.mark.parametrize("size", [(200, 50), (120, 36), (80, 24)])
async def test_in_ascii_nothing_else_is_drawn(settings: Settings, size: tuple[int, int]) -> None:
    app = KiteApp(changed(settings, ascii=True), PictureLink())
    async with app.run_test(size=size) as pilot:
        await pilot.pause(0.5)
        for key in ("1", "2", "3", "4", "5", "6", "7", "8", "9", "0", "question_mark"):
            await pilot.press(key)
            await pilot.pause(0.3)
            odd = {char for char in drawn(app) if not char.isascii()}
            assert odd == set(), key


async def test_without_colour_the_theme_is_mono(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = KiteApp(settings.screen, PictureLink())
    async with app.run_test(size=(80, 24)):
        assert app.theme == "mono"


async def test_a_slow_link_is_spared_trends_and_ages_and_the_header_says_so(
    settings: Settings,
) -> None:
    app = KiteApp(changed(settings, lite="always"), MarketLink())
    async with app.run_test(size=(200, 50)) as pilot:
        await pilot.pause(1.5)
        text = drawn(app)
        assert "ui 1Hz lite" in text and "<10s" in text
        made = app.frames
        await pilot.pause(2.1)
        assert app.frames - made <= 3


async def test_a_price_that_changed_is_bold_for_one_frame(settings: Settings) -> None:
    link = PictureLink()
    for flash in (True, False):
        app = KiteApp(changed(settings, flash=flash, hz=10), link)
        async with app.run_test(size=(200, 50)) as pilot:
            await pilot.pause(0.3)
            watch = link.picture.watch
            moved = msgspec.structs.replace(watch[2], ltp=watch[2].ltp + 1)
            link.picture = msgspec.structs.replace(
                link.picture, watch=(*watch[:2], moved, *watch[3:])
            )
            pane = app.query_one("#watchlist")
            bold = 0
            for _ in range(30):
                await pilot.pause(0.02)
                bold += any(
                    seg.style is not None and bool(seg.style.bold) for seg in pane.render_line(3)
                )
            assert (0 < bold < 15) if flash else bold == 0
