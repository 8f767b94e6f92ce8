"""Colours by meaning. Every signal has a glyph as well: colour never tells alone."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from rich.color import Color, blend_rgb
from rich.style import Style
from textual.theme import BUILTIN_THEMES, Theme

STALE = 0.75
"""What is left of a colour where it is old: it looks dimmed, and is still read."""
_ON_CURSOR = {"dim": "", "head": "", "bid-bar": "bid", "ask-bar": "ask"}
"""What is drawn as something else under the cursor, whose ground is not as dark."""


class Palette(NamedTuple):
    """The colours of one theme, by what they mean: #rrggbb, or the terminal's own by name.

    `cursor` is the ground of the row that is chosen; empty where it is drawn in reverse.
    """

    dark: bool
    background: str
    panel: str
    text: str
    dim: str
    border: str
    focus: str
    bid: str
    ask: str
    up: str
    down: str
    warn: str
    bad: str
    good: str
    bid_bar: str
    ask_bar: str
    cursor: str = ""

    @property
    def ansi(self) -> bool:
        """Whether the colours are the terminal's own."""
        return not self.background.startswith("#")


PALETTES = {
    "kite-cb": Palette(True, "#0b0e14", "#10141c", "#d5dae3", "#7d8796", "#2f3a4a", "#e6b450",
                       "#6cb6ff", "#f79b4b", "#6cb6ff", "#f79b4b", "#e6c84f", "#ff8fa3",
                       "#7fd1c7", "#1f4a78", "#7a4413", "#323741"),
    "classic": Palette(True, "#0b0e14", "#10141c", "#d5dae3", "#7d8796", "#2f3a4a", "#59c2ff",
                       "#5fd38d", "#ff7a7a", "#5fd38d", "#ff7a7a", "#e6c84f", "#ff8fa3",
                       "#7fd1c7", "#1d5433", "#6e2626", "#323741"),
    "light": Palette(False, "#fbfbf8", "#f2f2ec", "#1c2128", "#626a73", "#c3c7c0", "#0b5cad",
                     "#0b5cad", "#a84300", "#0b5cad", "#a84300", "#7a5b00", "#b00032",
                     "#0b6b5f", "#b9d6f2", "#f3cfae", "#cfe0f3"),
    "high-contrast": Palette(True, "#000000", "#000000", "#ffffff", "#c8c8c8", "#9a9a9a",
                             "#ffd700", "#7fc8ff", "#ffb366", "#7fc8ff", "#ffb366", "#ffe75c",
                             "#ff9db0", "#8ff0e0", "#1a5a96", "#8f4a0f", "#10294a"),
    "mono": Palette(True, "#000000", "#000000", "#e0e0e0", "#8c8c8c", "#5a5a5a", "#ffffff",
                    "#e0e0e0", "#e0e0e0", "#e0e0e0", "#e0e0e0", "#ffffff", "#ffffff", "#ffffff",
                    "#4a4a4a", "#6a6a6a"),
    "ansi-16": Palette(True, "default", "default", "default", "bright_black", "bright_black",
                       "yellow", "bright_blue", "yellow", "bright_blue", "yellow",
                       "bright_yellow", "bright_red", "bright_cyan", "blue", "yellow"),
}  # fmt: skip
DEFAULT = "kite-cb"


def themes() -> list[Theme]:
    """The palettes as Textual themes."""
    return [_theme(name, palette) for name, palette in PALETTES.items()]


def _theme(name: str, p: Palette) -> Theme:
    def c(colour: str) -> str:
        return f"ansi_{colour}" if p.ansi else colour

    return Theme(
        name=name, primary=c(p.focus), secondary=c(p.bid), accent=c(p.focus),
        foreground=c(p.text), background=c(p.background), surface=c(p.panel), panel=c(p.panel),
        boost=c(p.panel) if p.ansi else None, warning=c(p.warn), error=c(p.bad),
        success=c(p.good), dark=p.dark, ansi=p.ansi,
        variables={**(BUILTIN_THEMES["ansi-dark"].variables if p.ansi else {}),
                   "pane-border": c(p.border), "pane-focus": c(p.focus), "pane-dim": c(p.dim)},
    )  # fmt: skip


@lru_cache
def styles(name: str) -> dict[str, Style]:
    """Style by meaning, for the lines of panes; `cursor bid` is a bid in the row that is chosen."""
    p = PALETTES.get(name, PALETTES[DEFAULT])
    base = p.panel
    ink = "black" if p.ansi else p.background
    known = {
        "": Style(color=p.text, bgcolor=base),
        "dim": Style(color=p.dim, bgcolor=base),
        "bold": Style(color=p.text, bgcolor=base, bold=True),
        "head": Style(color=p.dim, bgcolor=base, bold=True),
        "bid": Style(color=p.bid, bgcolor=base),
        "ask": Style(color=p.ask, bgcolor=base),
        "bid-bar": Style(color=p.bid_bar, bgcolor=base),
        "ask-bar": Style(color=p.ask_bar, bgcolor=base),
        "up": Style(color=p.up, bgcolor=base),
        "down": Style(color=p.down, bgcolor=base),
        "warn": Style(color=p.warn, bgcolor=base),
        "bad": Style(color=p.bad, bgcolor=base, bold=True),
        "good": Style(color=p.good, bgcolor=base),
        "accent": Style(color=p.focus, bgcolor=base, bold=True),
        "alarm": Style(color=ink, bgcolor=p.bad, bold=True),
        "badge": Style(color=ink, bgcolor=p.focus, bold=True),
    }
    chosen = Style(bgcolor=p.cursor) if p.cursor else Style(reverse=True)
    filled = ("alarm", "badge")  # they bring their own ground
    return known | {
        f"cursor {meaning}": style if meaning in filled
        else known[_ON_CURSOR.get(meaning, meaning)] + chosen
        for meaning, style in known.items()
    }  # fmt: skip


@lru_cache
def stale_styles(name: str) -> dict[str, Style]:
    """The same, dimmed: what is shown is old."""
    return {meaning: _dimmed(style) for meaning, style in styles(name).items()}


def _dimmed(style: Style) -> Style:
    """Nearer to its ground; the terminal's own colours are left to it."""
    ink, ground = style.color, style.bgcolor
    if ink is None or ground is None or ink.triplet is None or ground.triplet is None:
        return style + Style(dim=True)
    return style + Style(color=Color.from_triplet(blend_rgb(ground.triplet, ink.triplet, STALE)))
