"""Whole screens as text, for the goldens: python -m tests.widgets.screens writes them anew."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

from kitetui.app import KiteApp
from kitetui.config import load
from kitetui.layout import PRESETS
from tests.widgets.test_states import StateLink, painted

FOLDER = Path(__file__).parents[1] / "golden" / "ours" / "screens"
SIZES = ((200, 50), (120, 35), (80, 24))
_OWN = re.compile(r"ui \d+Hz.*")
_STAGE = re.compile(r"(asked to answered|one frame)(?: +[\d.]+){4}(?: !|  )")
"""The screen's own cost, which is never twice the same."""


def name(preset: str, size: tuple[int, int]) -> str:
    return f"{preset}-{size[0]}x{size[1]}.txt"


async def drawn(app: KiteApp, pilot: Any, preset: str) -> str:
    """An arrangement, line by line."""
    app.action_preset(preset)
    app.clear_notifications()
    await pilot.pause(0.1)
    await painted(app, pilot)
    lines = [strip.text.rstrip() for strip in app.screen._compositor.render_strips()]
    text = _STAGE.sub(lambda told: f"{told[1]:{len(told[0])}}", "\n".join(lines))
    return _OWN.sub("ui", text) + "\n"


async def write() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for size in SIZES:
        app = KiteApp(load().screen, StateLink("live"))
        async with app.run_test(size=size) as pilot:
            await painted(app, pilot)
            await pilot.press("1", "j", "j", "j")
            for preset in PRESETS:
                (FOLDER / name(preset, size)).write_text(await drawn(app, pilot, preset))


if __name__ == "__main__":
    asyncio.run(write())
