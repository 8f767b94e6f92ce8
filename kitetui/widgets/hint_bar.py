"""One line that says what to try next."""

from __future__ import annotations

from kitetui.widgets.lines import whole
from kitetui.widgets.live_pane import LivePane


class HintBar(LivePane, can_focus=False):
    """A hint of the first day."""

    def hint(self, place: str, key: str, does: str) -> None:
        """Say what a key does."""
        line = ((f" {place} ", "dim"), (f" {key} ", "badge"), (f" {does}", ""),
                ("   esc ends the tour", "dim"))  # fmt: skip
        self.show([whole(line, self.app.size.width)])
