"""Runs the screen on an engine: signals, hang-ups, leaving, and the way back to the shell."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

import click

from kitetui.app import KiteApp
from kitetui.link import Link
from kitetui.terminal import SavedTerminal

LOOK_MS = 500
FORCE_AFTER_S = 2.0
"""A screen that has not left by then sits in a write to a terminal that nobody reads."""


def run_screen(
    app: KiteApp,
    link: Link,
    *,
    on_hangup: str,
    duration: float | None,
    explain: Callable[[BaseException], tuple[int, str]],
    report: Callable[[dict[str, Any]], None] | None = None,
) -> int:
    """Run until the operator leaves, a signal comes, or the terminal goes; the exit code."""
    terminal = SavedTerminal()
    leaving = _Leaving(app, link, terminal, on_hangup)
    leaving.install()
    if duration is not None:
        timer = threading.Timer(duration, leaving.ask)
        timer.daemon = True
        timer.start()
    try:
        choice = app.run(mouse=app.takes_mouse)
    except Exception:
        if not leaving.hung_up:  # writing to a terminal that is gone fails in many ways
            raise
        choice = None
    if link.owns_engine and (leaving.detached or choice == "detach"):
        _go_on_headless(link, leaving)
    link.stop()
    leaving.done.set()
    if link.error is not None:
        code, text = explain(link.error)
        click.echo(f"kitetui: {text}", err=True)
        return code
    if report is not None:
        report(link.status())
    return 0


def _go_on_headless(link: Link, leaving: _Leaving) -> None:
    with contextlib.suppress(OSError):
        click.echo(
            f"kitetui: the engine goes on without a screen (pid {os.getpid()}); "
            f"stop it with ctrl+c or: kill {os.getpid()}"
        )
    leaving.headless.set()
    while not leaving.stop.wait(0.2):
        if link.wait(0):
            break


class _Leaving:
    """Signals, taken by `signal.signal`: the loop's own handlers wait behind a blocked writer."""

    def __init__(self, app: KiteApp, link: Link, terminal: SavedTerminal,
                 on_hangup: str) -> None:  # fmt: skip
        self._app = app
        self._link = link
        self._terminal = terminal
        self._on_hangup = on_hangup
        self.detached = False
        self.hung_up = False
        self.stop = threading.Event()
        self.done = threading.Event()
        self.headless = threading.Event()
        self._asked = False

    def install(self) -> None:
        """Take the signals over."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        threading.Thread(target=self._watch_terminal, daemon=True).start()

    def _watch_terminal(self) -> None:
        """A hang-up signals the terminal's first process alone, which may be make or a script."""
        poll = select.poll()
        poll.register(sys.stdin.fileno(), 0)  # only that it is gone is told
        while not self.done.wait(0):
            if poll.poll(LOOK_MS):
                if not (self.hung_up or self._asked):
                    os.kill(os.getpid(), signal.SIGHUP)
                return

    def ask(self) -> None:
        """Leave in order; by force when the terminal holds the screen up."""
        self._asked = True
        self.stop.set()
        threading.Thread(target=self._leave, daemon=True).start()

    def _on_signal(self, number: int, _: Any) -> None:
        self.hung_up |= number == signal.SIGHUP
        if number == signal.SIGHUP and self.headless.is_set():
            return
        if number == signal.SIGHUP and self._on_hangup == "detach":
            self._detach()
        elif self._asked:
            self._terminal.restore()
            os._exit(128 + number)
        else:
            self.ask()

    def _detach(self) -> None:
        """The terminal is gone: let the screen go, keep the engine."""
        if self.detached:
            return
        self.detached = True
        null = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            with contextlib.suppress(OSError):
                os.dup2(null, fd)
        self._exit_app()

    def _exit_app(self) -> None:
        with contextlib.suppress(RuntimeError):
            self._app.leave_soon("detach" if self.detached else "stop")

    def _leave(self) -> None:
        """The engine first, on its own thread, so that a stuck screen cannot cost it anything."""
        self._exit_app()
        self._link.stop()
        if not self.done.wait(FORCE_AFTER_S):
            self._terminal.restore()
            os._exit(0)
