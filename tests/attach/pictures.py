"""What a terminal shows now, as a picture."""

from __future__ import annotations

import io
import os
from pathlib import Path

from rich.ansi import AnsiDecoder
from rich.console import Console

from tests.tmux import Tmux

FOLDER = os.environ.get("KITETUI_PICTURES", "")
"""Where pictures are kept; '' keeps none."""


def keep(terminal: Tmux, name: str, columns: int, lines: int) -> None:
    """Save what a terminal shows as an SVG, where that is asked for."""
    if not FOLDER:
        return
    console = Console(width=columns, height=lines, record=True, file=io.StringIO(),
                      force_terminal=True, color_system="truecolor")  # fmt: skip
    decoder = AnsiDecoder()  # one for all lines: tmux tells only what differs
    for line in terminal.coloured().split("\n")[:lines]:
        console.print(decoder.decode_line(line), no_wrap=True, overflow="crop", crop=True)
    folder = Path(FOLDER)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.svg").write_text(console.export_svg(title=name))
