"""The keys that matter, from the one table."""

from __future__ import annotations

from textual import events

from kitetui.keys import KEYS, shown
from kitetui.widgets.live_grid import LivePane, Span


class FooterBar(LivePane, can_focus=False):
    """One line: as many keys as there is room for."""

    def on_resize(self, event: events.Resize) -> None:
        line: list[Span] = [(" 0-9", "accent"), (" pane ", "dim")]
        left = event.size.width - 10
        for key in KEYS:
            name = shown(key).split()[0]
            left -= len(name) + len(key.label) + 3
            if key.label and left >= 0:
                line += [(f" {name}", "accent"), (f" {key.label} ", "dim")]
            elif not key.label:
                left += len(name) + 3
        self.show([tuple(line)])
