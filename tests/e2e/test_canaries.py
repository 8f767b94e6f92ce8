"""Secrets stand nowhere: in no output, log, file, process list, metric, bundle or exception."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import httpx
import pytest

from kitetui.engine.feed.login import login_url
from tests.programs import environment, exchange, feed_options, kitetui, status_when

pytestmark = pytest.mark.e2e

LOUD = [sys.executable, str(Path(__file__).with_name("loud_child.py"))]
REDIS, TELEGRAM, WEBHOOK = "canary-redis-password", "77:canary-telegram-token", "canary-hook-key"


@pytest.mark.timeout(200)
def test_secrets_stand_nowhere_whatever_happens(tmp_path: Path) -> None:
    """A token that Kite made, with every logger at its loudest, under every fault of the feed,
    with a Redis, a Telegram and a webhook that cannot be reached."""
    state = tmp_path / "kitetui"
    state.mkdir(mode=0o700)
    api_secret = "demo-secret"
    (state / "telegram_token").write_text(TELEGRAM)
    (state / "telegram_token").chmod(0o600)
    (state / "api_secret").write_text(api_secret)
    (state / "api_secret").chmod(0o600)
    said: list[str] = []
    faults = "drop@2,garble@4,truncate@5,mute@6:7,busy@14:2,expire@17:4,drop@18"
    with exchange(tmp_path, "--speed", "10", "--faults", faults) as hello:
        options = [*feed_options(hello), "--set", "feed.speed=10", "--set",
                   "feed.refused_wait_s=1"]  # fmt: skip
        page = httpx.get(login_url(f"{hello['rest_url']}/connect/login", "demo", "s"),
                         trust_env=False)  # fmt: skip
        request = parse_qs(urlsplit(page.headers["location"]).query)["request_token"][0]
        login = subprocess.run([*LOUD, "login", "--api-key", "demo", "--token", request, *options],
                               env=environment(tmp_path), text=True, capture_output=True,
                               check=False)  # fmt: skip
        assert login.returncode == 0, login.stderr[-1000:]
        token = json.loads((state / "credentials.json").read_text())["access_token"]
        secrets = [token, quote(token, safe=""), request, api_secret, REDIS, TELEGRAM, WEBHOOK]
        said += [login.stdout, login.stderr]

        metrics = tmp_path / "m.sock"
        log = (tmp_path / "engine.log").open("wb")
        engine = subprocess.Popen(
            [*LOUD, "--headless", "--json", *options, "--set", f"metrics.listen=unix://{metrics}",
             "--set", "telegram.base_url=http://127.0.0.1:9", "--set", "telegram.chat_id='1'",
             "--set", "alerts.min_confidence=0.0", "--set", "thresholds.volume_spike.min_bars=2",
             "--set", "thresholds.volume_spike.params.min_ratio=0.5",
             "--set", "thresholds.volume_spike.params.min_robust_z=-9.0"],
            env=environment(
                tmp_path, PYTHONASYNCIODEBUG="1", PYTHONDEVMODE="1",
                KITETUI_WEBHOOK_SECRET=WEBHOOK,
            ),
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            status_when(tmp_path, lambda s: s["state"] == "LIVE", 30)
            listed = subprocess.run(["ps", "-wweo", "args"], text=True, capture_output=True,
                                    check=True).stdout  # fmt: skip
            said.append("\n".join(li for li in listed.splitlines() if "kitetui" in li))
            end = time.monotonic() + 28
            states = set()
            while time.monotonic() < end:
                status = status_when(tmp_path, lambda s: True)
                states.add(status["state"])
                said.append(json.dumps(status))
                time.sleep(0.5)
            assert {"LIVE", "AUTH_EXPIRED"} <= states and len(states) >= 3, states
            with httpx.Client(transport=httpx.HTTPTransport(uds=str(metrics))) as client:
                said += [client.get(f"http://e{route}").text for route in ("/metrics", "/healthz")]
            bundle = tmp_path / "b.tar.gz"
            hidden = [
                "--set",
                f"redis.url=redis://u:{REDIS}@127.0.0.1:9",
                "--set",
                f"webhook.url=https://hooks.example.com/services/{WEBHOOK}",
                "--set",
                f"news.feeds=[{{url: 'https://n.example.com/{WEBHOOK}', every_s: 60}}]",
            ]
            made = kitetui(tmp_path, "bundle", "--to", str(bundle), *options, *hidden)
            shown = kitetui(tmp_path, "config", "show", *hidden)
            assert "hooks.example.com" in shown.stdout
            said += [shown.stdout, shown.stderr]
            assert made.returncode == 0, made.stderr
            assert bundle.stat().st_mode & 0o777 == 0o600
            with tarfile.open(bundle) as parts:
                names = parts.getnames()
                said += [parts.extractfile(name).read().decode() for name in names]  # type: ignore[union-attr]
            assert {"kitetui/status.json", "kitetui/doctor.json", "kitetui/events.json"} <= set(
                names
            )
            for words in (["doctor", "--json"], ["config", "show", "--json"], ["alerts", "--json"],
                          ["tail", "-n", "5"], ["outbox"]):  # fmt: skip
                done = kitetui(tmp_path, *words)
                said += [done.stdout, done.stderr]
        finally:
            engine.terminate()
            assert engine.wait(20) == 0
            log.close()
        away = subprocess.run(
            [*LOUD, "--headless", "--duration", "4", *options, "--set",
             f"redis.url=redis://u:{REDIS}@127.0.0.1:9"],
            env=environment(tmp_path), text=True, capture_output=True, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        said += [away.stdout, away.stderr, (tmp_path / "engine.log").read_text(errors="replace")]
    assert "DEBUG:asyncio" in said[-1], "the loggers are loud"
    for secret in secrets:
        for text in said:
            at = text.find(secret)
            assert at < 0, text[max(at - 200, 0) : at + 100].replace(secret, "<SECRET>")
    kept = {state / "credentials.json", state / "api_secret", state / "telegram_token"}
    for path in tmp_path.rglob("*"):
        if path.is_file() and path not in kept and not path.is_symlink():
            data = path.read_bytes()
            for secret in secrets:
                assert secret.encode() not in data, f"{path}: {secret[:6]}…"
