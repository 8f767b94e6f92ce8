"""A window of tmux with the program in it: what a person sees there, key by key."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.programs import PATIENCE, PROGRAM, environment

TMUX = shutil.which("tmux") or ""
LOOK_S = 0.1


class Tmux:
    """Runs a command line of kitetui, or another `program`, on a server of tmux of its own.

    Attributes:
        output: every picture of the window so far, one after the other, as text.
    """

    def __init__(self, state: Path, *arguments: str, columns: int = 200, lines: int = 50,
                 program: Sequence[str] = PROGRAM) -> None:  # fmt: skip
        self._folder = tempfile.TemporaryDirectory(prefix="tmux")  # a socket's path is short
        self._server = [TMUX, "-S", os.path.join(self._folder.name, "s"), "-f", os.devnull]
        self._environment = environment(state, TERM="xterm-256color", COLORTERM="truecolor")
        self._run("new-session", "-d", "-x", str(columns), "-y", str(lines), "sleep 600")
        self._run("set-option", "-g", "remain-on-exit", "on")
        self._run("set-option", "-g", "status", "off")
        self._run("respawn-pane", "-k", *program, *arguments)
        self.output = b""
        self._last = ""

    def read(self, seconds: float, until: bytes = b"") -> bool:
        """Look for some time, or until a text appears, which may take longer; whether it did."""
        end = time.monotonic() + seconds * (PATIENCE if until else 1)
        while True:
            self._look()
            if until and until in self.output:
                return True
            if time.monotonic() > end:
                return False
            time.sleep(LOOK_S)

    def type(self, text: str) -> None:
        """Press keys."""
        self._run("send-keys", "-l", text)

    def signal(self, number: int) -> None:
        """Send a signal to the program."""
        os.kill(int(self._of("pane_pid")), number)

    def wait(self, seconds: float) -> int | None:
        """Look on until the program ends; its exit code, or None when it does not."""
        end = time.monotonic() + seconds * PATIENCE
        while self._of("pane_dead") != "1":
            if time.monotonic() > end:
                return None
            time.sleep(LOOK_S)
        self._look()
        return int(self._of("pane_dead_status") or 0)

    def coloured(self) -> str:
        """The window as it is now, with its colours as escape sequences."""
        return self._run("capture-pane", "-p", "-e")

    def close(self) -> None:
        """End whatever still runs."""
        if self._of("pane_dead") != "1":
            self.signal(15)
            self.wait(6)
        self._run("kill-server")
        self._folder.cleanup()

    def _look(self) -> None:
        text = self._run("capture-pane", "-p")
        if text != self._last:
            self._last = text
            self.output += text.encode()

    def _of(self, name: str) -> str:
        return self._run("display-message", "-p", f"#{{{name}}}").strip()

    def _run(self, *words: str) -> str:
        done = subprocess.run([*self._server, *words], env=self._environment, text=True,
                              capture_output=True, check=True, timeout=10)  # fmt: skip
        return done.stdout
