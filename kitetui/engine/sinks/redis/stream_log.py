"""StreamLog: one of our own streams, entry by entry, exactly once whatever happens meanwhile."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import msgspec

from kitetui.engine.sinks.redis.ids import StreamIds
from kitetui.engine.sinks.redis.resp import command

KEPT = 1_000
"""Written entries that are remembered, for a server that comes back without them."""
WAITING_MAX = 100_000


class LogEntry(msgspec.Struct):
    """An entry; its id is given when it is first sent, and stays.

    Attributes:
        ms: the earliest time its id may have; fields: names and values, one after the other.
    """

    ms: int
    fields: tuple[bytes, ...]
    id: tuple[int, int] | None = None


class StreamLog:
    """Entries that wait, are on their way, or were written.

    Attributes:
        name: in the contract; key: on the server.
        lost: entries that found no room.
    """

    def __init__(self, name: str, store: str, key: bytes, cap: bytes) -> None:
        self.name = name
        self.store = store
        self.key = key
        self._cap = cap
        self.ids = StreamIds()
        self._waiting: deque[LogEntry] = deque()
        self._written: deque[LogEntry] = deque(maxlen=KEPT)
        self.lost = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, entry: LogEntry) -> None:
        """Take an entry to be written."""
        self._waiting.append(entry)
        if len(self._waiting) > WAITING_MAX:
            self._waiting.popleft()
            self.lost += 1

    def take(self, most: int) -> list[LogEntry]:
        """The first waiting entries, which leave; `wrote` or `back` says what became of them."""
        out = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
        for entry in out:
            if entry.id is None:
                self.ids.next(entry.ms)
                entry.id = self.ids.last
        return out

    def command(self, entry: LogEntry) -> bytes:
        """What writes an entry."""
        assert entry.id is not None
        return command(b"XADD", self.key, b"MAXLEN", b"~", self._cap, b"%d-%d" % entry.id,
                       *entry.fields)  # fmt: skip

    def wrote(self, entries: list[LogEntry]) -> None:
        """Entries are in the stream."""
        self._written.extend(entries)

    def back(self, entries: list[LogEntry]) -> None:
        """Entries that may not have been written are first again."""
        self._waiting.extendleft(reversed(entries))

    def tried(self) -> Iterator[LogEntry]:
        """Waiting entries that were sent before: the server may have them."""
        for entry in self._waiting:
            if entry.id is None:
                return
            yield entry

    def resume(self, last: tuple[int, int], stored: set[tuple[int, int]]) -> int:
        """Go on behind the server's last id; entries that it lost wait again.

        Args:
            stored: ids of tried entries that it has.

        Returns:
            Written entries that it lost.
        """
        lost = [entry for entry in self._written if entry.id is not None and entry.id > last]
        for _ in lost:
            self._written.pop()
        tried = list(self.tried())
        for _ in tried:
            self._waiting.popleft()
        missing = [entry for entry in tried if entry.id not in stored]
        self._written.extend(entry for entry in tried if entry.id in stored)
        self.back([*lost, *missing])
        if any(entry.id is not None and entry.id <= last for entry in missing):
            for entry in missing:  # another writer's ids are ahead of theirs
                entry.id = None
        self.ids.resume(last)
        return len(lost)
