"""Events: what happened, newest first."""

from __future__ import annotations

from kitetui.engine.snapshot import Snapshot
from kitetui.widgets.lines import Line
from kitetui.widgets.live_pane import LivePane
from kitetui.widgets.numbers import clock
from kitetui.widgets.safe_text import fit


class EventsPane(LivePane):
    """One line an event."""

    filters = True

    def update_from(self, snapshot: Snapshot) -> None:
        """Draw the events of a snapshot."""
        self.title("7 Events")
        lines: list[Line] = [
            ((f"{clock(e.at_s)} ", "dim"), (fit(e.source, 7), "accent"), (f" {e.text}", ""))
            for e in snapshot.events
            if self.holds(f"{e.source} {e.text}")
        ]
        self.show(lines or self.why_empty("nothing yet"))
