"""A column of text that follows from the instrument table: told once a row, whatever it is for."""

from __future__ import annotations

from collections.abc import Callable

from kitetui.engine.feed.batch import I64
from kitetui.engine.market.instruments import Instrument, Rows
from kitetui.engine.sinks.redis.text import Text, choose, strings


class InstrumentColumn:
    """Text of rows. Two threads may ask at once: both then find the same."""

    def __init__(self, rows: Rows, tell: Callable[[Instrument], bytes]) -> None:
        self._rows = rows
        self._tell = tell
        self._text: Text = strings([])

    def of(self, rows: I64) -> Text:
        """The text of each row."""
        held = self._text
        if len(held) < self._rows.count:
            fresh = self._rows.instruments[len(held) :]
            held = strings([*held.to_pylist(), *(self._tell(one) for one in fresh)])
            self._text = held
        return choose(held, rows)
