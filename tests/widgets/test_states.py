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
