"""Every pane in every state: it says what is the matter, and draws within its cells."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import msgspec
import pytest
from rich.cells import cell_len

from kitetui.app import KiteApp
from kitetui.engine import snapshot as view
from kitetui.engine.snapshot import Priority, Snapshot, View
from kitetui.keys import PANES
from kitetui.settings import Settings
from kitetui.widgets.alerts import AlertsPane
from kitetui.widgets.buckets import BucketsPane
from kitetui.widgets.numbers import moment
from kitetui.widgets.watchlist import Watchlist
from tests.links import MarketLink, PictureLink, answered
from tests.widgets import views
from tests.widgets.states import STATES, furnished, picture

WORDS = {
    "empty": {"watchlist": "waiting for instruments", "depth": "waiting for the first packet",
              "buckets": "no trades since open", "streams": "no streams yet",
              "lag": "no consumer group", "alerts": "all clear", "events": "nothing yet",
              "scoreboard": "no outcome yet", "news": "no headline yet", "chart": "no bar yet",
              "chain": "no options of this instrument", "latency": "nothing came in yet"},
    "stale": {"watchlist": "!", "depth": "40s", "streams": "⚠ age 9s"},
    "lost": {"streams": "⚠ Connection refused", "server": "Connection refused"},
    "quote": {"depth": "no depth: mode=quote"},
    "circuit": {"depth": "no asks: upper circuit?"},
    "flood": {"alerts": "FLOOD since"},
}  # fmt: skip
"""What a pane must say in a state."""
OLD = ("stale", "lost", "expired")
OF_THE_MARKET = ("depth", "buckets", "chart", "chain")
"""Panes that are dimmed as a whole in these; the watchlist is by its lines."""


class StateLink(MarketLink):
    """A market that stands still, in one of the states."""

    def __init__(self, state: str) -> None:
        super().__init__()
        self.state = state
        symbols = [i.symbol for i in self.observer.pipeline.market.rows.instruments]
        self._index = symbols.index("NIFTY 50")

    def snapshot(self, wanted: View) -> Future[Snapshot]:
        live = super().snapshot(wanted).result()
        if wanted.chain:
            live = msgspec.structs.replace(live, chain=self.observer.chains.of(self._index, 0))
        return answered(picture(self.state, furnished(live)))


async def painted(app: KiteApp, pilot: Any) -> None:
    """Two frames later: the first may still have found the pane without a size."""
    for _ in range(2):
        made = app.frames
        app._soon()
        for _ in range(200):
            await pilot.pause(0.01)
            if app.frames > made:
                break
    await pilot.pause()


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("size", [(200, 50), (120, 35), (80, 24)])
async def test_every_pane_says_what_is_the_matter(
    settings: Settings, state: str, size: tuple[int, int]
) -> None:
    app = KiteApp(settings.screen, StateLink(state))
    async with app.run_test(size=size) as pilot:
        await pilot.pause(0.3)
        await pilot.press("1", "j", "j", "j")
        for name in PANES:
            app.action_pane(name)
            await painted(app, pilot)
            pane = app._pane(name)
            said = "\n".join([str(pane.border_title), *pane.plain, str(pane.border_subtitle)])
            assert WORDS.get(state, {}).get(name, "") in said, (name, said)
            assert "".join(pane.plain).strip(), f"{name} says nothing"
            if name in OF_THE_MARKET:
                assert pane.stale == (state in OLD), name
            for strip in app.screen._compositor.render_strips():
                assert cell_len(strip.text) == size[0]


@pytest.mark.parametrize("size", [(120, 35), (80, 24), (160, 40)])
async def test_a_pane_that_is_held_fits_another_size(
    settings: Settings, size: tuple[int, int]
) -> None:
    app = KiteApp(settings.screen, StateLink("live"))
    async with app.run_test(size=(200, 50)) as pilot:
        await pilot.pause(0.3)
        for name in sorted(set(PANES) - {"latency"}):  # it tells its own figures, which go on
            app.action_pane(name)
            await painted(app, pilot)
            app.action_freeze()
            before = app._pane(name).size
            await pilot.resize_terminal(*size)
            app.action_pane(name)
            await painted(app, pilot)
            pane = app._pane(name)
            held, title = list(pane.plain), str(pane.border_title)
            app.action_freeze()
            await painted(app, pilot)
            more = pane.size.width > before.width or pane.size.height > before.height
            if more and name in ("chart", "watchlist"):  # there would be more to ask for
                assert len(held) <= pane.size.height
            else:
                assert held == pane.plain, name
            assert title == f"❚❚ {pane.border_title}"
            await pilot.resize_terminal(200, 50)


async def test_a_pane_first_seen_while_all_is_held_shows_what_there_is(settings: Settings) -> None:
    app = KiteApp(settings.screen, StateLink("live"))
    async with app.run_test(size=(80, 24)) as pilot:
        await painted(app, pilot)
        await pilot.press("F", "9")
        await painted(app, pilot)
        news = app._pane("news")
        assert "profit beats hopes" in "\n".join(news.plain) and news.border_title == "❚❚ 9 News"


async def test_a_held_watchlist_that_shrinks_keeps_its_cursor_in_sight(settings: Settings) -> None:
    app = KiteApp(settings.screen, StateLink("live"))
    async with app.run_test(size=(200, 50)) as pilot:
        await painted(app, pilot)
        await pilot.press("1")
        await painted(app, pilot)
        watchlist = app._pane("watchlist")
        assert isinstance(watchlist, Watchlist)
        for _ in range(watchlist.page - 1):
            watchlist.move(1)
        await painted(app, pilot)
        here = watchlist.symbol
        await pilot.press("space")
        await pilot.resize_terminal(80, 24)
        await painted(app, pilot)
        marked = [line for line in watchlist.plain if line.startswith("▸")]
        assert len(marked) == 1 and here in marked[0] and here in watchlist.line_here


async def test_what_came_while_the_queue_was_away_is_in_it_when_it_is_back(
    settings: Settings,
) -> None:
    link = PictureLink()
    app = KiteApp(settings.screen, link)
    old, urgent = views.alert(1), views.alert(0, priority=Priority.P1)
    link.picture = views.snapshot(alerts=(old,))
    async with app.run_test(size=(80, 24)) as pilot:
        await painted(app, pilot)
        await pilot.press("6")
        await painted(app, pilot)
        await pilot.press("1")
        await painted(app, pilot)
        link.picture = views.snapshot(alerts=(urgent, old))
        await painted(app, pilot)
        await pilot.press("6")
        await painted(app, pilot)
        shown = "\n".join(app._pane("alerts").plain)
        assert urgent.symbol in shown and old.symbol in shown


class AskedLink(StateLink):
    """News and buckets as many as are asked for."""

    def snapshot(self, wanted: View) -> Future[Snapshot]:
        picture = super().snapshot(wanted).result()
        return answered(msgspec.structs.replace(picture, news=picture.news[: wanted.news]))


@pytest.mark.parametrize(("pane", "least"), [("9", 3), ("3", 6), ("1", 10)])
async def test_a_pane_first_seen_while_all_is_held_is_full(
    settings: Settings, pane: str, least: int
) -> None:
    app = KiteApp(settings.screen, AskedLink("live"))
    async with app.run_test(size=(80, 24)) as pilot:
        await painted(app, pilot)
        await pilot.press("1", "j", "j", "j", "2")
        await painted(app, pilot)
        await pilot.press("F", pane)
        await painted(app, pilot)
        await painted(app, pilot)
        shown = app._pane(app._active)
        assert shown.frozen and sum(bool(line.strip()) for line in shown.plain) >= least


@pytest.mark.parametrize(
    ("pane", "keys"), [("3", "L"), ("2", "L"), ("1", "s"), ("1", "c"), ("6", "m")]
)
async def test_a_held_pane_is_not_had_in_another_way(
    settings: Settings, pane: str, keys: str
) -> None:
    app = KiteApp(settings.screen, StateLink("live"))
    async with app.run_test(size=(120, 35)) as pilot:
        await painted(app, pilot)
        await pilot.press(pane)
        await painted(app, pilot)
        await pilot.press("space", keys)
        await painted(app, pilot)
        held = app._pane(app._active)
        before = list(held.plain), str(held.border_title)
        await pilot.resize_terminal(100, 35)
        await pilot.resize_terminal(120, 35)
        await painted(app, pilot)
        assert (list(held.plain), str(held.border_title)) == before
        assert isinstance(app._pane("buckets"), BucketsPane) and app._pane("buckets").kind == "time"


async def test_a_held_queue_goes_on_with_the_rows_that_keys_mean(settings: Settings) -> None:
    link = PictureLink()
    app = KiteApp(settings.screen, link)
    link.picture = views.snapshot(alerts=(views.alert(1),), flood=view.Flood(active=True))
    async with app.run_test(size=(120, 35)) as pilot:
        await painted(app, pilot)
        await pilot.press("6", "space")
        pane = app._pane("alerts")
        assert isinstance(pane, AlertsPane)
        link.picture = views.snapshot(
            alerts=(views.alert(0), views.alert(1)), flood=view.Flood(active=True)
        )
        await painted(app, pilot)
        await pilot.press("equals_sign")
        assert any("FLOOD" in line for line in pane.plain)
        await pilot.press("equals_sign")
        pane.freeze(False)
        drawn = sum("volume_spike" in line for line in pane.plain)
        assert drawn == len(pane.rows) == 1


def test_a_headline_of_another_day_tells_the_day() -> None:
    now_s = views.NOW_S
    told = [moment(at_s, now_s) for at_s in (now_s - 60, now_s - 86_400, 0)]
    assert told == ["09:44", "14Dec", "--:--"]


async def test_who_leaves_while_the_focus_goes_on_sees_no_traceback(settings: Settings) -> None:
    app = KiteApp(settings.screen, StateLink("live"))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause(0.4)
        for pane in PANES:
            app.action_pane(pane)
