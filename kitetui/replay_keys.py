"""The keys of the player: hold, step, faster, slower, and to a time of the day."""

from __future__ import annotations

from typing import Literal

from textual import work

from kitetui.engine.commands import Play
from kitetui.stream_keys import StreamKeys
from kitetui.widgets.dialogs import PromptScreen

SPEEDS = ("0.1", "0.2", "0.5", "1", "2", "5", "10", "20", "50", "100", "200", "500", "max")


class ReplayKeys(StreamKeys):
    """An app whose keys reach the player through the engine."""

    async def action_play(self, action: Literal["pause", "step"], value: str = "") -> None:
        """Hold it or let it go on; or go on for some seconds and hold it there."""
        await self._send(Play(action, self._actor, value))

    async def action_pace(self, steps: int) -> None:
        """Play faster or slower."""
        header = self._snapshot.header if self._snapshot is not None else None
        pace = header.pace if header is not None else ""
        at = SPEEDS.index(pace) if pace in SPEEDS else SPEEDS.index("1")
        wanted = SPEEDS[min(max(at + steps, 0), len(SPEEDS) - 1)]
        await self._send(Play("speed", self._actor, wanted))

    @work
    async def action_go_to_time(self) -> None:
        """Ask for a time of the day that is played, and go there."""
        text = await self.push_screen_wait(PromptScreen(
            "Go to", "10:55", "HH:MM or HH:MM:SS of the day that is played, before or after now",
        ))  # fmt: skip
        if text and text.strip():
            await self._send(Play("seek", self._actor, text))
