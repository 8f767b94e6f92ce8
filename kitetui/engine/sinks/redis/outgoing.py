"""Outgoing: commands on their way, by the store that they are for."""

from __future__ import annotations

from collections import defaultdict

import msgspec

from kitetui.engine.sinks.redis.text import Text, blob


class Bytes(msgspec.Struct):
    """Commands, one after the other, and how many they are."""

    parts: list[bytes | memoryview] = msgspec.field(default_factory=list)
    count: int = 0

    def add(self, text: Text, each: int = 1) -> None:
        """Take the commands of each row."""
        if len(text):
            self.parts.append(blob(text))
            self.count += len(text) * each

    def one(self, data: bytes, count: int = 1) -> None:
        """Take one command, or several in one piece."""
        self.parts.append(data)
        self.count += count


class Stores(defaultdict[str, Bytes]):
    """Commands of each store; one that has none yet is made when it is asked for."""

    def __init__(self) -> None:
        super().__init__(Bytes)
