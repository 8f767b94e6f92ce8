"""httpx is loaded without what an engine does not use; clients share whom they believe."""

from __future__ import annotations

import ssl
import subprocess
import sys

import certifi
import pytest

from kitetui.engine.http import prepare, trust

USE = """
import asyncio, sys
import kitetui.engine.core
from kitetui.engine.http import httpx, load

assert "httpx" not in sys.modules
load()
painters = {"rich", "pygments"} & {name.partition(".")[0] for name in sys.modules}
assert not painters, painters


class Looked:
    names = []

    def find_spec(self, name, path=None, target=None):
        self.names.append(name)


async def answer(reader, writer):
    while await reader.readuntil(b"\\r\\n\\r\\n"):
        writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")


async def ask():
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, httpx.AsyncClient(trust_env=False) as client:
        address = f"http://127.0.0.1:{port}/"
        assert (await client.get(address)).text == "ok"
        sys.meta_path.insert(0, Looked())
        assert (await client.get(address)).text == "ok"
        server.close()


asyncio.run(ask())
assert Looked.names == [], Looked.names
"""


def test_a_request_looks_for_no_module() -> None:
    done = subprocess.run([sys.executable, "-c", USE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_clients_share_whom_they_believe_and_believe_nobody_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    shared = trust(by_environment=False)
    assert trust(by_environment=True) is shared
    assert shared.verify_mode is ssl.CERT_REQUIRED and shared.check_hostname
    monkeypatch.setenv("SSL_CERT_FILE", certifi.where())
    assert trust(by_environment=True) is not shared, "a company's own authority"
    assert trust(by_environment=False) is shared, "Kite is believed as everywhere"


def test_a_wrong_environment_keeps_no_engine_from_starting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere.pem")
    prepare()
