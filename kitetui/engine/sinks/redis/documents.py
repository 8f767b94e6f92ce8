"""Documents: ticks as JSON under the official field names, a whole run at once."""

from __future__ import annotations

import numpy as np
import orjson

from kitetui.engine.feed.batch import F64, FULL, I64, INDEX_FULL, LTP, QUOTE, TickBatch
from kitetui.engine.feed.wire import DEFAULT_DIVISOR, INDEX_SEGMENT, MODES
from kitetui.engine.market.instruments import Rows
from kitetui.engine.market.normalise import Run
from kitetui.engine.sinks.redis.instrument_column import InstrumentColumn
from kitetui.engine.sinks.redis.text import Piece, Text, join, joined, numbers, strings

LEVELS = 5
NS_A_MS = 1_000_000


class Documents:
    """Writes documents; what never changes of an instrument is written once.

    Beside the official fields a document tells symbol, exchange, when the tick was received
    (ms), its volume increment, and what normalisation found out (`batch.Flag`).
    """

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._heads = InstrumentColumn(
            rows, lambda one: _named(one.token, one.tradingsymbol, one.exchange)
        )

    def of(self, run: Run) -> Text:
        """The document of each tick of a run, in order."""
        ticks = run.ticks
        kinds = np.unique(ticks.length).tolist()
        if len(kinds) == 1:
            return self._uniform(ticks, run.increment, kinds[0])
        parts = []
        for kind in kinds:
            places = np.flatnonzero(ticks.length == kind)
            text = self._uniform(ticks.take(places), run.increment[places], kind)
            parts.append((places, text))
        return joined(parts, len(ticks))

    def _uniform(self, t: TickBatch, increment: I64, length: int) -> Text:
        """Documents of ticks of one packet length."""
        divisor = self._divisors(t)
        prices = [t.ltp / divisor]
        counts = [t.recv_ns // NS_A_MS, increment, t.flags.astype(np.int64)]
        if length != LTP:
            close = t.close / divisor
            prices += [t.high / divisor, t.low / divisor, t.open / divisor, close,
                       _change(prices[0], close)]  # fmt: skip
        if length == INDEX_FULL:
            counts += [t.exch_s]
        if length >= QUOTE:
            prices += [t.atp / divisor]
            counts += [t.ltq, t.volume, t.tbq, t.tsq]
        if length == FULL:
            prices += list((t.depth[:, :, 1] / divisor[:, None]).T)
            counts += [t.ltt_s, t.oi, t.oi_day_high, t.oi_day_low, t.exch_s]
            counts += [*t.depth[:, :, 0].T, *t.depth[:, :, 2].T]
        price, count = iter(numbers(prices)), iter(numbers(counts))
        pieces: list[Piece] = [
            self._head(t), b',"mode":"%b","received":' % MODES[length].encode(), next(count),
            b',"volume_increment":', next(count), b',"flags":', next(count),
            b',"last_price":', next(price),
        ]  # fmt: skip
        if length != LTP:
            for name in (b',"ohlc":{"high":', b',"low":', b',"open":', b',"close":',
                         b'},"change":'):  # fmt: skip
                pieces += [name, next(price)]
        if length == INDEX_FULL:
            pieces += [b',"exchange_timestamp":', next(count)]
        if length >= QUOTE:
            pieces += [b',"average_traded_price":', next(price)]
            for name in (b"last_traded_quantity", b"volume_traded", b"total_buy_quantity",
                         b"total_sell_quantity"):  # fmt: skip
                pieces += [b',"%b":' % name, next(count)]
        if length == FULL:
            for name in (b"last_trade_time", b"oi", b"oi_day_high", b"oi_day_low",
                         b"exchange_timestamp"):  # fmt: skip
                pieces += [b',"%b":' % name, next(count)]
            pieces += _depth(list(price), list(count))
        return join([*pieces, b"}"])

    def _divisors(self, t: TickBatch) -> F64:
        table = np.full(256, DEFAULT_DIVISOR, np.float64)
        table[list(self._rows.divisors)] = list(self._rows.divisors.values())
        found: F64 = table[t.token & 0xFF]
        return found

    def _head(self, t: TickBatch) -> Text:
        """The beginning of each document: what the instrument table says."""
        row = t.row.astype(np.int64)
        bare = np.flatnonzero(row < 0)
        if not len(bare):
            return self._heads.of(row)
        known = np.flatnonzero(row >= 0)
        tokens = strings([_named(token, "", "") for token in t.token[bare].tolist()])
        return joined([(known, self._heads.of(row[known])), (bare, tokens)], len(t))


def _named(token: int, symbol: str, exchange: str) -> bytes:
    told: dict[str, object] = {"instrument_token": token}
    if symbol:
        told |= {"tradingsymbol": symbol, "exchange": exchange}
    return orjson.dumps(told | {"tradable": token & 0xFF != INDEX_SEGMENT})[:-1]


def _change(price: F64, close: F64) -> F64:
    """Percent from the last close; 0 where there is none."""
    return np.where(close != 0, (price - close) * 100 / np.where(close != 0, close, 1), 0.0)


def _depth(prices: list[Text], counts: list[Text]) -> list[Piece]:
    """The book: five levels of bids, then of asks."""
    quantities, orders = counts[: 2 * LEVELS], counts[2 * LEVELS :]
    out: list[Piece] = [b',"depth":{"buy":[']
    for level in range(2 * LEVELS):
        if level == LEVELS:
            out.append(b'],"sell":[')
        first = level % LEVELS == 0
        out += [b'{"quantity":' if first else b',{"quantity":', quantities[level],
                b',"price":', prices[level], b',"orders":', orders[level], b"}"]  # fmt: skip
    return [*out, b"]}"]
