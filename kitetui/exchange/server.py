"""The exchange's WebSocket: subscriptions, modes, cached first ticks, heartbeats, refusals."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from kitetui.engine.feed import wire
from kitetui.engine.feed.batch import INDEX_FULL, INDEX_QUOTE, LTP, QUOTE, TickBatch
from kitetui.exchange.faults import FaultKind, Schedule
from kitetui.exchange.rest import Accounts

MAX_CONNECTIONS = 3
MAX_INSTRUMENTS = 3000
HEARTBEAT_S = 1.0
BEHIND_BYTES = 1 << 20
"""A live client with more than this unsent gets conflated snapshots instead of a queue."""
SETTLE_S = 0.25
"""Pause after the first subscription, so that a client's modes are known before prices move."""


class Client:
    """One connection: what it asked for, and what it has not been told yet."""

    def __init__(self, socket: ServerConnection, api_key: str) -> None:
        self.socket = socket
        self.api_key = api_key
        self.modes: dict[int, str] = {}
        self.cached: dict[int, None] = {}
        self.behind: dict[int, None] = {}
        self.last_sent_s = 0.0

    def takes(self, tokens: list[int]) -> bool:
        """Whether it wants all of these in full mode, and is owed nothing else."""
        modes = self.modes
        return not (self.cached or self.behind) and all(modes.get(t) == "full" for t in tokens)


class Ticker:
    """Distributes ticks to every client by its subscriptions and modes."""

    def __init__(self, accounts: Accounts, faults: Schedule, *, conflate: bool) -> None:
        self._accounts = accounts
        self._faults = faults
        self._conflate = conflate
        self._clients: list[Client] = []
        self._last: dict[int, tuple[TickBatch, int]] = {}
        self._server: Server | None = None
        self._truncate_next = False
        self.started = asyncio.Event()
        self._start_s = 0.0

    async def listen(self, port: int) -> int:
        """Serve on loopback; the port in use.

        Raises:
            OSError: the port is taken.
        """
        self._server = await serve(
            self._serve, "127.0.0.1", port, process_request=self._upgrade, compression=None,
            max_size=1 << 20, ping_interval=None, server_header=None, write_limit=4 * BEHIND_BYTES,
        )  # fmt: skip
        return int(next(iter(self._server.sockets)).getsockname()[1])

    async def close(self) -> None:
        """Close every socket."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    @property
    def seconds(self) -> float:
        """Seconds since the first subscription."""
        return time.monotonic() - self._start_s if self._start_s else 0.0

    async def send(self, ticks: TickBatch, frame: bytes | None = None) -> None:
        """Give ticks to everybody who asked for them; `frame` holds just these in full mode."""
        await self._happen()
        tokens = ticks.token.tolist()
        for at, token in enumerate(tokens):
            self._last[token] = (ticks, at)
        if self._faults.active(FaultKind.MUTE, self.seconds):
            return
        forms: dict[str, list[bytes]] = {}
        for client in list(self._clients):
            if frame is not None and client.takes(tokens):
                await self._put(client, frame)
            else:
                await self._tell(client, ticks, forms)

    async def idle(self) -> None:
        """Heartbeats to everybody who heard nothing for a second; cached ticks that are due."""
        await self._happen()
        if self._faults.active(FaultKind.MUTE, self.seconds):
            return
        now = time.monotonic()
        for client in list(self._clients):
            if client.cached or client.behind:
                await self._tell(client, TickBatch(0), {})
            if now - client.last_sent_s >= HEARTBEAT_S:
                await self._put(client, b"\x00")

    async def text(self, message: dict[str, Any]) -> None:
        """A text frame to everybody."""
        for client in list(self._clients):
            await self._put(client, json.dumps(message))

    async def _tell(self, client: Client, ticks: TickBatch, forms: dict[str, list[bytes]]) -> None:
        packets = [p for token in client.cached for p in self._newest(client, token)]
        client.cached.clear()
        transport = client.socket.transport
        late = self._conflate and transport.get_write_buffer_size() > BEHIND_BYTES
        tokens = ticks.token.tolist()
        if late:
            client.behind.update(dict.fromkeys(t for t in tokens if t in client.modes))
            return
        fresh = set(tokens)
        for token in client.behind:
            if token not in fresh:
                packets += self._newest(client, token)
        client.behind.clear()
        wanted = [(at, client.modes[t]) for at, t in enumerate(tokens) if t in client.modes]
        for mode in {mode for _, mode in wanted}:
            if mode not in forms:
                forms[mode] = wire.encode_packets(in_mode(ticks, mode))
        packets += [forms[mode][at] for at, mode in wanted]
        for at in range(0, len(packets), MAX_INSTRUMENTS):
            await self._put(client, wire.encode_frame(packets[at : at + MAX_INSTRUMENTS]))

    def _newest(self, client: Client, token: int) -> list[bytes]:
        """The last packet of an instrument in the client's mode, if there is one."""
        if token not in self._last or token not in client.modes:
            return []
        ticks, at = self._last[token]
        return wire.encode_packets(in_mode(ticks.take(slice(at, at + 1)), client.modes[token]))

    async def _put(self, client: Client, message: bytes | str) -> None:
        if self._truncate_next and len(message) > 8 and isinstance(message, bytes):
            self._truncate_next = False
            message = message[: len(message) - len(message) // 3]
        client.last_sent_s = time.monotonic()
        try:
            await client.socket.send(message)
        except ConnectionClosed:
            self._forget(client)

    async def _happen(self) -> None:
        """Carry out the momentary faults that are due."""
        for kind in self._faults.due(self.seconds) if self._start_s else ():
            if kind is FaultKind.DROP:
                for client in list(self._clients):
                    client.socket.transport.abort()
            elif kind is FaultKind.GARBLE:
                for client in list(self._clients):
                    await self._put(client, b"\x00\x07" + secrets.token_bytes(300))
            elif kind is FaultKind.TRUNCATE:
                self._truncate_next = True

    def _upgrade(self, socket: ServerConnection, request: Request) -> Response | None:
        query = parse_qs(urlsplit(request.path).query)
        api_key = query.get("api_key", [""])[0]
        token = query.get("access_token", [""])[0]
        if not api_key or not token:
            return _refusal(HTTPStatus.BAD_REQUEST, "Missing api_key or access_token")
        if self._faults.active(FaultKind.BUSY, self.seconds):
            return _refusal(HTTPStatus.TOO_MANY_REQUESTS, "Too many requests")
        expired = self._faults.active(FaultKind.EXPIRE, self.seconds)
        if expired or not self._accounts.valid(api_key, token):
            return _refusal(HTTPStatus.FORBIDDEN, "Invalid api_key or access_token")
        if sum(client.api_key == api_key for client in self._clients) >= MAX_CONNECTIONS:
            return _refusal(HTTPStatus.TOO_MANY_REQUESTS, "Too many connections")
        return None

    async def _serve(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        query = parse_qs(urlsplit(socket.request.path).query)
        client = Client(socket, query["api_key"][0])
        self._clients.append(client)
        try:
            await self._put(client, json.dumps(
                {"type": "instruments_meta", "data": {"count": len(self._last), "etag": "sim"}}
            ))  # fmt: skip
            async for message in socket:
                if isinstance(message, str):
                    await self._obey(client, message)
        except ConnectionClosed:
            pass
        finally:
            self._forget(client)

    def _forget(self, client: Client) -> None:
        if client in self._clients:
            self._clients.remove(client)

    async def _obey(self, client: Client, message: str) -> None:
        """Subscribe, unsubscribe and mode; anything else gets an error frame, as Kite does."""
        try:
            request = json.loads(message)
            action, value = request["a"], request["v"]
            if action == "subscribe":
                self._subscribe(client, value)
            elif action == "unsubscribe":
                for token in _tokens(value):
                    client.modes.pop(token, None)
            elif action == "mode":
                mode, tokens = value
                if mode not in ("ltp", "quote", "full"):
                    raise ValueError("Invalid mode")
                for token in _tokens(tokens):
                    if token in client.modes:
                        client.modes[token] = mode
            else:
                raise ValueError("Invalid action")
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            text = str(error) if isinstance(error, ValueError) else "Invalid message"
            await self._put(client, json.dumps({"type": "error", "data": text[:120]}))

    def _subscribe(self, client: Client, value: Any) -> None:
        for token in _tokens(value):
            if token not in client.modes:
                if len(client.modes) >= MAX_INSTRUMENTS:
                    raise ValueError("max tokens exceeded")
                client.modes[token] = "quote"
            client.cached[token] = None
        if client.modes and not self.started.is_set():
            self._start_s = time.monotonic()
            self.started.set()


def in_mode(ticks: TickBatch, mode: str) -> TickBatch:
    """The same ticks at the length a mode gives them."""
    if mode == "full":
        return ticks
    out = ticks.take(slice(None))
    index = (ticks.length == INDEX_FULL) | (ticks.length == INDEX_QUOTE)
    if mode == "ltp":
        wanted = np.full(len(ticks), LTP, np.uint8)
    else:
        wanted = np.where(index, INDEX_QUOTE, QUOTE).astype(np.uint8)
    out.length = np.minimum(wanted, ticks.length)
    return out


def _tokens(value: Any) -> Iterator[int]:
    """Tokens that are JSON numbers; Kite ignores strings without a word."""
    if not isinstance(value, list):
        raise ValueError("Invalid message")
    return (t for t in value if isinstance(t, int) and 0 < t < 1 << 32)


def _refusal(status: HTTPStatus, text: str) -> Response:
    body = json.dumps({"status": "error", "message": text, "error_type": "TokenException"})
    headers = Headers({"Content-Type": "application/json", "Content-Length": str(len(body))})
    return Response(status.value, status.phrase, headers, body.encode())
