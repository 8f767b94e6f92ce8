"""Outgoing: commands on their way, by the store that they are for."""

from __future__ import annotations

from collections import defaultdict, deque

import msgspec
import numpy as np

from kitetui.engine.feed.batch import I64
from kitetui.engine.sinks.redis.text import Text, blob
from kitetui.redis_contract import KEYS

PORTION = 100
"""Commands that are never parted: what is less waits for no answer worth speaking of."""


class Bytes(msgspec.Struct):
    """Commands, one after the other, and how many they are."""

    parts: list[bytes | memoryview] = msgspec.field(default_factory=list)
    count: int = 0

    def add(self, text: Text, each: int = 1) -> None:
        """Take the commands of each row."""
        if len(text):
            self.parts.append(blob(text))
            self.count += len(text) * each

    def follow(self, rows: I64, text: Text) -> None:
        """Take commands that belong to some rows of what was added last, and go out with them."""
        self.add(text)

    def one(self, data: bytes | memoryview, count: int = 1) -> None:
        """Take one command, or several in one piece."""
        self.parts.append(data)
        self.count += count


class Stores(defaultdict[str, Bytes]):
    """Commands of each store; one that has none yet is made when it is asked for."""

    def __init__(self) -> None:
        super().__init__(Bytes)

    def of(self, name: str) -> Bytes:
        """Those of the store that a key of the contract is in."""
        return self[KEYS[name].store]


class Portion(msgspec.Struct):
    """Some commands of one store, to go out as they are."""

    store: str
    data: bytes | memoryview
    count: int


class _Cut(Bytes):
    """Commands in portions.

    Attributes:
        last: the portions of what was added last.
    """

    store: str = ""
    portions: deque[Portion] = msgspec.field(default_factory=deque)
    last: list[Portion] = msgspec.field(default_factory=list)

    def add(self, text: Text, each: int = 1) -> None:
        parts = (text.slice(at, PORTION) for at in range(0, len(text), PORTION))
        self.last = [Portion(self.store, blob(part), len(part) * each) for part in parts]
        self.portions += self.last

    def follow(self, rows: I64, text: Text) -> None:
        ends = np.searchsorted(rows, np.arange(len(self.last) + 1) * PORTION).tolist()
        for portion, first, end in zip(self.last, ends, ends[1:], strict=False):
            if first < end:
                portion.data = bytes(portion.data) + bytes(blob(text.slice(first, end - first)))
                portion.count += end - first

    def one(self, data: bytes | memoryview, count: int = 1) -> None:
        self.portions.append(Portion(self.store, data, count))


class Portions(Stores):
    """Stores whose commands are many: they leave in portions, in the order in which they came.

    Attributes:
        waiting: what has not left.
    """

    def __init__(self) -> None:
        super().__init__()
        self.waiting: deque[Portion] = deque()

    def __missing__(self, store: str) -> Bytes:
        made = self[store] = _Cut(store=store, portions=self.waiting)
        return made
