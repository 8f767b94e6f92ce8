"""Colours by meaning. Every signal has a glyph as well: colour never tells alone."""

from __future__ import annotations

from typing import NamedTuple

from rich.style import Style
from textual.theme import Theme


class Palette(NamedTuple):
    """The colours of one theme, by what they mean."""

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


PALETTES = {
    "kite-cb": Palette(True, "#0b0e14", "#10141c", "#d5dae3", "#7d8796", "#2f3a4a", "#e6b450",
                       "#6cb6ff", "#f79b4b", "#6cb6ff", "#f79b4b", "#e6c84f", "#ff8fa3",
                       "#7fd1c7", "#1f4a78", "#7a4413"),
    "classic": Palette(True, "#0b0e14", "#10141c", "#d5dae3", "#7d8796", "#2f3a4a", "#59c2ff",
                       "#5fd38d", "#ff7a7a", "#5fd38d", "#ff7a7a", "#e6c84f", "#ff8fa3",
                       "#7fd1c7", "#1d5433", "#6e2626"),
    "light": Palette(False, "#fbfbf8", "#f2f2ec", "#1c2128", "#626a73", "#c3c7c0", "#0b5cad",
                     "#0b5cad", "#a84300", "#0b5cad", "#a84300", "#7a5b00", "#b00032",
                     "#0b6b5f", "#b9d6f2", "#f3cfae"),
    "mono": Palette(True, "#000000", "#000000", "#e0e0e0", "#8c8c8c", "#5a5a5a", "#ffffff",
                    "#e0e0e0", "#e0e0e0", "#e0e0e0", "#e0e0e0", "#ffffff", "#ffffff", "#ffffff",
                    "#4a4a4a", "#6a6a6a"),
}  # fmt: skip


def themes() -> list[Theme]:
    """The palettes as Textual themes."""
    return [
        Theme(name=name, primary=p.focus, secondary=p.bid, accent=p.focus, foreground=p.text,
              background=p.background, surface=p.panel, panel=p.panel, warning=p.warn,
              error=p.bad, success=p.good, dark=p.dark,
              variables={"pane-border": p.border, "pane-focus": p.focus, "pane-dim": p.dim})
        for name, p in PALETTES.items()
    ]  # fmt: skip


def styles(name: str) -> dict[str, Style]:
    """Style by meaning, for the lines of panes."""
    p = PALETTES.get(name, PALETTES["kite-cb"])
    base = p.panel
    return {
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
        "alarm": Style(color=p.background, bgcolor=p.bad, bold=True),
        "badge": Style(color=p.background, bgcolor=p.focus, bold=True),
        "cursor": Style(reverse=True),
    }
