"""`make screenshots`: pictures of every arrangement, pane and state, in three themes.

Arrangements and panes are those of one seeded demo, states those of a seeded market that stands
still. With a journal as argument, a picture of that day replayed:
python -m tests.screenshots DAY.arrows
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import resvg_py

from kitetui.app import KiteApp
from kitetui.cli.options import Asked
from kitetui.config import load
from kitetui.engine.feed.replay import Replay
from kitetui.keys import PANES
from kitetui.layout import PRESETS
from kitetui.link import LocalLink
from kitetui.run import Starter
from tests.widgets.states import STATES
from tests.widgets.test_states import StateLink, painted

FOLDER = Path(__file__).parents[1] / "screenshots"
GALLERY = FOLDER / "gallery"
THEMES = ("kite-cb", "light", "high-contrast")
WIDE, MID, NARROW = (200, 50), (120, 35), (80, 24)
WAIT_S = 90.0
MONO = "DejaVu Sans Mono"
ALERTS = 6
"""So many are waited for before the first picture."""
STOCK, INDEX = "RELIANCE", "NIFTY BANK"
"""What is looked at: a stock has a book and a volume, an index an option chain."""


AS_PNG: list[Path] = []


async def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until the screen shows something."""
    for _ in range(int(WAIT_S * 10)):
        await asyncio.sleep(0.1)
        if condition():
            return
    raise TimeoutError("the screen never showed what was waited for")


def small(svg: str) -> str:
    """A picture without what makes it large and is not seen."""
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.S)
    svg = re.sub(r"terminal-\d+", "terminal", svg.replace("Fira Code", MONO))
    svg = re.sub(r'<clipPath id="[^"]*-line-\d+">.*?</clipPath>\s*', "", svg, flags=re.S)
    svg = re.sub(r' clip-path="url\(#[^"]*-line-\d+\)"', "", svg)
    edges = ' shape-rendering="crispEdges"'
    return svg.replace(edges, "").replace("<g transform", f"<g{edges} transform")


def save(app: KiteApp, path: Path, *, png: bool) -> None:
    """The screen as SVG, and as PNG at the end: half a second of it is nobody else's."""
    svg = small(app.export_screenshot(title="kitetui"))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".svg").write_text(svg)
    if png:
        AS_PNG.append(path)
    print(path.with_suffix(".svg"))


def draw() -> None:
    """The PNGs of pictures that are to have one."""
    for path in AS_PNG:
        svg = path.with_suffix(".svg").read_text()
        made = resvg_py.svg_to_bytes(svg_string=svg, width=2000)
        path.with_suffix(".png").write_bytes(bytes(made))


async def sized(app: KiteApp, pilot: Any, size: tuple[int, int]) -> str:
    """Give the terminal another size; its name."""
    await pilot.resize_terminal(*size)
    await painted(app, pilot)
    return f"{size[0]}x{size[1]}"


async def look_at(app: KiteApp, symbol: str) -> None:
    """Put the cursor on an instrument of the demo, once the panes beside it are about it."""

    def token() -> int:
        rows = app._snapshot.watch if app._snapshot else ()
        return next((row.token for row in rows if row.symbol == symbol), 0)

    await wait_for(lambda: token() > 0)
    wanted = token()
    app.go_to_instrument(wanted)
    await wait_for(lambda: app._snapshot is not None and app._snapshot.focus == wanted)


async def arrangements(app: KiteApp, pilot: Any) -> None:
    """Every arrangement and every pane of a demo, in every theme."""
    await wait_for(lambda: bool(app._snapshot) and app._snapshot.header.alerts >= ALERTS)
    await pilot.press("1")
    for theme in THEMES:
        app.theme = theme
        for size in (WIDE, MID):
            name = await sized(app, pilot, size)
            for preset in PRESETS:
                app.action_preset("trade")
                await look_at(app, INDEX if preset == "options" else STOCK)
                app.action_preset(preset)
                app.clear_notifications()
                await painted(app, pilot)
                await asyncio.sleep(0.6)
                save(app, GALLERY / f"layout-{preset}-{name}-{theme}", png=False)
        app.action_preset("trade")
        name = await sized(app, pilot, NARROW)
        for pane in PANES:
            app.action_pane("watchlist")
            await look_at(app, INDEX if pane == "chain" else STOCK)
            app.action_pane(pane)
            app.clear_notifications()
            await painted(app, pilot)
            await asyncio.sleep(0.6)
            save(app, GALLERY / f"pane-{pane}-{name}-{theme}", png=False)


async def readme(app: KiteApp, pilot: Any) -> None:
    """The README's own."""
    app.theme = THEMES[0]
    wide = await sized(app, pilot, WIDE)
    for preset in ("trade", "options", "replay", "redis"):
        app.action_preset("trade")
        await look_at(app, INDEX if preset == "options" else STOCK)
        app.action_preset(preset)
        app.clear_notifications()
        await painted(app, pilot)
        await asyncio.sleep(1)
        save(app, FOLDER / f"{preset}-{wide}", png=True)
    app.action_preset("trade")
    await look_at(app, STOCK)
    await pilot.press("6", "a")
    await asyncio.sleep(1.2)
    save(app, FOLDER / f"acknowledged-{wide}", png=True)
    await pilot.press("question_mark")
    await asyncio.sleep(0.5)
    save(app, FOLDER / f"help-{wide}", png=True)
    await pilot.press("escape", "colon", *"nif")
    await asyncio.sleep(1)
    save(app, FOLDER / f"palette-{wide}", png=True)
    await pilot.press("escape")
    app.clear_notifications()
    save_mid = await sized(app, pilot, MID)
    save(app, FOLDER / f"trade-{save_mid}", png=True)
    narrow = await sized(app, pilot, NARROW)
    for pane in ("depth", "alerts", "chart", "watchlist"):
        app.action_pane(pane)
        await painted(app, pilot)
        await asyncio.sleep(0.6)
        save(app, FOLDER / f"{pane}-{narrow}", png=True)


async def states() -> None:
    """Every pane in every state, at every size, in every theme."""
    settings = load()
    for state in STATES:
        app = KiteApp(settings.screen, StateLink(state))
        async with app.run_test(size=WIDE) as pilot:
            await painted(app, pilot)
            await pilot.press("1", "j", "j", "j")
            for theme, size in product(THEMES, (WIDE, MID, NARROW)):
                app.theme = theme
                name = await sized(app, pilot, size)
                for view in every_pane(app):
                    await painted(app, pilot)
                    if state == "frozen":
                        app.action_freeze_all()
                        await painted(app, pilot)
                    save(app, GALLERY / f"state-{state}-{view}-{name}-{theme}", png=False)
                    if state == "frozen":
                        app.action_freeze_all()


def every_pane(app: KiteApp) -> Iterator[str]:
    """Arrange the screen until each pane was seen; what is shown: an arrangement, or a pane."""
    app._guests.clear()
    left = set(PANES)
    for preset in PRESETS if app._layout.kind != "narrow" else ():
        app.action_preset(preset)
        if left & set(app._layout.panes):
            yield preset
            left -= set(app._layout.panes)
    app.action_preset("trade")
    for pane in PANES:
        if pane in left:
            app.action_pane(pane)
            yield pane


@contextlib.asynccontextmanager
async def shown(replay: Replay | None) -> AsyncIterator[tuple[KiteApp, Any]]:
    """A screen on a seeded demo, or on a recorded day."""
    with tempfile.TemporaryDirectory() as state:
        asked = Asked(None, Path(state), "default", ())
        starter = Starter(load(), asked.places, asked, demo=replay is None, replay=replay,
                          speed=None, seed=7, linger=True)  # fmt: skip
        link = LocalLink(starter)
        app = KiteApp(starter.settings.screen, link)
        try:
            async with app.run_test(size=WIDE) as pilot:
                yield app, pilot
        finally:
            await asyncio.to_thread(link.stop)


async def demo() -> None:
    """One seeded demo, pictured in every way."""
    async with shown(None) as (app, pilot):
        await arrangements(app, pilot)
        await readme(app, pilot)


async def replayed(path: Path) -> None:
    """A recorded day, played to its end."""
    async with shown(Replay((path,))) as (app, pilot):
        await wait_for(lambda: bool(app._snapshot) and app._snapshot.header.state == "REPLAYED")
        await pilot.press("down", "down")
        await asyncio.sleep(1)
        save(app, FOLDER / "replayed-day-200x50", png=True)


async def main() -> None:
    if len(sys.argv) > 1:
        await replayed(Path(sys.argv[1]))
        return
    shutil.rmtree(GALLERY, ignore_errors=True)
    await states()
    await demo()


if __name__ == "__main__":
    asyncio.run(main())
    draw()
