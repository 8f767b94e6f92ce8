"""Events: what happened, newest first."""

from __future__ import annotations

from rich.cells import cell_len

from kitetui.engine.snapshot import Snapshot
from kitetui.widgets.lines import Line
from kitetui.widgets.live_pane import LivePane
from kitetui.widgets.numbers import clock
from kitetui.widgets.safe_text import clean, fit

SOURCE_MAX = 10
"""Cells for who tells of it; a longer name is cut."""


class EventsPane(LivePane):
    """One line an event."""

    filters = True

    def update_from(self, snapshot: Snapshot) -> None:
        """Draw the events of a snapshot."""
        self.title("7 Events")
        longest = max((cell_len(clean(e.source)) for e in snapshot.events), default=0)
        width = min(longest, SOURCE_MAX)
        lines: list[Line] = [
            ((f"{clock(e.at_s)} ", "dim"), (fit(e.source, width), "accent"), (f" {e.text}", ""))
            for e in snapshot.events
            if self.holds(f"{e.source} {e.text}")
        ]
        self.show(lines or self.why_empty("nothing yet"))
