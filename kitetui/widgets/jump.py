"""Letters on the panes: the one that is pressed says where to go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.screen import ModalScreen
from textual.widgets import Static

LETTERS = "asdfghjklweruio"


class JumpScreen(ModalScreen[str]):
    """A letter on each pane; '' where none is chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "leave", show=False)]

    def __init__(self, boxes: Mapping[str, Region]) -> None:
        """`boxes`: where the panes lie, by name."""
        super().__init__()
        self._boxes = dict(zip(LETTERS, boxes.items(), strict=False))

    def compose(self) -> ComposeResult:
        for letter, (name, box) in self._boxes.items():
            label = Static(f" {letter}  {name} ", classes="jump", markup=False)
            label.styles.offset = box.x + 2, box.y + min(1, box.height // 2)
            yield label

    def on_key(self, event: events.Key) -> None:
        found = self._boxes.get(event.key)
        if found is not None:
            event.stop()
            self.dismiss(found[0])

    def action_leave(self) -> None:
        """Go nowhere."""
        self.dismiss("")
