"""What a frame of the screen costs, and what the engine notices of a terminal that stalls."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.measure import Result
from tests.programs import environment
from tests.terminal import Terminal

SECONDS = 8.0


def frame_cost(kind: str, share: float) -> tuple[float, float, float]:
    """CPU ms and bytes a frame, frames a second, of a screen on a 200x50 terminal."""
    main, other = pty.openpty()
    fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
    said, say = os.pipe()
    with tempfile.TemporaryDirectory() as state:
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.screen_child", kind, str(share), str(SECONDS)],
            stdin=other, stdout=other, stderr=other, start_new_session=True,
            preexec_fn=lambda: os.dup2(say, 3), pass_fds=(3, say),
            env={**environment(Path(state)), "TERM": "xterm-256color", "COLORTERM": "truecolor"},
        )  # fmt: skip
        os.close(other)
        os.close(say)
        text, counted, total = b"", 0, 0
        while True:
            ready, _, _ = select.select([main, said], [], [], 20)
            if said in ready:
                data = os.read(said, 4096)
                if not data:
                    break
                text += data
                if b"begin" in data:
                    counted = total
                if b"end" in data:
                    counted = total - counted
            if main in ready:
                try:
                    total += len(os.read(main, 1 << 16))
                except OSError:
                    break
            if not ready:
                child.kill()
                raise RuntimeError("the screen said nothing for 20 s")
        while data := os.read(said, 4096):
            text += data
        child.wait(10)
    os.close(main)
    os.close(said)
    found = json.loads(text[text.index(b"{") :])
    return found["cpu_ms"], counted / found["frames"], found["frames"] / SECONDS


def stalled_loop_lag() -> float:
    """The engine's loop lag p99 in ms over its last 10 s, in which nobody reads the terminal."""
    with tempfile.TemporaryDirectory() as folder:
        terminal = Terminal(Path(folder), "--demo", "--json", "--duration", "16", "--set",
                            "feed.warmup_sessions=0")  # fmt: skip
        try:
            terminal.read(15, b"SIMULATED")
            terminal.read(3)
            time.sleep(14)  # past the end: the engine stops while nobody reads
            terminal.wait(30)
            return float(terminal.status()["loop_lag_ms"]["p99"])
        finally:
            terminal.close()


def first_frame_s() -> float:
    """Seconds from the command to the first painted header."""
    with tempfile.TemporaryDirectory() as folder:
        terminal = Terminal(Path(folder), "--demo")
        try:
            began = time.monotonic()
            terminal.read(15, b"kitetui")
            return time.monotonic() - began
        finally:
            terminal.close()


def run() -> Iterator[Result]:
    cpu, size, rate = frame_cost("ours", 0.1)
    peer_cpu, peer_size, _ = frame_cost("tables", 0.1)
    # Contended machines make both dearer: the limit scales with the peer's figure beside it.
    scale = max(peer_cpu / 128, 1.0)
    yield Result("six panes at 10 % change, CPU a frame", "ms", cpu, peer_cpu, "<=20",
                 cpu <= 20 * scale)  # fmt: skip
    yield Result("six panes at 10 % change, output a frame", "kB", size / 1e3, peer_size / 1e3,
                 "<=25", size <= 25_000)  # fmt: skip
    _, idle, _ = frame_cost("ours", 0.0)
    yield Result("six panes without change, output a frame", "B", idle, None, "0", idle == 0)
    yield Result("frames a second that 10 Hz gives", "Hz", rate, None, "", None)
    lag = stalled_loop_lag()
    yield Result("engine loop lag p99, terminal unread for 8 s", "ms", lag, None, "<=10", lag <= 10)
    said = subprocess.run([sys.executable, "-m", "tests.bench.key_child"], check=True, text=True,
                          capture_output=True, timeout=120).stdout  # fmt: skip
    usual, late = (float(word) * 1e3 for word in said.split())
    yield Result("key to repainted row, p50, the log synced between", "ms", usual, None, "", None)
    yield Result("the same, p99", "ms", late, None, "<=50", late <= 50)
    first = min(first_frame_s() for _ in range(3))
    yield Result("command to first painted frame", "s", first, None, "<=1", first <= 1)
