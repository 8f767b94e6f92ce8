"""The day's start: the instrument table and the doctor, against the simulated exchange."""

from __future__ import annotations

import gzip
import http.server
import json
import re
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from kitetui.engine.sinks.instrument_files import InstrumentFiles
from tests.programs import LOGIN, exchange, feed_options, kitetui


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    with exchange(tmp_path_factory.mktemp("x"), "--instruments", "400") as hello:
        yield hello


def test_the_table_is_fetched_searched_and_planned(site: dict[str, Any], tmp_path: Path) -> None:
    rest = ["--set", f"feed.rest_url={site['rest_url']}"]
    empty = kitetui(tmp_path, "instruments", "search", "NIFTY")
    assert empty.returncode == 69 and "kitetui instruments sync" in empty.stderr
    synced = kitetui(tmp_path, "instruments", "sync", *rest)
    assert synced.returncode == 0, synced.stderr
    assert "equity" in synced.stdout and "options" in synced.stdout
    (path,) = (tmp_path / "kitetui" / "instruments").iterdir()
    assert path.stat().st_mode & 0o777 == 0o600 and path.parent.stat().st_mode & 0o777 == 0o700

    found = kitetui(tmp_path, "instruments", "search", "bank", "fut").stdout
    assert "BANKNIFTY" in found and "RELIANCE" not in found
    told = json.loads(kitetui(tmp_path, "instruments", "search", "RELIANCE", "--json").stdout)
    assert told[0]["tradingsymbol"] == "RELIANCE", "the shortest first"
    assert kitetui(tmp_path, "instruments", "search", "NOSUCHTHING").returncode == 1
    facts = json.loads(kitetui(tmp_path, "instruments", "info", "TCS", "--json").stdout)
    assert facts["exchange"] == "NSE" and facts["asset_class"] == "equity"
    assert "is not listed" in kitetui(tmp_path, "instruments", "info", "NOSUCH").stderr

    plan = json.loads(kitetui(tmp_path, "instruments", "plan", "--json").stdout)
    assert plan["connections"] == [plan["instruments"]] and plan["kinds"]["options"] > 50
    few = kitetui(tmp_path, "instruments", "plan", "--set", "feed.instruments=[TCS, NOSUCH]")
    assert (
        "1 instruments in mode full on 1 of 3" in few.stdout and "not listed: NOSUCH" in few.stdout
    )
    wide = json.loads(kitetui(tmp_path, "instruments", "plan", "--json", "--set",
                              "feed.instruments=all", "--set", "feed.max_per_connection=100",
                              ).stdout)  # fmt: skip
    assert wide["connections"] == [100, 100, 100] and wide["left_out"] > 0


def test_a_dump_that_is_cut_is_refused_and_the_last_whole_one_serves(
    site: dict[str, Any], tmp_path: Path
) -> None:
    """An engine starts on yesterday's table where today's cannot be used, and says so."""
    rest = ["--set", f"feed.rest_url={site['rest_url']}"]
    assert kitetui(tmp_path, "instruments", "sync", *rest).returncode == 0
    files = InstrumentFiles(tmp_path / "kitetui" / "instruments")
    day, whole = files.newest() or ("", b"")
    files.keep("2020-01-01", whole)
    (tmp_path / "kitetui" / "instruments" / f"{day}.csv.gz").unlink()
    text = gzip.decompress(whole)
    for body in (text[: len(text) // 4], whole[: len(whole) // 2], b"", b"<html>busy</html>"):
        with answering(body) as url:
            done = kitetui(
                tmp_path, "--headless", "--json", "--duration", "4", "--set",
                f"feed.url={site['ws_url']}", "--set", f"feed.rest_url={url}", "--set",
                "feed.warmup_sessions=0", **LOGIN,
            )  # fmt: skip
        assert done.returncode == 0, done.stderr
        status = json.loads(done.stdout)
        assert status["ticks"]["used"] > 0, (body[:20], status["reason"])
        assert (files.newest() or ("", b""))[0] == "2020-01-01", "what is cut is not kept"


class answering:
    """A server on loopback that answers every request with the same bytes, at a given time."""

    def __init__(self, body: bytes, off_s: float = 0.0) -> None:
        at = format_datetime(datetime.now(UTC) + timedelta(seconds=off_s), usegmt=True)

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def date_time_string(self, timestamp: float | None = None) -> str:
                return at

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self) -> str:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def findings(folder: Path, *options: str, **extra: str) -> dict[str, dict[str, str]]:
    done = kitetui(folder, "doctor", "--json", *options, **extra)
    assert "Traceback" not in done.stderr
    found = json.loads(done.stdout)
    assert done.returncode == any(f["state"] == "bad" for f in found)
    return {f["about"]: f for f in found}


def test_a_morning_on_which_all_is_well(site: dict[str, Any], tmp_path: Path) -> None:
    options = feed_options(site)
    kitetui(tmp_path, "instruments", "sync", *options)
    found = findings(tmp_path, *options, **LOGIN)
    assert {f["state"] for f in found.values()} <= {"ok", "look"}, found
    for about in ("config", "folders", "login", "network", "clock", "instruments", "redis", "disk"):
        assert found[about]["state"] == "ok" or about == "disk", found[about]
    text = kitetui(tmp_path, "doctor", *options, **LOGIN)
    assert text.returncode == 0 and "0 keep the engine from working" in text.stdout


def test_each_trouble_has_its_remedy(site: dict[str, Any], tmp_path: Path) -> None:
    options = feed_options(site)
    found = findings(tmp_path, *options)
    assert found["login"]["state"] == "bad" and found["login"]["remedy"] == "kitetui login"
    found = findings(tmp_path, *options, KITE_API_KEY="demo", KITE_ACCESS_TOKEN="canary-old")
    assert "refuses the token" in found["login"]["text"] and "canary" not in json.dumps(found)
    found = findings(tmp_path, "--set", "feed.rest_url=http://127.0.0.1:9", **LOGIN)
    assert found["network"]["state"] == "bad" and "ConnectError" in found["network"]["text"]
    with answering(b"{}", off_s=-600) as url:
        found = findings(tmp_path, "--set", f"feed.rest_url={url}", **LOGIN)
        assert re.search(r"6\d\d s ahead of Kite's", found["clock"]["text"])
        assert found["clock"]["state"] == "bad" and "set-ntp" in found["clock"]["remedy"]
    (tmp_path / "kitetui" / "credentials.json").write_text("{}")
    (tmp_path / "kitetui" / "credentials.json").chmod(0o644)
    found = findings(tmp_path, *options, **LOGIN)
    assert found["folders"]["remedy"].startswith("chmod 600 ")
    found = findings(tmp_path, *options, "--set", "redis.url=redis://127.0.0.1:9", **LOGIN)
    assert found["redis"]["state"] == "bad"
    found = findings(tmp_path, "--set", "screen.hz=fast")
    assert list(found) == ["config"] and "screen.hz" in found["config"]["text"]
    found = findings(tmp_path, *options, "--set", 'calendar.covers=["2024-01-01","2024-12-31"]')
    assert found["calendar"]["text"], found
    old = kitetui(tmp_path, "doctor", *options, "--set",
                  'calendar.covers=["2024-01-01","2024-12-31"]').stdout  # fmt: skip
    assert "it ended on 2024-12-31" in old


def test_a_folder_that_is_a_link_or_open_to_others_is_refused(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.mkdir(mode=0o700)
    link.symlink_to(real)
    found = findings(tmp_path, "--state", str(link))
    assert found["folders"]["state"] == "bad" and "is a link" in found["folders"]["text"]
    refused = kitetui(tmp_path, "--demo", "--headless", "--duration", "1", "--state", str(link))
    assert refused.returncode == 78 and "is a link" in refused.stderr
    real.chmod(0o777)
    refused = kitetui(tmp_path, "status", "--state", str(real))
    assert refused.returncode == 78 and f"chmod go-w {real}" in refused.stderr


def test_sockets_of_a_dead_engine_are_told_and_replaced(
    site: dict[str, Any], tmp_path: Path
) -> None:
    run = tmp_path / "kitetui" / "run"
    run.mkdir(parents=True, mode=0o700)
    run.parent.chmod(0o700)
    for role in ("ro", "rw"):
        left = socket.socket(socket.AF_UNIX)
        left.bind(str(run / f"{role}.sock"))
        left.close()
    assert "a dead one left" in findings(tmp_path, *feed_options(site))["engine"]["text"]
    done = kitetui(
        tmp_path, "--headless", "--duration", "3", "--json", *feed_options(site), **LOGIN
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["state"] in ("LIVE", "CLOSED")
