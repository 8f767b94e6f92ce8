"""Faults of the feed's sockets, on real ones: what breaks a connection, and how it comes back."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import msgspec
import pytest
from websockets.asyncio.server import Request, Response, ServerConnection, serve

from kitetui.config import load
from kitetui.engine.feed import session
from kitetui.engine.feed.credentials import Credentials
from kitetui.engine.feed.records import Kind, RecordBatch
from kitetui.engine.feed.session import Connection, LinkState
from kitetui.engine.feed.sources import KiteSource
from kitetui.secret import Secret
from tests.samples import frame, full_tick

HEARTBEAT = b"\x00"
TOKEN = "s3cret-token"
Talk = Callable[[ServerConnection], Awaitable[None]]


class Box:
    """An inbox that keeps what comes in."""

    def __init__(self) -> None:
        self.records: list[tuple[int, bytes]] = []

    def put(self, kind: int, payload: bytes, connection: int = 0) -> None:
        self.records.append((kind, payload))

    async def play(self, batch: RecordBatch) -> None:
        raise NotImplementedError

    def of(self, kind: Kind) -> list[bytes]:
        return [payload for told, payload in self.records if told == kind]


class Server:
    """A ticker that does what a test wants.

    Attributes:
        dialled: times of handshakes; peers: all that came in.
    """

    def __init__(self, talk: Talk) -> None:
        self.talk = talk
        self.status: HTTPStatus | None = None
        self.dialled: list[float] = []
        self.peers: list[ServerConnection] = []

    async def serve(self, peer: ServerConnection) -> None:
        self.peers.append(peer)
        await self.talk(peer)

    def answer(self, connection: ServerConnection, request: Request) -> Response | None:
        self.dialled.append(asyncio.get_running_loop().time())
        return connection.respond(self.status, "") if self.status is not None else None


@asynccontextmanager
async def feed(talk: Talk, url: str = "", **settings: Any) -> AsyncIterator[
        tuple[KiteSource, Box, Server]]:  # fmt: skip
    """A source on a server of its own."""
    server, box = Server(talk), Box()
    async with serve(server.serve, "127.0.0.1", 0, process_request=server.answer,
                     compression=None) as listening:  # fmt: skip
        port = listening.sockets[0].getsockname()[1]
        chosen = {"url": url or f"ws://127.0.0.1:{port}", "backoff_min_s": 0.1, **settings}
        login = Credentials("key", Secret(TOKEN))
        source = KiteSource(msgspec.structs.replace(load().feed, **chosen), lambda: login, box,
                            lambda task: None)  # fmt: skip
        source.subscribe({738561: "full"})
        try:
            yield source, box, server
        finally:
            await source.close()


async def until(met: Callable[[], bool], within_s: float = 8.0) -> float:
    """Wait until something is so; how long it took."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    while not met():
        assert loop.time() - began < within_s, "it never came to that"
        await asyncio.sleep(0.01)
    return loop.time() - began


def only(source: KiteSource) -> Connection:
    return source.connections[0]


async def ticking(peer: ServerConnection) -> None:
    while True:
        await peer.send(frame(full_tick()))
        await asyncio.sleep(0.05)


async def test_a_dropped_connection_is_live_again_within_a_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(session, "STEADY_NS", 0)
    async with feed(ticking, backoff_min_s=0.25) as (source, _, server):
        await until(lambda: only(source).state is LinkState.LIVE)
        for _ in range(3):
            await asyncio.sleep(0.1)
            before = only(source).reconnects
            server.peers[-1].transport.abort()
            await until(lambda before=before: only(source).reconnects > before, 1.0)


async def test_a_socket_that_says_nothing_is_left_within_half_a_second_of_its_limit() -> None:
    async def silent(peer: ServerConnection) -> None:
        await peer.send(HEARTBEAT)
        await peer.wait_closed()

    async with feed(silent, stale_after_s=1.0) as (source, box, _):
        await until(lambda: only(source).state is LinkState.LIVE)
        took_s = await until(lambda: only(source).state is not LinkState.LIVE, 2.0)
        assert 0.9 < took_s < 1.6
        await until(lambda: any(b"STALE" in payload for payload in box.of(Kind.LINK)), 1.0)


@pytest.mark.parametrize(
    ("what", "code", "words"),
    [
        ("large", 1009, "larger than feed.max_frame_bytes"),
        ("latin", 1007, "no UTF-8"),
        ("noise", 1002, "broke the protocol"),
    ],
)
async def test_what_no_frame_may_be_is_counted_and_the_feed_comes_back(
    what: str, code: int, words: str
) -> None:
    seen = 0

    async def odd(peer: ServerConnection) -> None:
        nonlocal seen
        seen += 1
        await peer.send(frame(full_tick()))
        await asyncio.sleep(0.1)
        if seen == 1 and what == "large":
            await peer.send(bytes(20_000))
        elif seen == 1:
            raw = b"\x81\x02\xff\xfe" if what == "latin" else b"\xff\xff\xff\xff"
            peer.transport.write(raw)
        await peer.wait_closed()

    async with feed(odd, max_frame_bytes=10_000) as (source, box, _):
        await until(lambda: source.reconnects == 1)
        reasons = " ".join(payload.decode() for payload in box.of(Kind.LINK))
        assert source.closes == {code: 1}, reasons
        assert words in reasons and TOKEN not in reasons
        assert len(box.of(Kind.FRAME)) == 2, "nothing of it was taken for a frame"


async def test_a_name_that_no_server_knows_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fails = True
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, *rest: Any, **named: Any) -> Any:
        if fails and host == "localhost":
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return real(host, *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    async with serve(ticking, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        async with feed(ticking, url=f"ws://localhost:{port}") as (source, box, _):
            await until(lambda: "name resolution" in only(source).reason)
            assert only(source).state is LinkState.RECONNECTING
            fails = False
            await until(lambda: only(source).state is LinkState.LIVE)
            assert TOKEN not in str(box.records)


async def test_no_thread_for_a_lookup_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def no_thread(*_: Any, **__: Any) -> Any:
        raise RuntimeError("can't start new thread")

    loop = asyncio.get_running_loop()
    async with feed(ticking, url="ws://localhost:1") as (source, _, _server):
        monkeypatch.setattr(loop, "getaddrinfo", no_thread)
        await until(lambda: "RuntimeError" in only(source).reason)
        assert only(source).state is LinkState.RECONNECTING


async def test_a_server_that_comes_and_goes_is_not_hammered() -> None:
    async def flaps(peer: ServerConnection) -> None:
        await peer.send(HEARTBEAT)
        peer.transport.abort()

    async with feed(flaps, backoff_min_s=0.1) as (_, _, server):
        await asyncio.sleep(3.0)
        waits = [b - a for a, b in zip(server.dialled, server.dialled[1:], strict=False)]
        assert 3 <= len(waits) <= 7 and waits[-1] > 3 * waits[0]


async def test_an_expired_login_is_not_tried_again() -> None:
    async with feed(ticking) as (source, _, server):
        await until(lambda: only(source).state is LinkState.LIVE)
        server.status = HTTPStatus.FORBIDDEN
        server.peers[-1].transport.abort()
        await until(lambda: only(source).state is LinkState.AUTH_EXPIRED)
        dialled = len(server.dialled)
        await asyncio.sleep(1.0)
        assert len(server.dialled) == dialled == 2
