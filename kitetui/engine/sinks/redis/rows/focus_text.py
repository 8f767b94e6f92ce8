"""Focus text: the newest tick of symbols in focus, every field of its own, with indicators."""

from __future__ import annotations

import numpy as np

from kitetui.engine.feed import wire
from kitetui.engine.feed.batch import F64, FULL, I64
from kitetui.engine.market.instruments import Rows
from kitetui.engine.market.normalise import Run
from kitetui.engine.sinks.redis.documents import LEVELS, NS_A_MS
from kitetui.engine.sinks.redis.outgoing import Stores
from kitetui.engine.sinks.redis.resp import commands
from kitetui.engine.sinks.redis.rows.bar_text import indicator_fields
from kitetui.engine.sinks.redis.rows.due_rows import FOCUS_MINUTES
from kitetui.engine.sinks.redis.rows.symbol_keys import SymbolKeys
from kitetui.engine.sinks.redis.text import Piece, numbers

FLAT = {
    "token": "instrument_token", "ltp": "last_price", "ltq": "last_traded_quantity",
    "atp": "average_traded_price", "volume": "volume_traded", "tbq": "total_buy_quantity",
    "tsq": "total_sell_quantity", "open": "open", "high": "high", "low": "low", "close": "close",
    "ltt_s": "last_trade_time", "oi": "oi", "oi_day_high": "oi_day_high",
    "oi_day_low": "oi_day_low", "exch_s": "exchange_timestamp",
}  # fmt: skip
"""Columns as the flat fields of a symbol's stream."""
_PRICE_COLUMNS = ("ltp", "atp", "open", "high", "low", "close")


class FocusText:
    """Builds the entries of the symbols' own streams."""

    def __init__(self, rows: Rows, keys: SymbolKeys, cap: bytes) -> None:
        self._rows = rows
        self._keys = keys
        self._cap = cap

    def write(self, out: Stores, run: Run, indicators: F64) -> None:
        """An entry for each tick; `indicators` f64 (len(indicators.NAMES), n) of their rows."""
        for kind in np.unique(run.ticks.length).tolist():
            of = np.flatnonzero(run.ticks.length == kind)
            self._uniform(out, Run(run.ticks.take(of), run.increment[of]), kind, indicators[:, of])

    def _uniform(self, out: Stores, run: Run, kind: int, indicators: F64) -> None:
        """Entries of ticks of one packet length."""
        ticks, rows = run.ticks, run.ticks.row.astype(np.int64)
        divisor = self._rows.divisor[rows]
        counts: dict[str, I64] = {}
        prices: dict[str, F64] = {}
        for name in wire.WORDS[kind]:
            if name in _PRICE_COLUMNS:
                prices[FLAT[name]] = getattr(ticks, name) / divisor
            elif name in FLAT:
                counts[FLAT[name]] = getattr(ticks, name)
        if kind == FULL:
            for place in range(2 * LEVELS):
                level = f"{'b' if place < LEVELS else 'a'}{{}}{place % LEVELS + 1}"
                counts[level.format("q")] = ticks.depth[:, place, 0]
                prices[level.format("p")] = ticks.depth[:, place, 1] / divisor
                counts[level.format("o")] = ticks.depth[:, place, 2]
        counts |= {"received": ticks.recv_ns // NS_A_MS, "volume_increment": run.increment,
                   "flags": ticks.flags.astype(np.int64)}  # fmt: skip
        told: list[Piece] = []
        texts = numbers(list(counts.values())) + numbers(list(prices.values()))
        for name, text in zip([*counts, *prices], texts, strict=True):
            told += [name.encode(), text]
        told += indicator_fields(FOCUS_MINUTES, indicators)
        keys = self._keys.of("symbol_ticks", rows)
        out.of("symbol_ticks").add(
            commands(b"XADD", keys, b"MAXLEN", b"~", self._cap, b"*", *told))  # fmt: skip
        self._keys.expire(out, "symbol_ticks", rows, keys)
