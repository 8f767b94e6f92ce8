"""Runs the installed program: one-shot commands, the exchange, and screens in a terminal."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from kitetui.caller import Caller, NoEngine

PROGRAM = shlex.split(os.environ.get("KITETUI_PROGRAM", "")) or [sys.executable, "-m", "kitetui"]
"""As the command that an installed one is started by, where that is to be looked at."""
PATIENCE = 3
"""How much longer than it takes here is waited for what comes: machines are slow, and shared."""
UNWANTED = ("COLUMNS", "LINES", "PYTHONDONTWRITEBYTECODE")


def environment(state: Path, **extra: str) -> dict[str, str]:
    """A clean environment that keeps everything below the state folder.

    What is compiled is kept, as with anybody who installed it: a start takes a quarter of a second
    longer without.
    """
    kept = {
        k: v
        for k, v in os.environ.items()
        if not k.startswith(("KITE_", "XDG_")) and k not in UNWANTED
    }
    return {**kept, "XDG_STATE_HOME": str(state), "XDG_CONFIG_HOME": str(state / "config"),
            "LANG": "C.UTF-8", **extra}  # fmt: skip


def kitetui(state: Path, *arguments: str, timeout: float = 120, **extra: str) -> (
        subprocess.CompletedProcess[str]):  # fmt: skip
    """Run a command to its end."""
    return subprocess.run([*PROGRAM, *arguments], env=environment(state, **extra), text=True,
                          capture_output=True, timeout=timeout, check=False)  # fmt: skip


@contextlib.contextmanager
def exchange(state: Path, *arguments: str) -> Iterator[dict[str, Any]]:
    """A running exchange; yields what it said at start."""
    process = subprocess.Popen(
        [*PROGRAM, "exchange", "--port", "0", "--rest-port", "0", "--stop-on-eof", *arguments],
        env=environment(state), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None and process.stdin is not None
    try:
        line = process.stdout.readline()
        assert line, process.stderr.read() if process.stderr else ""
        yield json.loads(line)
    finally:
        process.stdin.close()
        process.wait(timeout=10)
        process.stdout.close()
        if process.stderr is not None:
            process.stderr.close()


@contextlib.contextmanager
def engine(state: Path, *arguments: str, **extra: str) -> Iterator[subprocess.Popen[str]]:
    """A running engine without a screen; it ends in order with the block.

    What it says is in `state / "said"`.
    """
    with (state / "said").open("a") as said:
        process = subprocess.Popen(
            [*PROGRAM, "--headless", *arguments], env=environment(state, **extra), text=True,
            stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        yield process
    finally:
        process.terminate()
        process.wait(10)


def run_until(state: Path, right: Callable[[dict[str, Any]], bool], *arguments: str,
              wait_s: float = 60.0, **extra: str) -> dict[str, Any]:  # fmt: skip
    """An engine runs until its status document is right; the last one of it, ended in order.

    Raises:
        AssertionError: it never came to that, or it did not end in order.
    """
    process = subprocess.Popen(
        [*PROGRAM, "--headless", "--json", *arguments], env=environment(state, **extra), text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        status_when(state, right, wait_s)
    finally:
        process.terminate()
        out, said = process.communicate(timeout=20)
    assert process.returncode == 0, said
    status: dict[str, Any] = json.loads(out)
    return status


def feed_options(hello: dict[str, Any]) -> list[str]:
    """Settings that point an engine at an exchange."""
    return ["--set", f"feed.url={hello['ws_url']}", "--set", f"feed.rest_url={hello['rest_url']}"]


LOGIN = {"KITE_API_KEY": "demo", "KITE_ACCESS_TOKEN": "demo"}


def status_when(state: Path, right: Callable[[dict[str, Any]], bool],
                wait_s: float = 20.0) -> dict[str, Any]:  # fmt: skip
    """The first status document of a running engine that is right."""
    end = time.monotonic() + wait_s * PATIENCE
    found: dict[str, Any] = {}
    while time.monotonic() < end:
        with contextlib.suppress(NoEngine), Caller(state / "kitetui" / "run", "ro") as caller:
            found = caller.status()
            if right(found):
                return found
        time.sleep(0.1)
    raise AssertionError(f"it never came to that: {found}")


def processes_below(state: Path) -> list[str]:
    """Command lines of processes that mention a folder."""
    found = subprocess.run(["ps", "-wweo", "args"], text=True, capture_output=True, check=True)
    return [
        line for line in found.stdout.splitlines() if str(state) in line and "ps -wweo" not in line
    ]
