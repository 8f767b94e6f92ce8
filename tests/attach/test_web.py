"""The screen in a browser: who is let in, and that what is let in is the screen."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.attach.sshd import free_port
from tests.programs import PROGRAM, environment, status_when

pytestmark = [pytest.mark.e2e]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, Path]]:
    """Host and port, the key, and the state folder of a demo's engine that is served."""
    pytest.importorskip("textual_serve", reason="the extra `web` is not installed")
    folder = tmp_path_factory.mktemp("w")
    options = {"env": environment(folder), "text": True, "stdout": subprocess.PIPE}
    engine = subprocess.Popen([*PROGRAM, "--demo", "--headless"], **options)  # type: ignore[call-overload]
    status_when(folder, lambda s: s["state"] == "LIVE", 30)
    port = free_port()
    server = subprocess.Popen([*PROGRAM, "web", "--port", str(port)], **options)  # type: ignore[call-overload]
    line = server.stdout.readline()
    found = re.search(r"http://(127\.0\.0\.1:\d+)/\?key=(\S+)", line)
    assert found, line
    yield found[1], found[2], folder
    for process in (server, engine):
        process.terminate()
        process.wait(10)
        process.stdout.close()


def test_nobody_comes_in_without_the_key_or_from_another_site(site: tuple[str, str, Path]) -> None:
    host, key, _ = site
    with httpx.Client(base_url=f"http://{host}", trust_env=False) as client:
        for route in ("/", "/ws", "/static/js/textual.js", "/download/x", "/?key=wrong"):
            assert client.get(route).status_code == 403, route
        rebound = client.get("/", params={"key": key}, headers={"Host": "evil.example"})
        assert rebound.status_code == 403
        opened = client.get("/", params={"key": key})
        assert opened.status_code == 302 and key not in opened.headers["location"]
        cookie = opened.headers["set-cookie"]
        assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and key not in cookie
        page = client.get("/")
        assert page.status_code == 200 and f"ws://{host}/ws" in page.text
        assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
        assert not re.search(r"https?://(?!127\.0\.0\.1)", page.text), "nothing from elsewhere"
        assert client.get("/static/js/textual.js").status_code == 200
    with pytest.raises(InvalidStatus, match="403"):
        connect(f"ws://{host}/ws", origin="http://evil.example",
                additional_headers={"Cookie": cookie.partition(";")[0]}, proxy=None)  # fmt: skip
    with pytest.raises(InvalidStatus, match="403"):
        connect(f"ws://{host}/ws", proxy=None)


def test_the_browser_sees_the_screen_and_looks_only(site: tuple[str, str, Path]) -> None:
    host, key, folder = site
    opened = httpx.get(f"http://{host}/", params={"key": key}, trust_env=False)
    cookie = opened.headers["set-cookie"].partition(";")[0]
    with connect(f"ws://{host}/ws?width=200&height=50", origin=f"http://{host}", proxy=None,
                 additional_headers={"Cookie": cookie}) as socket:  # fmt: skip
        seen = b""
        while b"RELIANCE" not in seen or b"looking only" not in seen:
            message = socket.recv(20)
            seen += message if isinstance(message, bytes) else message.encode()
        (viewer,) = status_when(folder, lambda s: bool(s["viewers"]))["viewers"]
        assert viewer["role"] == "ro" and viewer["actor"].endswith(":web")
        socket.send(json.dumps(["stdin", "q"]))
        with pytest.raises(Exception):  # noqa: B017 - it closes, however it does so
            while True:
                socket.recv(10)
    status_when(folder, lambda s: not s["viewers"] and s["state"] == "LIVE")
