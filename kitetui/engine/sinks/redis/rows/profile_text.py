"""Profile text: the volume profile of a row's session, told when five minutes of it closed."""

from __future__ import annotations

import numpy as np
import orjson

from kitetui.engine.calendar import DAY_S, IST_OFFSET_S, day_date
from kitetui.engine.feed.batch import I64
from kitetui.engine.market.instruments import Rows
from kitetui.engine.sinks.redis.outgoing import Stores
from kitetui.engine.sinks.redis.resp import command
from kitetui.engine.sinks.redis.rows.bucket_text import BUCKET_MINUTES
from kitetui.engine.sinks.redis.rows.columns import RowSource
from kitetui.engine.sinks.redis.rows.symbol_keys import SymbolKeys


class ProfileText:
    """Each costs more than what else is told of a row: a few at a time."""

    def __init__(self, rows: Rows, keys: SymbolKeys, source: RowSource) -> None:
        self._rows = rows
        self._keys = keys
        self._source = source
        self._written: I64 = np.full(rows.capacity, -1, np.int64)

    def __bool__(self) -> bool:
        """Whether any is due."""
        return bool((self._source.newest_bars(BUCKET_MINUTES) > self._written).any())

    def forget(self) -> None:
        """The server may hold nothing any more."""
        self._written.fill(-1)

    def write(self, out: Stores, limit: int) -> list[tuple[int, int]]:
        """At most so many; for `undo`, each row and the bar of it that was written before."""
        newest = self._source.newest_bars(BUCKET_MINUTES)
        rows = np.flatnonzero(newest > self._written)[:limit]
        done: list[tuple[int, int]] = []
        for row in rows.tolist():
            done.append((row, int(self._written[row])))
            self._written[row] = newest[row]
            told = self._source.profile(row)
            if told is None:
                continue
            date = day_date((int(newest[row]) * 60 + IST_OFFSET_S) // DAY_S).isoformat()
            key = self._keys.names.key("volume_profile", date=date,
                                       symbol=self._rows.instruments[row].symbol)  # fmt: skip
            out.of("volume_profile").one(
                command(b"SET", key, orjson.dumps(told), b"EX", self._keys.life))  # fmt: skip
        return done

    def undo(self, done: list[tuple[int, int]]) -> None:
        """They were not written."""
        for row, before in done:
            self._written[row] = before
