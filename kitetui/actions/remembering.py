"""The screen comes up as it was left: arrangement, order, instrument, theme."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path

from kitetui.actions.engine import EngineActions
from kitetui.engine.snapshot import View, Watching
from kitetui.screen_memory import Remembered, ScreenMemory
from kitetui.widgets.depth import DepthPane
from kitetui.widgets.palette import PALETTES
from kitetui.widgets.watchlist import Watchlist


class MemoryActions(EngineActions):
    """Recalls and keeps how the screen is; no key of its own."""

    _memory: ScreenMemory
    _folder: Path | None
    _preset: str
    _guests: dict[str, str]
    _chosen_theme: str
    _toured: bool
    _symbol = _sought = ""

    @abstractmethod
    def _arranged(self, left: Remembered) -> None:
        """Arrange as it was left."""

    @abstractmethod
    def _tour(self) -> None:
        """Show the next hint, or none."""

    def _recall(self) -> None:
        """Arrange the screen as it was left."""
        left = self._memory.read()
        self._arranged(left)
        self._symbol, self._sought = left.symbol, left.symbol
        self._base.query_one(Watchlist).watching = Watching(left.sort, left.reverse, "", left.group)
        depth = self._base.query_one(DepthPane)
        depth.ladder.on, depth.ladder.grouping = left.ladder, left.grouping
        if left.theme in PALETTES and not self.no_color:
            self.theme = self._chosen_theme = left.theme
        self._toured = left.toured or self._folder is None
        self._tour()
        if self._memory.reason:
            self._say(f"{self._memory.reason}; the screen starts as at the first time", done=False)

    async def _go_back(self) -> None:
        """Put the cursor on the instrument that it was left on, once it is there."""
        if not self._sought or self._snapshot is None or not self._snapshot.watch_all:
            return
        symbol, self._sought = self._sought, ""
        answer = await self._picture(View(find=symbol))
        for name, token in answer.found if answer is not None else ():
            if name == symbol:
                self._base.query_one(Watchlist).return_to(token)

    def _remember(self) -> None:
        """Keep how the screen is, where that changed."""
        self._symbol = self._base.query_one(Watchlist).symbol or self._symbol
        watching, ladder = (
            self._base.query_one(Watchlist).watching, self._base.query_one(DepthPane).ladder
        )  # fmt: skip
        self._memory.keep(Remembered(
            preset=self._preset, guests=dict(self._guests), active=self._active,
            theme=self._chosen_theme, symbol=self._symbol, sort=watching.sort,
            reverse=watching.reverse, group=watching.group, ladder=ladder.on,
            grouping=ladder.grouping, toured=self._toured,
        ))  # fmt: skip
