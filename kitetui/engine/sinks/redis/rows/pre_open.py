"""Pre-open text: packets before the open: their symbols' streams, and what they say of it."""

from __future__ import annotations

import numpy as np

from kitetui.engine.calendar import DAY_S, IST_OFFSET_S, day_date
from kitetui.engine.feed.batch import Flag
from kitetui.engine.market.instruments import Rows
from kitetui.engine.market.normalise import Run
from kitetui.engine.sinks.redis.documents import NS_A_MS
from kitetui.engine.sinks.redis.outgoing import Stores
from kitetui.engine.sinks.redis.resp import commands
from kitetui.engine.sinks.redis.rows.symbol_keys import SymbolKeys
from kitetui.engine.sinks.redis.text import choose, join, numbers, parts


class PreOpenText:
    """Builds commands; asks nobody but the instrument table."""

    def __init__(self, rows: Rows, keys: SymbolKeys, cap: bytes) -> None:
        self._rows = rows
        self._keys = keys
        self._cap = cap

    def write(self, out: Stores, run: Run) -> None:
        """What the packets of a run's pre-open say; nothing where it has none."""
        early = np.flatnonzero(((run.ticks.flags & Flag.PRE_OPEN) != 0) & (run.ticks.row >= 0))
        if not len(early):
            return
        ticks = run.ticks.take(early)
        rows = ticks.row.astype(np.int64)
        divisor = self._rows.divisor[rows]
        volume, buy, sell, exch, ms, part = numbers(
            [ticks.volume, ticks.tbq, ticks.tsq, ticks.exch_s, ticks.recv_ns // NS_A_MS,
             ticks.recv_ns % NS_A_MS + np.arange(len(rows))])  # fmt: skip
        price, opened = numbers([ticks.ltp / divisor, ticks.open / divisor])
        keys = self._keys.of("premarket_trades", rows)
        out.of("premarket_trades").add(commands(
            b"XADD", keys, b"MAXLEN", b"~", self._cap, join([ms, b"-", part]),
            b"last_price", price, b"volume_traded", volume, b"total_buy_quantity", buy,
            b"total_sell_quantity", sell, b"exchange_timestamp", exch,
        ))  # fmt: skip
        self._keys.expire(out, "premarket_trades", rows, keys)
        for day, of in parts((ticks.exch_s + IST_OFFSET_S) // DAY_S):
            key = self._keys.names.key("opening_data", date=day_date(day).isoformat())
            told = join([b'{"equilibrium":', choose(price, of), b',"open":', choose(opened, of),
                         b"}"])  # fmt: skip
            names = self._keys.fields.of(rows if of is None else rows[of])
            out.of("opening_data").add(commands(b"HSET", key, names, told))
            self._keys.expire_shared(out, "opening_data", key)
