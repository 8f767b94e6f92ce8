"""`/metrics`, `/livez`, `/readyz` and `/healthz` over HTTP, on loopback or a socket of ours.

Served by the engine's own loop: a loop that stands does not answer, and that is the point.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from kitetui import __version__
from kitetui.engine.door.exposition import CONTENT_TYPE, exposition
from kitetui.engine.door.unix_socket import bound

HEAD_MAX = 8_192
ANSWER_S = 5.0
CLIENTS_MAX = 16
JSON = "application/json"


class HealthServer:
    """Answers GET; everything else is refused, and nobody is waited for."""

    def __init__(self, listen: str, status: Callable[[], dict[str, Any]],
                 readiness: Callable[[], dict[str, str]]) -> None:  # fmt: skip
        """
        Args:
            listen: HOST:PORT on loopback, or unix:///path.
            readiness: what keeps it from being ready, by part; empty where it is.
        """
        self._listen = listen
        self._status = status
        self._readiness = readiness
        self._server: asyncio.Server | None = None
        self._clients = 0

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            OSError: the address is taken, or the path cannot be used.
        """
        if self._listen.startswith("unix://"):
            self._clear()  # one that a dead engine left makes room
            path = Path(self._listen.removeprefix("unix://"))
            self._server = await asyncio.start_unix_server(self._serve, sock=bound(path),
                                                           limit=HEAD_MAX)  # fmt: skip
            return
        host, _, port = self._listen.rpartition(":")
        self._server = await asyncio.start_server(self._serve, host.strip("[]"), int(port),
                                                  limit=HEAD_MAX)  # fmt: skip

    async def close(self) -> None:
        """Listen no longer."""
        if self._server is not None:
            self._server.close()
            self._clear()

    def _clear(self) -> None:
        """Remove the socket's file, and nothing else that the setting may name."""
        path = Path(self._listen.removeprefix("unix://"))
        if self._listen.startswith("unix://") and path.is_socket():
            path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients += 1
        try:
            with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError,
                                     asyncio.LimitOverrunError):  # fmt: skip
                async with asyncio.timeout(ANSWER_S):
                    if self._clients > CLIENTS_MAX:
                        code, kind, body = 503, JSON, b'{"error": "busy"}'
                    else:
                        head = await reader.readuntil(b"\r\n\r\n")
                        try:
                            code, kind, body = self._answer(head)
                        except Exception as error:  # noqa: BLE001 - a scrape ends no engine
                            told = {"error": f"{type(error).__name__}: {error}"}
                            code, kind, body = 500, JSON, orjson.dumps(told)
                    writer.write(
                        f"HTTP/1.1 {code} {_WORDS[code]}\r\nContent-Type: {kind}\r\n"
                        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
                        + body
                    )
                    await writer.drain()
        finally:
            self._clients -= 1
            writer.close()

    def _answer(self, head: bytes) -> tuple[int, str, bytes]:
        method, _, rest = head.split(b"\r\n", 1)[0].partition(b" ")
        route = rest.split(b" ")[0].split(b"?")[0]
        if method != b"GET":
            return 405, JSON, b'{"error": "only GET"}'
        if route == b"/livez":
            return 200, JSON, b'{"live": true}'
        if route in (b"/readyz", b"/healthz", b"/metrics"):
            why = self._readiness()
            if route == b"/metrics":
                text = exposition(self._status(), __version__, not why)
                return 200, CONTENT_TYPE, text.encode()
            document = {"ready": not why, "because": why}
            if route == b"/healthz":
                return 200, JSON, orjson.dumps({**document, "status": self._status()})
            return (503 if why else 200), JSON, orjson.dumps(document)
        return 404, JSON, b'{"error": "one of /metrics, /livez, /readyz, /healthz"}'


_WORDS = {
    200: "OK",
    404: "Not Found",
    405: "Method Not Allowed",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
