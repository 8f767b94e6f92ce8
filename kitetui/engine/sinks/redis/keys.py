"""Names of keys and channels, from the templates of redis.yaml."""

from __future__ import annotations

from functools import lru_cache

from kitetui.engine.sinks.redis.text import Piece, Text, join
from kitetui.redis_contract import KEYS
from kitetui.settings import RedisSettings

_SYMBOL = "\0"


def key_symbol(symbol: str) -> str:
    """A symbol as keys carry it: `:` separates a key's parts, so it is percent-encoded."""
    return symbol.replace("%", "%25").replace(":", "%3A")


class Names:
    """Key and channel names of one configuration, as bytes.

    Every key belongs to a store; the store's prefix is part of the name.
    """

    def __init__(self, settings: RedisSettings) -> None:
        self._settings = settings
        self.key = lru_cache(4_096)(self._key)
        self.channel = lru_cache(4_096)(self._channel)

    def db(self, store: str) -> int:
        """The number of a store's database."""
        return self._settings.stores[store].db

    def _template(self, name: str) -> str:
        return self._settings.stores[KEYS[name].store].prefix + self._settings.keys[name]

    def _key(self, name: str, /, *, symbol: str = "", **parts: str | int) -> bytes:
        """One key, by its name in the contract."""
        return self._template(name).format(symbol=key_symbol(symbol), **parts).encode()

    def _channel(self, name: str, /, *, symbol: str = "", **parts: str | int) -> bytes:
        """One channel, by its name in the contract."""
        template = self._settings.channels[name]
        return template.format(symbol=key_symbol(symbol), **parts).encode()

    def keys(self, name: str, symbols: Text, **parts: str | int) -> Text:
        """A key for each symbol, as `key_symbol` gives them."""
        return join(_around(self._template(name).format(symbol=_SYMBOL, **parts), symbols))

    def channels(self, name: str, symbols: Text, **parts: str | int) -> Text:
        """A channel for each symbol."""
        return join(_around(self._settings.channels[name].format(symbol=_SYMBOL, **parts), symbols))


def _around(template: str, symbols: Text) -> list[Piece]:
    """What stands around the symbols, and these."""
    first, *rest = template.encode().split(_SYMBOL.encode())
    return [first, *(piece for part in rest for piece in (symbols, part))]
