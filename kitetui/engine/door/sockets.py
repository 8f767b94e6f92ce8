"""The engine's sockets: `rw.sock` for operators, `ro.sock` for those who only look.

Rights are the files' modes and groups. Whose a command is, the kernel says (SO_PEERCRED); where an
account is shared, the SSH key's own line adds a name.
"""

from __future__ import annotations

import asyncio
import contextlib
import grp
import os
import pwd
import re
import socket
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import orjson

from kitetui.engine.clock import monotonic_ns, sleep
from kitetui.engine.commands import Command, Result
from kitetui.engine.door.doorway import (
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
    Nudge,
    Ping,
    Pong,
    Refused,
    Report,
    Sender,
    Status,
    Welcome,
    framed,
    length,
    read_asked,
)
from kitetui.engine.door.unix_socket import bound
from kitetui.engine.snapshot import Snapshot, View

_UNWANTED = re.compile(r"[^A-Za-z0-9._:-]")
_NUDGE = framed(Nudge())
VIEWERS_MAX = 16
CALLERS_MAX = 16
"""Scripts that ask at the same time; they do not take the screens' places."""
SILENT_S = 15.0
"""A viewer that says nothing for so long is gone: a screen asks, or pings every 5 s."""
DRAIN_S = 5.0
NAME_MAX = 32
LOOK_NS = 20_000_000
"""Between two pictures of one viewer, at least: fifty a second."""
_CRED = struct.Struct("3i")


class Viewer(msgspec.Struct):
    """Somebody at a socket.

    Attributes:
        actor: who it is, as the kernel and SSH say.
        client: `screen` or `cli`, '' before it has greeted.
        since_ns: monotonic time of its coming; looks: pictures it was given; bytes: of all answers.
    """

    role: str
    actor: str
    writer: asyncio.StreamWriter
    since_ns: int
    client: str = ""
    looks: int = 0
    bytes: int = 0
    next_look_ns: int = 0


class Sockets:
    """Serves both sockets on the engine's loop; the engine waits for nobody."""

    def __init__(self, folder: Path, groups: dict[str, str], snapshot: Callable[[View], Snapshot],
                 obey: Callable[[Command], Awaitable[Result]],
                 status: Callable[[], dict[str, Any]], note: Callable[[str, str], None],
                 ) -> None:  # fmt: skip
        """
        Args:
            groups: by role, the system's group that may use its socket; '' is the owner alone.
        """
        self._folder = folder
        self._groups = groups
        self._snapshot = snapshot
        self._obey = obey
        self._status = status
        self._note = note
        self._servers: list[asyncio.Server] = []
        self._viewers: dict[asyncio.Task[None], Viewer] = {}
        self._failed = ""

    @property
    def screens(self) -> list[Viewer]:
        """The screens that are attached."""
        return [viewer for viewer in self._viewers.values() if viewer.client == "screen"]

    def told(self, now_ns: int) -> list[dict[str, Any]]:
        """Who looks, for the status document."""
        return [{"actor": v.actor, "role": v.role, "for_s": round((now_ns - v.since_ns) / 1e9, 1),
                 "pictures": v.looks, "bytes": v.bytes} for v in self.screens]  # fmt: skip

    def nudge(self) -> None:
        """Tell screens that an alert came up; one that has not read the last word is spared."""
        for viewer in self.screens:
            if not viewer.writer.transport.get_write_buffer_size():
                viewer.writer.write(_NUDGE)

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            OSError: a socket cannot be made.
        """
        for role in ("rw", "ro"):
            path = self._folder / f"{role}.sock"
            path.unlink(missing_ok=True)
            listening = bound(path)
            if self._given(path, role):
                path.chmod(0o660)

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

    def _given(self, path: Path, role: str) -> bool:
        """Give a socket to its role's group; whether there is one, and it could be given."""
        name = self._groups[role]
        if not name:
            return False
        try:
            group = grp.getgrnam(name).gr_gid
            if role == "ro":
                os.chown(self._folder, -1, group)
                self._folder.chmod(0o750)
            os.chown(path, -1, group)
        except KeyError:
            self._note("attach", f"there is no group {name}: {path.name} is its owner's alone")
            return False
        except OSError as error:
            self._note("attach", f"{path.name} cannot be given to group {name}: {error.strerror}; "
                                 "the engine's user must be one of it")  # fmt: skip
            return False
        return True

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter,
                     role: str) -> None:  # fmt: skip
        task = asyncio.current_task()
        assert task is not None
        viewer = Viewer(role, _peer(writer), writer, monotonic_ns())
        self._viewers[task] = viewer
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, TimeoutError,
                                     asyncio.CancelledError):  # fmt: skip
                if sum(v.role == role for v in self._viewers.values()) > VIEWERS_MAX + CALLERS_MAX:
                    await self._say(viewer, Refused("too many connections are here already"))
                    return
                await self._talk(reader, viewer)
        finally:
            del self._viewers[task]
            if writer.transport.get_write_buffer_size():
                writer.transport.abort()  # it reads nothing: closing would wait for ever
            writer.close()
            if viewer.client == "screen":
                self._note("attach", f"{viewer.actor} left ({role})")

    async def _talk(self, reader: asyncio.StreamReader, viewer: Viewer) -> None:
        sender = Sender()
        while True:
            try:
                async with asyncio.timeout(SILENT_S):
                    head = await reader.readexactly(LENGTH.size)
                    body = await reader.readexactly(length(head, ASKED_MAX))
                asked = read_asked(body)
            except BadMessage as error:
                await self._say(viewer, Refused(str(error)))
                return
            if viewer.client:
                await self._say(viewer, await self._answered(asked, viewer, sender))
                await sleep(0)  # questions in a row are answered in turn with everything else
                continue
            answer = self._greet(asked, viewer)
            await self._say(viewer, answer)
            if isinstance(answer, Refused):
                return

    def _greet(self, asked: Asked, viewer: Viewer) -> Welcome | Refused:
        """The first word of a viewer."""
        if not isinstance(asked, Hello):
            return Refused("the first message is a greeting")
        if asked.version != VERSION:
            older = "viewer" if asked.version < VERSION else "engine"
            return Refused(f"the engine speaks version {VERSION} of the protocol, this viewer "
                           f"{asked.version}: upgrade the {older}'s kitetui")  # fmt: skip
        if asked.client == "screen" and len(self.screens) >= VIEWERS_MAX:
            return Refused(f"{VIEWERS_MAX} screens are here already; one must leave first")
        viewer.actor = _named(viewer.actor, asked)
        viewer.client = asked.client[:NAME_MAX] or "cli"
        if viewer.client == "screen":
            self._note("attach", f"{viewer.actor} came ({viewer.role})")
        return Welcome(VERSION, viewer.role, viewer.actor)

    async def _answered(self, asked: Asked, viewer: Viewer, sender: Sender) -> Answered:
        """An answer; where making it goes wrong, that: who looks on ends no engine."""
        try:
            return await self._answer(asked, viewer, sender)
        except Exception as error:  # noqa: BLE001 - a bug of one answer is not the engine's end
            words = f"an answer cannot be made: {type(error).__name__}: {error}"
            if words != self._failed:
                self._failed = words
                self._note("attach", words)
            return Refused(words)

    async def _answer(self, asked: Asked, viewer: Viewer, sender: Sender) -> Answered:
        if isinstance(asked, Look):
            now_ns = monotonic_ns()
            if now_ns < viewer.next_look_ns:  # nobody sees more pictures than these
                await sleep((viewer.next_look_ns - now_ns) / 1e9)
            viewer.next_look_ns = monotonic_ns() + LOOK_NS
            viewer.looks += 1
            return sender.picture(self._snapshot(asked.view))
        if isinstance(asked, Ping):
            return Pong()
        if isinstance(asked, Report):
            return Status(orjson.dumps(self._status()))
        if isinstance(asked, Do):
            if viewer.role != "rw":
                return Refused("this socket is for looking only; operators use rw.sock")
            command = msgspec.structs.replace(asked.command, actor=viewer.actor)
            return Done(await self._obey(command))
        return Refused("greeted already")

    async def _say(self, viewer: Viewer, answer: Answered) -> None:
        data = framed(answer)
        viewer.bytes += len(data)
        viewer.writer.write(data)
        try:
            async with asyncio.timeout(DRAIN_S):
                await viewer.writer.drain()
        except TimeoutError:  # one that reads nothing makes room for others
            viewer.writer.transport.abort()
            raise


def _named(user: str, hello: Hello) -> str:
    """Who it is: the user that the kernel names, and what SSH adds."""
    name, address = (_UNWANTED.sub("_", text)[:NAME_MAX] for text in (hello.name, hello.address))
    return f"{user}{f':{name}' if name else ''}{f'@{address}' if address else ''}"


def _peer(writer: asyncio.StreamWriter) -> str:
    """The name of the user at the other end, by the kernel."""
    peer = writer.get_extra_info("socket")
    try:
        raw = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CRED.size)
        _, uid, _ = _CRED.unpack(raw)
        return pwd.getpwuid(uid).pw_name
    except (AttributeError, OSError, KeyError, struct.error):
        return "operator"
