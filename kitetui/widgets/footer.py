"""The keys that are of use now, from the one table."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from kitetui.keys import Key, shown
from kitetui.widgets.lines import Span
from kitetui.widgets.live_pane import LivePane

PANE_KEYS = ((" 0-9", "accent"), (" pane ", "dim"))


class FooterBar(LivePane, can_focus=False):
    """One line: as many keys as there is room for, those of the pane or the replay first."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._keys: tuple[Key, ...] = ()

    def show_keys(self, table: Sequence[Key], active: str, *, replays: bool) -> None:
        """Draw the keys that have a label.

        Args:
            active: the pane with the focus; replays: whether a recording is played.
        """

        def rank(key: Key) -> int:
            if key.id.startswith("replay."):
                return 1 if replays else 3
            return 0 if active in key.where else 2 if not key.where else 3

        usable = [key for key in table if key.label and key.keys and rank(key) < 3]
        self._keys = tuple(sorted(usable, key=rank))
        self._draw()

    def on_resize(self) -> None:
        """Another width has room for others."""
        self._draw()

    def _draw(self) -> None:
        line: list[Span] = [*PANE_KEYS]
        left = self.size.width - sum(cell_len(text) for text, _ in line)
        for key in self._keys:
            parts = (f" {shown(key).split()[0]}", "accent"), (f" {key.label} ", "dim")
            left -= sum(cell_len(text) for text, _ in parts)
            if left < 0:
                break
            line += parts
        self.show([tuple(line)])
