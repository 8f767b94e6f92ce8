"""Commands that arrive on a Redis channel, for desks that want it so: off by default.

Whoever may publish there is an operator. A command is what keys and sockets send, as JSON with its
type, and names the episode and revision that were seen.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from kitetui.engine.commands import Command, Result, decode
from kitetui.engine.feed.channel import listen


class RedisCommands:
    """Listens, and carries out what is a command; what is none is said once in a row.

    Attributes:
        done, refused, unread: how many commands were carried out, refused, or were none.
    """

    def __init__(self, channel: str, obey: Callable[[Command], Awaitable[Result]],
                 note: Callable[[str, str], None]) -> None:  # fmt: skip
        self._channel = channel
        self._obey = obey
        self._note = note
        self._said = ""
        self.done = self.refused = self.unread = 0

    async def run(self, url: str) -> None:
        """Listen, for ever."""
        await listen(url, self._channel, "kitetui-commands", self._hear)

    async def _hear(self, data: bytes | None) -> None:
        try:
            if data is None:
                raise ValueError("a message is too long")
            command = decode(data)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            self.unread += 1
            self._tell(f"{self._channel}: no command: {str(error)[:120]}")
            return
        actor = f"redis:{command.actor[:48]}"
        result = await self._obey(msgspec.structs.replace(command, actor=actor))
        if result.done:
            self.done += 1
            self._said = ""
        else:
            self.refused += 1
            self._tell(f"{self._channel}: refused: {result.text}")

    def _tell(self, text: str) -> None:
        if text != self._said:
            self._note("redis", text)
        self._said = text
