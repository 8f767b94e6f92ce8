"""Row writes: what Redis holds of each symbol beside its ticks, conflated, absolute values.

What is due follows from the state alone: rows that had a tick and were not written since, bars
that are newer than the last one written. After a failure the same is due again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import orjson

from kitetui.engine.calendar import DAY_S, IST_OFFSET_S, day_date
from kitetui.engine.feed import wire
from kitetui.engine.feed.batch import FULL, I64, Bool, Flag
from kitetui.engine.market import bars as bar
from kitetui.engine.market.book import FLOWS
from kitetui.engine.market.indicators import NAMES
from kitetui.engine.market.instruments import ASSET_CLASSES, Rows
from kitetui.engine.market.normalise import Run
from kitetui.engine.market.timeframe import DAY, timeframe_name
from kitetui.engine.sinks.redis.documents import NS_A_MS, Documents
from kitetui.engine.sinks.redis.five_seconds import Bar, FiveSeconds
from kitetui.engine.sinks.redis.keys import Names, key_symbol
from kitetui.engine.sinks.redis.lives import Lives
from kitetui.engine.sinks.redis.newest import Newest
from kitetui.engine.sinks.redis.outgoing import Stores
from kitetui.engine.sinks.redis.resp import command, commands, number
from kitetui.engine.sinks.redis.row_columns import Bars, RowSource
from kitetui.engine.sinks.redis.text import (
    Piece,
    Text,
    choose,
    join,
    maybe,
    numbers,
    parts,
    strings,
)
from kitetui.settings import RedisSettings

BAR_MINUTES = (1, 5, DAY)
"""Timeframes whose closed bars have streams."""
BUCKET_MINUTES = 5
CACHED_MINUTES = (1, 5, 15)
"""Timeframes whose indicators are cached."""
PUBLISHED = ("ema20", "rsi14", "atr14", "adx14", "vwap")
"""Indicators that have channels, by the type that they tell: the name without its length."""
PRICES = {"equity": "equity_prices", "futures": "futures_prices", "index": "index_prices"}
FLAT = {
    "token": "instrument_token", "ltp": "last_price", "ltq": "last_traded_quantity",
    "atp": "average_traded_price", "volume": "volume_traded", "tbq": "total_buy_quantity",
    "tsq": "total_sell_quantity", "open": "open", "high": "high", "low": "low", "close": "close",
    "ltt_s": "last_trade_time", "oi": "oi", "oi_day_high": "oi_day_high",
    "oi_day_low": "oi_day_low", "exch_s": "exchange_timestamp",
}  # fmt: skip
"""Columns as the flat fields of a symbol's stream."""
_PRICE_COLUMNS = ("ltp", "atp", "open", "high", "low", "close")


class RowWriter:
    """Marks what ticks and bars changed, and builds the commands that tell it."""

    def __init__(self, settings: RedisSettings, rows: Rows, names: Names, documents: Documents,
                 source: RowSource, focus: Iterable[str]) -> None:  # fmt: skip
        """`focus`: symbols with streams of their own."""
        self._settings = settings
        self._rows = rows
        self._names = names
        self._documents = documents
        self._source = source
        self._newest = Newest(rows.capacity)
        self._since: I64 = np.zeros(rows.capacity, np.int64)
        self._written = {m: np.full(rows.capacity, -1, np.int64) for m in BAR_MINUTES}
        self._spoken: I64 = np.full(rows.capacity, -1, np.int64)
        self._profiled: I64 = np.full(rows.capacity, -1, np.int64)
        self._focus_symbols = frozenset(focus)
        self._focus: Bool = np.zeros(0, np.bool_)
        self._symbols: Text = strings([])
        self._names_of: Text = strings([])
        self._lives = Lives(rows.capacity)
        self._seconds = FiveSeconds()
        self._bars: list[Bar] = []

    # ---- what happened -------------------------------------------------------------------

    def take(self, runs: Iterable[Run], now_ns: int) -> None:
        """Ticks came: their rows are due."""
        for run in runs:
            row = self._newest.keep(run)
            self._since[row[self._since[row] == 0]] = now_ns
            focus = self.focus
            if focus.any():
                self._bars += self._seconds.take(run, focus)

    def forget(self) -> None:
        """The server may hold nothing any more: everything of today is due."""
        self._lives.forget()
        for written in self._written.values():
            written.fill(-1)
        self._profiled.fill(-1)
        seen = self._newest.length(np.arange(self._rows.capacity)) > 0
        self._since[seen & (self._since == 0)] = 1

    def due(self, before_ns: int, limit: int) -> I64:
        """Rows with a tick at or before a time that are not yet written, the oldest first."""
        rows = np.flatnonzero((self._since > 0) & (self._since <= before_ns))
        if len(rows) > limit:
            rows = rows[np.argpartition(self._since[rows], limit)[:limit]]
        return rows

    def oldest_ns(self) -> int:
        """When the row that waits longest had its first tick since it was written; 0 for none."""
        waiting = self._since[self._since > 0]
        return int(waiting.min()) if len(waiting) else 0

    def clear(self, rows: I64) -> I64:
        """Rows are being written; what `undo` needs, should that fail."""
        held = self._since[rows]
        self._since[rows] = 0
        return held

    def undo(self, rows: I64, held: I64) -> None:
        """They were not written: they have been due ever since."""
        self._since[rows] = held

    # ---- what is told of it --------------------------------------------------------------

    @property
    def focus(self) -> Bool:
        """Rows that have streams of their own: bool (rows.count,)."""
        if len(self._focus) != self._rows.count:
            few = self._rows.count <= self._settings.focus_rows
            self._focus = np.array(
                [few or i.symbol in self._focus_symbols for i in self._rows.instruments], np.bool_
            )
        return self._focus

    def symbols(self, rows: I64) -> Text:
        """The symbols of rows as keys carry them."""
        if len(self._symbols) < self._rows.count:
            fresh = self._rows.instruments[len(self._symbols) :]
            self._symbols = strings(
                [*self._symbols.to_pylist(), *(key_symbol(i.symbol).encode() for i in fresh)]
            )
        return choose(self._symbols, rows)

    def steps(self) -> list[Callable[[Stores, I64], None]]:
        """What is told of rows, in steps of about the same cost: each may go out by itself."""
        return [self._latest, self._sessions, self._growing, self._books, self._focused]

    def _latest(self, out: Stores, rows: I64) -> None:
        """Their newest ticks."""
        keys = self._names.keys("latest", self.symbols(rows))
        documents = self._documents.of(self._newest.ticks(rows))
        life = number(self._settings.ttl_s)
        out["continuous_market"].add(commands(b"SET", keys, documents, b"EX", life))

    def _growing(self, out: Stores, rows: I64) -> None:
        """Their growing buckets."""
        for told in self._source.buckets(rows):
            self._buckets(out, told)

    def _focused(self, out: Stores, rows: I64) -> None:
        """Newest ticks of those that have a stream of their own."""
        focused = rows[self.focus[rows]]
        if len(focused):
            self._flat(out, self._newest.ticks(focused))

    def _sessions(self, out: Stores, rows: I64) -> None:
        told = self._source.sessions(rows)
        symbols = self.symbols(told.rows)
        volume, in_bucket, updates = numbers([told.volume, told.bucket_volume, told.updates])
        last, high, low = numbers([told.last, told.high, told.low])
        for day, of in parts(told.day):
            date = day_date(day).isoformat()
            of_day = told.rows if of is None else told.rows[of]
            keys = self._names.keys("session", choose(symbols, of), date=date)
            at = (choose(column, of) for column in (volume, in_bucket, last, high, low, updates))
            out["system"].add(commands(
                b"HSET", keys, b"zerodha_cumulative_volume", next(at),
                b"bucket_incremental_volume", next(at), b"last_price", next(at),
                b"high_price", next(at), b"low_price", next(at), b"update_count", next(at),
            ))  # fmt: skip
            self._expire(out, "system", "session", of_day, keys, day)
            daily = self._names.key("daily_cumulative", date=date)
            names = self._plain(of_day)
            out["cumulative_volume"].add(commands(b"HSET", daily, names, choose(volume, of)))
            self._expire_shared(out, "cumulative_volume", daily)
        asset = self._rows.asset_class[told.rows]
        for name, key in PRICES.items():
            of = np.flatnonzero(asset == ASSET_CLASSES.index(name))
            if len(of):
                names, prices = self._plain(told.rows[of]), choose(last, of)
                out["prices"].add(commands(b"HSET", self._names.key(key), names, prices))

    def _plain(self, rows: I64) -> Text:
        """Symbols as they are, for fields of hashes."""
        if len(self._names_of) < self._rows.count:
            fresh = self._rows.instruments[len(self._names_of) :]
            self._names_of = strings(
                [*self._names_of.to_pylist(), *(i.symbol.encode() for i in fresh)]
            )
        return choose(self._names_of, rows)

    def _buckets(self, out: Stores, told: Bars) -> None:
        """Five-minute buckets, growing or closed."""
        divisor = self._rows.divisor[told.rows]
        v = told.values
        volume = v[bar.VOLUME]
        vwap = np.where(volume > 0, v[bar.TURNOVER] / np.maximum(volume, 1) / divisor, 0.0)
        counts = numbers([volume, v[bar.TICKS], v[bar.BUY], v[bar.SELL]])
        prices = numbers([*(v[[bar.OPEN, bar.HIGH, bar.LOW, bar.CLOSE]] / divisor), vwap.round(6)])
        names = ["bucket"]
        if self._settings.legacy_keys:
            names += ["bucket_legacy_1", "bucket_legacy_2"]
        for start, of in parts(told.start):
            rows = told.rows if of is None else told.rows[of]
            symbols = self.symbols(rows)
            count, price = [choose(c, of) for c in counts], [choose(p, of) for p in prices]
            second = start * 60 + IST_OFFSET_S
            when: dict[str, str | int] = {"date": day_date(second // DAY_S).isoformat(),
                    "hour": second % DAY_S // 3600, "minute": second % 3600 // 60}  # fmt: skip
            for name in names:
                keys = self._names.keys(name, symbols, **when)
                out["cumulative_volume"].add(commands(
                    b"HSET", keys, b"bucket_incremental_volume", count[0], b"ticks", count[1],
                    b"open", price[0], b"high", price[1], b"low", price[2], b"close", price[3],
                    b"vwap", price[4], b"buy_volume", count[2], b"sell_volume", count[3],
                ))  # fmt: skip
                self._expire(out, "cumulative_volume", name, rows, keys, start)

    def _books(self, out: Stores, rows: I64) -> None:
        told = self._source.books(rows)
        if not len(told.rows):
            return
        symbols = self.symbols(told.rows)
        bids, asks, *flow = numbers([told.bid_total, told.ask_total, *told.flow.T])
        depth = self._names.keys("depth", symbols)
        out["microstructure"].add(commands(
            b"HSET", depth, b"spread", maybe(told.spread.round(6)),
            b"microprice", maybe(told.microprice.round(6)),
            b"imbalance", maybe(told.imbalance.round(6)),
            b"bid_total", bids, b"ask_total", asks, b"ofi", flow[0],
        ))  # fmt: skip
        self._expire(out, "microstructure", "depth", told.rows, depth, 0)
        stream = self._names.keys("flow", symbols)
        fields: list[Piece] = []
        for name, column in zip(FLOWS, flow, strict=True):
            fields += [name.encode(), column]
        out["microstructure"].add(commands(
            b"XADD", stream, b"MAXLEN", b"~", number(self._settings.caps.flow),
            b"*", *fields,
        ))  # fmt: skip
        self._expire(out, "microstructure", "flow", told.rows, stream, 0)

    def _flat(self, out: Stores, run: Run) -> None:
        """The newest tick of symbols in focus, every field of its own, with indicators."""
        for kind in np.unique(run.ticks.length).tolist():
            of = np.flatnonzero(run.ticks.length == kind)
            ticks, rows = run.ticks.take(of), run.ticks.row[of].astype(np.int64)
            divisor = self._rows.divisor[rows]
            columns = [name for name in wire.WORDS[kind] if name in FLAT]
            whole = [name for name in columns if name not in _PRICE_COLUMNS]
            priced = [name for name in columns if name in _PRICE_COLUMNS]
            counts = [getattr(ticks, name) for name in whole]
            counts += [ticks.recv_ns // NS_A_MS, run.increment[of], ticks.flags.astype(np.int64)]
            prices = [getattr(ticks, name) / divisor for name in priced]
            fields = [FLAT[name] for name in whole]
            fields += ["received", "volume_increment", "flags", *(FLAT[name] for name in priced)]
            if kind == FULL:
                for side, first in (("b", 0), ("a", 5)):
                    for level in range(5):
                        counts[-3:-3] = [ticks.depth[:, first + level, 0],
                                         ticks.depth[:, first + level, 2]]  # fmt: skip
                        at = fields.index("received")
                        fields[at:at] = [f"{side}q{level + 1}", f"{side}o{level + 1}"]
                        prices.append(ticks.depth[:, first + level, 1] / divisor)
                        fields.append(f"{side}p{level + 1}")
            told: list[Piece] = []
            for name, text in zip(fields, numbers(counts) + numbers(prices), strict=True):
                told += [name.encode(), text]
            told += self._indicators(rows, (1,))
            keys = self._names.keys("symbol_ticks", self.symbols(rows))
            out["continuous_market"].add(commands(
                b"XADD", keys, b"MAXLEN", b"~", number(self._settings.caps.symbol_ticks),
                b"*", *told,
            ))  # fmt: skip
            self._expire(out, "continuous_market", "symbol_ticks", rows, keys, 0)

    def _indicators(self, rows: I64, timeframes: Iterable[int]) -> list[Piece]:
        """Fields such as rsi14_5m; empty where undefined."""
        fields: list[Piece] = []
        for minutes in timeframes:
            values = self._source.indicators(minutes, rows).round(6)
            for name, column in zip(NAMES, values, strict=True):
                fields += [f"{name}_{timeframe_name(minutes)}".encode(), maybe(column)]
        return fields

    # ---- closed bars ---------------------------------------------------------------------

    def bars(self, out: Stores, shouts: Stores | None, limit: int) -> list[tuple[int, I64, I64]]:
        """Bars that closed, and what follows from them, of at most so many rows.

        Returns:
            Timeframe, rows and what was written of them before, for `undo_bars`.
        """
        done: list[tuple[int, I64, I64]] = []
        for minutes in BAR_MINUTES:
            written = self._written[minutes]
            rows = np.flatnonzero(self._source.newest_bars(minutes) > written)[:limit]
            limit -= len(rows)
            if not len(rows):
                continue
            for told in self._source.bars_since(minutes, rows, written[rows]):
                self._ohlc(out, minutes, told)
                if minutes == BUCKET_MINUTES:
                    self._buckets(out, told)
            if minutes == 1:
                self._analysis(out, shouts, rows)
            done.append((minutes, rows, written[rows].copy()))
            written[rows] = self._source.newest_bars(minutes)[rows]
        return done

    def undo_bars(self, done: Iterable[tuple[int, I64, I64]]) -> None:
        """They were not written."""
        for minutes, rows, before in done:
            self._written[minutes][rows] = before

    def _ohlc(self, out: Stores, minutes: int, told: Bars) -> None:
        v, divisor = told.values, self._rows.divisor[told.rows]
        time, volume, buy, sell, oi, ticks, flags = numbers(
            [told.start * 60, v[bar.VOLUME], v[bar.BUY], v[bar.SELL], v[bar.OI], v[bar.TICKS],
             v[bar.FLAGS]])  # fmt: skip
        opened, high, low, close = numbers(
            list(v[[bar.OPEN, bar.HIGH, bar.LOW, bar.CLOSE]] / divisor))  # fmt: skip
        name = timeframe_name(minutes)
        keys = self._names.keys("ohlc", self.symbols(told.rows), timeframe=name)
        out["prices"].add(commands(
            b"XADD", keys, b"MAXLEN", b"~", number(self._settings.caps.ohlc),
            join([time, b"000-0"]), b"time", time, b"open", opened, b"high", high, b"low", low,
            b"close", close, b"volume", volume, b"buy_volume", buy, b"sell_volume", sell,
            b"oi", oi, b"ticks", ticks, b"flags", flags,
        ))  # fmt: skip
        self._expire(out, "prices", f"ohlc{minutes}", told.rows, keys, 0)

    def _analysis(self, out: Stores, shouts: Stores | None, rows: I64) -> None:
        """Indicators in force, and their channels."""
        symbols = self.symbols(rows)
        keys = self._names.keys("analysis_cache", symbols)
        fields = self._indicators(rows, CACHED_MINUTES)
        out["patterns"].add(commands(b"HSET", keys, *fields))
        self._expire(out, "patterns", "analysis_cache", rows, keys, 0)
        newest = self._source.newest_bars(1)[rows]
        told = newest > self._spoken[rows]  # each once, also where it is written again
        self._spoken[rows] = newest
        if shouts is None or not told.any():
            return
        rows, symbols = rows[told], choose(symbols, np.flatnonzero(told))
        values = self._source.indicators(1, rows).round(6)
        (time,) = numbers([(self._source.newest_bars(1)[rows] + 1) * 60])
        names = strings([orjson.dumps(self._rows.instruments[row].symbol) for row in rows.tolist()])
        for name in PUBLISHED:
            column = values[NAMES.index(name)]
            of = np.flatnonzero(~np.isnan(column))
            if not len(of):
                continue
            (value,) = numbers([column[of]])
            channels = self._names.channels("indicators", choose(symbols, of),
                                            type=name.rstrip("0123456789"))  # fmt: skip
            document = join([b'{"symbol":', choose(names, of), b',"timeframe":"1m","time":',
                             choose(time, of), b',"%b":' % name.encode(), value, b"}"])  # fmt: skip
            shouts["patterns"].add(commands(b"PUBLISH", channels, document))

    # ---- what costs more a row -----------------------------------------------------------

    def profiles(self, out: Stores, limit: int) -> list[tuple[int, int]]:
        """Volume profiles of rows whose five minutes closed; row and what was written before."""
        newest = self._source.newest_bars(BUCKET_MINUTES)
        rows = np.flatnonzero(newest > self._profiled)[:limit]
        done: list[tuple[int, int]] = []
        for row in rows.tolist():
            done.append((row, int(self._profiled[row])))
            self._profiled[row] = newest[row]
            told = self._source.profile(row)
            if told is None:
                continue
            date = day_date((int(newest[row]) * 60 + IST_OFFSET_S) // DAY_S).isoformat()
            key = self._names.key("volume_profile", symbol=self._rows.instruments[row].symbol,
                                  date=date)  # fmt: skip
            out["cumulative_volume"].one(command(
                b"SET", key, orjson.dumps(told), b"EX", number(self._settings.ttl_s)))  # fmt: skip
        return done

    def undo_profiles(self, done: Iterable[tuple[int, int]]) -> None:
        """They were not written."""
        for row, before in done:
            self._profiled[row] = before

    def seconds(self, out: Stores) -> list[Bar]:
        """Bars of five seconds that closed."""
        self._bars += self._seconds.passed()
        done, self._bars = self._bars, []
        for told in done:
            price = self._rows.price
            of = self._rows.instruments[told.row]
            key = self._names.key("five_seconds", symbol=of.symbol)
            prices = (told.open, told.high, told.low, told.close)
            opened, high, low, close = (number(price(told.row, value)) for value in prices)
            out["continuous_market"].one(command(
                b"XADD", key, b"MAXLEN", b"~", number(self._settings.caps.five_seconds),
                b"%d000-0" % told.start_s, b"time", number(told.start_s), b"open", opened,
                b"high", high, b"low", low, b"close", close, b"volume", number(told.volume),
                b"ticks", number(told.ticks),
            ))  # fmt: skip
        if done:
            rows = np.unique(np.array([told.row for told in done], np.int64))
            keys = self._names.keys("five_seconds", self.symbols(rows))
            self._expire(out, "continuous_market", "five_seconds", rows, keys, 0)
        return done

    def undo_seconds(self, done: list[Bar]) -> None:
        """They were not written."""
        self._bars = done + self._bars

    def pre_open(self, out: Stores, run: Run) -> None:
        """Packets of the pre-open: their symbols' streams, and what they say of the open."""
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
        keys = self._names.keys("premarket_trades", self.symbols(rows))
        out["premarket"].add(commands(
            b"XADD", keys, b"MAXLEN", b"~", number(self._settings.caps.premarket),
            join([ms, b"-", part]), b"last_price", price, b"volume_traded", volume,
            b"total_buy_quantity", buy, b"total_sell_quantity", sell, b"exchange_timestamp", exch,
        ))  # fmt: skip
        self._expire(out, "premarket", "premarket_trades", rows, keys, 0)
        for day in np.unique((ticks.exch_s + IST_OFFSET_S) // DAY_S).tolist():
            of = np.flatnonzero((ticks.exch_s + IST_OFFSET_S) // DAY_S == day)
            key = self._names.key("opening_data", date=day_date(day).isoformat())
            told = join([b'{"equilibrium":', choose(price, of), b',"open":', choose(opened, of),
                         b"}"])  # fmt: skip
            out["premarket"].add(commands(b"HSET", key, self._plain(rows[of]), told))
            self._expire_shared(out, "premarket", key)

    # ---- lives ---------------------------------------------------------------------------

    def _expire(self, out: Stores, store: str, name: str, rows: I64, keys: Text,
                period: int) -> None:  # fmt: skip
        """Give keys their life, where they do not have it yet."""
        fresh = self._lives.due(name, rows, period, self._settings.ttl_s)
        if len(fresh):
            out[store].add(
                commands(b"EXPIRE", choose(keys, fresh), number(self._settings.ttl_s)))  # fmt: skip

    def _expire_shared(self, out: Stores, store: str, key: bytes) -> None:
        if self._lives.due_once(key, self._settings.ttl_s):
            out[store].one(command(b"EXPIRE", key, number(self._settings.ttl_s)))
