"""`kitetui redis check`: a live server held against the contract, key by key."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from string import Formatter
from typing import Any

import click
import msgspec
from redis import Redis
from redis.exceptions import RedisError

from kitetui.cli.options import EXIT_CONFIG, EXIT_UNAVAILABLE, fail
from kitetui.redis_contract import KEYS, Entry
from kitetui.redis_url import is_usable, server_url
from kitetui.secret import redacted, redacted_url
from kitetui.settings import RedisSettings
from kitetui.widgets.safe_text import clean

SCAN_COUNT = 1_000
TRIM_SLACK = 200
"""Entries beyond a cap that approximate trimming may leave: whole nodes go."""
LIFE_SLACK_S = 5
SHOWN = 20
FOREIGN_MAX = 1_000
"""Families of foreign keys that are told apart; the rest are counted together."""


class Finding(msgspec.Struct, frozen=True):
    """Something that is not as the contract says."""

    key: str
    db: int
    what: str


class Report(msgspec.Struct):
    """What a look at a server found.

    Attributes:
        keys: how many of each name of the contract; foreign: keys that it does not know.
        missing: streams of the profile in force that the server does not have.
    """

    server: str = ""
    keys: dict[str, int] = msgspec.field(default_factory=dict)
    foreign: dict[str, int] = msgspec.field(default_factory=dict)
    findings: list[Finding] = msgspec.field(default_factory=list)
    missing: list[str] = msgspec.field(default_factory=list)


class Contract:
    """The contract of one configuration: which name a key belongs to."""

    def __init__(self, settings: RedisSettings) -> None:
        self._settings = settings
        self._by_db: dict[int, list[tuple[re.Pattern[str], str]]] = {}
        for name, entry in KEYS.items():
            store = settings.stores[entry.store]
            pattern = _pattern(store.prefix + settings.keys[name])
            self._by_db.setdefault(store.db, []).append((pattern, name))
        for patterns in self._by_db.values():  # the fewer parts, the surer
            patterns.sort(key=lambda item: len(KEYS[item[1]].parts))

    @property
    def dbs(self) -> list[int]:
        """Databases that the contract uses."""
        return sorted(self._by_db)

    def name(self, db: int, key: str) -> str | None:
        """The name of the contract that a key belongs to; None for a foreign one."""
        for pattern, name in self._by_db.get(db, ()):
            if pattern.fullmatch(key):
                return name
        return None

    def cap(self, entry: Entry) -> int | None:
        """Entries that a stream may hold at the most; None where the rate decides."""
        if not entry.cap or entry.cap in ("ticks", "packed"):
            return None
        return int(getattr(self._settings.caps, entry.cap))

    def life_s(self, entry: Entry) -> int | None:
        """Seconds that a key may live without a write."""
        return int(getattr(self._settings, entry.life)) if entry.life else None


def _pattern(template: str) -> re.Pattern[str]:
    out = []
    for text, part, _, _ in Formatter().parse(template):
        out.append(re.escape(text))
        if part is not None:
            out.append(r"\d{1,2}" if part in ("hour", "minute") else r"[^:]+")
    return re.compile("".join(out))


def look(settings: RedisSettings, connect: Callable[[int], Any]) -> Report:
    """Every key of the contract's databases; `connect` gives a client of one.

    Raises:
        RedisError, OSError: the server cannot be asked.
    """
    contract = Contract(settings)
    out = Report(server=redacted_url(settings.url))
    for db in contract.dbs:
        client = connect(db)
        for key in client.scan_iter(count=SCAN_COUNT):
            text = key.decode("utf-8", "replace")
            name = contract.name(db, text)
            if name is None:
                if len(out.foreign) >= FOREIGN_MAX:
                    text = ""
                family = re.sub(r"[^:]*$", "*", text, count=1) if ":" in text else text
                out.foreign[f"db {db} {family}"] = out.foreign.get(f"db {db} {family}", 0) + 1
                continue
            out.keys[name] = out.keys.get(name, 0) + 1
            others = settings.effective_profile not in KEYS[name].profiles
            for what in () if others else _wrong(client, key, KEYS[name], contract):
                out.findings.append(Finding(text, db, what))
        client.close()
    profile = settings.effective_profile
    for name, entry in KEYS.items():
        whole = entry.type == "stream" and not entry.parts and entry.cap in ("ticks", "packed")
        if whole and profile in entry.profiles and name not in out.keys:
            out.missing.append(name)
    return out


def _wrong(client: Any, key: bytes, entry: Entry, contract: Contract) -> Iterator[str]:
    kind = client.type(key).decode()
    if kind == "none":  # it ended while we looked
        return
    if kind != entry.type:
        yield f"is a {kind}; a {entry.type} was expected"
        return
    life_s, left_s = contract.life_s(entry), client.ttl(key)
    if life_s is None and left_s >= 0:
        yield f"ends in {left_s} s; it should stay"
    elif life_s is not None and left_s == -1:
        yield f"never ends; {life_s} s were expected"
    elif life_s is not None and left_s > life_s + LIFE_SLACK_S:
        yield f"ends in {left_s} s; at most {life_s} were expected"
    fields: list[str] = []
    if kind == "hash":
        fields = [field.decode("utf-8", "replace") for field in client.hkeys(key)]
    elif kind == "stream":
        length, cap = client.xlen(key), contract.cap(entry)
        if cap is not None and length > cap + TRIM_SLACK:
            yield f"holds {length} entries; its cap is {cap}"
        newest = client.xrevrange(key, count=1)
        fields = [field.decode("utf-8", "replace") for field in newest[0][1]] if newest else []
    if not entry.fields or not fields:
        return
    lacking = [field for field in entry.fields if field not in fields]
    unknown = [field for field in fields if field not in (*entry.fields, *entry.optional)]
    if lacking:
        yield f"lacks {', '.join(lacking)}"
    if unknown:
        yield f"has unknown fields {', '.join(unknown[:8])}"


def check(settings: RedisSettings, url: str, *, as_json: bool) -> int:
    """Look, and print what differs; 0 where nothing does."""

    if not is_usable(url):
        fail(EXIT_CONFIG, f"{redacted_url(url)}: expected redis://, rediss:// or unix://")

    def connect(db: int) -> Any:
        return Redis.from_url(
            server_url(url), db=db, socket_timeout=10, client_name="kitetui-check"
        )

    try:
        report = look(settings, connect)
    except (RedisError, OSError) as error:
        fail(EXIT_UNAVAILABLE, f"{redacted_url(url)}: {redacted(str(error))}")
    except (ValueError, TypeError):  # their texts hold pieces of the address
        fail(EXIT_CONFIG, f"{redacted_url(url)}: an option behind ? is none of redis-py's")
    report.server = redacted_url(url)
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(report), indent=1))
    else:
        _print(report)
    return 1 if report.findings or report.missing else 0


def _print(report: Report) -> None:
    click.echo(f"{clean(report.server)}: {sum(report.keys.values()):,} keys of the contract")
    for name, count in sorted(report.keys.items()):
        click.echo(f"  {name:<20} {count:>8,}")
    for family, count in sorted(report.foreign.items())[:SHOWN]:
        click.echo(clean(f"  foreign: {family}  {count:,}"))
    if len(report.foreign) > SHOWN:
        click.echo(f"  and {len(report.foreign) - SHOWN:,} more families of foreign keys")
    for name in report.missing:
        click.echo(f"  missing: {name}: the profile in force writes it; has an engine run yet?")
    for finding in report.findings[:SHOWN]:
        click.echo(clean(f"  db {finding.db} {finding.key}: {finding.what}"))
    if len(report.findings) > SHOWN:
        click.echo(f"  and {len(report.findings) - SHOWN:,} more; --json names them all")
    if not report.findings and not report.missing:
        click.echo("everything is as the contract says")
