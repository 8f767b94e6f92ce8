"""Colours: contrast of everything that is read, and glyphs in ASCII for those that lack them."""

from __future__ import annotations

import pytest
from rich.cells import cell_len
from rich.color import ColorSystem
from rich.style import Style

from kitetui.widgets.palette import PALETTES, stale_styles, styles
from kitetui.widgets.plain_glyphs import plain

MEANT = ("", "dim", "bold", "head", "bid", "ask", "up", "down", "warn", "bad", "good", "accent",
        "alarm", "badge")  # fmt: skip
READ = (*MEANT, *(f"cursor {meaning}" for meaning in MEANT))
BARS = ("bid-bar", "ask-bar")
"""Bars stand beside their numbers: nobody reads them alone."""


def luminance(colour: tuple[int, int, int]) -> float:
    """WCAG 2.2, relative luminance."""
    parts = [c / 255 for c in colour]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(style: object) -> float:
    """WCAG 2.2, contrast ratio of a style's text on its ground."""
    colours = [colour.get_truecolor() for colour in (style.color, style.bgcolor)]  # type: ignore[attr-defined]
    low, high = sorted(luminance(tuple(c)) for c in colours)  # type: ignore[arg-type]
    return (high + 0.05) / (low + 0.05)


OWN = [name for name, palette in PALETTES.items() if not palette.ansi]


@pytest.mark.parametrize("theme", OWN)
@pytest.mark.parametrize("meaning", READ)
def test_what_is_read_has_contrast(theme: str, meaning: str) -> None:
    least = 7.0 if theme == "high-contrast" else 4.5
    assert contrast(styles(theme)[meaning]) >= least


@pytest.mark.parametrize("theme", OWN)
@pytest.mark.parametrize("meaning", READ)
def test_what_is_old_is_dimmed_and_is_still_read(theme: str, meaning: str) -> None:
    """3:1 is what WCAG 2.2 asks of large text (1.4.3); nobody acts on what is old."""
    now, old = contrast(styles(theme)[meaning]), contrast(stale_styles(theme)[meaning])
    assert 3.0 <= old < 0.85 * now


@pytest.mark.parametrize("theme", OWN)
@pytest.mark.parametrize("meaning", READ)
def test_what_is_read_has_contrast_in_256_colours(theme: str, meaning: str) -> None:
    """SSH rarely tells that a terminal has more; on white few of them are dark enough."""
    style = styles(theme)[meaning]
    assert style.color is not None and style.bgcolor is not None
    few = Style(color=style.color.downgrade(ColorSystem.EIGHT_BIT),
                bgcolor=style.bgcolor.downgrade(ColorSystem.EIGHT_BIT))  # fmt: skip
    assert contrast(few) >= {"high-contrast": 7.0, "light": 3.0}.get(theme, 4.5)


@pytest.mark.parametrize("theme", OWN)
@pytest.mark.parametrize("meaning", BARS)
def test_bars_are_seen(theme: str, meaning: str) -> None:
    assert contrast(styles(theme)[meaning]) >= 1.25


def test_the_terminal_s_own_colours_are_left_to_it() -> None:
    for meaning, style in styles("ansi-16").items():
        for colour in filter(None, (style.color, style.bgcolor)):
            assert colour.triplet is None and (colour.number is None or colour.number < 16), meaning


def test_every_theme_tells_sides_and_directions_apart_or_is_mono() -> None:
    for name, palette in PALETTES.items():
        apart = palette.bid != palette.ask and palette.up != palette.down
        assert apart == (name != "mono")


def test_glyphs_become_ascii_one_for_one() -> None:
    ours = "▲▼▶▸●○✓◐◌■✗⚠‖»◀❚│┃║╽╿╻╹╷╵─┼┬┴├┤┌┐└┘━–—−·•…×±ΔΓθν↑↓←→⏎█▓▒░▐▕▏▎▍▌▋▊▉▁▂▃▄▅▆▇◆◇"
    drawn = plain(ours)
    assert drawn.isascii() and len(drawn) == len(ours) == cell_len(ours)
    assert plain("TATA é ₹") == "TATA é ₹", "what comes from outside stays as it is"
