"""The doorway: what viewers and scripts say to an engine over its sockets, without any I/O.

Messages are MessagePack behind four bytes of length. The first one is `Hello`; then each question
has one answer, in order.
"""

from __future__ import annotations

import struct

import msgspec

from kitetui.engine.commands import Command, Result
from kitetui.engine.snapshot import Snapshot, View

VERSION = 1
LENGTH = struct.Struct(">I")
ASKED_MAX = 1 << 20
ANSWERED_MAX = 16 << 20


class Hello(msgspec.Struct, frozen=True, tag="hello"):
    """Who comes."""

    version: int
    client: str


class Look(msgspec.Struct, frozen=True, tag="look"):
    """A picture is asked for."""

    view: View


class Do(msgspec.Struct, frozen=True, tag="do"):
    """A command; the engine knows itself whose it is."""

    command: Command


class Report(msgspec.Struct, frozen=True, tag="report"):
    """The status document is asked for."""


class Welcome(msgspec.Struct, frozen=True, tag="welcome"):
    """Who it is, and whether it may do something: `rw` or `ro`."""

    version: int
    role: str
    actor: str


class Picture(msgspec.Struct, frozen=True, tag="picture"):
    """One picture of the engine."""

    snapshot: Snapshot


class Done(msgspec.Struct, frozen=True, tag="done"):
    """What became of a command."""

    result: Result


class Status(msgspec.Struct, frozen=True, tag="status"):
    """The status document, as JSON."""

    document: bytes


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """Why there is no answer."""

    reason: str


Asked = Hello | Look | Do | Report
Answered = Welcome | Picture | Done | Status | Refused

_encoder = msgspec.msgpack.Encoder()
_asked = msgspec.msgpack.Decoder(Asked)
_answered = msgspec.msgpack.Decoder(Answered)


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
