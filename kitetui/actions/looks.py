"""How the screen looks: its theme, ASCII, and what a slow link is spared."""

from __future__ import annotations

from kitetui.actions.engine import EngineActions
from kitetui.settings import ScreenSettings
from kitetui.widgets.live_pane import ASCII, STILL
from kitetui.widgets.palette import PALETTES, themes

FEW_COLOURS, NO_COLOURS = "ansi-16", "mono"


class LookActions(EngineActions):
    """Keys of the screen's looks."""

    _chosen_theme: str

    def _dress(self, settings: ScreenSettings) -> None:
        """Take the settings' looks; NO_COLOR goes before them."""
        for theme in themes():
            self.register_theme(theme)
        self.theme = NO_COLOURS if self.no_color else settings.theme
        self.set_class(settings.ascii, ASCII)
        self.set_class(not settings.flash, STILL)

    def _spare_colours(self) -> None:
        """A terminal of 16 colours gets those."""
        few = not self.is_headless and self.console.color_system == "standard"
        if few and self.theme != NO_COLOURS:
            self.theme = FEW_COLOURS

    def action_theme(self, name: str = "") -> None:
        """A theme by name, or the next one."""
        names = list(PALETTES)
        at = names.index(self.theme) if self.theme in names else 0
        self.theme = self._chosen_theme = name or names[(at + 1) % len(names)]
        self._say(f"theme {self.theme}", done=True)
        self._soon()
