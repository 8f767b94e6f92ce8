"""Every pane in every state: it says what is the matter, and draws within its cells."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import msgspec
import pytest
from rich.cells import cell_len

from kitetui.app import KiteApp
from kitetui.engine.snapshot import Snapshot, View
from kitetui.keys import PANES
from kitetui.settings import Settings
from tests.links import MarketLink, answered
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
