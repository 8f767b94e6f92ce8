"""The banner: there only while what is shown cannot be trusted."""

from __future__ import annotations

import pytest

from kitetui.widgets.banner import Banner
from tests.widgets import views
from tests.widgets.test_panes import staged, text


@pytest.mark.parametrize(
    ("state", "words"),
    [("AUTH_EXPIRED", "LOG IN"), ("REFUSED", "REFUSED"), ("RECONNECTING", "FEED LOST"),
     ("STALE", "FEED SILENT")],
)  # fmt: skip
@pytest.mark.parametrize("columns", [80, 200])
async def test_it_says_what_is_wrong_since_when_and_what_to_do(
    state: str, words: str, columns: int
) -> None:
    async with staged(Banner(), columns, 1) as banner:
        wrong = views.header(state=state, reason="why")
        banner.show_header(wrong, 100.0, frozen=False, key="F")
        assert banner.display and words in text(banner) and len(text(banner)) <= columns
        banner.show_header(wrong, 131.0, frozen=True, key="F")
        assert f"{words} 30s" in text(banner), "trouble goes before what was held"
        old = views.header(login="the access token is yesterday's")
        banner.show_header(old, 135.0, frozen=False, key="F")
        assert "TOKEN" in banner.plain[0] and "run kitetui login" in banner.plain[0]
        banner.show_header(views.header(), 140.0, frozen=False, key="F")
        assert not banner.display


async def test_a_screen_that_comes_later_says_since_when_nothing_came() -> None:
    async with staged(Banner(), 80, 1) as banner:
        silent = views.header(state="STALE", frame_age_s=600.0)
        banner.show_header(silent, 100.0, frozen=False, key="F")
        assert "FEED SILENT 10m" in text(banner)


async def test_held_panes_say_which_key_lets_them_go_on() -> None:
    async with staged(Banner(), 80, 1) as banner:
        banner.show_header(views.header(), 5.0, frozen=True, key="F2")
        banner.show_header(views.header(), 65.0, frozen=True, key="F2")
        assert "FROZEN 60s" in text(banner) and "F2 lets the panes" in text(banner)
