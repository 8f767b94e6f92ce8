"""The desk of a running engine: its log, and what a kill leaves of it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import pytest

from kitetui.caller import Caller, NotAllowed
from kitetui.config import load
from kitetui.engine.calendar import date_day, ist_day
from kitetui.engine.commands import Acknowledge, Undo
from kitetui.engine.door.doorway import Hello, Refused, Report, framed, read_answered
from kitetui.engine.feed.journal_reader import JournalReader
from kitetui.engine.flow.pipeline import Pipeline
from kitetui.engine.sinks.desk_log import DeskLog
from kitetui.engine.snapshot import Alert, View
from tests.programs import (
    LOGIN,
    engine,
    environment,
    exchange,
    feed_options,
    kitetui,
    run_until,
    status_when,
)

pytestmark = pytest.mark.e2e

EASY = ["alerts.min_confidence=0.0", "thresholds.volume_spike.min_bars=2",
        "thresholds.volume_spike.params.min_ratio=0.5",
        "thresholds.volume_spike.params.min_robust_z=-9.0"]  # fmt: skip
SETS = [part for text in EASY for part in ("--set", text)]


def test_the_log_of_a_live_day_is_what_its_journal_gives_again(tmp_path: Path) -> None:
    with exchange(tmp_path, "--speed", "30", "--seed", "3", "--faults", "drop@8") as hello:
        status = run_until(tmp_path, lambda s: s["feed"]["reconnects"]
                           and s["alerts"]["admitted"] > 8 and s["alerts"]["by_reason"],
                           *SETS, *feed_options(hello), "--set", "feed.speed=30",
                           **LOGIN)  # fmt: skip
    pipeline = Pipeline(load(overrides=[*EASY, "feed.speed=30"]), 1256)
    raised, transitions, departures = [], [], []
    for batch in JournalReader(Path(status["journal"]["path"])):
        derived = pipeline.apply(batch)
        raised += derived.alerts
        transitions += derived.transitions
        departures += derived.departures
    assert len(raised) > 5
    day = ist_day(transitions[0].at_s)
    log = DeskLog(tmp_path / "kitetui" / "desk", 60)
    for _ in range(2):
        assert log.transitions(day) == transitions
        assert departures and log.departures(day) == departures
        assert log.alerts(day) == sorted(raised, key=lambda a: (a.at_s, a.alert_id))
        log.write(raised, transitions, departures, 0)  # adds nothing
    assert status["alert_hash"] == pipeline.desk.alert_hash
    counts = status["alerts"]
    assert counts["candidates"] == counts["admitted"] + sum(counts["by_reason"].values())
    file = next((tmp_path / "kitetui" / "desk").glob("*.sqlite"))
    assert file.stat().st_mode & 0o777 == 0o600 and file.parent.stat().st_mode & 0o777 == 0o700


def test_an_acknowledgement_survives_the_kill_right_after_it_was_shown(tmp_path: Path) -> None:
    with exchange(tmp_path, "--speed", "30", "--seed", "3") as hello:
        options = [*feed_options(hello)[1::2], *EASY, "feed.speed=30"]
        child = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("desk_child.py")), *options],
            env=environment(tmp_path, **LOGIN), text=True, capture_output=True, timeout=120,
            check=False,
        )  # fmt: skip
        assert child.returncode == -9, child.stderr[-2000:]
        shown = json.loads(child.stdout)
        assert shown["done"] and shown["text"].startswith("acknowledged")
        log = DeskLog(tmp_path / "kitetui" / "desk", 60)
        files = list((tmp_path / "kitetui" / "desk").glob("*.sqlite"))
        day = date_day(date.fromisoformat(files[0].stem))
        acked = [t for t in log.transitions(day) if t.after == "acked"]
        assert [(t.alert_id, t.actor) for t in acked] == [(shown["alert_id"], "ops")]
        done = kitetui(tmp_path, "--headless", "--json", "--duration", "6", *SETS,
                       *feed_options(hello), "--set", "feed.speed=30", **LOGIN)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["restored"]["journals"] == 1
    again = [t for t in log.transitions(day) if t.after == "acked"]
    assert again == acked, "the next engine takes it in from the journal and writes nothing twice"
    numbers = [d.number for d in log.departures(day)]
    assert len(set(numbers)) == len(numbers), "nor any candidate"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The state folder of an engine that runs and has alerts."""
    folder = tmp_path_factory.mktemp("running")
    with exchange(folder, "--speed", "10", "--seed", "3", "--rate", "300") as hello:
        options = [*SETS, "--set", "alerts.rows=200", *feed_options(hello), "--set",
                   "feed.speed=10"]  # fmt: skip
        run = folder / "kitetui" / "run"
        with engine(folder, *options, **LOGIN):
            status_when(folder, lambda s: s["alerts"]["unacked"] > 5, 60)
            yield folder
    assert not list(run.iterdir()), "sockets go with the engine"


def waiting(caller: Caller) -> list[Alert]:
    return [a for a in caller.look(View(alerts=300)).alerts if a.state == "unacked"]


def test_two_viewers_and_one_alert_a_thousand_times_one_wins_the_other_is_told_who(
    running: Path,
) -> None:
    run = running / "kitetui" / "run"
    wins = [0, 0]
    with Caller(run) as one, Caller(run) as other, ThreadPoolExecutor(2) as pool:
        while sum(wins) < 1000:
            (alert,) = one.look(View(alerts=1)).alerts
            command = Acknowledge(*alert.seen, "")
            results = list(pool.map(lambda caller, c=command: caller.do(c), (one, other)))
            done = [result.done for result in results]
            if all("changed since" in result.text for result in results):
                continue  # its market went on between sight and key: neither saw it as it is
            assert sum(done) == 1, results
            lost = results[done.index(False)].text
            assert f"acknowledged by {one.actor} at " in lost
            wins[done.index(True)] += 1
            assert one.do(Undo("")).done


def test_those_who_only_look_change_nothing_and_what_is_no_message_is_refused(
    running: Path,
) -> None:
    run = running / "kitetui" / "run"
    assert {path.name: path.stat().st_mode & 0o777 for path in run.iterdir()} == {
        "rw.sock": 0o600, "ro.sock": 0o600}  # fmt: skip
    with Caller(run, "ro") as caller:
        alert = waiting(caller)[0]
        with pytest.raises(NotAllowed, match="looking only"):
            caller.do(Acknowledge(*alert.seen, ""))
    for data in (b"\xff\xff\xff\xff", b"\x00\x00\x00\x05hello", b"\x00\x00\x00\x01\xc0",
                 framed(Hello(99, "x")), framed(Report())):  # fmt: skip
        raw = socket.socket(socket.AF_UNIX)
        raw.settimeout(5)
        raw.connect(str(run / "rw.sock"))
        raw.sendall(data)
        answer = raw.recv(1 << 16)
        assert isinstance(read_answered(answer[4:]), Refused)
        assert raw.recv(10) == b""
        raw.close()
    with Caller(run) as caller:
        assert caller.status()["state"] in ("LIVE", "CLOSED")


def test_scripts_do_what_keys_do(running: Path) -> None:
    def verb(*arguments: str) -> subprocess.CompletedProcess[str]:
        return kitetui(running, *arguments)

    listed = json.loads(verb("alerts", "--json").stdout)
    first, third, *others = [a["alert_id"] for a in listed if a["state"] == "unacked"]
    assert first in verb("alerts").stdout
    acked = verb("ack", first[:10])
    assert acked.returncode == 0 and "acknowledged 1 alerts" in acked.stdout
    assert verb("ack", "zzzz").returncode == 1
    assert "is no alert in the queue" in verb("ack", "zzzz").stderr
    assert verb("ack").returncode == 2
    for second in others:
        shelved = verb("shelve", second, "--for", "1h", "--why", "noise")
        if "is no alert in the queue" in shelved.stderr:
            continue  # its condition was over before the first command
        assert shelved.returncode == 0 and "is shelved until" in shelved.stdout
        off = verb("unshelve", second)
        if "is no alert in the queue" not in off.stderr:
            break  # else its condition was over before the second command
    assert "off the shelf" in off.stdout
    assert "is muted until" in verb("mute", "TCS", "--pattern", "breakout").stdout
    assert verb("unmute", "TCS", "--pattern", "breakout").returncode == 0
    assert verb("unmute", "TCS").returncode == 1
    assert "no channel is configured" in verb("outbox").stdout
    history = verb("explain", first).stdout
    assert "unacked by engine: raised" in history and "acked by " in history
    (told,) = json.loads(verb("ack", third, "--json").stdout)
    assert told["done"]
    added = verb("alert", "add", "NIFTY 50 > 1 minute P3 note it trades")
    assert added.returncode == 0 and "watches NIFTY 50 > 1 minute P3" in added.stdout
    assert "is not understood" in verb("alert", "add", "NIFTY 50 > 1 often").stderr
    rule_id = added.stdout.split()[0]
    assert rule_id in verb("alert", "list").stdout
    assert rule_id in json.loads(verb("alert", "list", "--json").stdout)[0]
    for _ in range(50):
        if any(a["about"] == rule_id for a in json.loads(verb("alerts", "--json").stdout)):
            break
    else:
        raise AssertionError(verb("alerts").stdout)
    mine = next(a for a in json.loads(verb("alerts", "--json").stdout) if a["about"] == rule_id)
    why = verb("explain", mine["alert_id"]).stdout
    assert "NIFTY 50 > 1 minute P3" in why and "it trades" in why and "desk" in why
    saved = json.loads((running / "kitetui" / "rules.json").read_text())
    assert [rule["text"] for rule in saved] == ["NIFTY 50 > 1 minute P3 note it trades"]
    assert verb("alert", "remove", rule_id).returncode == 0
    assert "no rule" in verb("alert", "remove", rule_id).stderr
    lifted = verb("lift")
    assert ("plans are made again" in lifted.stdout) == (lifted.returncode == 0)
    assert "plans are not blocked" in verb("lift").stderr
    assert verb("alerts", "--history").stdout.count("\n") > 5
    document = json.loads(verb("status", "--json").stdout)
    assert document["alerts"]["candidates"] > 0


def test_without_an_engine_they_say_so(tmp_path: Path) -> None:
    done = kitetui(tmp_path, "alerts")
    assert done.returncode == 69 and "no engine runs on" in done.stderr
