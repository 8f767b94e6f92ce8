"""Pane names on a small screen, the one shown marked."""

from __future__ import annotations

from rich.cells import cell_len

from kitetui.keys import NUMBERED, PANES
from kitetui.widgets.lines import Span
from kitetui.widgets.live_pane import LivePane

_TABS = {"watchlist": "Watch", "depth": "Depth", "buckets": "Bkts", "streams": "Strm",
         "lag": "Lag", "alerts": "Alrt", "events": "Evts", "scoreboard": "Scor",
         "news": "News", "server": "Rds", "chart": "Chart", "chain": "Chain",
         "latency": "Lat"}  # fmt: skip
COUNT_MAX = 99


class TabStrip(LivePane, can_focus=False):
    """One line; the alerts' tab counts what is unacknowledged."""

    def show_tabs(self, active: str, unacked: int) -> None:
        """Draw the tabs."""
        line: list[Span] = []
        for at, name in enumerate(PANES):
            count = f"·{min(unacked, COUNT_MAX)}" if name == "alerts" and unacked else ""
            number = str((at + 1) % 10) if at < NUMBERED else ""
            text = f"{number}{_TABS[name]}{count}"
            line += [(text, "badge" if name == active else "dim"), (" ", "")]
        self.show([tuple(line)])

    def point(self, x: int, y: int) -> None:
        """Go to the pane whose tab was clicked."""
        end = 0
        for name, (text, _) in zip(PANES, self._lines[0][::2], strict=True):
            end += cell_len(text) + 1
            if x < end:
                self.post_message(self.Points(name))
                return
