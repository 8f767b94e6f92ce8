"""Text from outside is drawn, never obeyed: only our own sequences reach the terminal."""

from __future__ import annotations

import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
import unicodedata
from fcntl import ioctl
from pathlib import Path

import pytest
from rich.cells import cell_len

from kitetui.app import KiteApp
from kitetui.keys import PANES
from kitetui.settings import Settings
from tests.links import PictureLink
from tests.vt import sequences
from tests.widgets import hostile

OURS = ("CSI", "ESC", "C0 0a", "C0 0d", "OSC 22")
"""What Textual sends; OSC 22 is the shape of the mouse pointer, on focus."""
ROOT = Path(__file__).parents[2]


def played(kind: str, columns: int, lines: int) -> bytes:
    """What a screen sends to a real terminal while it shows such text."""
    main, other = pty.openpty()
    ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.widgets.hostile_child", kind], cwd=ROOT, stdin=other,
        stdout=other, stderr=other,
        env={**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"},
        start_new_session=True,
    )  # fmt: skip
    os.close(other)
    out, end = b"", time.monotonic() + 90
    while time.monotonic() < end:
        if select.select([main], [], [], 0.2)[0]:
            try:
                out += os.read(main, 65_536)
            except OSError:
                break
        elif child.poll() is not None:
            break
    child.wait(10)
    os.close(main)
    assert child.returncode == 0, out[-2000:].decode("utf-8", "replace")
    return out


@pytest.mark.e2e
@pytest.mark.parametrize("size", [(200, 50), (80, 24)])
def test_hostile_text_adds_no_sequence_to_what_a_harmless_screen_sends(
    size: tuple[int, int],
) -> None:
    tame, evil = sequences(played("tame", *size)), sequences(played("evil", *size))
    assert set(evil) <= set(tame), set(evil) - set(tame)
    assert evil["CSI m"] > 500, "it was drawn"
    for name in evil:
        assert name.startswith(OURS), name


@pytest.mark.parametrize("size", [(200, 50), (120, 36), (80, 24)])
async def test_every_pane_draws_it_within_its_cells(
    settings: Settings, size: tuple[int, int]
) -> None:
    link = PictureLink()
    app = KiteApp(settings.screen, link)
    async with app.run_test(size=size) as pilot:
        for picture in hostile.snapshots():
            link.picture = picture
            for name in PANES:
                app.action_pane(name)
                await pilot.pause(0.03)
            for strip in app.screen._compositor.render_strips():
                assert cell_len(strip.text) == size[0]
                odd = {unicodedata.category(char) for char in strip.text} & {"Cc", "Cf", "Co", "Cs"}
                assert not odd, (odd, strip.text)
