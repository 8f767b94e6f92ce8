"""The fleet's instruments: what crawlers' ticks are about, by a table or by what they say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from kitetui.config import ConfigError
from kitetui.engine.feed.records import Kind, Subscribed
from kitetui.engine.feed.sources import Inbox
from kitetui.engine.feed.tick_message import Named
from kitetui.engine.market.instruments import (
    Instrument,
    InstrumentError,
    by_symbol,
    read_table,
    unlisted,
    write_table,
)
from kitetui.settings import Settings


class Fleet:
    """Announces instruments as they are first seen."""

    def __init__(self, settings: Settings, inbox: Inbox) -> None:
        """Raises ConfigError where feed.table is named and cannot be read."""
        self._mode = settings.feed.mode
        self._inbox = inbox
        self._table: dict[int, Instrument] = {}
        if settings.feed.table:
            path = Path(settings.feed.table).expanduser()
            try:
                self._table = read_table(path.read_bytes())
            except OSError as error:
                raise ConfigError(f"feed.table: {path}: {error.strerror}") from None
            except InstrumentError as error:
                raise ConfigError(f"feed.table: {path}: {error}") from None
        self._by_symbol = by_symbol(self._table)

    def token(self, exchange: str, symbol: str) -> int | None:
        """The token of a symbol, where the table knows it."""
        found = self._by_symbol.get(f"{exchange}:{symbol}") or self._by_symbol.get(symbol)
        return None if found is None else found.token

    def announce(self, seen: Sequence[Named]) -> None:
        """Instruments that ticks name; the table knows them better, where it has them."""
        chosen = [self._table.get(one.token) or _named(one) for one in seen]
        self._inbox.put(Kind.INSTRUMENTS, write_table(chosen))
        asked = Subscribed([one.token for one in chosen], self._mode)
        self._inbox.put(Kind.SUBSCRIBE, msgspec.json.encode(asked))


def _named(one: Named) -> Instrument:
    """An instrument of which only ticks tell; the table's reader finds its hours."""
    if not one.symbol:
        return unlisted(one.token)
    return Instrument(token=one.token, tradingsymbol=one.symbol, exchange=one.exchange or "NSE",
                      hours="")  # fmt: skip
