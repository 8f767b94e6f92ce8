"""Everything an operator may ask, as typed messages. Keys, scripts and sockets all use these."""

from __future__ import annotations

import msgspec


class Acknowledge(msgspec.Struct, frozen=True, tag="ack"):
    """Acknowledge an alert as it was seen: nobody acknowledges what they did not see."""

    alert_id: str
    episode: int
    revision: int
    actor: str


class Undo(msgspec.Struct, frozen=True, tag="undo"):
    """Take the actor's last acknowledgement back."""

    actor: str


Command = Acknowledge | Undo


class Result(msgspec.Struct, frozen=True):
    """What became of a command, in words for the operator."""

    done: bool
    text: str
    alert_id: str = ""


def encode(command: Command) -> bytes:
    """A command as a journal record's payload."""
    return msgspec.json.encode(command)


def decode(payload: bytes) -> Command:
    """A command from a journal record's payload.

    Raises:
        msgspec.DecodeError: the payload is no command.
    """
    command: Command = msgspec.json.decode(payload, type=Command)
    return command
