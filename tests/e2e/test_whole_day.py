"""A day from nothing, in tmux: login, doctor, instruments, the screen, two people over SSH, a token
that ends, a new one, the close, the archive, and the next morning.

`make e2e` has it run by a wheel that is installed into an environment of its own.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.attach.pictures import keep
from tests.attach.sshd import SSHD, door, free_port, make_key
from tests.programs import PROGRAM, environment, exchange, kitetui, status_when
from tests.terminal import answered
from tests.tmux import TMUX, Tmux

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

SPEED = 40
WIDE = (200, 50)


class Day:
    """Somebody's folder, an exchange, and the settings that point there."""

    def __init__(self, folder: Path, hello: dict[str, Any], port: int) -> None:
        self.folder, self.hello = folder, hello
        config = folder / "config" / "kitetui"
        config.mkdir(parents=True, exist_ok=True)
        rest = hello["rest_url"]
        (config / "kitetui.yaml").write_text(
            f"feed: {{url: '{hello['ws_url']}', rest_url: '{rest}', speed: '{SPEED}', "
            "refused_wait_s: 1, instruments: [RELIANCE, TCS, 'NIFTY 50', INFY]}\n"
            f"login: {{url: '{rest}/connect/login', port: {port}}}\n"
        )
        (config / "alerts.yaml").write_text("min_confidence: 0.0\n")
        (config / "thresholds.yaml").write_text(
            "volume_spike: {min_bars: 2, params: {min_ratio: 0.5, min_robust_z: -9.0}}\n"
        )

    def login(self) -> str:
        """Log in as with a browser; what is said."""
        process = subprocess.Popen(
            [*PROGRAM, "login", "--no-browser", "--api-key", "demo"], text=True,
            env=environment(self.folder, KITE_API_SECRET="demo-secret"), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert process.stdout is not None and process.stdin is not None
        said = ""
        while "is waited for" not in said:
            line = process.stdout.readline()
            assert line, said
            said += line
        url = re.search(r"http\S+/connect/login\S+", said)
        assert url is not None
        browser = httpx.get(url[0], trust_env=False, follow_redirects=True)
        assert browser.status_code == 200
        assert process.wait(20) == 0
        said += process.stdout.read()
        process.stdin.close()
        process.stdout.close()
        return said

    @property
    def token(self) -> str:
        found = json.loads((self.folder / "kitetui" / "credentials.json").read_text())
        return str(found["access_token"])


def seen(terminal: Tmux, *words: str, within_s: float = 20.0) -> None:
    for word in words:
        assert terminal.read(within_s, word.encode()), (word, terminal.output[-1500:])


@contextlib.contextmanager
def opened(*terminals: Tmux) -> Iterator[None]:
    try:
        yield
    finally:
        for terminal in terminals:
            terminal.close()


@pytest.mark.skipif(not SSHD or not shutil.which("ssh"), reason="needs OpenSSH: sshd and ssh")
@pytest.mark.skipif(not TMUX, reason="needs tmux, in which people would look in")
def test_a_day_from_nothing(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    port = free_port()
    redirect = f"http://127.0.0.1:{port}/"
    with exchange(tmp_path, "--clock", "2026-11-25T14:56", "--speed", str(SPEED), "--rate", "300",
                  "--redirect", redirect, "--seed", "3") as hello:  # fmt: skip
        day = Day(tmp_path, hello, port)
        morning = kitetui(tmp_path, "doctor")
        assert morning.returncode == 1 and "→ kitetui login" in morning.stdout
        assert "logged in; the token is good until" in day.login()
        assert kitetui(tmp_path, "instruments", "sync").returncode == 0
        assert "4 instruments in mode full on 1 of 3" in kitetui(
            tmp_path, "instruments", "plan").stdout  # fmt: skip
        assert "0 keep the engine from working" in kitetui(tmp_path, "doctor").stdout

        first = Tmux(tmp_path, columns=WIDE[0], lines=WIDE[1])
        with opened(first):
            seen(first, "LIVE", "RELIANCE")
            status_when(tmp_path, lambda s: s["alerts"]["unacked"] > 0, 60)
            first.read(2)
            keep(first, "1-screen", *WIDE)
            answered(first, "6a", "acknowledged ")
            answered(first, "q", "Leave?")
            keep(first, "2-leave", *WIDE)
            first.type("d")
            seen(first, "the engine goes on without a screen")
            _over_ssh(day, tmp_path_factory.mktemp("keys"))
            _closes(day)
            first.signal(15)
            assert first.wait(20) == 0
    assert b"Traceback" not in first.output
    with exchange(tmp_path, "--clock", "2026-11-26T09:20", "--speed", str(SPEED), "--rate", "300",
                  "--redirect", redirect) as hello:  # fmt: skip
        day = Day(tmp_path, hello, port)
        day.login()
        second = Tmux(tmp_path, columns=WIDE[0], lines=WIDE[1])
        with opened(second):
            seen(second, "LIVE", "RELIANCE")
            status = status_when(
                tmp_path, lambda s: s["state"] == "LIVE"
                and str(s["session_time"]).startswith("2026-11-26"), 30,
            )  # fmt: skip
            assert status["ticks"]["used"] > 0
            wait(lambda: _past_poc(tmp_path) > 1_000, 30)  # yesterday's levels are there
            second.read(2)
            keep(second, "6-next-morning", *WIDE)
            second.signal(15)
            assert second.wait(20) == 0


def _over_ssh(day: Day, folder: Path) -> None:
    """Two people with two roles; the token ends before their eyes, and a new one heals it."""
    for name in ("ravi", "asha"):
        make_key(folder, name)
    printed = kitetui(
        day.folder, "ssh-setup", "--operate", str(folder / "ravi.pub"), "--view",
        str(folder / "asha.pub"), "--state", str(day.folder / "kitetui"),
    )  # fmt: skip
    with door(folder, printed.stdout.split("\n\n")[0] + "\n") as there:
        ravi = Tmux(day.folder, program=there.ssh(folder / "ravi", "-t"), columns=WIDE[0],
                        lines=WIDE[1])  # fmt: skip
        asha = Tmux(day.folder, program=there.ssh(folder / "asha", "-tC", "-e", "none"),
                        columns=80, lines=24)  # fmt: skip
        with opened(ravi, asha):
            seen(ravi, "RELIANCE")
            seen(asha, "ro ")
            roles = status_when(day.folder, lambda s: len(s["viewers"]) == 2)["viewers"]
            assert sorted(v["role"] for v in roles) == ["ro", "rw"]
            status_when(day.folder, lambda s: s["alerts"]["unacked"] > 0, 60)
            ravi.read(1.5)
            answered(ravi, "6A", "on the screen?")
            answered(ravi, "y", "acknowledged ")
            keep(ravi, "3-operator-over-ssh", *WIDE)
            asha.read(1.5)
            keep(asha, "3-viewer-over-ssh", 80, 24)

            httpx.delete(f"{day.hello['rest_url']}/session/token", trust_env=False, params={
                "api_key": "demo", "access_token": day.token})  # fmt: skip
            assert kitetui(day.folder, "reconnect").returncode == 0
            status_when(day.folder, lambda s: s["state"] == "AUTH_EXPIRED", 20)
            for screen in (ravi, asha):
                seen(screen, "LOG IN", "run kitetui login")
            keep(ravi, "4-token-expired", *WIDE)
            day.login()
            status_when(day.folder, lambda s: s["state"] == "LIVE", 20)
            mark = len(ravi.output)
            ravi.read(2)
            assert b"LIVE" in ravi.output[mark - 3000 :]
            for screen in (ravi, asha):
                screen.type("q")
                assert screen.wait(8) == 0


def _closes(day: Day) -> None:
    """The session ends: its bars are archived by themselves, its ticks by a command here.

    Journals are named by our own day, the session's is another one: the engine archives the ticks
    of sessions that it recorded on their day.
    """
    home = day.folder / "kitetui"
    wait(lambda: (home / "archive" / "2026-11-25.parquet").exists(), 240)
    (journal,) = (home / "journals").glob("*.arrows")
    recorded = f"{journal.name[:4]}-{journal.name[4:6]}-{journal.name[6:8]}"
    done = kitetui(day.folder, "archive", recorded)
    assert done.returncode == 0, done.stderr
    assert (home / "archive" / "ticks" / f"{recorded}.parquet").exists()
    assert recorded in kitetui(day.folder, "days").stdout
    looked = Tmux(day.folder, "attach", "--ro", columns=WIDE[0], lines=WIDE[1])
    with opened(looked):
        seen(looked, "CLOSED")
        looked.read(2)
        keep(looked, "5-closed", *WIDE)


def _past_poc(folder: Path) -> float:
    found = json.loads(kitetui(folder, "levels", "RELIANCE", "--json").stdout)
    return float((found["reading"]["profile"] or {}).get("past_poc") or 0)


def wait(so: Callable[[], bool], limit_s: float) -> None:
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        if so():
            return
        time.sleep(0.2)
    raise AssertionError("it never came to that")
