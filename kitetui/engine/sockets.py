"""The engine's sockets: `rw.sock` for operators, `ro.sock` for those who only look.

Rights are the files' modes. Whose a command is, the kernel says (SO_PEERCRED).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import socket
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import orjson

from kitetui.engine.commands import Command, Result
from kitetui.engine.doorway import (
    ASKED_MAX,
    LENGTH,
    VERSION,
    Answered,
    Asked,
    BadMessage,
    Do,
    Done,
    Hello,
    Look,
    Picture,
    Refused,
    Report,
    Status,
    Welcome,
    framed,
    length,
    read_asked,
)
from kitetui.engine.snapshot import Snapshot, View

VIEWERS_MAX = 16
IDLE_S = 600.0
DRAIN_S = 5.0
_CRED = struct.Struct("3i")


class Sockets:
    """Serves both sockets on the engine's loop; the engine waits for nobody."""

    def __init__(self, folder: Path, snapshot: Callable[[View], Snapshot],
                 obey: Callable[[Command], Awaitable[Result]],
                 status: Callable[[], dict[str, Any]]) -> None:  # fmt: skip
        self._folder = folder
        self._snapshot = snapshot
        self._obey = obey
        self._status = status
        self._servers: list[asyncio.Server] = []
        self._viewers: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            OSError: a socket cannot be made.
        """
        for role, mode in (("rw", 0o600), ("ro", 0o640)):
            path = self._folder / f"{role}.sock"
            path.unlink(missing_ok=True)
            listening = socket.socket(socket.AF_UNIX)
            mask = os.umask(0o777)
            try:
                listening.bind(str(path))
            finally:
                os.umask(mask)
            path.chmod(mode)

            async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter,
                            role: str = role) -> None:  # fmt: skip
                await self._serve(reader, writer, role)

            self._servers.append(
                await asyncio.start_unix_server(serve, sock=listening, limit=ASKED_MAX)
            )

    async def close(self) -> None:
        """Let everybody go."""
        for server in self._servers:
            server.close()
        for task in list(self._viewers):
            task.cancel()
        await asyncio.gather(*self._viewers, return_exceptions=True)
        for role in ("rw", "ro"):
            (self._folder / f"{role}.sock").unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter,
                     role: str) -> None:  # fmt: skip
        task = asyncio.current_task()
        assert task is not None
        self._viewers.add(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, TimeoutError,
                                     asyncio.CancelledError):  # fmt: skip
                if len(self._viewers) > VIEWERS_MAX:
                    await self._say(writer, Refused(f"{VIEWERS_MAX} viewers are here already"))
                    return
                await self._talk(reader, writer, role)
        finally:
            self._viewers.discard(task)
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter,
                    role: str) -> None:  # fmt: skip
        actor = _peer(writer)
        greeted = False
        while True:
            try:
                async with asyncio.timeout(IDLE_S):
                    head = await reader.readexactly(LENGTH.size)
                    body = await reader.readexactly(length(head, ASKED_MAX))
                asked = read_asked(body)
            except BadMessage as error:
                await self._say(writer, Refused(str(error)))
                return
            if not greeted:
                if not isinstance(asked, Hello) or asked.version != VERSION:
                    await self._say(writer, Refused(f"this engine speaks version {VERSION}"))
                    return
                greeted = True
                await self._say(writer, Welcome(VERSION, role, actor))
                continue
            await self._say(writer, await self._answer(asked, role, actor))

    async def _answer(self, asked: Asked, role: str, actor: str) -> Answered:
        if isinstance(asked, Look):
            return Picture(self._snapshot(asked.view))
        if isinstance(asked, Report):
            return Status(orjson.dumps(self._status()))
        if isinstance(asked, Do):
            if role != "rw":
                return Refused("this socket is for looking only; operators use rw.sock")
            return Done(await self._obey(msgspec.structs.replace(asked.command, actor=actor)))
        return Refused("greeted already")

    async def _say(self, writer: asyncio.StreamWriter, answer: Answered) -> None:
        writer.write(framed(answer))
        try:
            async with asyncio.timeout(DRAIN_S):
                await writer.drain()
        except TimeoutError:  # one that reads nothing makes room for others
            writer.transport.abort()
            raise


def _peer(writer: asyncio.StreamWriter) -> str:
    """The name of the user at the other end, by the kernel."""
    peer = writer.get_extra_info("socket")
    try:
        raw = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CRED.size)
        _, uid, _ = _CRED.unpack(raw)
        return pwd.getpwuid(uid).pw_name
    except (AttributeError, OSError, KeyError, struct.error):
        return "operator"
