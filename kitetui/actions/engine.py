"""What all actions share: the way to the engine, its answer, and a sentence about it."""

from __future__ import annotations

import getpass
from abc import abstractmethod
from typing import Any

from textual.app import App
from textual.screen import Screen

from kitetui.engine.commands import Command, Result
from kitetui.engine.snapshot import Snapshot, View
from kitetui.layout import Layout
from kitetui.link import Link, answered
from kitetui.widgets.safe_text import clean


class EngineActions(App[str]):
    """An app whose keys reach an engine. What to do is asked of it, never done here.

    Attributes:
        link: the way to the engine.
    """

    _layout: Layout
    _active: str
    _snapshot: Snapshot | None

    def __init__(self, link: Link) -> None:
        super().__init__()
        self.link = link
        self._actor = _user()

    @abstractmethod
    def _soon(self) -> None:
        """Have the next frame painted without waiting for its turn."""

    @property
    def _base(self) -> Screen[Any]:
        """The screen with the panes, whatever dialog lies over it."""
        return self.screen_stack[0]

    async def _picture(self, wanted: View) -> Snapshot | None:
        """What the engine answers now; None where it does not."""
        asked = self.link.snapshot(wanted)
        if asked is None:
            return None
        try:
            return await answered(asked)
        except ConnectionError:
            return None

    async def _ask(self, command: Command) -> Result | None:
        """What the engine says to a command; None where it says nothing, which is said."""
        asked = self.link.command(command)
        if asked is None:
            self._say("the engine is not ready", done=False)
            return None
        try:
            return await answered(asked)
        except ConnectionError:
            self._say("the engine did not answer", done=False)
            return None

    async def _send(self, command: Command) -> bool:
        """Have a command carried out, and say what came of it; whether it is done."""
        result = await self._ask(command)
        if result is None:
            return False
        self._say(result.text, done=result.done)
        self._soon()
        return result.done

    def _say(self, text: str, *, done: bool) -> None:
        self.notify(clean(text), severity="information" if done else "warning", timeout=4,
                    markup=False)  # fmt: skip


def _user() -> str:
    try:
        return clean(getpass.getuser())[:32]
    except (OSError, KeyError):
        return "operator"
