"""Metrics and health over HTTP, of an engine that runs: as Prometheus reads them."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from kitetui.config import ConfigError, default_folder, load
from kitetui.engine.door.exposition import exposition
from tests.programs import LOGIN, engine, exchange, feed_options, kitetui, status_when

PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="needs promtool, of Prometheus")
MONITORING = default_folder() / "monitoring"


class Site:
    """An engine that is scraped."""

    def __init__(self, folder: Path, client: httpx.Client) -> None:
        self.folder, self.client = folder, client

    def get(self, route: str) -> httpx.Response:
        return self.client.get(f"http://engine{route}")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("m")
    path = folder / "m.sock"
    with exchange(folder, "--speed", "10", "--faults", "drop@3") as hello:
        options = [*feed_options(hello), "--set", "feed.speed=10", "--set",
                   f"metrics.listen=unix://{path}"]  # fmt: skip
        with engine(folder, *options, **LOGIN):
            status_when(folder, lambda s: s["feed"]["reconnects"] > 0 and s["streams"], 40)
            assert path.stat().st_mode & 0o777 == 0o600
            with httpx.Client(transport=httpx.HTTPTransport(uds=str(path))) as client:
                yield Site(folder, client)
    assert not path.exists()


def values(text: str) -> dict[str, float]:
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
            for line in text.splitlines() if not line.startswith("#")}  # fmt: skip


@pytest.mark.e2e
@needs_promtool
def test_prometheus_accepts_what_it_scrapes(site: Site) -> None:
    answer = site.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    checked = subprocess.run([str(PROMTOOL), "check", "metrics"], input=answer.text, text=True,
                             capture_output=True, check=False)  # fmt: skip
    assert checked.returncode == 0 and not checked.stderr, checked.stderr + answer.text


@pytest.mark.e2e
def test_the_figures_are_those_of_the_status_document(site: Site) -> None:
    found = values(site.get("/metrics").text)
    status = status_when(site.folder, lambda s: True)
    again = values(site.get("/metrics").text)
    for outcome in ("used", "duplicates", "late", "rejected"):
        name = f'kitetui_ticks_total{{outcome="{outcome}"}}'
        assert found[name] <= status["ticks"][outcome] <= again[name]
    assert found["kitetui_ws_reconnects_total"] == status["feed"]["reconnects"] > 0
    assert found['kitetui_ws_state{connection="0",state="LIVE"}'] == 1
    assert found["kitetui_ready"] == 1 and found["kitetui_redis_up"] == 1
    assert sum(name.startswith("redis_stream_length") for name in found) > 0
    text = site.get("/metrics").text
    assert "demo" not in text and "RELIANCE" not in text, "no token, no symbol"


@pytest.mark.e2e
def test_health_says_what_a_supervisor_asks(site: Site) -> None:
    assert site.get("/livez").json() == {"live": True}
    ready = site.get("/readyz")
    assert ready.status_code == 200 and ready.json() == {"ready": True, "because": {}}
    whole = site.get("/healthz").json()
    assert whole["status"]["state"] == "LIVE"
    assert site.get("/nothing").status_code == 404
    assert site.client.post("http://engine/metrics").status_code == 405


@pytest.mark.e2e
def test_those_who_say_nothing_or_nonsense_do_no_harm(site: Site) -> None:
    plugs = []
    for data in (b"", b"GET ", b"\x00" * 100, b"GET /metrics HTTP/1.1\r\n" + b"x" * 20_000):
        plug = socket.socket(socket.AF_UNIX)
        plug.connect(str(site.folder / "m.sock"))
        plug.send(data)
        plugs.append(plug)
    assert site.get("/livez").status_code == 200
    for plug in plugs:
        plug.close()


@pytest.mark.e2e
def test_an_engine_that_is_refused_is_not_ready(tmp_path: Path) -> None:
    path = tmp_path / "m.sock"
    with exchange(tmp_path) as hello:
        options = [*feed_options(hello), "--set", f"metrics.listen=unix://{path}"]
        with engine(tmp_path, *options, KITE_API_KEY="demo", KITE_ACCESS_TOKEN="canary"):
            status_when(tmp_path, lambda s: s["state"] == "AUTH_EXPIRED", 30)
            with httpx.Client(transport=httpx.HTTPTransport(uds=str(path))) as client:
                ready = client.get("http://engine/readyz")
                assert ready.status_code == 503
                assert ready.json()["because"]["feed"].startswith("AUTH_EXPIRED 403")
                assert client.get("http://engine/livez").status_code == 200
                assert "canary" not in client.get("http://engine/healthz").text


@needs_promtool
def test_prometheus_accepts_the_rules() -> None:
    checked = subprocess.run(
        [str(PROMTOOL), "check", "rules", str(MONITORING / "kitetui.rules.yaml")],
        text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.e2e
@pytest.mark.parametrize("name", ["kitetui.rules.yaml", "grafana.json"])
def test_rules_and_dashboard_name_only_metrics_that_there_are(site: Site, name: str) -> None:
    told = set(re.findall(r"# TYPE (\w+)", site.get("/metrics").text))
    asked = set(re.findall(r"\b(?:kitetui|redis_stream)_\w+", (MONITORING / name).read_text()))
    # Groups appear where consumers are; the demo's exchange closes no socket with a code.
    absent = {"redis_stream_group_lag", "kitetui_stream_group_lost_total"}
    assert asked - told <= absent, asked - told


def test_labels_are_escaped(site: Site) -> None:
    status: dict[str, Any] = status_when(site.folder, lambda s: True)
    status["streams"] = [{"db": 1, "name": 'a"b\\c\nd', "length": 1, "cap": 2, "groups": 0}]
    text = exposition(status, "1", True)
    assert 'stream="a\\"b\\\\c\\nd"' in text
    assert all(re.fullmatch(r"#.*|\w+(\{.*\})? \S+", line) for line in text.splitlines())


@pytest.mark.parametrize("listen", ["0.0.0.0:9108", "example.com:80", "9108", "unix://relative"])
def test_an_address_that_others_reach_is_refused(listen: str) -> None:
    with pytest.raises(ConfigError, match=r"metrics\.listen"):
        load(overrides=[f"metrics.listen='{listen}'"])


@pytest.mark.e2e
def test_a_port_that_is_taken_is_a_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = kitetui(tmp_path, "--demo", "--headless", "--duration", "3", "--set",
                       f"metrics.listen=127.0.0.1:{port}")  # fmt: skip
    assert done.returncode == 69 and "in use" in done.stderr and "Traceback" not in done.stderr
