"""Pane names on a small screen, the one shown marked."""

from __future__ import annotations

from kitetui.keys import PANES
from kitetui.widgets.live_grid import LivePane, Span

_TABS = {"watchlist": "Watch", "depth": "Depth", "buckets": "Bkts", "streams": "Strm",
         "lag": "Lag", "alerts": "Alrt", "events": "Evts", "scoreboard": "Scor",
         "news": "News", "server": "Redis"}  # fmt: skip


class TabStrip(LivePane, can_focus=False):
    """One line; the alerts' tab counts what is unacknowledged."""

    def show_tabs(self, active: str, unacked: int) -> None:
        """Draw the tabs."""
        line: list[Span] = []
        for number, name in enumerate(PANES, 1):
            count = f"·{unacked}" if name == "alerts" and unacked else ""
            text = f" {number % 10}{_TABS[name]}{count} "
            line.append((text, "badge" if name == active else "dim"))
        self.show([tuple(line)])
