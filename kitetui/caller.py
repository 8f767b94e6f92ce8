"""The caller: a script's end of an engine's socket."""

from __future__ import annotations

import socket
from pathlib import Path
from types import TracebackType
from typing import Any

import orjson

from kitetui.engine.commands import Command, Result
from kitetui.engine.door.doorway import (
    ANSWERED_MAX,
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
    Picture,
    Receiver,
    Refused,
    Report,
    Status,
    Welcome,
    framed,
    length,
    read_answered,
)
from kitetui.engine.snapshot import Snapshot, View

TIMEOUT_S = 5.0


class NoEngine(Exception):
    """Nobody answers; says where it was looked for."""


class NotAllowed(Exception):
    """The engine refuses; says why."""


class Caller:
    """A connection to a running engine, for one question after another."""

    def __init__(self, folder: Path, role: str = "rw") -> None:
        """Connect.

        Raises:
            NoEngine: no engine of this state folder runs.
            NotAllowed: it does not let us in.
        """
        path = folder / f"{role}.sock"
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(TIMEOUT_S)
        self._receiver = Receiver()
        try:
            self._socket.connect(str(path))
            welcome = self._ask(Hello(VERSION, "cli"))
        except PermissionError:
            self._socket.close()
            raise NotAllowed(f"{path}: not allowed") from None
        except OSError:
            self._socket.close()
            raise NoEngine(
                f"no engine runs on {folder.parent}; --state and --profile say which is meant"
            ) from None
        except (NoEngine, NotAllowed):
            self._socket.close()
            raise
        assert isinstance(welcome, Welcome)
        self.actor = welcome.actor

    def __enter__(self) -> Caller:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:  # fmt: skip
        self.close()

    def close(self) -> None:
        """Leave."""
        self._socket.close()

    def look(self, view: View) -> Snapshot:
        """A picture of the engine."""
        answer = self._ask(Look(view))
        assert isinstance(answer, Picture)
        return self._receiver.snapshot(answer)

    def do(self, command: Command) -> Result:
        """Carry out a command."""
        answer = self._ask(Do(command))
        assert isinstance(answer, Done)
        return answer.result

    def status(self) -> dict[str, Any]:
        """The status document."""
        answer = self._ask(Report())
        assert isinstance(answer, Status)
        document: dict[str, Any] = orjson.loads(answer.document)
        return document

    def _ask(self, asked: Asked) -> Answered:
        try:
            self._socket.sendall(framed(asked))
            answer: Answered = Nudge()
            while isinstance(answer, Nudge):
                size = length(self._read(LENGTH.size), ANSWERED_MAX)
                answer = read_answered(self._read(size))
        except (OSError, EOFError, BadMessage) as error:
            raise NoEngine(f"the engine does not answer: {error or 'it ended'}") from None
        if isinstance(answer, Refused):
            raise NotAllowed(answer.reason)
        return answer

    def _read(self, size: int) -> bytes:
        out = bytearray()
        while len(out) < size:
            part = self._socket.recv(min(size - len(out), 1 << 16))
            if not part:
                raise EOFError
            out += part
        return bytes(out)
