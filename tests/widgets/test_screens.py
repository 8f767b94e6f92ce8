"""Whole screens beside their goldens: what changed is a difference of text."""

from __future__ import annotations

import pytest

from kitetui.app import KiteApp
from kitetui.layout import PRESETS
from kitetui.settings import Settings
from tests.widgets.screens import FOLDER, SIZES, drawn, name
from tests.widgets.test_states import StateLink, painted


@pytest.mark.parametrize("size", SIZES)
async def test_every_arrangement_is_drawn_as_it_was(
    settings: Settings, size: tuple[int, int]
) -> None:
    app = KiteApp(settings.screen, StateLink("live"))
    async with app.run_test(size=size) as pilot:
        await painted(app, pilot)
        await pilot.press("1", "j", "j", "j")
        for preset in PRESETS:
            kept = (FOLDER / name(preset, size)).read_text()
            told = "if that is meant: python -m tests.widgets.screens"
            assert await drawn(app, pilot, preset) == kept, told
