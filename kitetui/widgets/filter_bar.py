"""Where words are typed that a pane's lines must hold."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input

TEXT_MAX = 64


class FilterBar(Input):
    """One line in the footer's place, while it is typed in."""

    class Left(Message):
        """It was left by escape: what was typed is not wanted."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", show=False)]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(placeholder="words, and !words that are not to be there; enter keeps it, "
                         "esc clears it", max_length=TEXT_MAX, compact=True, id=id,
                         select_on_focus=False)  # fmt: skip

    def open(self, text: str) -> None:
        """Come up with what was typed before."""
        with self.prevent(Input.Changed):
            self.value = text
        self.cursor_position = len(text)
        self.display = True
        self.screen.set_focus(self)  # now: the next key is typed into it already

    def action_leave(self) -> None:
        """Leave without a filter."""
        self.post_message(self.Left())
