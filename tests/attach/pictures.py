"""What a terminal shows now, as text and as a picture."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path

import pyte
from rich.console import Console
from rich.style import Style
from rich.text import Text

from tests.terminal import Terminal

FOLDER = os.environ.get("KITETUI_PICTURES", "")
"""Where pictures are kept; '' keeps none."""


def keep(terminal: Terminal, name: str, columns: int, lines: int) -> None:
    """Save what a terminal shows as an SVG, where that is asked for."""
    if not FOLDER:
        return
    screen = pyte.Screen(columns, lines)
    # pyte takes no private intermediate bytes: what it does not know is left out.
    data = re.sub(rb"\x1b\[[<>=][0-9;]*[a-z]|\x1b\[\?[0-9;]*\$p", b"", terminal.output)
    pyte.ByteStream(screen).feed(data)
    console = Console(width=columns, height=lines, record=True, file=io.StringIO(),
                      force_terminal=True, color_system="truecolor")  # fmt: skip
    for row in range(lines):
        line = Text()
        for column in range(columns):
            char = screen.buffer[row][column]
            line.append(char.data, Style(color=_colour(char.fg), bgcolor=_colour(char.bg),
                                         bold=char.bold, reverse=char.reverse))  # fmt: skip
        console.print(line, no_wrap=True, overflow="crop", crop=True)
    folder = Path(FOLDER)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.svg").write_text(console.export_svg(title=name))


def _colour(name: str) -> str | None:
    if name == "default":
        return None
    if re.fullmatch(r"[0-9a-f]{6}", name):
        return f"#{name}"
    return {"brown": "yellow"}.get(name, name.replace("bright", "bright_"))
