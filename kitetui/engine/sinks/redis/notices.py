"""Notices: alerts, outcomes, firings, news, scoreboard and metrics as Redis has them. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import orjson

from kitetui.engine.alerts.alert import Alert, AlertOutcome, Origin
from kitetui.engine.alerts.line import Line
from kitetui.engine.alerts.news_item import NewsItem
from kitetui.engine.sinks.ledger import Entry, Settlement
from kitetui.engine.sinks.redis.ids import StreamIds
from kitetui.engine.sinks.redis.keys import Names
from kitetui.engine.sinks.redis.resp import command, number
from kitetui.engine.sinks.redis.stream_log import LogEntry
from kitetui.redis_contract import KEYS
from kitetui.settings import RedisSettings

LOGS = ("alert_stream", "system_stream", "outcome_stream", "pattern_global", "news_stream")
"""Streams of single entries that every reader sees: each exactly once."""
Told = Mapping[str, float | str | None]


class Notice(msgspec.Struct):
    """What something leads to.

    Attributes:
        entries: of `LOGS`, by name; commands: with absolute values, by store; shouts: messages.
    """

    entries: list[tuple[str, LogEntry]] = []
    commands: list[tuple[str, bytes]] = []
    shouts: list[bytes] = []


class Notices:
    """Builds notices for one configuration."""

    def __init__(self, settings: RedisSettings, names: Names, producer: str) -> None:
        self._settings = settings
        self._names = names
        self._producer = producer.encode()
        self._by_symbol: dict[str, StreamIds] = {}

    def raised(self, alert: Alert, ms: int) -> Notice:
        """A fresh alert."""
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
        document = msgspec.json.encode(alert)
        channels = [self._names.channel("alerts_new")]
        if market:
            channels += [self._names.channel("alerts_system"),
                         self._names.channel("alerts_symbol", symbol=alert.symbol)]  # fmt: skip
        return Notice(
            [("alert_stream" if market else "system_stream", _entry(ms, told))],
            self.alert(alert).commands,
            [command(b"PUBLISH", channel, document) for channel in channels],
        )

    def alert(self, alert: Alert) -> Notice:
        """The hash that holds an alert's whole life."""
        fields = {name: value for name, value in msgspec.to_builtins(alert).items()
                  if value is not None}  # fmt: skip
        key = self._names.key("alert", alert_id=alert.alert_id)
        return Notice(commands=self._hash("alert", key, fields))

    def outcome(self, told: AlertOutcome, ms: int) -> Notice:
        """What became of an alert."""
        entry = _entry(ms, {
            "alert_id": told.alert_id, "outcome": told.outcome, "r": told.r, "price": told.price,
            "bars": told.bars, "time": told.at_s,
        })  # fmt: skip
        return Notice([("outcome_stream", entry)])

    def fired(self, entries: Iterable[Entry], settled: Iterable[Settlement], ms: int) -> Notice:
        """What fired, told or not, and what is no longer followed."""
        out = Notice([], [], [])
        candidates = self._names.key("pattern_candidates")
        for entry in entries:
            alert = entry.alert
            about = {
                "timeframe": alert.timeframe, "direction": alert.direction, "price": alert.price,
                "time": alert.at_s, "alert_id": alert.alert_id, "exit": entry.exit,
                "target": alert.target, "stop": alert.stop, "evidence": alert.evidence,
            }  # fmt: skip
            metadata = orjson.dumps(about)
            fields = _fields({
                "pattern_type": alert.pattern, "family": alert.family, "symbol": alert.symbol,
                "score": alert.score, "confidence": alert.confidence, "metadata": metadata.decode(),
            })  # fmt: skip
            stream = self._names.key("pattern_stream", symbol=alert.symbol)
            beside = (
                command(b"XADD", stream, b"MAXLEN", b"~", number(self._settings.caps.patterns),
                        self._ids(alert.symbol).next(ms), *fields),
                command(b"EXPIRE", stream, number(self._settings.keep_s)),
            )  # fmt: skip
            out.entries.append(("pattern_global", LogEntry(ms, fields, beside=beside)))
            whole = orjson.dumps({"symbol": alert.symbol, "pattern_type": alert.pattern,
                                  "score": alert.score, "confidence": alert.confidence,
                                  **about})  # fmt: skip
            out.shouts.append(command(b"PUBLISH", self._names.channel("patterns_global"), whole))
            if entry.followed:
                field = alert.alert_id.encode()
                out.commands.append(("patterns", command(b"HSET", candidates, field, whole)))
        over = [one.alert_id.encode() for one in settled]
        if over:
            out.commands.append(("patterns", command(b"HDEL", candidates, *over)))
        if out.commands or out.entries:
            life = number(self._settings.ttl_s)
            out.commands.append(("patterns", command(b"EXPIRE", candidates, life)))
        return out

    def news(self, item: NewsItem, ms: int) -> Notice:
        """A headline, and the hashes of the symbols it is about."""
        told: dict[str, float | str | None] = {
            "title": item.title, "source": item.source, "time": item.at_s, "link": item.link,
            "symbols": orjson.dumps(item.symbols).decode(), "sentiment": item.sentiment,
        }  # fmt: skip
        out = Notice([("news_stream", _entry(ms, told))], [], [])
        short = {"sentiment": item.sentiment, "title": item.title, "source": item.source,
                 "time": item.at_s}  # fmt: skip
        for symbol in item.symbols:
            out.commands += self._hash("sentiment", self._names.key("sentiment", symbol=symbol),
                                       short)  # fmt: skip
        return out

    def scoreboard(self, lines: Sequence[Line], date: str) -> Notice:
        """A date's scoreboard: lines as JSON, by pattern, timeframe and class."""
        told = {f"{line.pattern}|{line.timeframe}|{line.asset_class}": msgspec.to_builtins(line)
                for line in lines}  # fmt: skip
        return Notice(commands=self._hash("scoreboard", self._names.key("scoreboard", date=date),
                                          told) if told else [])  # fmt: skip

    def metrics(self, told: Mapping[str, Mapping[str, float]], minute: int | None) -> Notice:
        """What the engine measures of itself, by name; at a minute's turn also in the streams."""
        out = Notice([], [], [])
        for name, values in told.items():
            out.commands += self._hash("metric", self._names.key("metric", name=name), values)
            if minute is not None:
                key = self._names.key("metric_stream", name=name)
                fields = _fields({"time": minute * 60, **values})
                out.commands += [
                    ("metrics", command(b"XADD", key, b"MAXLEN", b"~",
                                        number(self._settings.caps.metrics),
                                        b"%d-0" % (minute * 60_000), *fields)),
                    ("metrics", command(b"EXPIRE", key, number(self._settings.keep_s))),
                ]  # fmt: skip
        return out

    def health(self, parts: Mapping[str, tuple[str, str]], now_s: int) -> Notice:
        """State and reason of the engine's parts, and that this engine writes here."""
        life = number(self._settings.lease_s)
        lease = command(b"SET", self._names.key("lease"), self._producer, b"EX", life)
        out = Notice([], [("system", lease)], [])
        for component, (state, reason) in parts.items():
            told = {"state": state, "reason": reason, "time": now_s,
                    "producer": self._producer.decode()}  # fmt: skip
            out.commands += self._hash("health", self._names.key("health", component=component),
                                       told)  # fmt: skip
        return out

    def _ids(self, symbol: str) -> StreamIds:
        """The ids of a symbol's stream of firings: one that is sent again is refused."""
        return self._by_symbol.setdefault(symbol, StreamIds())

    def _hash(self, name: str, key: bytes, fields: Mapping[str, Any]) -> list[tuple[str, bytes]]:
        """A hash with absolute values, and its life."""
        flat = [part for field, value in fields.items() for part in (field.encode(), _flat(value))]
        entry = KEYS[name]
        life = number(getattr(self._settings, entry.life))
        return [(entry.store, command(b"HSET", key, *flat)),
                (entry.store, command(b"EXPIRE", key, life))]  # fmt: skip


def identity(name: str, fields: Sequence[bytes]) -> bytes:
    """What tells an entry of a log from all others, in any engine; b"" where it is none of ours."""
    told = dict(zip(fields[::2], fields[1::2], strict=False))
    if name == "news_stream":
        return told.get(b"time", b"") + b" " + told.get(b"title", b"")
    if name == "outcome_stream":  # an alert that others were merged into has several
        return b" ".join(told.values())
    if name != "pattern_global":
        return told.get(b"alert_id", b"")
    try:
        return msgspec.json.decode(told.get(b"metadata", b""), type=_Metadata).alert_id.encode()
    except msgspec.DecodeError:
        return b""


class _Metadata(msgspec.Struct):
    alert_id: str


def _entry(ms: int, told: Told) -> LogEntry:
    return LogEntry(ms, _fields(told))


def _fields(told: Told) -> tuple[bytes, ...]:
    """Names and values of a stream entry; what is None has none."""
    return tuple(
        part for name, value in told.items() if value is not None
        for part in (name.encode(), _flat(value))
    )  # fmt: skip


def _flat(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, int | float) and not isinstance(value, bool):
        return number(value)
    return orjson.dumps(value)
