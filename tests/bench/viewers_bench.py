"""What screens that are attached cost the engine, and how soon a tick is on one under full load."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import yaml

from tests.attach.sshd import door, make_key
from tests.bench.feed_child import MARK_MAX, TOKEN_STEP
from tests.bench.measure import Result
from tests.programs import LOGIN, PROGRAM, environment, exchange, feed_options, status_when
from tests.terminal import Terminal

VIEWERS, HZ, SECONDS = 16, 4, 12.0
ROWS, RATE = 9_000, 50_000
_LTP = re.compile(rb"(?:\x1b\[[\d;]*m)*([\d,]{5,}\.\d\d)")


def cpu_s(pid: int) -> float:
    """CPU seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def share_of_a_core(pid: int) -> float:
    """How much of a core a process takes for some seconds, in percent."""
    before, began = cpu_s(pid), time.monotonic()
    time.sleep(SECONDS)
    return (cpu_s(pid) - before) / (time.monotonic() - began) * 100


def viewers() -> tuple[float, float, float]:
    """Percent of a core that 16 screens add to an engine, kB a picture, and pictures a second."""
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder)
        engine = subprocess.Popen(
            [*PROGRAM, "--demo", "--headless", "--set", "feed.warmup_sessions=0"],
            env=environment(state), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        crowd = None
        try:
            status_when(state, lambda s: s["state"] == "LIVE", 30)
            time.sleep(5)
            alone = share_of_a_core(engine.pid)
            crowd = subprocess.Popen(
                [sys.executable, "-m", "tests.bench.viewers_child", str(state / "kitetui" / "run"),
                 str(VIEWERS), str(HZ)], stdin=subprocess.PIPE, text=True,
            )  # fmt: skip
            status_when(state, lambda s: len(s["viewers"]) == VIEWERS, 20)
            time.sleep(2)
            before = status_when(state, lambda s: True)["viewers"]
            beside = share_of_a_core(engine.pid)
            after = status_when(state, lambda s: True)["viewers"]
        finally:
            if crowd is not None:
                crowd.communicate("")
            engine.terminate()
            engine.wait(15)
    looks, size = (sum(v[name] for v in after) - sum(v[name] for v in before)
                   for name in ("pictures", "bytes"))  # fmt: skip
    return beside - alone, size / looks / 1e3, looks / SECONDS


def tick_to_screen_ms() -> tuple[list[float], float]:
    """From a tick's sending to its price on a terminal, in ms, each; and ticks a second."""
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder)
        feed = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.feed_child", str(RATE), str(ROWS), "60"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert feed.stdout is not None and feed.stdin is not None
        port = json.loads(feed.stdout.readline())["port"]
        config = state / "config" / "kitetui"
        config.mkdir(parents=True)
        tokens = [int(n) << 8 | TOKEN_STEP for n in range(1, ROWS + 1)]
        (config / "kitetui.yaml").write_text(yaml.safe_dump({"feed": {
            "url": f"ws://127.0.0.1:{port}", "rest_url": "http://127.0.0.1:9",
            "instruments": tokens, "warmup_sessions": 0,
        }}))  # fmt: skip
        screen = Terminal(state, **LOGIN)
        found: list[float] = []
        try:
            screen.read(20, b"LIVE")
            screen.read(10)
            seen = 0.0
            end = time.monotonic() + 25
            while time.monotonic() < end:
                screen.output = b""
                screen.read(0.02)
                now = time.monotonic()
                for text in _LTP.findall(screen.output):
                    at = _sent_s(text, now)
                    if at is not None and at > seen:
                        seen = at
                        found.append((now - at) * 1e3)
            rate = status_when(state, lambda s: True)["ticks"]["per_s"]
        finally:
            screen.close()
            feed.stdin.close()
            feed.wait(40)
    return found, float(rate)


def _sent_s(text: bytes, now: float) -> float | None:
    """When a marked price was sent: the hundredths of seconds of the last minutes, as rupees."""
    mark = round(float(text.replace(b",", b"")) * 100) - MARK_MAX
    if not 0 <= mark < MARK_MAX:
        return None
    back = (round(now * 1000) - mark) % MARK_MAX
    return now - back / 1000 if back < 20_000 else None


def over_ssh_b_s(moving: bool) -> float:
    """Bytes a second that an SSH client receives, compressed, for an 80x24 screen with `--lite`.

    A market in motion at ten times its pace, or one that is closed: only the clock moves.
    """
    with tempfile.TemporaryDirectory() as folder:
        state, keys = Path(folder) / "s", Path(folder) / "k"
        state.mkdir(mode=0o700)
        keys.mkdir(mode=0o700)
        make_key(keys, "eve")
        arguments = ["--demo"] if moving else []
        with exchange(state, "--clock", "15:29", "--speed", "1") as hello:
            if not moving:
                arguments = [*feed_options(hello), "--set", "feed.instruments=[RELIANCE, TCS]"]
            engine = subprocess.Popen(
                [*PROGRAM, "--headless", *arguments, "--set", "feed.warmup_sessions=0"],
                env=environment(state, **LOGIN), stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )  # fmt: skip
            try:
                status_when(state, lambda s: s["state"] == "LIVE", 30)
                line = ssh_line((keys / "eve.pub").read_text(), state)
                with door(keys, line) as there:
                    command = [*there.ssh(keys / "eve", "-tC", "-v"), "-o", "LogLevel=VERBOSE"]
                    screen = Terminal(state, program=command, columns=80, lines=24)
                    screen.read(10, b"RELIANCE")
                    screen.read(4)
                    before = _received(screen)
                    began = time.monotonic()
                    screen.read(SECONDS)
                    taken = _received(screen) - before
                    seconds = time.monotonic() - began
                    screen.close()
            finally:
                engine.terminate()
                engine.wait(15)
    return taken / seconds


def _received(screen: Terminal) -> int:
    """Bytes that the client's socket has been acknowledged to have received, by the kernel."""
    pid = screen.process.pid
    found = subprocess.run(["ss", "-tinpH", "state", "established"], text=True,
                           capture_output=True, check=True).stdout  # fmt: skip
    lines = found.splitlines()
    for at, line in enumerate(lines):
        if f"pid={pid}," in line:
            return int(re.search(r"bytes_received:(\d+)", lines[at + 1])[1])  # type: ignore[index]
    raise RuntimeError("ssh has no connection")


def ssh_line(key: str, state: Path) -> str:
    """A line of authorized_keys that opens a `--lite` screen."""
    command = f"{sys.executable} -m kitetui attach --lite --state {state / 'kitetui'}"
    return f'restrict,pty,command="{command}" {key}'


def run() -> Iterator[Result]:
    for moving, limit, words in ((True, 4_096, "a market in motion"), (False, 205, "closed")):
        rate = over_ssh_b_s(moving)
        yield Result(f"--lite over ssh -C, {words}", "B/s", rate, None, f"<={limit}",
                     rate <= limit)  # fmt: skip
    added, size, rate = viewers()
    yield Result("16 attached screens at 4 Hz, of a core of the engine", "%", added, None, "<=15",
                 added <= 15)  # fmt: skip
    yield Result("the same, a picture on the socket", "kB", size, None, "", None)
    yield Result("the same, pictures a second", "Hz", rate, None, "", None)
    taken, ticks = tick_to_screen_ms()
    yield Result("9,000 instruments: ticks a second behind a screen", "k", ticks / 1e3, None, "",
                 None)  # fmt: skip
    yield Result("the same, tick sent to price on the terminal, p50", "ms",
                 float(np.quantile(taken, 0.5)), None, "", None)  # fmt: skip
    late = float(np.quantile(taken, 0.99))
    yield Result("the same, p99", "ms", late, None, "<=300", late <= 300)
