"""The doorway: what viewers and scripts say to an engine over its sockets, without any I/O.

Messages are MessagePack behind four bytes of length. The first one is `Hello`; then each question
has one answer, in order. Between answers the engine may say `Nudge`: something came up.

A picture is sent as the parts of it that differ from the last one on this connection: what a screen
shows changes little from one frame to the next.
"""

from __future__ import annotations

import struct
from typing import Any

import msgspec

from kitetui.engine.commands import Command, Result
from kitetui.engine.snapshot import Snapshot, View

VERSION = 2
LENGTH = struct.Struct(">I")
ASKED_MAX = 1 << 20
ANSWERED_MAX = 16 << 20


class Hello(msgspec.Struct, frozen=True, tag="hello"):
    """Who comes.

    Attributes:
        client: what it is: `screen` or `cli`.
        name: whose SSH key it was, where the key's line says so; address: where SSH came from.
    """

    version: int
    client: str
    name: str = ""
    address: str = ""


class Look(msgspec.Struct, frozen=True, tag="look"):
    """A picture is asked for."""

    view: View


class Do(msgspec.Struct, frozen=True, tag="do"):
    """A command; the engine knows itself whose it is."""

    command: Command


class Report(msgspec.Struct, frozen=True, tag="report"):
    """The status document is asked for."""


class Ping(msgspec.Struct, frozen=True, tag="ping"):
    """Whether the other end is there."""


class Pong(msgspec.Struct, frozen=True, tag="pong"):
    """It is."""


class Nudge(msgspec.Struct, frozen=True, tag="nudge"):
    """An alert came up, or changed: a picture is worth asking for. Answers nothing."""


class Welcome(msgspec.Struct, frozen=True, tag="welcome"):
    """Who it is, and whether it may do something: `rw` or `ro`."""

    version: int
    role: str
    actor: str


class Picture(msgspec.Struct, frozen=True, tag="picture"):
    """One picture of the engine: fields of `Snapshot` that are not as in the last one."""

    changed: dict[str, msgspec.Raw]


class Done(msgspec.Struct, frozen=True, tag="done"):
    """What became of a command."""

    result: Result


class Status(msgspec.Struct, frozen=True, tag="status"):
    """The status document, as JSON."""

    document: bytes


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """Why there is no answer."""

    reason: str


Asked = Hello | Look | Do | Report | Ping
Answered = Welcome | Picture | Done | Status | Refused | Pong | Nudge

_encoder = msgspec.msgpack.Encoder()
_asked = msgspec.msgpack.Decoder(Asked)
_answered = msgspec.msgpack.Decoder(Answered)
_fields = {f.name: msgspec.msgpack.Decoder(f.type) for f in msgspec.structs.fields(Snapshot)}


class BadMessage(Exception):
    """What cannot be a message; says why."""


def framed(message: Asked | Answered) -> bytes:
    """A message with its length before it."""
    body = _encoder.encode(message)
    return LENGTH.pack(len(body)) + body


def length(head: bytes, most: int) -> int:
    """The length of what follows.

    Raises:
        BadMessage: more than anybody sends.
    """
    (size,) = LENGTH.unpack(head)
    if size > most:
        raise BadMessage(f"a message of {size} bytes; at most {most} are taken")
    return int(size)


def read_asked(body: bytes) -> Asked:
    """A question.

    Raises:
        BadMessage: it is none.
    """
    try:
        asked: Asked = _asked.decode(body)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise BadMessage(f"no question: {error}") from None
    return asked


def read_answered(body: bytes) -> Answered:
    """An answer.

    Raises:
        BadMessage: it is none.
    """
    try:
        answered: Answered = _answered.decode(body)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise BadMessage(f"no answer: {error}") from None
    return answered


class Sender:
    """The engine's end of one viewer's pictures: knows what it has been sent."""

    def __init__(self) -> None:
        self._sent: dict[str, bytes] = {}

    def picture(self, snapshot: Snapshot) -> Picture:
        """What has changed since the last picture."""
        changed = {}
        for name in _fields:
            raw = _encoder.encode(getattr(snapshot, name))
            if self._sent.get(name) != raw:
                self._sent[name] = raw
                changed[name] = msgspec.Raw(raw)
        return Picture(changed)


class Receiver:
    """The viewer's end: puts pictures together again."""

    def __init__(self) -> None:
        self._known: dict[str, Any] = {}

    def snapshot(self, picture: Picture) -> Snapshot:
        """The whole picture.

        Raises:
            BadMessage: parts are missing, unknown or of another shape.
        """
        try:
            for name, raw in picture.changed.items():
                self._known[name] = _fields[name].decode(raw)
            return Snapshot(**self._known)
        except (msgspec.DecodeError, KeyError, TypeError, ValueError, RecursionError) as error:
            raise BadMessage(f"no picture: {error}") from None
