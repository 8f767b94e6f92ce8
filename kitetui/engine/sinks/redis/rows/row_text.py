"""Row text: the commands that tell what rows say now: newest tick, session, bucket, book."""

from __future__ import annotations

import numpy as np

from kitetui.engine.calendar import day_date
from kitetui.engine.market.book import FLOWS
from kitetui.engine.market.instruments import ASSET_CLASSES, Rows
from kitetui.engine.sinks.redis.documents import Documents
from kitetui.engine.sinks.redis.outgoing import Stores
from kitetui.engine.sinks.redis.resp import commands, number
from kitetui.engine.sinks.redis.rows.bucket_text import write_buckets
from kitetui.engine.sinks.redis.rows.columns import Books, RowsTold, Sessions
from kitetui.engine.sinks.redis.rows.focus_text import FocusText
from kitetui.engine.sinks.redis.rows.symbol_keys import SymbolKeys
from kitetui.engine.sinks.redis.text import Piece, choose, maybe, numbers, parts
from kitetui.settings import RedisSettings

PRICES = {"equity": "equity_prices", "futures": "futures_prices", "index": "index_prices"}


class RowText:
    """Builds commands; asks nobody but the instrument table."""

    def __init__(self, settings: RedisSettings, rows: Rows, keys: SymbolKeys,
                 documents: Documents) -> None:  # fmt: skip
        self._settings = settings
        self._rows = rows
        self._keys = keys
        self._documents = documents
        self._focus = FocusText(rows, keys, number(settings.caps.symbol_ticks))

    def write(self, out: Stores, told: RowsTold) -> None:
        """All that is told of rows."""
        self._latest(out, told)
        self._sessions(out, told.sessions)
        for bars in told.buckets:
            write_buckets(out, bars, self._rows, self._keys, self._settings.legacy_keys)
        if len(told.books.rows):
            self._books(out, told.books)
        if told.focused is not None:
            self._focus.write(out, told.focused, told.indicators)

    def _latest(self, out: Stores, told: RowsTold) -> None:
        keys = self._keys.of("latest", told.rows)
        documents = self._documents.of(told.newest)
        out.of("latest").add(commands(b"SET", keys, documents, b"EX", self._keys.life))

    def _sessions(self, out: Stores, told: Sessions) -> None:
        volume, in_bucket, updates = numbers([told.volume, told.bucket_volume, told.updates])
        last, high, low = numbers([told.last, told.high, told.low])
        for day, of in parts(told.day):
            date = day_date(day).isoformat()
            rows = told.rows if of is None else told.rows[of]
            keys = self._keys.of("session", rows, date=date)
            at = (choose(column, of) for column in (volume, in_bucket, last, high, low, updates))
            out.of("session").add(commands(
                b"HSET", keys, b"zerodha_cumulative_volume", next(at),
                b"bucket_incremental_volume", next(at), b"last_price", next(at),
                b"high_price", next(at), b"low_price", next(at), b"update_count", next(at),
            ))  # fmt: skip
            self._keys.expire(out, "session", rows, keys, day)
            daily = self._keys.names.key("daily_cumulative", date=date)
            names = self._keys.fields.of(rows)
            out.of("daily_cumulative").add(commands(b"HSET", daily, names, choose(volume, of)))
            self._keys.expire_shared(out, "daily_cumulative", daily)
        asset = self._rows.asset_class[told.rows]
        for name, key in PRICES.items():
            of = np.flatnonzero(asset == ASSET_CLASSES.index(name))
            if len(of):
                names, shared = self._keys.fields.of(told.rows[of]), self._keys.names.key(key)
                out.of(key).add(commands(b"HSET", shared, names, choose(last, of)))

    def _books(self, out: Stores, told: Books) -> None:
        bids, asks, *flow = numbers([told.bid_total, told.ask_total, *told.flow.T])
        spread, microprice, imbalance = maybe(
            [column.round(6) for column in (told.spread, told.microprice, told.imbalance)]
        )
        depth = self._keys.of("depth", told.rows)
        out.of("depth").add(commands(
            b"HSET", depth, b"spread", spread, b"microprice", microprice, b"imbalance", imbalance,
            b"bid_total", bids, b"ask_total", asks, b"ofi", flow[0],
        ))  # fmt: skip
        self._keys.expire(out, "depth", told.rows, depth)
        stream = self._keys.of("flow", told.rows)
        fields: list[Piece] = []
        for name, column in zip(FLOWS, flow, strict=True):
            fields += [name.encode(), column]
        out.of("flow").add(commands(
            b"XADD", stream, b"MAXLEN", b"~", number(self._settings.caps.flow), b"*", *fields,
        ))  # fmt: skip
        self._keys.expire(out, "flow", told.rows, stream)
