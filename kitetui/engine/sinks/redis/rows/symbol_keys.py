"""Symbol keys: what the keys of symbols are called, and how long they live."""

from __future__ import annotations

from kitetui.engine.feed.batch import I64
from kitetui.engine.market.instruments import Rows
from kitetui.engine.sinks.redis.instrument_column import InstrumentColumn
from kitetui.engine.sinks.redis.keys import Names, key_symbol
from kitetui.engine.sinks.redis.outgoing import Stores
from kitetui.engine.sinks.redis.resp import command, commands, number
from kitetui.engine.sinks.redis.rows.lives import Lives
from kitetui.engine.sinks.redis.text import Text, choose


class SymbolKeys:
    """For one writer, which is one thread at a time: it remembers which lives it has told.

    Attributes:
        life: of a key, in seconds, as commands carry it.
        fields: symbols as they are, for fields of hashes.
    """

    def __init__(self, rows: Rows, names: Names, ttl_s: int) -> None:
        self.names = names
        self.life = number(ttl_s)
        self.fields = InstrumentColumn(rows, lambda one: one.symbol.encode())
        self._symbols = InstrumentColumn(rows, lambda one: key_symbol(one.symbol).encode())
        self._ttl_s = ttl_s
        self._lives = Lives(rows.capacity)

    def of(self, name: str, rows: I64, **parts: str | int) -> Text:
        """The key of each row, by its name in the contract."""
        return self.names.keys(name, self._symbols.of(rows), **parts)

    def channels(self, name: str, rows: I64, **parts: str | int) -> Text:
        """The channel of each row."""
        return self.names.channels(name, self._symbols.of(rows), **parts)

    def expire(self, out: Stores, name: str, rows: I64, keys: Text, period: int = 0,
               variant: str = "") -> None:  # fmt: skip
        """Give keys their life, where they do not have it yet; what wrote them was just added.

        Args:
            period: of a key that changes with time; variant: of a name with several keys a row.
        """
        fresh = self._lives.due(name + variant, rows, period, self._ttl_s)
        if len(fresh):
            out.of(name).follow(fresh, commands(b"EXPIRE", choose(keys, fresh), self.life))

    def expire_shared(self, out: Stores, name: str, key: bytes) -> None:
        """The same for a key that many rows share."""
        if self._lives.due_once(key, self._ttl_s):
            out.of(name).one(command(b"EXPIRE", key, self.life))

    def forget(self) -> None:
        """The server may hold nothing any more."""
        self._lives.forget()
