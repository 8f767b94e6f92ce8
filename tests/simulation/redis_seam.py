"""A Redis in memory, as far as the engine asks it; it refuses what a server refuses."""

from __future__ import annotations

import asyncio
import bisect
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import hiredis

from tests.simulation.virtual_loop import VirtualClock

Id = tuple[int, int]
WRITES = frozenset(b"XADD XDEL XTRIM HSET HDEL SET DEL EXPIRE PUBLISH".split())
SMALLER = b"-ERR The ID specified in XADD is equal or smaller than the target stream top item\r\n"


class Stream:
    """Entries in order of their ids; `history` has those as well that were trimmed."""

    def __init__(self) -> None:
        self.ids: list[Id] = []
        self.fields: list[list[bytes]] = []
        self.history: list[tuple[Id, list[bytes]]] = []
        self.last: Id = (0, 0)
        self.added = 0

    def trim(self, length: int) -> int:
        """Drop the oldest beyond a length; how many."""
        gone = max(len(self.ids) - length, 0)
        del self.ids[:gone], self.fields[:gone]
        return gone


class RedisSeam:
    """What a server holds, and how it does.

    Attributes:
        refusal: what it answers to writes, such as `-OOM ...`; '' while it is well.
        loading: it refuses everything.
        commands: how many it took, by name.
    """

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.dbs: dict[int, dict[bytes, Any]] = defaultdict(dict)
        self.refusal = ""
        self.loading = False
        self.commands: dict[bytes, int] = defaultdict(int)
        self.unknown: set[bytes] = set()
        self.run = 0

    def replace(self) -> None:
        """An empty server stands where it was."""
        self.dbs.clear()
        self.run += 1

    def shelf(self, db: int) -> Shelf:
        """A database, to be looked at."""
        return Shelf(self.dbs[db])

    def session(self) -> Session:
        """A client's connection."""
        return Session(self)

    def answer(self, session: Session, command: list[bytes]) -> bytes:
        """What is said to a command."""
        name = command[0].upper()
        self.commands[name] += 1
        if self.loading:
            return b"-LOADING Redis is loading the dataset in memory\r\n"
        if self.refusal and name in WRITES - {b"PUBLISH", b"DEL", b"XDEL", b"XTRIM"}:
            return self.refusal.encode() + b"\r\n"
        found: Callable[..., bytes] | None = getattr(self, f"_{name.decode().lower()}", None)
        if found is None:
            self.unknown.add(name)
            return b"-ERR unknown command '" + name + b"'\r\n"
        if name == b"SELECT":
            session.db = int(command[1])
            return b"+OK\r\n"
        return found(self.dbs[session.db], *command[1:])

    def _stream(self, db: dict[bytes, Any], key: bytes) -> Stream:
        found = db.setdefault(key, Stream())
        assert isinstance(found, Stream), f"{key!r} is no stream"
        return found

    # ---- commands --------------------------------------------------------------------------

    def _select(self, *_: Any) -> bytes:
        return b"+OK\r\n"

    _client = _select

    def _ping(self, db: Any) -> bytes:
        return b"+PONG\r\n"

    def _info(self, db: Any, *_: bytes) -> bytes:
        return _bulk(
            b"redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:9.1.2\r\n"
            b"run_id:%d\r\nused_memory:1\r\nmaxmemory:0\r\n" % self.run
        )

    def _config(self, db: Any, *_: bytes) -> bytes:
        return _array([b"maxmemory-policy", b"noeviction"])

    def _slowlog(self, db: Any, what: bytes, *_: bytes) -> bytes:
        return b":0\r\n" if what.upper() == b"LEN" else b"*0\r\n"

    def _scan(self, db: Any, *_: bytes) -> bytes:
        return b"*2\r\n$1\r\n0\r\n*0\r\n"

    def _publish(self, db: Any, *_: bytes) -> bytes:
        return b":0\r\n"

    def _subscribe(self, db: Any, channel: bytes) -> bytes:
        return b"*3\r\n" + _bulk(b"subscribe") + _bulk(channel) + b":1\r\n"

    def _get(self, db: dict[bytes, Any], key: bytes) -> bytes:
        return _bulk(db[key]) if key in db else b"$-1\r\n"

    def _set(self, db: dict[bytes, Any], key: bytes, value: bytes, *_: bytes) -> bytes:
        db[key] = value
        return b"+OK\r\n"

    def _del(self, db: dict[bytes, Any], *keys: bytes) -> bytes:
        return b":%d\r\n" % sum(db.pop(key, None) is not None for key in keys)

    def _expire(self, db: dict[bytes, Any], key: bytes, *_: bytes) -> bytes:
        return b":%d\r\n" % (key in db)

    def _hset(self, db: dict[bytes, Any], key: bytes, *pairs: bytes) -> bytes:
        held = db.setdefault(key, {})
        before = len(held)
        held.update(zip(pairs[::2], pairs[1::2], strict=True))
        return b":%d\r\n" % (len(held) - before)

    def _hdel(self, db: dict[bytes, Any], key: bytes, *fields: bytes) -> bytes:
        held = db.get(key, {})
        return b":%d\r\n" % sum(held.pop(field, None) is not None for field in fields)

    def _xadd(self, db: dict[bytes, Any], key: bytes, *parts: bytes) -> bytes:
        at, length = 0, None
        while parts[at].upper() in (b"MAXLEN", b"NOMKSTREAM", b"LIMIT"):
            if parts[at].upper() == b"NOMKSTREAM":
                at += 1
                continue
            if parts[at].upper() == b"MAXLEN":
                length = int(parts[at + 2 if parts[at + 1] in (b"~", b"=") else at + 1])
                at += parts[at + 1] in (b"~", b"=")
            at += 2
        stream = self._stream(db, key)
        entry = self._next_id(stream, parts[at])
        if entry <= stream.last:
            return SMALLER
        stream.ids.append(entry)
        stream.fields.append(list(parts[at + 1 :]))
        stream.history.append((entry, stream.fields[-1]))
        stream.last = entry
        stream.added += 1
        if length is not None and len(stream.ids) > length + 100:
            stream.trim(length)
        return _bulk(_said(entry))

    def _next_id(self, stream: Stream, text: bytes) -> Id:
        if text == b"*":
            ms = max(self._clock.time_ns() // 1_000_000, stream.last[0])
        elif text.endswith(b"-*"):
            ms = int(text[:-2])
        else:
            return _id(text, 0)
        return ms, stream.last[1] + 1 if ms == stream.last[0] else 0

    def _xlen(self, db: dict[bytes, Any], key: bytes) -> bytes:
        return b":%d\r\n" % (len(db[key].ids) if key in db else 0)

    def _xtrim(self, db: dict[bytes, Any], key: bytes, how: bytes, *parts: bytes) -> bytes:
        length = int(next(part for part in parts if part not in (b"~", b"=")))
        return b":%d\r\n" % (db[key].trim(length) if key in db and how == b"MAXLEN" else 0)

    def _xdel(self, db: dict[bytes, Any], key: bytes, *ids: bytes) -> bytes:
        stream, gone = db.get(key), 0
        for text in ids:
            entry = _id(text, 0)
            if stream is not None and entry in stream.ids:
                at = stream.ids.index(entry)
                del stream.ids[at], stream.fields[at]
                stream.history = [one for one in stream.history if one[0] != entry]
                gone += 1
        return b":%d\r\n" % gone

    def _xrange(self, db: dict[bytes, Any], key: bytes, first: bytes, last: bytes,
                *count: bytes) -> bytes:  # fmt: skip
        return _entries(self._between(db, key, first, last)[: int(count[1]) if count else None])

    def _xrevrange(self, db: dict[bytes, Any], key: bytes, last: bytes, first: bytes,
                   *count: bytes) -> bytes:  # fmt: skip
        found = self._between(db, key, first, last)[::-1]
        return _entries(found[: int(count[1]) if count else None])

    def _between(self, db: dict[bytes, Any], key: bytes, first: bytes,
                 last: bytes) -> list[tuple[Id, list[bytes]]]:  # fmt: skip
        stream = db.get(key)
        if stream is None:
            return []
        low = 0
        if first != b"-":
            after = first.startswith(b"(")
            where = bisect.bisect_right if after else bisect.bisect_left
            low = where(stream.ids, _id(first.removeprefix(b"("), 0))
        high = len(stream.ids)
        if last != b"+":
            before = last.startswith(b"(")
            where = bisect.bisect_left if before else bisect.bisect_right
            high = where(stream.ids, _id(last.removeprefix(b"("), (1 << 64) - 1))
        return list(zip(stream.ids[low:high], stream.fields[low:high], strict=True))

    def _xinfo(self, db: dict[bytes, Any], what: bytes, key: bytes) -> bytes:
        stream = db.get(key)
        if stream is None:
            return b"-ERR no such key\r\n"
        if what.upper() == b"GROUPS":
            return b"*0\r\n"
        numbers = ((b"length", len(stream.ids)), (b"entries-added", stream.added), (b"groups", 0))
        out = b"".join(_bulk(name) + b":%d\r\n" % value for name, value in numbers)
        first = _entry(stream.ids[0], stream.fields[0]) if stream.ids else b"*-1\r\n"
        last = _entry(stream.ids[-1], stream.fields[-1]) if stream.ids else b"*-1\r\n"
        return (b"*12\r\n" + out + _bulk(b"last-generated-id") + _bulk(_said(stream.last))
                + _bulk(b"first-entry") + first + _bulk(b"last-entry") + last)  # fmt: skip


class Shelf:
    """A database, as a client's `xrange` has it, trimmed entries included."""

    def __init__(self, held: dict[bytes, Any]) -> None:
        self._held = held

    def xrange(self, name: str) -> list[tuple[bytes, dict[bytes, bytes]]]:
        """All entries that were ever added."""
        stream = self._held.get(name.encode(), Stream())
        return [
            (_said(entry), dict(zip(fields[::2], fields[1::2], strict=True)))
            for entry, fields in stream.history
        ]


class Session(asyncio.Protocol):
    """Reads commands and answers them in order."""

    def __init__(self, seam: RedisSeam) -> None:
        self._seam = seam
        self._reader = hiredis.Reader()
        self.db = 0
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        replies = []
        while (command := self._reader.gets()) is not False:
            replies.append(self._seam.answer(self, command))
        if replies:
            self._transport.write(b"".join(replies))


def _id(text: bytes, seq: int) -> Id:
    ms, _, rest = text.partition(b"-")
    return int(ms), int(rest) if rest else seq


def _said(entry: Id) -> bytes:
    return b"%d-%d" % entry


def _bulk(value: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(value), value)


def _array(values: list[bytes]) -> bytes:
    return b"*%d\r\n" % len(values) + b"".join(map(_bulk, values))


def _entry(entry: Id, fields: list[bytes]) -> bytes:
    return b"*2\r\n" + _bulk(_said(entry)) + _array(fields)


def _entries(found: list[tuple[Id, list[bytes]]]) -> bytes:
    return b"*%d\r\n" % len(found) + b"".join(_entry(*one) for one in found)
