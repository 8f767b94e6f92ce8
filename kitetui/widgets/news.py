"""News: headlines, newest first, whom they are about and how they sound."""

from __future__ import annotations

from kitetui.engine.snapshot import NewsItem, Snapshot
from kitetui.widgets.lines import Line
from kitetui.widgets.live_pane import LivePane
from kitetui.widgets.numbers import moment
from kitetui.widgets.safe_text import fit

LOUD = 0.2


class NewsPane(LivePane):
    """One line a headline."""

    filters = True

    def update_from(self, snapshot: Snapshot) -> None:
        """Draw the headlines of a snapshot."""
        self.title("9 News", "▲ sounds good  ▼ sounds bad: a lexicon's guess")
        lines = [
            _line(item, snapshot.header.session_s)
            for item in snapshot.news
            if self.holds(" ".join((item.title, item.source, *item.symbols)))
        ]
        empty = "no headline yet: news.feeds names RSS and Atom feeds"
        self.show(lines or self.why_empty(empty))


def _line(item: NewsItem, now_s: float) -> Line:
    glyph, style = ("▲", "up") if item.sentiment >= LOUD else (
        ("▼", "down") if item.sentiment <= -LOUD else ("·", "dim"))  # fmt: skip
    about = ",".join(item.symbols)
    return (
        (f"{moment(item.at_s, now_s)} ", "dim"),
        (f"{glyph} ", style),
        (fit(about, 10) + " ", "accent"),
        (item.title, ""),
        (f"  {item.source}", "dim"),
    )
