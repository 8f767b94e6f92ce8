"""ASCII for the glyphs that panes draw, one for one: for fonts and terminals that lack them."""

from __future__ import annotations

_PAIRS = {
    "▲▼◀▶▸◂": "^v<>><", "●○✓◐◌■✗⚠": "*ov%.#x!", "‖»❚": "|>|", "│┃║╽╿╻╹╷╵": "|#:##''|'",
    "─┼┬┴├┤┌┐└┘━": "-+++++++++-", "–—−·•…": "---.*~", "×±ΔΓθν": "xidgtv", "↑↓←→⏎⇢": "^v<>$>",
    "█▓▒░▐▕": "##:.||", "▏▎▍▌▋▊▉": "||||###", "▁▂▃▄▅▆▇": "_.-=+*#", "◆◇": "*o",
}  # fmt: skip
_TABLE = str.maketrans({ord(a): b for one, other in _PAIRS.items()
                        for a, b in zip(one, other, strict=True)})  # fmt: skip


def plain(text: str) -> str:
    """A pane's text with our own glyphs in ASCII; what came from outside stays as it is."""
    return text if text.isascii() else text.translate(_TABLE)
