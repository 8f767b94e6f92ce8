"""What is written to Redis: batches, rows and alerts as RESP commands. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
import orjson

from kitetui.engine.alerts.alert import Alert, AlertOutcome, Origin
from kitetui.engine.alerts.line import Line
from kitetui.engine.alerts.news_item import NewsItem
from kitetui.engine.calendar import day_date
from kitetui.engine.feed import wire
from kitetui.engine.feed.batch import Flag
from kitetui.engine.market.bars import (
    BUY,
    CLOSE,
    HIGH,
    LOW,
    OPEN,
    SELL,
    TICKS,
    TURNOVER,
    VOLUME,
)
from kitetui.engine.market.instruments import Instrument, Rows
from kitetui.engine.market.normalise import Run
from kitetui.engine.sinks.redis.keys import Names
from kitetui.engine.sinks.redis.resp import bulk, command, number, prefix
from kitetui.settings import RedisSettings

RAW_ENTRY_BYTES = 330
PROCESSED_ENTRY_BYTES = 1_100
"""Size of an entry in the server's memory, for the byte budget of a stream."""
IST_OFFSET_S = 19_800

_PROCESSED = b"$4\r\ndata\r\n%b%b$3\r\nseq\r\n$%d\r\n%b\r\n"
_RAW = (
    b"$11\r\nbinary_data\r\n$%d\r\n%b\r\n$16\r\ninstrument_token\r\n$%d\r\n%b\r\n"
    b"$9\r\ntimestamp\r\n$%d\r\n%b\r\n$4\r\nmode\r\n$%d\r\n%b\r\n"
    b"%b%b$3\r\nseq\r\n$%d\r\n%b\r\n"
)
"""Entries of the two tick streams, behind their id: one formatting step a tick."""


class Entry(msgspec.Struct, frozen=True):
    """A stream entry without its id, which it gets when it is first sent.

    Attributes:
        head, tail: the XADD up to its id, and from there on.
        ms: the earliest time its id may have.
    """

    head: bytes
    ms: int
    tail: bytes


class SessionRow(msgspec.Struct, frozen=True):
    """One row's session totals, for the session hash."""

    instrument: Instrument
    day: int
    cumulative_volume: int
    bucket_volume: int
    last_price: float
    high: float
    low: float
    updates: int


class BucketRow(msgspec.Struct, frozen=True):
    """One five-minute volume bucket of a row; `values` are a bar's columns."""

    instrument: Instrument
    start: int
    values: tuple[int, ...]
    divisor: int


class BookRow(msgspec.Struct, frozen=True):
    """What a row's book says, rupees and shares; None where a side is empty or it is crossed.

    Attributes:
        flow: changes of the last seconds by the names of `book.FLOWS`.
        at_ms: when, for the entry of the flow stream.
    """

    instrument: Instrument
    spread: float | None
    microprice: float | None
    imbalance: float | None
    bid_total: int
    ask_total: int
    flow: dict[str, int]
    at_ms: int


class StreamIds:
    """Explicit ids `<ms>-<seq>`, monotonic: a repeated write is refused, not stored twice."""

    def __init__(self) -> None:
        self.ms = 0
        self.seq = 0

    def resume(self, last: str) -> None:
        """Go on behind an id that the server already holds."""
        ms, _, seq = last.partition("-")
        if (int(ms), int(seq or 0)) > (self.ms, self.seq):
            self.ms, self.seq = int(ms), int(seq or 0)

    def next(self, ms: int) -> bytes:
        """The id of the next entry, not before a time in ms."""
        if ms > self.ms:
            self.ms, self.seq = ms, 0
        else:
            self.seq += 1
        return b"%d-%d" % (self.ms, self.seq)

    def give(self, entries: list[Entry]) -> list[bytes]:
        """The XADD commands of entries, with their ids."""
        return [e.head + bulk(self.next(e.ms)) + e.tail for e in entries]


class Encoder:
    """Builds the commands of the contract for one configuration.

    Attributes:
        rate: ticks a second at present; streams keep `caps.seconds` of it.
    """

    def __init__(self, settings: RedisSettings, rows: Rows, producer: str) -> None:
        self._settings = settings
        self._rows = rows
        self._producer = producer.encode()
        self.names = Names(settings)
        self.full = settings.effective_profile == "full"
        self.tick_ids = StreamIds()
        self.alert_ids, self.system_ids, self.outcome_ids = (StreamIds() for _ in range(3))
        self.news_ids = StreamIds()
        self.rate = 0.0
        self._seq = 0
        self._channels: dict[str, bytes] = {}
        self._newest: dict[int, bytes] = {}
        self._flow_ids: dict[str, StreamIds] = {}
        self._pre_open_ids: dict[str, StreamIds] = {}

    def cap(self, entry_bytes: int) -> int:
        """Entries a tick stream may hold now."""
        caps = self._settings.caps
        wanted = max(caps.ticks, int(self.rate * caps.seconds))
        return min(wanted, max(caps.bytes // entry_bytes, 1000))

    def ticks(self, run: Run) -> tuple[list[Entry], list[bytes]]:
        """Stream entries, and PUBLISH commands, of a run of ticks.

        Every tick that was received is written, duplicates too: `flags` tells them apart.
        """
        ticks = run.ticks
        entries: list[Entry] = []
        publishes: list[bytes] = []
        raw_cap, processed_cap = self.cap(RAW_ENTRY_BYTES), self.cap(PROCESSED_ENTRY_BYTES)
        head = prefix(12, b"XADD", self.names.processed_stream, b"MAXLEN", b"~",
                      b"%d" % processed_cap)  # fmt: skip
        raw_head = prefix(20, b"XADD", self.names.raw_stream, b"MAXLEN", b"~", b"%d" % raw_cap)
        raw_source = bulk(b"source") + bulk(b"kite")
        publish = prefix(3, b"PUBLISH", self.names.ticks_channel)
        producer = bulk(b"producer") + bulk(self._producer)
        times = (ticks.recv_ns // 1_000_000).tolist()
        rows = ticks.row.tolist()
        for at, data in enumerate(self._documents(run)):
            row, ms = rows[at], times[at]
            if row >= 0:
                self._newest[row] = data
            self._seq += 1
            seq = b"%d" % self._seq
            document = b"$%d\r\n%b\r\n" % (len(data), data)
            entries.append(Entry(head, ms, _PROCESSED % (document, producer, len(seq), seq)))
            publishes.append(publish + document)
            if self.full:
                length = int(ticks.length[at])
                packet = ticks.packets[at, :length].tobytes()
                token = b"%d" % ticks.token[at]
                mode = wire.MODES[length].encode()
                stamp = b"%d" % ms
                entries.append(Entry(raw_head, ms, _RAW % (
                    length, packet, len(token), token, len(stamp), stamp, len(mode), mode,
                    raw_source, producer, len(seq), seq,
                )))  # fmt: skip
                publishes.append(self._asset_publish(row) + document)
        return entries, publishes

    def _asset_publish(self, row: int) -> bytes:
        asset = self._rows.instruments[row].asset_class if row >= 0 else "equity"
        if asset not in self._channels:
            self._channels[asset] = prefix(3, b"PUBLISH", self.names.asset_channel(asset))
        return self._channels[asset]

    def _documents(self, run: Run) -> list[bytes]:
        """Each tick as JSON, under the names of fields.yaml."""
        ticks = run.ticks
        instruments = self._rows.instruments
        extra = zip(
            ticks.row.tolist(), (ticks.recv_ns // 1_000_000).tolist(),
            run.increment.tolist(), ticks.flags.tolist(), strict=True,
        )  # fmt: skip
        out = []
        for tick, (row, received, increment, flags) in zip(
            wire.to_dicts(ticks, self._rows.divisors), extra, strict=True
        ):
            if row >= 0:
                tick["tradingsymbol"] = instruments[row].tradingsymbol
                tick["exchange"] = instruments[row].exchange
            tick["received"] = received
            tick["volume_increment"] = increment
            tick["flags"] = flags
            out.append(orjson.dumps(tick))
        return out

    def knows(self, row: int) -> bool:
        """Whether a tick of a row was ever encoded, so that there is a newest one."""
        return row in self._newest

    def latest(self, row: int) -> bytes:
        """The newest tick of a row's symbol."""
        symbol = self._rows.instruments[row].symbol
        return command(b"SET", self.names.latest(symbol), self._newest[row])

    def session(self, row: SessionRow) -> list[bytes]:
        """The session hash of a row, absolute values."""
        key = self.names.session(row.instrument.symbol, day_date(row.day).isoformat())
        return [
            command(
                b"HSET", key,
                b"zerodha_cumulative_volume", number(row.cumulative_volume),
                b"bucket_incremental_volume", number(row.bucket_volume),
                b"last_price", number(row.last_price),
                b"high_price", number(row.high),
                b"low_price", number(row.low),
                b"update_count", number(row.updates),
            ),
            command(b"EXPIRE", key, number(self._settings.ttl_s)),
        ]  # fmt: skip

    def bucket(self, row: BucketRow) -> list[bytes]:
        """A volume bucket under its canonical key (and the older ones), absolute values."""
        seconds = row.start * 60 + IST_OFFSET_S
        date = day_date(seconds // 86_400).isoformat()
        hour, minute = seconds % 86_400 // 3600, seconds % 3600 // 60
        v, d = row.values, float(row.divisor)
        vwap = v[TURNOVER] / v[VOLUME] / d if v[VOLUME] else 0.0
        out = []
        for key in self.names.buckets(row.instrument.symbol, date, hour, minute):
            out.append(
                command(
                    b"HSET", key,
                    b"bucket_incremental_volume", number(v[VOLUME]),
                    b"ticks", number(v[TICKS]),
                    b"open", number(v[OPEN] / d),
                    b"high", number(v[HIGH] / d),
                    b"low", number(v[LOW] / d),
                    b"close", number(v[CLOSE] / d),
                    b"vwap", number(vwap),
                    b"buy_volume", number(v[BUY]),
                    b"sell_volume", number(v[SELL]),
                )
            )  # fmt: skip
            out.append(command(b"EXPIRE", key, number(self._settings.ttl_s)))
        return out

    def book(self, row: BookRow) -> list[bytes]:
        """The depth hash of a row, absolute values, and the entry of its flow stream."""
        symbol = row.instrument.symbol
        now = {"spread": row.spread, "microprice": row.microprice, "imbalance": row.imbalance,
               "bid_total": row.bid_total, "ask_total": row.ask_total,
               "ofi": row.flow["ofi"]}  # fmt: skip
        flat = [part for name, value in now.items()
                for part in (name.encode(), b"" if value is None else number(value))]  # fmt: skip
        flow = [part for name, value in row.flow.items() for part in (name.encode(), number(value))]
        key = self.names.depth(symbol)
        ids = self._ids(self._flow_ids, symbol)
        return [
            command(b"HSET", key, *flat),
            command(b"EXPIRE", key, number(self._settings.ttl_s)),
            command(b"XADD", self.names.flow(symbol), b"MAXLEN", b"~",
                    number(self._settings.caps.flow), ids.next(row.at_ms), *flow),
            command(b"EXPIRE", self.names.flow(symbol), number(self._settings.ttl_s)),
        ]  # fmt: skip

    def pre_open(self, run: Run) -> list[bytes]:
        """Packets of the pre-open: their symbols' streams, and what they say of the open."""
        out = []
        ticks = run.ticks
        early = np.flatnonzero(ticks.flags & Flag.PRE_OPEN)
        for at in early.tolist():
            row = int(ticks.row[at])
            symbol = self._rows.instruments[row].symbol
            ms = int(ticks.recv_ns[at]) // 1_000_000
            price = self._rows.price
            key = self.names.premarket(symbol)
            entry = (b"last_price", number(price(row, ticks.ltp[at])),
                     b"volume_traded", number(int(ticks.volume[at])),
                     b"total_buy_quantity", number(int(ticks.tbq[at])),
                     b"total_sell_quantity", number(int(ticks.tsq[at])),
                     b"exchange_timestamp", number(int(ticks.exch_s[at])))  # fmt: skip
            out.append(command(b"XADD", key, b"MAXLEN", b"~",
                               number(self._settings.caps.premarket),
                               self._ids(self._pre_open_ids, symbol).next(ms), *entry))  # fmt: skip
            out.append(command(b"EXPIRE", key, number(self._settings.ttl_s)))
            day = (int(ticks.exch_s[at]) + IST_OFFSET_S) // 86_400
            opening = self.names.opening(day_date(day).isoformat())
            told = {"equilibrium": price(row, ticks.ltp[at]), "open": price(row, ticks.open[at])}
            out.append(command(b"HSET", opening, symbol.encode(), orjson.dumps(told)))
            out.append(command(b"EXPIRE", opening, number(self._settings.ttl_s)))
        return out

    @staticmethod
    def _ids(by_symbol: dict[str, StreamIds], symbol: str) -> StreamIds:
        if symbol not in by_symbol:
            by_symbol[symbol] = StreamIds()
        return by_symbol[symbol]

    def alert(self, alert: Alert) -> list[bytes]:
        """The hash that holds an alert's whole life, absolute values."""
        flat: list[bytes] = []
        for name, value in msgspec.to_builtins(alert).items():
            if value is not None:
                flat += [name.encode(), _flat(value)]
        key = self.names.alert(alert.alert_id)
        return [command(b"HSET", key, *flat),
                command(b"EXPIRE", key, number(self._settings.keep_s))]  # fmt: skip

    def raised(self, alert: Alert, ms: int) -> tuple[Entry, list[bytes]]:
        """The stream entry of a fresh alert, and what is published of it."""
        names = self.names
        market = alert.origin is not Origin.SYSTEM
        told: dict[str, float | str | None] = {
            "alert_id": alert.alert_id, "pattern_type": alert.pattern, "family": alert.family,
            "symbol": alert.symbol, "priority": alert.priority.name, "origin": alert.origin,
            "message": alert.message, "time": alert.at_s,
        }  # fmt: skip
        if market:
            plan = alert.plan
            told |= {
                "timeframe": alert.timeframe, "direction": alert.direction, "price": alert.price,
                "confidence": alert.confidence, "score": alert.score, "p_hit": alert.p_hit,
                "entry": plan.entry if plan else alert.price, "target": alert.target,
                "stop": alert.stop, "horizon": alert.horizon_bars,
                "quantity": plan.quantity if plan else None,
                "volume_ratio": alert.evidence.get("ratio"),
            }  # fmt: skip
        head = self._head(names.alert_stream if market else names.system_stream, told)
        document = msgspec.json.encode(alert)
        channels = [names.alerts_new]
        if market:
            channels += [names.alerts_system, names.symbol_channel(alert.symbol)]
        entry = Entry(head, ms, _fields(told))
        return entry, [command(b"PUBLISH", channel, document) for channel in channels]

    def outcome(self, told: AlertOutcome, ms: int) -> Entry:
        """The stream entry of what became of an alert."""
        fields: dict[str, float | str | None] = {
            "alert_id": told.alert_id, "outcome": told.outcome, "r": told.r, "price": told.price,
            "bars": told.bars, "time": told.at_s,
        }  # fmt: skip
        return Entry(self._head(self.names.outcome_stream, fields), ms, _fields(fields))

    def _head(self, stream: bytes, fields: Mapping[str, float | str | None]) -> bytes:
        count = 6 + 2 * sum(value is not None for value in fields.values())
        return prefix(count, b"XADD", stream, b"MAXLEN", b"~", number(self._settings.caps.alerts))

    def news(self, item: NewsItem, ms: int) -> list[bytes]:
        """A headline's stream entry, and the hashes of the symbols it is about."""
        tone = number(item.sentiment)
        fields = (
            b"title", item.title.encode(), b"source", item.source.encode(),
            b"time", b"%d" % item.at_s, b"link", item.link.encode(),
            b"symbols", orjson.dumps(item.symbols), b"sentiment", tone,
        )  # fmt: skip
        head = prefix(6 + len(fields), b"XADD", self.names.news_stream, b"MAXLEN", b"~",
                      number(self._settings.caps.news))  # fmt: skip
        entry = Entry(head, ms, b"".join(map(bulk, fields)))
        hashes: list[bytes] = []
        for symbol in item.symbols:
            key = self.names.sentiment(symbol)
            hashes += [
                command(b"HSET", key, b"sentiment", tone, b"title", item.title.encode(),
                        b"source", item.source.encode(), b"time", b"%d" % item.at_s),
                command(b"EXPIRE", key, number(self._settings.keep_s)),
            ]  # fmt: skip
        return [*self.news_ids.give([entry]), *hashes]

    def scoreboard(self, lines: Sequence[Line], date: str) -> list[bytes]:
        """The hash of a date's scoreboard: lines as JSON, by pattern, timeframe and class."""
        if not lines:
            return []
        flat: list[bytes] = []
        for line in lines:
            flat += [f"{line.pattern}|{line.timeframe}|{line.asset_class}".encode(),
                     msgspec.json.encode(line)]  # fmt: skip
        key = self.names.scoreboard(date)
        return [command(b"HSET", key, *flat),
                command(b"EXPIRE", key, number(self._settings.keep_s))]  # fmt: skip


def _fields(told: Mapping[str, float | str | None]) -> bytes:
    """Names and values of a stream entry; what is None has none."""
    parts = [
        part for name, value in told.items() if value is not None
        for part in (name.encode(), value.encode() if isinstance(value, str) else number(value))
    ]  # fmt: skip
    return b"".join(map(bulk, parts))


def _flat(value: object) -> bytes:
    if isinstance(value, str):
        return value.encode()
    return orjson.dumps(value)


def select(db: int) -> bytes:
    """Change the connection's database."""
    return command(b"SELECT", b"%d" % db)
