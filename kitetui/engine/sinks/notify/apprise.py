"""Apprise: a hundred other services, by the library of that name, behind the same outbox.

It waits for nothing and says only whether all of its services took a message; the outbox does the
rest. Its addresses hold secrets: they stand in a private file, and its own log is off.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections.abc import Sequence
from typing import Any

from kitetui.engine.alerts.flood import Notice
from kitetui.engine.sinks.notify.sender import Outcome, backoff_s
from kitetui.engine.sinks.notify.words import blocks, messages, plain
from kitetui.secret import Secret

LIMIT = 1_000
"""Units of a message: what short-message services take."""


class NotInstalled(Exception):
    """The extra is missing."""


class Apprise:
    """All addresses of a file as one channel."""

    channel = "apprise"
    spacing_s = 1.0
    per_minute: int = 20

    def __init__(self, urls: Sequence[Secret]) -> None:
        """Raises NotInstalled, or ValueError for an address by its number, never by its text."""
        try:
            library: Any = importlib.import_module("apprise")
        except ImportError:
            raise NotInstalled("install it with pip install 'kitetui[apprise]'") from None
        logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
        self._services = library.Apprise()
        for number, url in enumerate(urls, 1):
            if not self._services.add(url.reveal()):
                raise ValueError(f"line {number} is no address that Apprise knows")

    async def send(self, notices: Sequence[Notice], extra: str, *, silent: bool,
                   attempts: int) -> Outcome:  # fmt: skip
        """Send notices as plain text, on a thread that may wait."""
        parts = [part for notice in notices for part in blocks(notice)]
        if extra:
            parts.append(extra)
        for text in messages(parts, LIMIT):
            taken = await asyncio.to_thread(self._services.notify, body=plain(text),
                                            title="kitetui")  # fmt: skip
            if not taken:
                return Outcome(False, backoff_s(attempts), "a service did not take it")
        return Outcome(True)

    async def close(self) -> None:
        """Nothing stays open."""
