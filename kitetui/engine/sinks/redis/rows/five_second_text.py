"""Five-second text: bars of five seconds of rows in focus, kept until they are written."""

from __future__ import annotations

import numpy as np

from kitetui.engine.feed.batch import Bool
from kitetui.engine.market.instruments import Rows
from kitetui.engine.market.normalise import Run
from kitetui.engine.sinks.redis.outgoing import Stores
from kitetui.engine.sinks.redis.resp import command, number
from kitetui.engine.sinks.redis.rows.five_seconds import Bar, FiveSeconds
from kitetui.engine.sinks.redis.rows.symbol_keys import SymbolKeys


class FiveSecondText:
    """Folds ticks, and tells what closed."""

    def __init__(self, rows: Rows, keys: SymbolKeys, cap: bytes) -> None:
        self._rows = rows
        self._keys = keys
        self._cap = cap
        self._seconds = FiveSeconds()
        self._closed: list[Bar] = []

    def take(self, run: Run, focus: Bool) -> None:
        """Ticks came; `focus`, bool (rows.count,), says whose bars are wanted."""
        if focus.any():
            self._closed += self._seconds.take(run, focus)

    def write(self, out: Stores) -> list[Bar]:
        """The bars that closed; `undo` takes them back."""
        self._closed += self._seconds.passed()
        done, self._closed = self._closed, []
        for told in done:
            price = self._rows.price
            symbol = self._rows.instruments[told.row].symbol
            key = self._keys.names.key("five_seconds", symbol=symbol)
            prices = (told.open, told.high, told.low, told.close)
            opened, high, low, close = (number(price(told.row, value)) for value in prices)
            out.of("five_seconds").one(command(
                b"XADD", key, b"MAXLEN", b"~", self._cap, b"%d000-0" % told.start_s,
                b"time", number(told.start_s), b"open", opened, b"high", high, b"low", low,
                b"close", close, b"volume", number(told.volume), b"ticks", number(told.ticks),
            ))  # fmt: skip
        if done:
            rows = np.unique(np.array([told.row for told in done], np.int64))
            self._keys.expire(out, "five_seconds", rows, self._keys.of("five_seconds", rows))
        return done

    def undo(self, done: list[Bar]) -> None:
        """They were not written."""
        self._closed = done + self._closed
