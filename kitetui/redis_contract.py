"""The Redis contract as data: every key and channel, in which store, of which type and content.

Names are templates of redis.yaml; here stands what they hold. Code that writes takes stores and
types from here, `kitetui redis schema` prints it, `kitetui redis check` holds a server against it.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Profile = Literal["full", "lean", "packed", "alerts"]
ALL: tuple[Profile, ...] = ("full", "lean", "packed", "alerts")
TICKS: tuple[Profile, ...] = ("full", "lean", "packed")
"""The profiles that write what follows from ticks; `alerts` leaves it to whom they come from."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One key of the contract, or a family of keys.

    Attributes:
        fields: of the hash, or of each entry of the stream; () where they are an open set.
        optional: fields that need not be there.
        parts: what stands in braces in its template.
        cap: the key of redis.caps that bounds the stream; life: of redis that ends the key.
        profiles: those that write it; setting: the switch that has to be on, beside them.
        entry_bytes: memory of one entry, or of the key where it is no stream; measured for the
            streams of all ticks, estimated for the others.
    """

    store: str
    type: Literal["stream", "hash", "string"]
    about: str
    fields: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    cap: str = ""
    life: str = ""
    profiles: tuple[Profile, ...] = ALL
    setting: str = ""
    entry_bytes: int = 0


_BUCKET = ("bucket_incremental_volume", "ticks", "open", "high", "low", "close", "vwap",
           "buy_volume", "sell_volume")  # fmt: skip
_BUCKET_PARTS = ("symbol", "date", "hour", "minute")
_BAR = ("time", "open", "high", "low", "close", "volume", "buy_volume", "sell_volume", "oi",
        "ticks", "flags")  # fmt: skip
_ALERT = ("alert_id", "pattern_type", "family", "symbol", "priority", "origin", "message", "time")

KEYS: dict[str, Entry] = {
    "session": Entry(
        profiles=TICKS,
        store="system", type="hash", parts=("symbol", "date"), life="ttl_s", entry_bytes=280,
        about="a symbol's day so far",
        fields=("zerodha_cumulative_volume", "bucket_incremental_volume", "last_price",
                "high_price", "low_price", "update_count"),
    ),
    "health": Entry(
        store="system", type="hash", parts=("component",), life="health_s", entry_bytes=200,
        about="how a part of the engine does", fields=("state", "reason", "time", "producer"),
    ),
    "lease": Entry(
        store="system", type="string", life="lease_s", entry_bytes=100,
        about="which engine writes the streams here",
    ),
    "ohlc": Entry(
        profiles=TICKS,
        store="prices", type="stream", parts=("symbol", "timeframe"), cap="ohlc", life="ttl_s",
        about="closed bars: 1m, 5m, day", fields=_BAR, entry_bytes=150,
    ),
    "equity_prices": Entry(
        profiles=TICKS,
        store="prices", type="hash", about="symbol to last price, of stocks", entry_bytes=40),
    "futures_prices": Entry(
        profiles=TICKS,
        store="prices", type="hash", about="symbol to last price, of futures", entry_bytes=40),
    "index_prices": Entry(
        profiles=TICKS,
        store="prices", type="hash", about="symbol to last value, of indices", entry_bytes=40),
    "premarket_trades": Entry(
        profiles=TICKS,
        store="premarket", type="stream", parts=("symbol",), cap="premarket", life="ttl_s",
        about="packets of the pre-open", entry_bytes=120,
        fields=("last_price", "volume_traded", "total_buy_quantity", "total_sell_quantity",
                "exchange_timestamp"),
    ),
    "opening_data": Entry(
        profiles=TICKS,
        store="premarket", type="hash", parts=("date",), life="ttl_s", entry_bytes=90,
        about="symbol to equilibrium and open, as JSON",
    ),
    "raw_stream": Entry(
        store="continuous_market", type="stream", cap="ticks", profiles=("full",),
        about="every packet as Kite sent it", entry_bytes=330,
        fields=("binary_data", "instrument_token", "timestamp", "mode", "source", "producer",
                "seq"),
    ),
    "processed_stream": Entry(
        store="continuous_market", type="stream", cap="ticks", profiles=("full", "lean"),
        about="every tick as JSON", fields=("data", "producer", "seq"), entry_bytes=1_100,
    ),
    "packed_stream": Entry(
        store="continuous_market", type="stream", cap="packed", profiles=("packed",),
        about="every tick, an entry a batch, as columns; kitetui.engine.sinks.redis.unpack",
        fields=("data", "producer", "epoch", "partition", "seq", "count", "first_ms", "last_ms",
                "crc32"),
        entry_bytes=20_000,
    ),
    "latest": Entry(
        profiles=TICKS,
        store="continuous_market", type="string", parts=("symbol",), life="ttl_s",
        about="a symbol's newest tick, as JSON", entry_bytes=1_150,
    ),
    "symbol_ticks": Entry(
        profiles=TICKS,
        store="continuous_market", type="stream", parts=("symbol",), cap="symbol_ticks",
        life="ttl_s", about="newest ticks of the focus list with indicators, flat",
        entry_bytes=560,
    ),
    "five_seconds": Entry(
        profiles=TICKS,
        store="continuous_market", type="stream", parts=("symbol",), cap="five_seconds",
        life="ttl_s", about="5-second bars of the focus list", entry_bytes=90,
        fields=("time", "open", "high", "low", "close", "volume", "ticks"),
    ),
    "bucket": Entry(
        profiles=TICKS,
        store="cumulative_volume", type="hash", parts=_BUCKET_PARTS, life="ttl_s",
        about="a 5-minute volume bucket, absolute values", fields=_BUCKET, entry_bytes=330,
    ),
    "bucket_legacy_1": Entry(
        profiles=TICKS,
        store="cumulative_volume", type="hash", parts=_BUCKET_PARTS, life="ttl_s",
        about="the same under an older name", fields=_BUCKET, setting="legacy_keys",
        entry_bytes=330,
    ),
    "bucket_legacy_2": Entry(
        profiles=TICKS,
        store="cumulative_volume", type="hash", parts=_BUCKET_PARTS, life="ttl_s",
        about="the same under an older name", fields=_BUCKET, setting="legacy_keys",
        entry_bytes=330,
    ),
    "daily_cumulative": Entry(
        profiles=TICKS,
        store="cumulative_volume", type="hash", parts=("date",), life="ttl_s", entry_bytes=40,
        about="symbol to the volume of its day",
    ),
    "volume_profile": Entry(
        profiles=TICKS,
        store="cumulative_volume", type="string", parts=("symbol", "date"), life="ttl_s",
        about="poc, vah, val, hvn, lvn and rows of a symbol's day, as JSON", entry_bytes=1_500,
    ),
    "alert_stream": Entry(
        store="alerts", type="stream", cap="alerts", entry_bytes=450,
        about="alerts of patterns and rules",
        fields=(*_ALERT, "timeframe", "direction", "price", "confidence", "score"),
        optional=("p_hit", "entry", "target", "stop", "horizon", "quantity", "volume_ratio"),
    ),
    "system_stream": Entry(
        store="alerts", type="stream", cap="alerts", fields=_ALERT, entry_bytes=250,
        about="alerts of the engine's own health",
    ),
    "outcome_stream": Entry(
        store="alerts", type="stream", cap="alerts", entry_bytes=130,
        about="what became of alerts",
        fields=("alert_id", "outcome", "r", "price", "bars", "time"),
    ),
    "alert": Entry(
        store="alerts", type="hash", parts=("alert_id",), life="keep_s", entry_bytes=1_200,
        about="an alert's whole life",
    ),
    "depth": Entry(
        profiles=TICKS,
        store="microstructure", type="hash", parts=("symbol",), life="ttl_s", entry_bytes=200,
        about="what the book says now",
        fields=("spread", "microprice", "imbalance", "bid_total", "ask_total", "ofi"),
    ),
    "flow": Entry(
        profiles=TICKS,
        store="microstructure", type="stream", parts=("symbol",), cap="flow", life="ttl_s",
        about="how the book changed over the last seconds", entry_bytes=110,
        fields=("ofi", "bid_stacked", "ask_stacked", "bid_pulled", "ask_pulled", "bid_queue",
                "ask_queue"),
    ),
    "pattern_stream": Entry(
        store="patterns", type="stream", parts=("symbol",), cap="patterns", life="keep_s",
        about="what fired on a symbol, told or not", entry_bytes=300,
        fields=("pattern_type", "family", "symbol", "score", "confidence", "metadata"),
    ),
    "pattern_global": Entry(
        store="patterns", type="stream", cap="patterns", about="the same, of all symbols",
        fields=("pattern_type", "family", "symbol", "score", "confidence", "metadata"),
        entry_bytes=300,
    ),
    "pattern_candidates": Entry(
        store="patterns", type="hash", entry_bytes=200, life="ttl_s",
        about="what fired and has no outcome yet: number to symbol, pattern and score, as JSON",
    ),
    "analysis_cache": Entry(
        profiles=TICKS,
        store="patterns", type="hash", parts=("symbol",), life="ttl_s", entry_bytes=700,
        about="the indicator values in force, such as rsi14_5m",
    ),
    "news_stream": Entry(
        store="news", type="stream", cap="news", entry_bytes=300, about="headlines",
        fields=("title", "source", "time", "link", "symbols", "sentiment"),
    ),
    "sentiment": Entry(
        store="news", type="hash", parts=("symbol",), life="keep_s", entry_bytes=250,
        about="the newest headline about a symbol, and how it sounds",
        fields=("sentiment", "title", "source", "time"),
    ),
    "metric": Entry(
        store="metrics", type="hash", parts=("name",), life="ttl_s", entry_bytes=250,
        about="throughput, latency, lag, alerts and memory now",
    ),
    "metric_stream": Entry(
        store="metrics", type="stream", parts=("name",), cap="metrics", life="keep_s",
        about="the same minute by minute", entry_bytes=120,
    ),
    "scoreboard": Entry(
        store="metrics", type="hash", parts=("date",), life="keep_s", entry_bytes=400,
        about="pattern|timeframe|class to its line of the scoreboard, as JSON",
    ),
}  # fmt: skip


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """One channel, or a family of them; channels know no database numbers."""

    about: str
    parts: tuple[str, ...] = ()
    profiles: tuple[Profile, ...] = ALL
    heard: bool = False
    """Whether the engine listens there."""


CHANNELS: dict[str, Channel] = {
    "ticks": Channel(about="every tick, as JSON", profiles=("full", "lean")),
    "asset_class": Channel(about="the ticks of a class", parts=("asset_class",),
                           profiles=("full",)),
    "packed": Channel(about="every batch, packed", profiles=("packed",)),
    "index": Channel(about="the ticks of an index, as JSON", parts=("exchange", "symbol"),
                     profiles=TICKS),
    "indicators": Channel(about="an indicator's value when a minute closed, as JSON",
                          parts=("type", "symbol"), profiles=TICKS),
    "patterns_global": Channel(about="what fired, as JSON"),
    "alerts_new": Channel(about="every alert, as JSON"),
    "alerts_system": Channel(about="those of patterns and rules"),
    "alerts_symbol": Channel(about="those of a symbol", parts=("symbol",)),
    "commands": Channel(about="an operator's commands, where redis.commands is on", heard=True),
    "news": Channel(about="headlines, where news.channel is on", heard=True),
    "premarket": Channel(about="orders of the pre-open, where the source is Redis", heard=True),
}  # fmt: skip
