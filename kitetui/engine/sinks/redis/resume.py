"""Where a server stands: the newest of our entries in each of our streams, asked on connecting."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, TypeAlias

import msgspec

from kitetui.engine.redis_py import redis
from kitetui.engine.replies import (
    NEVER,
    as_text,
    info_fields,
    pairs,
    parse_id,
    server_words,
)
from kitetui.engine.sinks.redis.keys import Names
from kitetui.engine.sinks.redis.link import Link
from kitetui.engine.sinks.redis.stream_log import FoundLog, StreamLog
from kitetui.engine.sinks.redis.tick_entries import TickEntries

LOOK_BACK, PAGES_MAX = 200, 50
"""Entries of others among which ours is looked for, page by page."""
TRIED_MAX = 5_000
PAGE = 1_000
Doubt: TypeAlias = tuple[int, tuple[int, int]]


class FoundStream(msgspec.Struct):
    """A tick stream as the server has it.

    Attributes:
        last: its last generated id; seq: number of our newest tick there, None where it has none.
        foreign: its newest entry is not ours; unknown: we may not look.
        mended: entries behind a gap were taken away.
    """

    name: str
    length: int = 0
    last: tuple[int, int] = NEVER
    seq: int | None = None
    foreign: bool = False
    unknown: bool = False
    mended: bool = False


class Found(msgspec.Struct):
    """What a server tells of itself and of our streams; `holder`: the engine that wrote last."""

    streams: list[FoundStream]
    logs: dict[str, FoundLog]
    run_id: str = ""
    holder: str = ""
    server: str = ""
    policy: str = ""


async def find(link: Link, names: Names, ticks: TickEntries,
               logs: Iterable[StreamLog], doubt: Doubt | None, known: Mapping[str, int], *,
               wrote: bool) -> Found:  # fmt: skip
    """Look before writing.

    Args:
        doubt: the first tick of which it is not known whether the streams have it, and the id
            before it. Where they have later ones and not that one, those are taken away, to be
            written again in order.
        known: number of the tick that each stream had when it was last looked at.
        wrote: whether this engine has written there before; else nothing of it is looked for.

    Raises:
        RedisError, OSError, TimeoutError: the server does not answer as a Redis does.
    """
    out = Found([], {})
    info = info_fields(await link.ask("INFO", "server"))
    out.run_id = info.get("run_id", "")
    out.server = server_words(info)
    try:
        policy = await link.ask("CONFIG", "GET", "maxmemory-policy")
        out.policy = as_text(policy[1]) if len(policy) == 2 else ""
    except redis.ResponseError:
        out.policy = ""  # an ACL may keep it from us, and some servers do not know it
    await link.ask("SELECT", names.db("system"))
    with contextlib.suppress(redis.ResponseError):  # another type there is told when we write it
        holder = await link.ask("GET", names.key("lease"))
        out.holder = as_text(holder) if holder else ""
    await link.ask("SELECT", names.db("continuous_market"))
    for name in ticks.streams:
        key = names.key(name)
        found = await _stream(link, name, key, ticks, wrote=wrote)
        if doubt is not None and found.seq is not None and found.seq >= doubt[0]:
            await _mend(link, key, ticks, doubt, found, known.get(name, -1))
        out.streams.append(found)
    for log in logs:
        await link.ask("SELECT", names.db(log.store))
        out.logs[log.name] = await _log(link, log)
    return out


async def _stream(link: Link, name: str, key: bytes, ticks: TickEntries, *,
                  wrote: bool) -> FoundStream:  # fmt: skip
    info = await _info(link, key)
    if info is None:
        return FoundStream(name, unknown=True)
    length, last = info
    out = FoundStream(name, length, last)
    upto = "+"
    pages, at_once = (PAGES_MAX, LOOK_BACK) if wrote else (1, 1)
    for page in range(pages if length else 0):
        entries = await link.ask("XREVRANGE", key, upto, "-", "COUNT", at_once)
        for entry_id, fields in entries:
            told = dict(zip(fields[::2], fields[1::2], strict=False))
            if told.get(b"producer") == ticks.producer:
                out.seq = int(told.get(b"seq", b"0")) + int(told.get(b"count", b"1")) - 1
                return out
            upto = f"({entry_id.decode()}"
        out.foreign = out.foreign or (page == 0 and bool(entries))
        if len(entries) < at_once:
            break
    return out


async def _log(link: Link, log: StreamLog) -> FoundLog:
    tried = list(islice(log.tried(), TRIED_MAX))  # more come in while it is asked
    info = await _info(link, log.key)
    if info is None:  # we may not look: what was sent counts as written
        stored = {entry.id for entry in tried if entry.id is not None}
        unsure = {log.identity(entry.fields): NEVER for entry in log.unsure}
        return FoundLog(log.ids.last, stored, len(log.unsure), unsure)
    length, last = info
    out = FoundLog(last, set(), len(log.unsure))
    for entry in tried:
        assert entry.id is not None
        at = f"{entry.id[0]}-{entry.id[1]}"
        if await link.ask("XRANGE", log.key, at, at):
            out.stored.add(entry.id)
    wanted = {log.identity(entry.fields) for entry in log.unsure[: out.sought]}
    upto, left = "+", out.sought + LOOK_BACK if length else 0
    while len(out.standing) < len(wanted) and left > 0:
        entries = await link.ask("XREVRANGE", log.key, upto, "-", "COUNT", PAGE)
        for entry_id, fields in entries:
            if (one := log.identity(fields)) in wanted:
                out.standing[one] = parse_id(entry_id)
            upto = f"({entry_id.decode()}"
        left -= len(entries) if len(entries) == PAGE else left
    return out


async def _mend(link: Link, key: bytes, ticks: TickEntries, doubt: Doubt,
                found: FoundStream, known: int) -> None:  # fmt: skip
    """Take away our entries that lie behind one that is missing."""
    seq, before = doubt
    after = f"({before[0]}-{before[1]}"
    behind: list[bytes] = []
    stored = max(seq - 1, known)
    while entries := await link.ask("XRANGE", key, after, "+", "COUNT", PAGE):
        after = f"({entries[-1][0].decode()}"
        for entry_id, fields in entries:
            told = dict(zip(fields[::2], fields[1::2], strict=False))
            if told.get(b"producer") != ticks.producer:
                continue
            first = int(told.get(b"seq", b"0"))
            last = first + int(told.get(b"count", b"1")) - 1
            if first <= stored + 1:
                stored = max(stored, last)
            else:
                behind.append(entry_id)
    for at in range(0, len(behind), PAGE):
        await link.ask("XDEL", key, *behind[at : at + PAGE])
    found.seq, found.mended = stored, bool(behind)


async def _info(link: Link, key: bytes) -> tuple[int, tuple[int, int]] | None:
    """Length and last generated id of a stream; zeros where there is none, or something else.

    None where the ACL keeps it from us.
    """
    try:
        info: Any = await link.ask("XINFO", "STREAM", key)
    except redis.ResponseError as error:
        if str(error).startswith("NOPERM"):
            return None
        if "no such key" not in str(error) and not str(error).startswith("WRONGTYPE"):
            raise
        return 0, NEVER
    told = pairs(info)
    return int(told.get(b"length", 0)), parse_id(told.get(b"last-generated-id", b"0-0"))
