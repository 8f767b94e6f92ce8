"""A bot API that answers as a script says, and remembers what it was sent."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import msgspec

TOKEN = "123456:CANARY-token-that-must-not-be-seen"


class Seen(msgspec.Struct):
    """One request that arrived whole."""

    at_s: float
    path: str
    body: dict[str, Any]
    answered: str


class FakeTelegram:
    """Answers one item of the script a request, then 200 for ever.

    Items: 200, 500, 403, `(429, seconds)`, `hang`, `reset`, `html`, `slow`, `parse`,
    `(migrate, id)`, `accept then close`.
    """

    def __init__(self, script: list[Any]) -> None:
        self.script = list(script)
        self.seen: list[Seen] = []
        self.url = ""

    @property
    def taken(self) -> list[dict[str, Any]]:
        """Messages that were accepted."""
        return [one.body for one in self.seen if one.answered in ("200", "accept then close")]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, TimeoutError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = next(int(line.split(":")[1]) for line in head.splitlines()
                              if line.lower().startswith("content-length"))  # fmt: skip
                body = json.loads(await reader.readexactly(length))
                item = self.script.pop(0) if self.script else 200
                name = str(item[0] if isinstance(item, tuple) else item)
                self.seen.append(Seen(time.monotonic(), head.split(" ")[1], body, name))
                if not await self._answer(item, writer):
                    break
        writer.close()

    async def _answer(self, item: Any, writer: asyncio.StreamWriter) -> bool:
        if item == "hang":
            await asyncio.sleep(60)
            return False
        if item == "reset":
            writer.transport.abort()
            return False
        if item == "accept then close":
            return False
        status, told = 200, {"ok": True, "result": {"message_id": len(self.seen)}}
        if item == "html":
            self._write(writer, 502, b"<html><body>Bad Gateway</body></html>")
            return True
        if isinstance(item, tuple) and item[0] == 429:
            status = 429
            told = {"ok": False, "parameters": {"retry_after": item[1]}}
        elif isinstance(item, tuple):
            status = 400
            told = {"ok": False, "parameters": {"migrate_to_chat_id": item[1]}}
        elif item == "parse":
            status, told = 400, {"ok": False, "description": "Bad Request: can't parse entities: x"}
        elif item != 200:
            status, told = item, {"ok": False, "description": "no"}
        self._write(writer, status, json.dumps(told).encode())
        return True

    def _write(self, writer: asyncio.StreamWriter, status: int, body: bytes) -> None:
        writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body))


@contextlib.asynccontextmanager
async def telegram(*script: Any) -> AsyncIterator[FakeTelegram]:
    """A running fake on loopback."""
    fake = FakeTelegram(list(script))
    server = await asyncio.start_server(fake.serve, "127.0.0.1", 0)
    fake.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield fake
    server.close()
