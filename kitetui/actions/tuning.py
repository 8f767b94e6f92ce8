"""Thresholds by keys: one is chosen, its value typed, and the engine goes by it."""

from __future__ import annotations

from textual import work

from kitetui.actions.engine import EngineActions
from kitetui.engine.commands import Tune, Untune
from kitetui.engine.snapshot import View
from kitetui.sentences import sentence
from kitetui.widgets.dialogs import PromptScreen
from kitetui.widgets.safe_text import clean
from kitetui.widgets.thresholds import UNDO, ThresholdsScreen

FILES = "files"
"""What is typed to have a threshold as the files have it."""


class TuneActions(EngineActions):
    """Keys of thresholds."""

    @work
    async def action_tune(self) -> None:
        """Have thresholds changed, one after the other, until it is left."""
        wanted = ""
        while (picture := await self._picture(View(thresholds=True))) is not None:
            key = await self.push_screen_wait(ThresholdsScreen(picture.thresholds, wanted))
            if not key:
                return
            if key == UNDO:
                await self._send(Untune(self._actor))
                continue
            one = next(one for one in picture.thresholds if one.key == key)
            value = await self.push_screen_wait(PromptScreen(
                f"{key}: {one.value}{f', by {clean(one.actor)}' if one.actor else ''}", one.value,
                f"{sentence(key) or 'nothing is told of it'}\n\n"
                f"The files have {one.of_files}; type {FILES} to go back to it",
            ))  # fmt: skip
            if value is None:  # ctrl+c leaves all of it
                return
            if value.strip():
                wanted = key.split(".")[1]
                typed = "" if value.strip() == FILES else value
                await self._send(Tune(key, typed, self._actor))
