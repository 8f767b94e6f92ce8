"""The palette: every action, every symbol, every arrangement and theme, found by typing."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from textual.command import CommandPalette, DiscoveryHit, Hit, Hits, Provider
from textual.content import Content

from kitetui.actions.engine import EngineActions
from kitetui.engine.snapshot import View
from kitetui.keys import Key, shown
from kitetui.layout import PRESETS
from kitetui.widgets.palette import PALETTES
from kitetui.widgets.safe_text import clean

if TYPE_CHECKING:
    from kitetui.app import KiteApp

SYMBOLS_FIRST = 1e6
"""A symbol that is typed comes before the actions whose words it resembles."""


class PaletteActions(EngineActions):
    """Opens the palette."""

    def action_palette(self) -> None:
        """Find anything by typing."""
        self.push_screen(CommandPalette(
            providers={_Actions, _Symbols, _Choices},
            placeholder="an action, a symbol, a layout, a theme",
        ))  # fmt: skip


class _Source(Provider):
    """Things of the app that holds the panes."""

    @property
    def kite(self) -> KiteApp:
        return cast("KiteApp", self.app)


class _Actions(_Source):
    """Every key's action, by its sentence."""

    async def discover(self) -> Hits:
        for key in self.kite.keys:
            yield DiscoveryHit(_sentence(key), partial(self._do, key))

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for key in self.kite.keys:
            score = matcher.match(_sentence(key))
            if score > 0:
                yield Hit(score, matcher.highlight(_sentence(key)), partial(self._do, key))

    async def _do(self, key: Key) -> None:
        app = self.kite
        namespace: Any = app
        if key.where and app._active not in key.where:
            app.action_pane(key.where[0])
        if key.where:
            namespace = app._pane(app._active)
        await app.run_action(key.action, namespace)


class _Symbols(_Source):
    """Instruments that are watched, by symbol or name."""

    async def search(self, query: str) -> Hits:
        snapshot = await self.kite._picture(View(find=query[:64]))
        for place, (symbol, token) in enumerate(snapshot.found if snapshot is not None else ()):
            yield Hit(SYMBOLS_FIRST - place / 100, Content(clean(symbol)),  # never markup
                      partial(self.kite.go_to_instrument, token), text=clean(symbol))  # fmt: skip


class _Choices(_Source):
    """Arrangements and themes."""

    @property
    def _all(self) -> list[tuple[str, Callable[[], None]]]:
        app = self.kite
        out: list[tuple[str, Callable[[], None]]] = [
            (f"layout {name}: {preset.tells}", partial(app.action_preset, name))
            for name, preset in PRESETS.items()
        ]
        out += [(f"theme {name}", partial(app.action_theme, name)) for name in PALETTES]
        return out

    async def discover(self) -> Hits:
        for words, do in self._all:
            yield DiscoveryHit(words, do)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for words, do in self._all:
            score = matcher.match(words)
            if score > 0:
                yield Hit(score, matcher.highlight(words), do)


def _sentence(key: Key) -> str:
    keys = shown(key)
    return f"{key.help}  ({keys})" if keys else key.help
