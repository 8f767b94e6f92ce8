"""The player by keys: hold, step, faster, slower, and to a time of the day."""

from __future__ import annotations

from typing import Literal

from textual import work

from kitetui.actions.engine import EngineActions
from kitetui.engine.commands import Play
from kitetui.widgets.dialogs import PromptScreen


class ReplayActions(EngineActions):
    """An app whose keys reach the player through the engine."""

    async def action_play(self, action: Literal["pause", "speed"], value: str = "") -> None:
        """Hold it or let it go on; play faster or slower."""
        await self._send(Play(action, self._actor, value))

    async def action_step(self, seconds: int) -> None:
        """Go on, or back, by some seconds, and hold it there."""
        await self._send(Play("step", self._actor, str(seconds)))

    @work
    async def action_go_to_time(self) -> None:
        """Ask for a time of the day that is played, and go there."""
        text = await self.push_screen_wait(PromptScreen(
            "Go to", "10:55", "HH:MM or HH:MM:SS of the day that is played, before or after now",
        ))  # fmt: skip
        if text and text.strip():
            await self._send(Play("seek", self._actor, text))
