"""`make screenshots`: the README's pictures, SVG and PNG, from a seeded demo.

With a journal as argument, a picture of that day replayed: python -m tests.screenshots DAY.arrows
"""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import resvg_py

from kitetui.app import KiteApp
from kitetui.config import load
from kitetui.engine.feed.replay import Replay
from kitetui.link import LocalLink
from kitetui.places import places
from kitetui.run import Starter

FOLDER = Path(__file__).parents[1] / "screenshots"
WAIT_S = 60.0
MONO = "DejaVu Sans Mono"


async def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until the screen shows something."""
    for _ in range(int(WAIT_S * 10)):
        await asyncio.sleep(0.1)
        if condition():
            return
    raise TimeoutError("the screen never showed what was waited for")


def save(app: KiteApp, name: str) -> None:
    """The screen as SVG and PNG."""
    svg = app.export_screenshot(title="kitetui")
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.S)
    svg = svg.replace("Fira Code", MONO)
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.svg").write_text(svg)
    png = resvg_py.svg_to_bytes(svg_string=svg, width=2000)
    (FOLDER / f"{name}.png").write_bytes(bytes(png))
    print(FOLDER / f"{name}.png")


def alerts(app: KiteApp) -> int:
    """Alerts on the screen."""
    return app._snapshot.header.alerts if app._snapshot else 0


async def demo(size: tuple[int, int], take: Callable[[KiteApp, Any], Awaitable[None]]) -> None:
    """A seeded demo on a screen of some size."""
    with tempfile.TemporaryDirectory() as state:
        settings = load()
        starter = Starter(
            settings, places(Path(state), "default"), demo=True, replay=None, speed=None, seed=7,
            overrides=(), config_dir=None, linger=True,
        )  # fmt: skip
        await shoot(settings, starter, size, take)


async def shoot(settings: Any, starter: Starter, size: tuple[int, int],
                take: Callable[[KiteApp, Any], Awaitable[None]]) -> None:  # fmt: skip
    link = LocalLink(starter)
    app = KiteApp(settings.screen, link)
    try:
        async with app.run_test(size=size) as pilot:
            await take(app, pilot)
    finally:
        await asyncio.to_thread(link.stop)


async def wide(app: KiteApp, pilot: Any) -> None:
    await wait_for(lambda: alerts(app) > 0)
    await asyncio.sleep(8)
    save(app, "live-200x50")
    await pilot.press("6", "a")
    await asyncio.sleep(1.2)
    save(app, "acknowledged-200x50")
    await pilot.press("question_mark")
    await asyncio.sleep(0.5)
    save(app, "help-200x50")


async def narrow(app: KiteApp, pilot: Any) -> None:
    await wait_for(lambda: alerts(app) > 0)
    await pilot.press("2")
    await asyncio.sleep(3)
    save(app, "depth-80x24")
    await pilot.press("6")
    await asyncio.sleep(0.6)
    save(app, "alerts-80x24")
    await pilot.press("1")
    await asyncio.sleep(0.6)
    save(app, "watchlist-80x24")


async def middle(app: KiteApp, pilot: Any) -> None:
    await wait_for(lambda: alerts(app) > 0)
    await asyncio.sleep(2)
    save(app, "live-120x36")


async def replayed(path: Path) -> None:
    """A recorded day, played to its end."""

    async def take(app: KiteApp, pilot: Any) -> None:
        await wait_for(lambda: bool(app._snapshot) and app._snapshot.header.state == "REPLAYED")
        await pilot.press("down", "down")
        await asyncio.sleep(1)
        save(app, "replayed-day-200x50")

    with tempfile.TemporaryDirectory() as state:
        settings = load()
        starter = Starter(
            settings, places(Path(state), "default"), demo=False, replay=Replay((path,)),
            speed=None, seed=7, overrides=(), config_dir=None, linger=True,
        )  # fmt: skip
        await shoot(settings, starter, (200, 50), take)


async def main() -> None:
    if len(sys.argv) > 1:
        await replayed(Path(sys.argv[1]))
        return
    await demo((200, 50), wide)
    await demo((80, 24), narrow)
    await demo((120, 36), middle)


asyncio.run(main())
