"""StreamLog: one of our own streams, entry by entry, exactly once whatever happens meanwhile."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from kitetui.engine.sinks.redis.ids import StreamIds
from kitetui.engine.sinks.redis.resp import command

KEPT = 1_000
"""Written entries that are remembered, for a server that comes back without them."""
WAITING_MAX = 100_000
UNSURE_MAX = 10_000
"""So many unwritten entries are kept in a checkpoint, lest each takes a while; the oldest leave."""


class LogEntry(msgspec.Struct):
    """An entry; its id is given when it is first sent, and stays.

    Attributes:
        ms: the earliest time its id may have; fields: names and values, one after the other.
        beside: commands of the same store that go out before it: who has the entry has had them.
    """

    ms: int
    fields: tuple[bytes, ...]
    id: tuple[int, int] | None = None
    beside: tuple[bytes, ...] = ()


class KeptLog(msgspec.Struct):
    """A log for the next engine: what is in the stream, and what may be."""

    written: list[LogEntry]
    unsure: list[LogEntry]


class FoundLog(msgspec.Struct):
    """A log's stream as the server has it.

    Attributes:
        last: its last generated id; stored: ids of tried entries that it has.
        sought: so many unsure entries were looked for; standing: the ids of those that it has, by
            their identities.
    """

    last: tuple[int, int]
    stored: set[tuple[int, int]]
    sought: int = 0
    standing: dict[bytes, tuple[int, int]] = msgspec.field(default_factory=dict)


class StreamLog:
    """Entries that wait, are on their way, or were written.

    Attributes:
        name: in the contract; key: on the server.
        unsure: entries that an engine before this one may have written: they wait until the server
            is looked at.
        lost: entries that found no room.
    """

    def __init__(self, name: str, store: str, key: bytes, cap: bytes,
                 identity: Callable[[Sequence[bytes]], bytes]) -> None:  # fmt: skip
        """`identity`: what tells an entry with such fields from all others, in any engine."""
        self.name = name
        self.store = store
        self.key = key
        self._cap = cap
        self.identity = identity
        self.ids = StreamIds()
        self.unsure: list[LogEntry] = []
        self._under_way: deque[LogEntry] = deque()
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

    def again(self, entry: LogEntry) -> None:
        """Take an entry that an engine before this one took as well."""
        self.unsure.append(entry)

    def keep(self) -> KeptLog:
        """What the next engine is to know."""
        unsure = [*self.unsure, *self._under_way, *self._waiting]
        return KeptLog(list(self._written), unsure[-UNSURE_MAX:])

    def go_on(self, kept: KeptLog) -> None:
        """Know what an engine before this one knew; for a log that has taken nothing yet."""
        self._written.extend(kept.written)
        for entry in kept.written[-1:]:
            self.ids.resume(_id(entry))
        self.unsure = [msgspec.structs.replace(entry, id=None) for entry in kept.unsure]

    def take(self, most: int) -> list[LogEntry]:
        """The first waiting entries, which leave; `wrote` or `back` says what became of them."""
        out = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
        for entry in out:
            if entry.id is None:
                self.ids.next(entry.ms)
                entry.id = self.ids.last
        self._under_way.extend(out)
        return out

    def command(self, entry: LogEntry) -> bytes:
        """What writes an entry, and before it what stands beside it."""
        entry_id = b"%d-%d" % _id(entry)
        xadd = command(b"XADD", self.key, b"MAXLEN", b"~", self._cap, entry_id, *entry.fields)
        return b"".join((*entry.beside, xadd))

    def wrote(self, entries: list[LogEntry]) -> None:
        """Entries are in the stream."""
        self._left(entries)
        self._written.extend(entries)

    def back(self, entries: list[LogEntry]) -> None:
        """Entries that may not have been written are first again."""
        self._left(entries)
        self._waiting.extendleft(reversed(entries))

    def tried(self) -> Iterator[LogEntry]:
        """Waiting entries that were sent before: the server may have them."""
        for entry in self._waiting:
            if entry.id is None:
                return
            yield entry

    def resume(self, found: FoundLog) -> tuple[int, int]:
        """Go on behind the server's last id; entries that it lost or never had wait again.

        Returns:
            Written entries that it lost, and those of an engine before this one that it lacks.
        """
        lost = [entry for entry in self._written if _id(entry) > found.last]
        tried = list(self.tried())
        for _ in tried:
            self._waiting.popleft()
        sought, self.unsure = self.unsure[: found.sought], self.unsure[found.sought :]
        for entry in sought:
            entry.id = found.standing.get(self.identity(entry.fields))
        written = [entry for entry in self._written if _id(entry) <= found.last]
        written += [entry for entry in tried if entry.id in found.stored]
        written += [entry for entry in sought if entry.id is not None]
        self._written = deque(sorted(written, key=_id), maxlen=KEPT)
        missing = [entry for entry in tried if entry.id not in found.stored]
        unwritten = [entry for entry in sought if entry.id is None]
        self._waiting.extendleft(reversed([*lost, *unwritten, *missing]))
        if unwritten or any(_id(entry) <= found.last for entry in missing):
            for entry in missing:  # others' ids are ahead of theirs
                entry.id = None
        self.ids.resume(found.last)
        return len(lost), len(unwritten)

    def _left(self, entries: Iterable[LogEntry]) -> None:
        gone = {id(entry) for entry in entries}
        self._under_way = deque(entry for entry in self._under_way if id(entry) not in gone)


def _id(entry: LogEntry) -> tuple[int, int]:
    """Of an entry that has one."""
    assert entry.id is not None
    return entry.id
