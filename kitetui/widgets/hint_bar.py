"""One line that says what to try next."""

from __future__ import annotations

from rich.cells import cell_len

from kitetui.widgets.lines import Line, whole
from kitetui.widgets.live_pane import LivePane

_ENDS = ("   esc ends the tour", "   esc ends it")
"""The first for which there is room."""


class HintBar(LivePane, can_focus=False):
    """A hint of the first day."""

    def hint(self, place: str, key: str, does: str) -> None:
        """Say what a key does."""
        line: Line = ((f" {place} ", "dim"), (f" {key} ", "badge"), (f" {does}", ""))
        room = self.app.size.width - sum(cell_len(text) for text, _ in line)
        end = next((words for words in _ENDS if cell_len(words) <= room), "")
        self.show([whole((*line, (end, "dim")), self.app.size.width)])
