"""Kite's REST against a server that answers what it is told to."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import msgspec
import pytest

from kitetui.engine.feed import rest
from kitetui.engine.feed.credentials import Credentials
from kitetui.engine.feed.rest import KiteRest, RestError
from kitetui.secret import Secret
from kitetui.settings import Settings


class Server(ThreadingHTTPServer):
    """Answers each request with the next of its answers: a status and a body."""

    answers: list[tuple[int, bytes]]
    asked = 0


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked += 1
        status, body = self.server.answers.pop(0)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    out = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=out.serve_forever, args=(0.05,))
    thread.start()
    yield out
    out.shutdown()
    thread.join()
    out.server_close()


@pytest.fixture
def kite(server: Server, settings: Settings) -> KiteRest:
    url = f"http://127.0.0.1:{server.server_port}"
    feed = msgspec.structs.replace(settings.feed, rest_url=url, history_per_s=100.0)
    return KiteRest(feed, lambda: Credentials("key", Secret("token")))


async def test_an_answer_is_tried_for_again_where_that_may_help(
    server: Server, kite: KiteRest
) -> None:
    server.answers = [(503, b""), (429, b""), (200, b"candles")]
    assert await kite.candles(1, "minute", 0, 60) == b"candles"
    server.answers = [(403, b"token")]
    with pytest.raises(RestError, match=r"historical/1/minute: HTTP 403$"):
        await kite.candles(1, "minute", 0, 60)
    await kite.close()
    assert server.asked == 4


async def test_an_answer_without_end_is_cut_off_and_not_asked_for_again(
    server: Server, kite: KiteRest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rest, "BYTES_MAX", 2 << 20)
    server.answers = [(200, bytes(8 << 20))]
    with pytest.raises(RestError, match="/instruments: larger than 2 MB"):
        await kite.instruments()
    await kite.close()
    assert server.asked == 1


async def test_what_was_read_is_not_left_to_the_collector(server: Server, kite: KiteRest) -> None:
    server.answers = [(200, b"x" * 300_000)] * 5
    gc.collect()
    gc.disable()
    try:
        for _ in range(5):
            assert len(await kite.candles(1, "minute", 0, 60)) == 300_000
        answers = [thing for thing in gc.get_objects() if isinstance(thing, httpx.Response)]
        assert not any(hasattr(answer, "_content") for answer in answers)
    finally:
        gc.enable()
    await kite.close()
