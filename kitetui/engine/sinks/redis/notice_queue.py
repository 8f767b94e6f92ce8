"""Notices on their way: entries of logs, commands beside them, and messages that stay fresh."""

from __future__ import annotations

from collections import deque
from functools import partial

import msgspec

from kitetui.engine.clock import monotonic_ns
from kitetui.engine.sinks.redis.keys import Names
from kitetui.engine.sinks.redis.link import Flush
from kitetui.engine.sinks.redis.notices import LOGS, Notice, identity
from kitetui.engine.sinks.redis.outgoing import Stores
from kitetui.engine.sinks.redis.resp import number
from kitetui.engine.sinks.redis.stream_log import KeptLog, StreamLog
from kitetui.redis_contract import KEYS
from kitetui.settings import RedisSettings

ENTRIES_AT_ONCE = 500
EXTRAS_MAX = 10_000
"""Commands beside ticks and rows that may wait; the oldest leave."""
FRESH_NS = 1_000_000_000
"""Messages older than this are not published: they would look live."""


class NoticeQueue:
    """What waits until the server takes it.

    Attributes:
        logs: streams whose entries go out in order, by their key of the contract.
    """

    def __init__(self, settings: RedisSettings, names: Names) -> None:
        self.logs: dict[str, StreamLog] = {}
        for name in LOGS:
            entry = KEYS[name]
            cap = number(getattr(settings.caps, entry.cap))
            self.logs[name] = StreamLog(name, entry.store, names.key(name), cap,
                                        partial(identity, name))  # fmt: skip
        self._extras: deque[tuple[str, bytes]] = deque(maxlen=EXTRAS_MAX)
        self._shouts: deque[tuple[int, bytes]] = deque(maxlen=EXTRAS_MAX)

    def __bool__(self) -> bool:
        return bool(self._extras) or self.unsure or any(len(log) for log in self.logs.values())

    @property
    def unsure(self) -> bool:
        """Whether the server is to be asked which entries of before it has."""
        return any(log.unsure for log in self.logs.values())

    def again(self, notice: Notice) -> None:
        """Take a notice that an engine before this one took as well, and may have written."""
        for name, entry in notice.entries:
            self.logs[name].again(entry)
        self._extras.extend(notice.commands)

    def keep(self) -> bytes:
        """What the next engine is to know of the logs."""
        return msgspec.msgpack.encode({name: log.keep() for name, log in self.logs.items()})

    def go_on(self, kept: bytes) -> None:
        """Know what an engine before this one knew; before anything was taken."""
        for name, log in msgspec.msgpack.decode(kept, type=dict[str, KeptLog]).items():
            self.logs[name].go_on(log)

    def put(self, notice: Notice) -> None:
        """Take a notice."""
        now_ns = monotonic_ns()
        for name, entry in notice.entries:
            self.logs[name].put(entry)
        self._extras.extend(notice.commands)
        self._shouts.extend((now_ns, shout) for shout in notice.shouts)

    def add(self, flush: Flush, out: Stores) -> None:
        """Have entries and commands go out with a flush."""
        for log in self.logs.values():
            entries = log.take(ENTRIES_AT_ONCE)
            if not entries:
                continue
            for entry in entries:
                out[log.store].one(log.command(entry), 1 + len(entry.beside))
            flush.undo.append(lambda log=log, entries=entries: log.back(entries))  # type: ignore[misc]
            flush.done.append(lambda _, log=log, entries=entries: log.wrote(entries))  # type: ignore[misc]
        extras = [self._extras.popleft() for _ in range(min(ENTRIES_AT_ONCE, len(self._extras)))]
        if extras:
            for store, data in extras:
                out[store].one(data)
            flush.undo.append(lambda: self._put_back(extras))

    def add_shouts(self, flush: Flush, shouts: Stores) -> None:
        """Have messages that are fresh go out with a flush."""
        oldest_ns = monotonic_ns() - FRESH_NS
        while self._shouts:
            at_ns, data = self._shouts.popleft()
            if at_ns >= oldest_ns:
                shouts["notices"].one(data)
                flush.messages_ns = min(flush.messages_ns or at_ns, at_ns)
        flush.messages_ns = flush.messages_ns or monotonic_ns()

    def _put_back(self, extras: list[tuple[str, bytes]]) -> None:
        """Commands that were not carried out are first again; where there is no room for all, the
        oldest leave."""
        room = EXTRAS_MAX - len(self._extras)
        self._extras.extendleft(reversed(extras[-room:] if room else []))
