"""Bucket text: the commands that tell five-minute volume buckets, growing or closed."""

from __future__ import annotations

import numpy as np

from kitetui.engine.calendar import DAY_S, IST_OFFSET_S, day_date
from kitetui.engine.market import bars as bar
from kitetui.engine.market.instruments import Rows
from kitetui.engine.sinks.redis.outgoing import Stores
from kitetui.engine.sinks.redis.resp import commands
from kitetui.engine.sinks.redis.rows.columns import Bars
from kitetui.engine.sinks.redis.rows.symbol_keys import SymbolKeys
from kitetui.engine.sinks.redis.text import choose, numbers, parts

BUCKET_MINUTES = 5


def write_buckets(out: Stores, told: Bars, rows: Rows, keys: SymbolKeys, legacy: bool) -> None:
    """Absolute values under the canonical key, and under the two older ones where `legacy`."""
    divisor = rows.divisor[told.rows]
    v = told.values
    volume = v[bar.VOLUME]
    vwap = np.where(volume > 0, v[bar.TURNOVER] / np.maximum(volume, 1) / divisor, 0.0)
    counts = numbers([volume, v[bar.TICKS], v[bar.BUY], v[bar.SELL]])
    prices = numbers([*(v[[bar.OPEN, bar.HIGH, bar.LOW, bar.CLOSE]] / divisor), vwap.round(6)])
    names = ["bucket", "bucket_legacy_1", "bucket_legacy_2"] if legacy else ["bucket"]
    for start, of in parts(told.start):
        part = told.rows if of is None else told.rows[of]
        count, price = [choose(c, of) for c in counts], [choose(p, of) for p in prices]
        second = start * 60 + IST_OFFSET_S
        when: dict[str, str | int] = {"date": day_date(second // DAY_S).isoformat(),
                "hour": second % DAY_S // 3600, "minute": second % 3600 // 60}  # fmt: skip
        for name in names:
            named = keys.of(name, part, **when)
            out.of(name).add(commands(
                b"HSET", named, b"bucket_incremental_volume", count[0], b"ticks", count[1],
                b"open", price[0], b"high", price[1], b"low", price[2], b"close", price[3],
                b"vwap", price[4], b"buy_volume", count[2], b"sell_volume", count[3],
            ))  # fmt: skip
            keys.expire(out, name, part, named, start)
