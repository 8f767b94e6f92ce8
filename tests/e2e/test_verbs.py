"""The verbs of a running engine: what is watched, in which mode, and what is told of it."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kitetui.caller import Caller
from kitetui.engine.snapshot import View, Watching
from tests.programs import LOGIN, engine, exchange, feed_options, kitetui, status_when

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The state folder of an engine that watches three instruments."""
    folder = tmp_path_factory.mktemp("v")
    with exchange(folder, "--speed", "10", "--seed", "3") as hello:
        options = [*feed_options(hello), "--set", "feed.speed=10", "--set",
                   "feed.instruments=[RELIANCE, NIFTY 50, TCS]", "--set",
                   "feed.warmup_sessions=0"]  # fmt: skip
        with engine(folder, *options, **LOGIN):
            status_when(folder, lambda s: s["state"] == "LIVE" and s["ticks"]["used"] > 50, 30)
            yield folder


def looked(folder: Path, symbol: str) -> Any:
    with Caller(folder / "kitetui" / "run", "ro") as caller:
        found = caller.look(View(watch_count=500, watching=Watching(text=symbol))).watch
        return next((w for w in found if w.symbol == symbol), None)


def test_what_is_watched_at_run_time_ticks_and_stops_ticking(running: Path) -> None:
    assert looked(running, "INFY") is None
    done = kitetui(running, "watch", "INFY", "NIFTY BANK")
    assert done.returncode == 0 and "2 watched; 5 in all" in done.stdout, done.stderr
    for _ in range(50):
        row = looked(running, "INFY")
        if row is not None and row.ltp > 0 and row.age_s >= 0:
            break
        time.sleep(0.1)
    assert row.ltp > 1_000 and row.token
    assert kitetui(running, "watch", "NOSUCH").returncode == 1
    assert "not listed: NOSUCH" in kitetui(running, "watch", "NOSUCH", "SBIN").stderr
    assert looked(running, "SBIN") is None, "all or nothing"
    off = kitetui(running, "unwatch", "INFY")
    assert off.returncode == 0 and "no longer watched" in off.stdout
    assert "not watched: INFY" in kitetui(running, "unwatch", "INFY").stderr
    time.sleep(1.5)
    before = looked(running, "INFY")
    time.sleep(1.5)
    after = looked(running, "INFY")
    assert after.volume == before.volume and after.ltp == before.ltp and after.age_s > before.age_s
    again = kitetui(running, "watch", "INFY")
    assert again.returncode == 0
    for _ in range(50):
        if looked(running, "INFY").age_s < after.age_s:
            break
        time.sleep(0.1)
    else:
        raise AssertionError("it never came back")


def test_a_mode_is_what_packets_come_in(running: Path) -> None:
    def mode(symbol: str) -> str:
        found = json.loads(kitetui(running, "levels", symbol, "--json").stdout)
        return str(found["mode"])

    assert mode("TCS") == "full"
    assert "1 in mode ltp" in kitetui(running, "mode", "ltp", "TCS").stdout
    for _ in range(30):
        if mode("TCS") == "ltp":
            break
        time.sleep(0.1)
    else:
        raise AssertionError("packets come as before")
    assert kitetui(running, "mode", "full").returncode == 0
    for _ in range(30):
        if mode("TCS") == "full":
            break
        time.sleep(0.1)
    else:
        raise AssertionError("packets come as before")
    assert kitetui(running, "mode", "tiny", "TCS").returncode == 2


def test_reconnect_dials_anew_and_all_is_subscribed_again(running: Path) -> None:
    before = status_when(running, lambda s: s["state"] == "LIVE")["feed"]["reconnects"]
    assert "1 connections dial anew" in kitetui(running, "reconnect").stdout
    after = status_when(running, lambda s: s["feed"]["reconnects"] > before)
    used = after["ticks"]["used"]
    status_when(running, lambda s: s["state"] == "LIVE" and s["ticks"]["used"] > used + 50)


def test_levels_scoreboard_and_tail_say_in_text_what_a_screen_shows(running: Path) -> None:
    said = kitetui(running, "levels", "RELIANCE").stdout
    assert said.startswith("RELIANCE  1,4") and " | " in said and "rsi" in said
    missing = kitetui(running, "levels", "RELIANC")
    assert missing.returncode == 1 and "near it: RELIANCE" in missing.stderr
    assert kitetui(running, "scoreboard").returncode == 0
    assert isinstance(json.loads(kitetui(running, "scoreboard", "--json").stdout), list)
    tailed = kitetui(running, "tail", "-n", "3")
    assert tailed.returncode == 0 and len(tailed.stdout.splitlines()) == 3
    for line in kitetui(running, "tail", "-n", "3", "--json").stdout.splitlines():
        assert {"at_s", "source", "text"} <= set(json.loads(line)) or "alert_id" in json.loads(line)


def test_what_happens_is_logged_as_json_lines(running: Path) -> None:
    log = running / "kitetui" / "logs" / "kitetui.jsonl"
    for _ in range(50):
        if log.exists() and "LIVE" in log.read_text():
            break
        time.sleep(0.1)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    assert any(line["event"] == "ws0" and line["text"] == "LIVE" for line in lines)
    assert log.stat().st_mode & 0o777 == 0o600


RATIO = "thresholds.volume_spike.params.min_ratio"


def test_a_threshold_is_changed_in_the_ledger_kept_and_taken_back(tmp_path: Path) -> None:
    def told(*words: str) -> str:
        done = kitetui(tmp_path, "tune", *words)
        return (done.stdout + done.stderr).strip()

    with exchange(tmp_path, "--speed", "10", "--seed", "3") as hello:
        with engine(tmp_path, *feed_options(hello), "--set", "feed.speed=10", **LOGIN):
            status_when(tmp_path, lambda s: s["state"] == "LIVE" and s["ticks"]["used"] > 50, 30)
            assert told().startswith("all thresholds are as in the files")
            listed = told("--list", "volume_spike", "min_")
            assert f"{RATIO}: 2.2\n      times the usual volume of that minute" in listed
            assert "may be" in told("params.min_ratio", "3") and told("nosuch", "3").startswith(
                "no"
            )
            assert told("volume_spike.params.min_ratio", "3").startswith(
                f"{RATIO}: 2.2 became 3.0, "
            )
            assert told("volume_spike.params.min_ratio", "lots").startswith("'lots' is no value")
            assert told("min_confidence", "0.7").startswith("alerts.min_confidence: ")
        with engine(tmp_path, *feed_options(hello), "--set", "feed.speed=10", **LOGIN):
            status_when(tmp_path, lambda s: s["state"] == "LIVE", 30)
            kept = json.loads(kitetui(tmp_path, "tune", "--json").stdout)
            assert {one["key"]: one["value"] for one in kept} == {
                RATIO: "3.0", "alerts.min_confidence": "0.7"}  # fmt: skip
            assert told("--undo").startswith("alerts.min_confidence is ")
            assert told("volume_spike.params.min_ratio", "--back").startswith(
                f"{RATIO}: 3.0 became "
            )
            assert told().startswith("all thresholds are as in the files")
    state = tmp_path / "kitetui"
    assert (state / "thresholds.json").stat().st_mode & 0o777 == 0o600
    (day,) = (state / "desk").glob("*.sqlite")
    with sqlite3.connect(day) as db:
        ledger = db.execute("SELECT actor, action, done FROM control ORDER BY number").fetchall()
    assert [action for _, action, _ in ledger] == [
        f"tune {RATIO} 3", "tune alerts.min_confidence 0.7", "tune undo",
        f"tune {RATIO} as in the files",
    ]  # fmt: skip
    assert all(actor and done for actor, _, done in ledger)


def test_a_day_that_is_played_has_no_feed_to_change(running: Path, tmp_path: Path) -> None:
    journal = next((running / "kitetui" / "journals").glob("*.arrows"))
    with engine(tmp_path, "--replay", str(journal), "--speed", "1"):
        status_when(tmp_path, lambda s: s["source"] == "replay", 20)
        refused = kitetui(tmp_path, "watch", "TCS")
        assert refused.returncode == 1 and "the feed is not Kite's" in refused.stderr
