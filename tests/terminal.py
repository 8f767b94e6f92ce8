"""A pseudo-terminal with the program in it: read it, stop reading it, or take it away."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from tests.programs import PATIENCE, PROGRAM, environment

LEFT_ALTERNATE_SCREEN = b"\x1b[?1049l"


class Keyboard(Protocol):
    """Any terminal that takes keys and gives what it was sent so far."""

    output: bytes

    def read(self, seconds: float, until: bytes = b"") -> bool: ...

    def type(self, text: str) -> None: ...


def answered(terminal: Keyboard, keys: str, word: str) -> None:
    """Press keys until a word comes. An alert that moved or changed a moment ago is not taken:
    the screen says to look and press again, and that is what a person does."""
    for _ in range(4):
        mark = len(terminal.output)
        terminal.type(keys)
        end = time.monotonic() + 6
        while time.monotonic() < end:
            terminal.read(0.2)
            if word.encode() in terminal.output[mark:]:
                return
    raise AssertionError((keys, word, terminal.output[-1500:]))


class Terminal:
    """Runs a command line of kitetui on a terminal of a given size, perhaps `below` another, or
    another `program`."""

    def __init__(self, state: Path, *arguments: str, columns: int = 200, lines: int = 50,
                 below: tuple[str, ...] = (), program: Sequence[str] = PROGRAM,
                 **extra: str) -> None:  # fmt: skip
        self._main, other = pty.openpty()
        fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.before = termios.tcgetattr(self._main)
        settings = {"TERM": "xterm-256color", "COLORTERM": "truecolor", **extra}
        self.process = subprocess.Popen(
            [*below, *program, *arguments], stdin=other, stdout=other, stderr=other,
            env=environment(state, **settings), preexec_fn=lambda: _take(other),
        )  # fmt: skip
        os.close(other)
        self.output = b""
        self.first_byte_s = 0.0
        self._began = time.monotonic()

    def read(self, seconds: float, until: bytes = b"") -> bool:
        """Read for some time, or until bytes appear, which may take longer; whether they did."""
        end = time.monotonic() + seconds * (PATIENCE if until else 1)
        while time.monotonic() < end:
            if until and until in self.output:
                return True
            ready, _, _ = select.select([self._main], [], [], 0.05)
            if ready:
                try:
                    data = os.read(self._main, 65_536)
                except OSError:
                    break
                if not data:
                    break
                self.first_byte_s = self.first_byte_s or time.monotonic() - self._began
                self.output += data
        return bool(until) and until in self.output

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._main, text.encode())

    def resize(self, columns: int, lines: int) -> None:
        """Have another size; the program is told."""
        size = struct.pack("HHHH", lines, columns, 0, 0)
        fcntl.ioctl(self._main, termios.TIOCSWINSZ, size)

    def signal(self, number: int) -> None:
        """Send a signal to the program."""
        self.process.send_signal(number)

    def hang_up(self) -> None:
        """Take the terminal away."""
        os.close(self._main)
        self._main = -1

    def wait(self, seconds: float) -> int | None:
        """Read on until the program ends; its exit code, or None when it does not."""
        end = time.monotonic() + seconds * PATIENCE
        while self.process.poll() is None and time.monotonic() < end:
            if self._main >= 0:
                self.read(0.05)
            else:
                time.sleep(0.02)
        if self._main >= 0:
            self.read(0.1)
        return self.process.poll()

    def restored(self) -> bool:
        """Whether the terminal's settings are as they were, and the alternate screen is left."""
        return (
            termios.tcgetattr(self._main)[3] == self.before[3]
            and LEFT_ALTERNATE_SCREEN in self.output[-4000:]
        )

    def status(self) -> dict[str, Any]:
        """The status document printed at the end."""
        text = self.output[self.output.rfind(b'{\r\n  "source"') :].decode("utf-8", "replace")
        found: dict[str, Any] = json.loads(text[: text.rfind("}") + 1])
        return found

    def close(self) -> None:
        """End whatever still runs."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            if self.wait(6) is None:
                self.process.kill()
                self.process.wait(5)
        if self._main >= 0:
            os.close(self._main)


def _take(terminal: int) -> None:
    """Make the terminal the process's own, so that a hang-up reaches it."""
    os.setsid()
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
