"""Bar text: the commands that tell closed bars, and the indicators that followed from them."""

from __future__ import annotations

import numpy as np
import orjson

from kitetui.engine.feed.batch import F64
from kitetui.engine.market import bars as bar
from kitetui.engine.market.indicators import NAMES
from kitetui.engine.market.instruments import Rows
from kitetui.engine.market.timeframe import timeframe_name
from kitetui.engine.sinks.redis.instrument_column import InstrumentColumn
from kitetui.engine.sinks.redis.outgoing import Stores
from kitetui.engine.sinks.redis.resp import commands, number
from kitetui.engine.sinks.redis.rows.bucket_text import BUCKET_MINUTES, write_buckets
from kitetui.engine.sinks.redis.rows.columns import Bars, BarsTold
from kitetui.engine.sinks.redis.rows.symbol_keys import SymbolKeys
from kitetui.engine.sinks.redis.text import Piece, join, maybe, numbers
from kitetui.settings import RedisSettings

PUBLISHED = ("ema20", "rsi14", "atr14", "adx14", "vwap")
"""Indicators that have channels, by the type that they tell: the name without its length."""


class BarText:
    """Builds commands; asks nobody but the instrument table."""

    def __init__(self, settings: RedisSettings, rows: Rows, keys: SymbolKeys) -> None:
        self._settings = settings
        self._rows = rows
        self._keys = keys
        self._quoted = InstrumentColumn(rows, lambda one: orjson.dumps(one.symbol))

    def write(self, out: Stores, shouts: Stores, told: BarsTold) -> None:
        """Their streams, buckets and caches; what is published of them."""
        for minutes, bars in told.closed:
            self._ohlc(out, minutes, bars)
            if minutes == BUCKET_MINUTES:
                write_buckets(out, bars, self._rows, self._keys, self._settings.legacy_keys)
        if len(told.rows):
            self._analysis(out, told)
            if told.speaks.any():
                self._speak(shouts, told)

    def _ohlc(self, out: Stores, minutes: int, told: Bars) -> None:
        v, divisor = told.values, self._rows.divisor[told.rows]
        time, volume, buy, sell, oi, ticks, flags = numbers(
            [told.start * 60, v[bar.VOLUME], v[bar.BUY], v[bar.SELL], v[bar.OI], v[bar.TICKS],
             v[bar.FLAGS]])  # fmt: skip
        opened, high, low, close = numbers(
            list(v[[bar.OPEN, bar.HIGH, bar.LOW, bar.CLOSE]] / divisor))  # fmt: skip
        keys = self._keys.of("ohlc", told.rows, timeframe=timeframe_name(minutes))
        out.of("ohlc").add(commands(
            b"XADD", keys, b"MAXLEN", b"~", number(self._settings.caps.ohlc),
            join([time, b"000-0"]), b"time", time, b"open", opened, b"high", high, b"low", low,
            b"close", close, b"volume", volume, b"buy_volume", buy, b"sell_volume", sell,
            b"oi", oi, b"ticks", ticks, b"flags", flags,
        ))  # fmt: skip
        self._keys.expire(out, "ohlc", told.rows, keys, variant=str(minutes))

    def _analysis(self, out: Stores, told: BarsTold) -> None:
        """Indicators in force."""
        keys = self._keys.of("analysis_cache", told.rows)
        fields = [piece for m, values in told.values.items()
                  for piece in indicator_fields(m, values)]  # fmt: skip
        out.of("analysis_cache").add(commands(b"HSET", keys, *fields))
        self._keys.expire(out, "analysis_cache", told.rows, keys)

    def _speak(self, shouts: Stores, told: BarsTold) -> None:
        """The indicators' channels."""
        values = told.values[1].round(6)
        for name in PUBLISHED:
            column = values[NAMES.index(name)]
            of = np.flatnonzero(told.speaks & ~np.isnan(column))
            if not len(of):
                continue
            rows = told.rows[of]
            (value,), (time,) = numbers([column[of]]), numbers([(told.newest[of] + 1) * 60])
            channels = self._keys.channels("indicators", rows, type=name.rstrip("0123456789"))
            document = join([b'{"symbol":', self._quoted.of(rows), b',"timeframe":"1m","time":',
                             time, b',"%b":' % name.encode(), value, b"}"])  # fmt: skip
            shouts.of("analysis_cache").add(commands(b"PUBLISH", channels, document))


def indicator_fields(minutes: int, values: F64) -> list[Piece]:
    """Fields such as rsi14_5m, of indicators f64 (len(NAMES), n); empty where undefined."""
    fields: list[Piece] = []
    for name, text in zip(NAMES, maybe(list(values.round(6))), strict=True):
        fields += [f"{name}_{timeframe_name(minutes)}".encode(), text]
    return fields
