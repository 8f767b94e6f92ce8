"""Screens on an engine that runs elsewhere: by terminal, over a real sshd, stopped and killed."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kitetui.caller import Caller, NoEngine
from tests.attach.sshd import SSHD, Door, door, make_key
from tests.programs import LOGIN, PROGRAM, environment, exchange, feed_options, kitetui, status_when
from tests.terminal import Terminal, answered

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

EASY = ["--set", "alerts.min_confidence=0.0", "--set", "thresholds.volume_spike.min_bars=2",
        "--set", "thresholds.volume_spike.params.min_ratio=0.5",
        "--set", "thresholds.volume_spike.params.min_robust_z=-9.0"]  # fmt: skip
"""Settings under which alerts are many."""


class Running:
    """An engine that runs without a screen; it can be killed and started again."""

    def __init__(self, folder: Path, hello: dict[str, Any]) -> None:
        self.folder = folder
        self._hello = hello
        self.launch()
        self.wait_for_alerts()

    def launch(self) -> None:
        self.process = subprocess.Popen(
            [*PROGRAM, "--headless", *EASY, *feed_options(self._hello), "--set", "feed.speed=10"],
            env=environment(self.folder, **LOGIN), stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def wait_for_alerts(self) -> None:
        status_when(self.folder, lambda s: s["alerts"]["unacked"] > 0, 60)

    def answers(self) -> bool:
        try:
            Caller(self.folder / "kitetui" / "run", "ro").close()
        except NoEngine:
            return False
        return True

    def status(self) -> dict[str, Any]:
        return status_when(self.folder, lambda s: True)

    def actors(self) -> list[tuple[str, str]]:
        return sorted((v["actor"], v["role"]) for v in self.status()["viewers"])


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("e")
    with exchange(folder, "--speed", "10", "--seed", "3", "--rate", "300") as hello:
        running = Running(folder, hello)
        yield running
        running.process.terminate()
        running.process.wait(10)


Open = Callable[..., Terminal]


@pytest.fixture
def attached(engine: Running) -> Iterator[Open]:
    opened: list[Terminal] = []

    def start(*arguments: str, **options: Any) -> Terminal:
        terminal = Terminal(engine.folder, *arguments, **options)
        opened.append(terminal)
        return terminal

    yield start
    for terminal in opened:
        terminal.close()


def test_an_operator_acknowledges_and_leaves_and_the_engine_goes_on(
    engine: Running, attached: Open
) -> None:
    screen = attached("attach", "--as", "ravi")
    assert screen.read(15, b"KITE") and screen.read(10, b"volume_spike")
    assert [(a.endswith(":ravi"), role) for a, role in engine.actors()] == [(True, "rw")]
    answered(screen, "6a", "acknowledged ")
    screen.type("q")
    assert screen.wait(5) == 0, "leaving asks nothing: nothing ends"
    assert screen.restored()
    status = engine.status()
    assert status["state"] == "LIVE" and status["viewers"] == []


def acknowledge_all(screen: Terminal) -> None:
    """Press what acknowledges all that is on the screen."""
    answered(screen, "6A", "on the screen?")
    screen.type("y")


def test_who_only_looks_is_shown_so_and_told_so(engine: Running, attached: Open) -> None:
    screen = attached("attach", "--ro")
    assert screen.read(15, b"looking only") and screen.read(10, b"volume_spike")
    before = engine.status()["alerts"]["unacked"]
    acknowledge_all(screen)
    assert screen.read(8, b"this socket is for looking only")
    assert engine.status()["alerts"]["unacked"] >= before
    screen.signal(signal.SIGTERM)
    assert screen.wait(5) == 0


def test_kitetui_itself_attaches_where_an_engine_runs(engine: Running, attached: Open) -> None:
    screen = attached(*feed_options(engine._hello), **LOGIN)
    assert screen.read(15, b"volume_spike")
    assert engine.actors()
    screen.type("q")
    assert screen.wait(5) == 0
    refused = kitetui(engine.folder, "--headless", **LOGIN)
    assert refused.returncode == 73 and "kitetui attach" in refused.stderr


def test_a_screen_that_is_stopped_or_killed_changes_nothing_for_anybody(
    engine: Running, attached: Open
) -> None:
    stopped, killed, other = (attached("attach", "--as", n) for n in ("stopped", "killed", "other"))
    for screen in (stopped, killed, other):
        assert screen.read(20, b"volume_spike")
    stopped.signal(signal.SIGSTOP)
    killed.signal(signal.SIGKILL)
    began = engine.status()
    since = time.monotonic()
    while time.monotonic() - since < 20:
        seen = len(other.output)
        other.read(2)
        assert len(other.output) > seen, "the other one goes on"
    status = engine.status()
    assert [a.rpartition(":")[2] for a, _ in engine.actors()] == ["other"], "15 s of silence"
    assert status["ticks"]["received"] > began["ticks"]["received"]
    # It waits for nobody: one that did would stand for as long as a viewer is stopped.
    assert status["loop_lag_ms"]["p99"] < 2_000 and status["state"] == "LIVE"
    stopped.signal(signal.SIGCONT)
    stopped.read(4)
    assert len(engine.actors()) == 2, "it comes back by itself"
    stopped.output = b""
    stopped.read(3)
    assert len(stopped.output) > 100 and b"ENGINE DOWN" not in stopped.output[-2000:]


def test_an_engine_that_is_killed_is_told_and_its_screen_heals(
    engine: Running, attached: Open
) -> None:
    screen = attached("attach")
    assert screen.read(15, b"volume_spike")
    screen.output = b""
    engine.process.kill()
    assert screen.read(2, b"ENGINE DOWN since"), "at once"
    engine.process.wait()
    screen.read(1)
    screen.output = b""
    screen.read(1)
    assert screen.output == b"", "what was shown stays, dimmed, and nothing moves"
    engine.launch()
    while not engine.answers():
        screen.read(0.1)
    began = time.monotonic()
    assert screen.read(10, b"KITE")
    assert time.monotonic() - began < 2.0
    assert len(engine.actors()) == 1
    engine.wait_for_alerts()


def test_no_engine_is_a_sentence_and_wait_waits(tmp_path: Path, attached: Open) -> None:
    nobody = attached("attach", "--state", str(tmp_path / "s"))
    assert nobody.wait(10) == 69
    assert b"no engine runs on" in nobody.output and b"attach --wait" in nobody.output
    waiting = attached("attach", "--wait", "--state", str(tmp_path / "s"))
    assert waiting.read(10, b"ENGINE DOWN")
    waiting.type("q")
    assert waiting.wait(5) == 0


needs_sshd = pytest.mark.skipif(
    not SSHD or not shutil.which("ssh"), reason="needs OpenSSH's server and client: sshd, ssh"
)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory, engine: Running) -> Iterator[tuple[Door, Path]]:
    folder = tmp_path_factory.mktemp("s")
    for name in ("ravi", "asha"):
        make_key(folder, name)
    printed = kitetui(
        engine.folder, "ssh-setup", "--operate", str(folder / "ravi.pub"),
        "--view", str(folder / "asha.pub"), "--state", str(engine.folder / "kitetui"),
    )  # fmt: skip
    assert printed.returncode == 0, printed.stderr
    authorised = printed.stdout.split("\n\n")[0]
    with door(folder, authorised + "\n") as opened:
        yield opened, folder


@needs_sshd
def test_two_people_with_two_roles_over_ssh_see_the_same_alerts(
    engine: Running, attached: Open, keys: tuple[Door, Path]
) -> None:
    there, folder = keys
    ravi = attached(program=there.ssh(folder / "ravi", "-t"))
    asha = attached(program=there.ssh(folder / "asha", "-tC"))
    assert ravi.read(20, b"volume_spike") and asha.read(20, b"looking only")
    actors = engine.actors()
    assert [(a.partition(":")[2], role) for a, role in actors] == [
        ("asha@127.0.0.1", "ro"), ("ravi@127.0.0.1", "rw")]  # fmt: skip
    acknowledge_all(asha)
    assert asha.read(8, b"this socket is for looking only")
    for _ in range(4):  # those that changed since they were seen stay
        acknowledge_all(ravi)
        ravi.read(3)
        told = json.loads(kitetui(engine.folder, "alerts", "--history", "--json").stdout)
        if any("ravi@127.0.0.1" in line for line in told):
            break
    else:
        raise AssertionError(told)
    for screen in (ravi, asha):
        screen.type("q")
        assert screen.wait(8) == 0
    assert engine.status()["viewers"] == []


@needs_sshd
def test_a_key_opens_the_screen_and_a_few_words_and_nothing_else(
    engine: Running, keys: tuple[Door, Path], tmp_path: Path
) -> None:
    there, folder = keys
    door_of_asha = there.ssh(folder / "asha")

    def ask(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*door_of_asha, *words], text=True, capture_output=True, timeout=30,
                              check=False, stdin=subprocess.DEVNULL)  # fmt: skip

    assert json.loads(ask("status --json").stdout)["state"] == "LIVE"
    assert isinstance(json.loads(ask("kitetui alerts --json").stdout), list)
    for words in ("id", "cat /etc/shadow", "status; id", "alerts --history", "kitetui ack --all",
                  "$(id)", "kitetui attach", ""):  # fmt: skip
        refused = ask(words)
        assert refused.returncode == 2, (words, refused.stdout)
        assert "this key opens the screen" in refused.stderr and not refused.stdout
    files = subprocess.run([door_of_asha[0], "-s", *door_of_asha[1:], "sftp"], text=True,
                           capture_output=True, timeout=30, check=False, input="")  # fmt: skip
    assert files.returncode == 2 and not files.stdout, "no file server answers"
    forward = subprocess.run(
        [door_of_asha[0], "-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:1",
         *door_of_asha[1:], "status"],
        text=True, capture_output=True, timeout=30, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert forward.returncode == 255, "nothing is forwarded"


def test_what_is_no_public_key_is_told(tmp_path: Path) -> None:
    secret, lines, nothing = tmp_path / "secret", tmp_path / "two.pub", tmp_path / "none.pub"
    secret.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n")
    lines.write_text("ssh-ed25519 AAAA x\nssh-ed25519 AAAA y\n")
    for path, words in ((secret, "is a private key"), (lines, "expected one line"),
                        (nothing, "cannot be read")):  # fmt: skip
        refused = kitetui(tmp_path, "ssh-setup", "--view", str(path))
        assert refused.returncode == 2 and words in refused.stderr
