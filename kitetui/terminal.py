"""The one place that knows Textual's private driver: its write queue, and a stalled terminal."""

from __future__ import annotations

import contextlib
import os
import sys
import termios
from base64 import b64encode
from typing import Any

from textual.app import App


def write_queue(app: App[Any]) -> int:
    """Frames that the terminal has not taken yet.

    Textual's writer is a bounded queue whose `put` blocks the loop: a frame is skipped while
    more than one is waiting.
    """
    writer = getattr(app._driver, "_writer_thread", None)
    queue = getattr(writer, "_queue", None)
    return int(queue.qsize()) if queue is not None else 0


def copy(app: App[Any], text: str) -> None:
    """Put text into the clipboard of whoever looks at the terminal, over SSH as well: OSC 52.

    tmux passes it on only in its own envelope, or not at all.
    """
    app.copy_to_clipboard(text)
    if app._driver is not None and os.environ.get("TMUX"):
        sequence = f"\x1b]52;c;{b64encode(text.encode()).decode()}\x07"
        inner = sequence.replace("\x1b", "\x1b\x1b")
        app._driver.write(f"\x1bPtmux;{inner}\x1b\\")


def notify_desktop(app: App[Any], kind: str, text: str) -> None:
    """Have the terminal show a notification, by `osc9` or `osc777`."""
    plain = "".join(char for char in text if char.isascii() and char.isprintable())[:200]
    body = f"9;{plain}" if kind == "osc9" else f"777;notify;kitetui;{plain}"
    if app._driver is not None:
        app._driver.write(f"\x1b]{body}\x07")


class SavedTerminal:
    """The terminal's settings, to be put back by a process that must leave at once."""

    def __init__(self) -> None:
        self._fd = sys.__stdin__.fileno() if sys.__stdin__ is not None else -1
        self._attributes: list[Any] | None = None
        with contextlib.suppress(OSError, termios.error):
            self._attributes = termios.tcgetattr(self._fd)

    def restore(self) -> None:
        """Put the settings back, and leave the alternate screen where the terminal still reads."""
        if self._attributes is not None:
            with contextlib.suppress(OSError, termios.error):
                termios.tcsetattr(self._fd, termios.TCSANOW, self._attributes)
        with contextlib.suppress(OSError):
            os.set_blocking(2, False)
            os.write(2, b"\x1b[?1049l\x1b[?25h\x1b[?1000l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[0m")
        with contextlib.suppress(OSError):
            os.set_blocking(2, True)
