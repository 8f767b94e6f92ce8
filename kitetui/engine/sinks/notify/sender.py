"""What a sender is, and what becomes of one message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from kitetui.engine.alerts.flood import Notice


class Outcome(msgspec.Struct, frozen=True):
    """What became of a message.

    Attributes:
        sent: it was taken.
        wait_s: else, seconds until it may be tried again; None: never.
        reason: why not, without anything secret.
        off: the channel is of no use until somebody mends it.
    """

    sent: bool
    wait_s: float | None = None
    reason: str = ""
    off: bool = False


class Sender(Protocol):
    """Takes notices to people, one message at a time.

    Attributes:
        channel: its name; spacing_s: least seconds between two messages; per_minute: most of them.
    """

    channel: str
    spacing_s: float

    @property
    def per_minute(self) -> int: ...

    async def send(self, notices: Sequence[Notice], extra: str, *, silent: bool,
                   attempts: int) -> Outcome:  # fmt: skip
        """Send notices as one message, as far as it holds them; `extra`: a line more."""
        ...

    async def close(self) -> None:
        """Let connections go."""
        ...


def backoff_s(attempts: int) -> float:
    """1, 2, 4 ... 60 seconds."""
    return float(min(2 ** min(attempts, 6), 60))
