"""The screen on a real terminal: leaving, hang-ups, stalls, and what goes over the line."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kitetui.engine.feed.journal_reader import JournalReader
from tests.programs import processes_below
from tests.terminal import Terminal, answered

pytestmark = pytest.mark.e2e

Open = Callable[..., Terminal]
CALM = ("--demo", "--set", "feed.instruments=[RELIANCE, NIFTY 50, TCS]", "--set",
        "feed.warmup_sessions=0")  # fmt: skip
"""A demo that moves and costs little, where it is the terminal that is looked at."""


@pytest.fixture
def open_terminal(tmp_path: Path) -> Iterator[Open]:
    opened: list[Terminal] = []

    def start(*arguments: str, **options: object) -> Terminal:
        terminal = Terminal(tmp_path, *arguments, **options)  # type: ignore[arg-type]
        opened.append(terminal)
        return terminal

    yield start
    for terminal in opened:
        terminal.close()


def whole_journal(tmp_path: Path) -> int:
    """Records of the one journal, which must have been closed in order."""
    (path,) = (tmp_path / "kitetui" / "journals").glob("*.arrows")
    reader = JournalReader(path)
    list(reader)
    assert reader.unread_bytes == 0
    return reader.records


def gone(tmp_path: Path) -> bool:
    for _ in range(40):
        if not processes_below(tmp_path):
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_in_order(open_terminal: Open, tmp_path: Path, number: int) -> None:
    terminal = open_terminal(*CALM)
    assert terminal.read(15, b"SIMULATED")
    terminal.read(2)
    began = time.monotonic()
    terminal.signal(number)
    assert terminal.wait(8) == 0
    assert time.monotonic() - began < 4
    assert terminal.restored()
    assert whole_journal(tmp_path) > 10
    assert gone(tmp_path)


def test_ctrl_c_twice_leaves_in_order(open_terminal: Open, tmp_path: Path) -> None:
    terminal = open_terminal(*CALM)
    assert terminal.read(15, b"SIMULATED")
    terminal.read(2)
    terminal.type("\x03")
    assert terminal.read(5, b"Leave?")
    terminal.type("\x03")
    assert terminal.wait(8) == 0
    assert terminal.restored()
    assert whole_journal(tmp_path) > 10
    assert gone(tmp_path)


def test_a_closed_terminal_stops_the_engine_in_order(open_terminal: Open, tmp_path: Path) -> None:
    terminal = open_terminal(*CALM)
    assert terminal.read(15, b"SIMULATED")
    terminal.read(2)
    terminal.hang_up()
    assert terminal.wait(10) == 0
    assert whole_journal(tmp_path) > 10
    assert gone(tmp_path)


def test_a_closed_terminal_is_noticed_below_a_program_that_keeps_it_to_itself(
    open_terminal: Open, tmp_path: Path
) -> None:
    """As `make demo` in a window that is closed: the signal reaches make alone."""
    script = 'trap "" HUP; "$@"; echo $? > "$0"'
    terminal = open_terminal("--demo", below=("sh", "-c", script, str(tmp_path / "code")))
    assert terminal.read(15, b"SIMULATED")
    terminal.read(2)
    terminal.hang_up()
    assert terminal.wait(10) == 0
    assert (tmp_path / "code").read_text().strip() == "0"
    assert whole_journal(tmp_path) > 10
    assert gone(tmp_path)


def test_a_closed_terminal_can_leave_the_engine_running(
    open_terminal: Open, tmp_path: Path
) -> None:
    terminal = open_terminal(*CALM, "--set", "screen.on_hangup=detach")
    assert terminal.read(15, b"SIMULATED")
    terminal.read(2)
    terminal.hang_up()
    time.sleep(3)
    assert terminal.process.poll() is None
    (path,) = (tmp_path / "kitetui" / "journals").glob("*.arrows")
    size = path.stat().st_size
    time.sleep(1.5)
    assert path.stat().st_size > size
    terminal.signal(signal.SIGTERM)
    assert terminal.wait(8) == 0
    assert whole_journal(tmp_path) > 10
    assert gone(tmp_path)


def test_the_engine_does_not_notice_a_terminal_that_stops_reading(
    open_terminal: Open, tmp_path: Path
) -> None:
    terminal = open_terminal("--demo", "--duration", "24", "--json", "--set",
                             "feed.warmup_sessions=0")  # fmt: skip
    assert terminal.read(15, b"SIMULATED")
    terminal.read(4)
    time.sleep(8)
    assert terminal.wait(30) == 0
    status = terminal.status()
    assert status["ticks"]["received"] > 20_000
    assert status["loop_lag_ms"]["max"] < 2000, "a loop that waited for it would stand for eight"


def test_a_stalled_terminal_does_not_keep_the_program_from_leaving(
    open_terminal: Open, tmp_path: Path
) -> None:
    terminal = open_terminal("--demo")
    assert terminal.read(15, b"SIMULATED")
    terminal.read(2)
    time.sleep(5)  # nobody reads: the writer's queue is full
    terminal.signal(signal.SIGTERM)
    end = time.monotonic() + 12
    while terminal.process.poll() is None and time.monotonic() < end:
        time.sleep(0.1)
    assert terminal.process.poll() == 0
    assert whole_journal(tmp_path) > 10


def test_a_frozen_screen_sends_next_to_nothing(open_terminal: Open) -> None:
    terminal = open_terminal("--demo")
    assert terminal.read(15, b"SIMULATED")
    terminal.read(4)
    before = len(terminal.output)
    terminal.read(3)
    live = (len(terminal.output) - before) / 3
    terminal.type("F")
    assert terminal.read(8, b"FROZEN")
    terminal.read(1)
    before = len(terminal.output)
    terminal.read(3)
    frozen = (len(terminal.output) - before) / 3
    assert live > 20_000
    assert frozen < 5_000  # the clock in the header goes on


@pytest.mark.parametrize(
    ("extra", "words"),
    [({"TERM": "dumb"}, b"TERM=dumb"), ({"LANG": "C", "LC_ALL": "POSIX", "PYTHONUTF8": "0",
      "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}, b"not UTF-8")],
)  # fmt: skip
def test_a_terminal_that_cannot_show_it_gets_its_own_answer(
    open_terminal: Open, extra: dict[str, str], words: bytes
) -> None:
    terminal = open_terminal("--demo", **extra)
    assert terminal.wait(10) == 2
    assert words in terminal.output
    assert b"--headless" in terminal.output
    assert b"Traceback" not in terminal.output


def test_a_small_terminal_is_told_what_is_needed(open_terminal: Open) -> None:
    terminal = open_terminal(*CALM, columns=60, lines=20)
    assert terminal.read(15, b"need 80x24")
    terminal.signal(signal.SIGTERM)
    assert terminal.wait(8) == 0


def test_an_alert_is_seen_and_acknowledged_by_key(open_terminal: Open) -> None:
    terminal = open_terminal("--demo")
    assert terminal.read(30, b"volume_spike")
    answered(terminal, "6a", "acknowledged RELIANCE volume_spike")
    terminal.type("u")
    assert terminal.read(6, b"unacknowledged again")
    terminal.type("q")
    assert terminal.read(5, b"Leave?")
    terminal.type("s")
    assert terminal.wait(20) == 0
    assert terminal.restored()


@pytest.mark.parametrize(("columns", "lines"), [(200, 50), (80, 24)])
def test_a_look_around_an_instrument_and_everything_is_there_the_next_day(
    open_terminal: Open, tmp_path: Path, columns: int, lines: int
) -> None:
    terminal = open_terminal("--demo", columns=columns, lines=lines)

    def shows(keys: str, *words: bytes) -> None:
        terminal.read(0.6)
        terminal.output = b""
        terminal.type(keys)
        for word in words:
            assert terminal.read(8, word), (keys, word, terminal.output[-3000:])

    assert terminal.read(20, b"RELIANCE") and terminal.read(5, b"chooses an instrument")
    shows(":", b"an action, a symbol")
    terminal.type("bajfin")
    terminal.read(2)  # what is found comes in a moment later
    terminal.type("\r")
    terminal.read(1)
    shows("2", b"spread")
    shows("L", b"ladder")
    assert b"Depth BAJFINANCE" in terminal.output
    shows("v", b"Chart BAJFINANCE 1m")
    shows(".", b"BAJFINANCE 3m")
    shows("1", b"BAJFINANCE")
    shows("/", b"esc clears it")
    shows("nif", b"/nif")
    terminal.type("\r")
    shows("\x1b", b"1 Watchlist")
    shows("y", b"\x1b]52;c;")
    shows("w", b"options: the chain")
    shows(" ", "❚❚".encode())
    shows("=", b"as it is now", b"lines differ")
    shows(" ", b"live again")
    shows("t", b"theme classic")
    shows("q", b"Leave?")
    terminal.type("s")
    assert terminal.wait(20) == 0 and terminal.restored()
    (copied,) = (tmp_path / "kitetui" / "taken").iterdir()
    assert copied.read_text()
    again = open_terminal("--demo", columns=columns, lines=lines)
    assert again.read(20, b"Chain"), "the arrangement"
    again.signal(signal.SIGTERM)
    assert again.wait(10) == 0


def test_a_storm_of_resizes_ends_in_the_right_layout(open_terminal: Open) -> None:
    terminal = open_terminal("--demo")
    assert terminal.read(15, b"SIMULATED")
    rng = random.Random(4)
    for _ in range(150):
        terminal.resize(rng.randint(20, 240), rng.randint(5, 70))
        terminal.read(0.02)
    terminal.resize(80, 24)
    terminal.read(3)
    terminal.output = b""
    terminal.type("?")
    assert terminal.read(5, b"Acknowledge all alerts"), "keys are answered"
    terminal.type("?")
    terminal.resize(0, 0)
    terminal.read(1)
    terminal.output = b""
    terminal.resize(120, 35)
    assert terminal.read(8, b"6 Alerts"), "two columns"
    terminal.signal(signal.SIGTERM)
    assert terminal.wait(10) == 0 and terminal.restored()


def test_a_terminal_is_asked_for_its_mouse_only_where_that_is_wanted(
    open_terminal: Open,
) -> None:
    terminal = open_terminal(*CALM, columns=80, lines=24)
    assert terminal.read(15, b"SIMULATED")
    terminal.signal(signal.SIGTERM)
    assert terminal.wait(8) == 0 and b"\x1b[?1000h" not in terminal.output
    terminal = open_terminal(*CALM, "--mouse", columns=80, lines=24)
    assert terminal.read(15, b"SIMULATED") and b"\x1b[?1000h" in terminal.output
    terminal.read(1)
    column = len("1Watch 2Depth 3Bkts 4Strm 5Lag 6Alrt ") + 2
    terminal.type(f"\x1b[<0;{column};2M\x1b[<0;{column};2m")
    assert terminal.read(5, b"7 Events")
    terminal.type("q")
    assert terminal.read(5, b"Leave?")
    terminal.type("s")
    assert terminal.wait(8) == 0 and terminal.restored()
    assert b"\x1b[?1000l" in terminal.output
