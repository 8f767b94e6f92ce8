"""What an operator may do to Redis: look closer, trim, mend groups, pause, switch the profile.

Everything says first what would happen (`dry`), counted on the server at that moment.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, get_args

import orjson

from kitetui.engine.commands import RedisAction, Result
from kitetui.engine.redis_py import redis
from kitetui.engine.replies import as_text, pairs
from kitetui.engine.sinks.redis.packed import PackedError, unpack
from kitetui.engine.sinks.redis.publisher import Publisher
from kitetui.redis_contract import Profile

SHOWN_ENTRIES = 12
SHOWN_CONSUMERS = 40
COUNT_PAGE = 1_000
COUNT_MAX = 200_000
CLAIM_PAGE = 100
TEXT_MAX = 160
_PLACES = ("$", "0")


class RedisControl:
    """Carries actions out on one server."""

    def __init__(self, url: str, publisher: Publisher) -> None:
        self._url = url
        self._publisher = publisher
        self._does: dict[str, Callable[[Any, RedisAction], Awaitable[Result]]] = {
            "inspect": self._inspect, "trim": self._trim, "create": self._create,
            "advance": self._advance, "claim": self._claim, "forget": self._forget,
        }  # fmt: skip

    async def obey(self, action: RedisAction) -> Result:
        """What was done, or would be, in words; never raises for anything the server does."""
        if action.action in ("pause", "resume", "profile"):
            return self._publication(action)
        client: Any = redis.asyncio.Redis.from_url(
            self._url, db=action.db, client_name="kitetui-control", socket_timeout=5, protocol=2
        )
        client.response_callbacks.clear()
        try:
            kind = await client.execute_command("TYPE", action.stream)
            if kind != b"stream":
                found = "there is no such key" if kind == b"none" else f"it is a {kind.decode()}"
                return Result(False, f"{action.stream} in db {action.db}: {found}")
            return await self._does[action.action](client, action)
        except redis.ResponseError as error:
            return Result(False, f"the server refused: {str(error)[:TEXT_MAX]}")
        except (redis.RedisError, OSError, TimeoutError) as error:
            return Result(False, f"the server does not answer: {type(error).__name__}")
        finally:
            with contextlib.suppress(redis.RedisError, OSError, TimeoutError):
                await client.aclose()

    # ---- publication ---------------------------------------------------------------------

    def _publication(self, action: RedisAction) -> Result:
        publisher = self._publisher
        if action.action == "pause":
            if publisher.paused:
                return Result(False, "publication is paused already")
            if not action.dry:
                publisher.pause(True)
            return Result(True, "nothing is written to Redis any more; ticks wait in the journal, "
                          "messages are dropped, until it is resumed")  # fmt: skip
        if action.action == "resume":
            if not publisher.paused:
                return Result(False, "publication is not paused")
            waiting = publisher.spooled
            if not action.dry:
                publisher.pause(False)
            return Result(True, f"publication goes on, with {waiting:,} waiting ticks first")
        if action.value not in get_args(Profile):
            known = ", ".join(get_args(Profile))
            return Result(False, f"no profile is called {action.value[:40]!r}: {known}")
        if action.value == publisher.ticks.profile:
            return Result(False, f"the profile is {action.value} already")
        if publisher.ticks.profile == "alerts":
            return Result(False, "ticks come from Redis here: they would go round")
        if not action.dry:
            publisher.switch(action.value)  # type: ignore[arg-type]
        return Result(True, f"from the next tick on the profile is {action.value}, not "
                      f"{publisher.ticks.profile if action.dry else 'what it was'}; streams that "
                      "it does not write stay as they are")  # fmt: skip

    # ---- streams -------------------------------------------------------------------------

    async def _trim(self, client: Any, action: RedisAction) -> Result:
        if not action.value.isdecimal():
            return Result(False, f"how many entries shall stay? got {action.value[:40]!r}")
        keep = int(action.value)
        length = int(await client.execute_command("XLEN", action.stream))
        gone = max(length - keep, 0)
        said = f"{gone:,} of {length:,} entries go, {min(length, keep):,} stay"
        for group in await self._groups(client, action.stream):
            unread = await _unread(client, action.stream, group[b"last-delivered-id"])
            if unread > keep:
                said += f"; group {as_text(group[b'name'])} loses {unread - keep:,} it has NOT read"
        if action.dry or not gone:
            return Result(gone > 0, said)
        done = int(await client.execute_command("XTRIM", action.stream, "MAXLEN", keep))
        return Result(True, f"{action.stream}: {done:,} entries are gone; {said}")

    async def _groups(self, client: Any, stream: str) -> list[dict[bytes, Any]]:
        return [pairs(group) for group in await client.execute_command("XINFO", "GROUPS", stream)]

    async def _group(self, client: Any, action: RedisAction) -> dict[bytes, Any] | None:
        for group in await self._groups(client, action.stream):
            if as_text(group[b"name"]) == action.group:
                return group
        return None

    async def _create(self, client: Any, action: RedisAction) -> Result:
        if not action.group or not _is_place(action.value):
            return Result(False, "a group needs a name and a place: $ for the end, 0, or an id")
        if await self._group(client, action) is not None:
            return Result(False, f"{action.stream} has a group {action.group} already")
        unread = await _unread(client, action.stream, action.value.encode())
        said = f"group {action.group} of {action.stream} begins with {unread:,} entries to read"
        if not action.dry:
            await client.execute_command("XGROUP", "CREATE", action.stream, action.group,
                                         action.value)  # fmt: skip
        return Result(True, said)

    async def _advance(self, client: Any, action: RedisAction) -> Result:
        group = await self._group(client, action)
        if group is None:
            return _no_group(action)
        if not _is_place(action.value):
            return Result(False, "where to? $ for the end, 0 for the beginning, or an id")
        before = await _unread(client, action.stream, group[b"last-delivered-id"])
        after = await _unread(client, action.stream, action.value.encode())
        said = f"group {action.group} skips {before - after:,} entries it has NOT read"
        if after > before:
            said = f"group {action.group} is given {after - before:,} entries a second time"
        said += f"; {after:,} are left to read"
        if not action.dry:
            await client.execute_command("XGROUP", "SETID", action.stream, action.group,
                                         action.value)  # fmt: skip
        return Result(True, said)

    async def _claim(self, client: Any, action: RedisAction) -> Result:
        if await self._group(client, action) is None:
            return _no_group(action)
        if not action.consumer or not action.value or action.consumer == action.value:
            return Result(False, "whose entries, and who shall have them? two consumers are named")
        ids, idle_ms = await self._pending(client, action)
        if not ids:
            return Result(False, f"{action.consumer} has no pending entries")
        said = (f"{len(ids):,} entries that {action.consumer} has not acknowledged go to "
                f"{action.value}; the oldest was given {idle_ms / 1000:,.0f} s ago")  # fmt: skip
        if not action.dry:
            for at in range(0, len(ids), CLAIM_PAGE):
                await client.execute_command("XCLAIM", action.stream, action.group, action.value,
                                             0, *ids[at : at + CLAIM_PAGE], "JUSTID")  # fmt: skip
        return Result(True, said)

    async def _pending(self, client: Any, action: RedisAction) -> tuple[list[bytes], int]:
        """Ids that a consumer was given and has not acknowledged; how long the oldest waits."""
        ids: list[bytes] = []
        idle_ms = 0
        after = "-"
        while len(ids) < COUNT_MAX:
            asked = (action.stream, action.group, after, "+", CLAIM_PAGE, action.consumer)
            page = await client.execute_command("XPENDING", *asked)
            if not page:
                break
            ids += [bytes(line[0]) for line in page]
            idle_ms = max(idle_ms, *(int(line[2]) for line in page))
            after = f"({ids[-1].decode()}"
        return ids, idle_ms

    async def _forget(self, client: Any, action: RedisAction) -> Result:
        if await self._group(client, action) is None:
            return _no_group(action)
        told = await client.execute_command("XINFO", "CONSUMERS", action.stream, action.group)
        found = [c for c in map(pairs, told) if as_text(c[b"name"]) == action.consumer]
        if not found:
            return Result(False, f"group {action.group} has no consumer {action.consumer}")
        pending, idle_s = int(found[0][b"pending"]), int(found[0][b"idle"]) / 1000
        said = f"consumer {action.consumer}, silent for {idle_s:,.0f} s, is deleted"
        if pending:
            said += f", and {pending:,} entries it has NOT acknowledged with it: claim them first"
        if not action.dry:
            await client.execute_command("XGROUP", "DELCONSUMER", action.stream, action.group,
                                         action.consumer)  # fmt: skip
        return Result(True, said)

    # ---- a closer look -------------------------------------------------------------------

    async def _inspect(self, client: Any, action: RedisAction) -> Result:
        if action.group:
            return await self._inspect_group(client, action)
        length = int(await client.execute_command("XLEN", action.stream))
        lines = [f"{action.stream}  db {action.db}  {length:,} entries", ""]
        newest = await client.execute_command("XREVRANGE", action.stream, "+", "-", "COUNT",
                                              SHOWN_ENTRIES)  # fmt: skip
        for entry_id, fields in newest:
            told = dict(zip(fields[::2], fields[1::2], strict=False))
            lines.append(f"{as_text(entry_id)}  {_entry(told)}")
        return Result(True, "\n".join(lines))

    async def _inspect_group(self, client: Any, action: RedisAction) -> Result:
        group = await self._group(client, action)
        if group is None:
            return _no_group(action)
        lines = [f"{action.group} of {action.stream}",
                 f"delivered up to {as_text(group[b'last-delivered-id'])}, "
                 f"{int(group[b'pending']):,} pending", ""]  # fmt: skip
        told = await client.execute_command("XINFO", "CONSUMERS", action.stream, action.group)
        for consumer in list(map(pairs, told))[:SHOWN_CONSUMERS]:
            name, pending = as_text(consumer[b"name"]), int(consumer[b"pending"])
            lines.append(f"{name:<24} pending {pending:>8,}  "
                         f"silent for {int(consumer[b'idle']) / 1000:,.0f} s")  # fmt: skip
        oldest = await client.execute_command(
            "XPENDING", action.stream, action.group, "-", "+", SHOWN_ENTRIES)  # fmt: skip
        if oldest:
            lines += ["", "oldest pending entries"]
        for entry_id, consumer, idle_ms, times in oldest:
            waits_s = int(idle_ms) / 1000
            lines.append(f"{as_text(entry_id)}  {as_text(consumer):<24} {waits_s:>8,.0f} s  "
                         f"given {int(times)} times")  # fmt: skip
        return Result(True, "\n".join(lines))


async def _unread(client: Any, stream: str, after: bytes) -> int:
    """Entries behind an id, counted; `$` is the end."""
    if after == b"$":
        return 0
    count = 0
    place = b"(" + after if after != b"0" else b"-"
    while count < COUNT_MAX:
        page = await client.execute_command("XRANGE", stream, place, "+", "COUNT", COUNT_PAGE)
        count += len(page)
        if len(page) < COUNT_PAGE:
            break
        place = b"(" + bytes(page[-1][0])
    return count


def _entry(fields: dict[bytes, bytes]) -> str:
    """An entry in a line: what is packed or binary is said in words."""
    parts = []
    for name, value in fields.items():
        if name == b"data" and value.startswith(b"KTP"):
            try:
                packed = unpack(value)
                text = f"{len(packed.ticks):,} ticks from {packed.seq:,}"
            except PackedError as error:
                text = f"damaged: {error}"
        elif name == b"data":
            text = _document(value)
        elif name == b"binary_data":
            text = f"{len(value)} bytes"
        else:
            text = as_text(value)
        parts.append(f"{as_text(name)}={text[:TEXT_MAX]}")
    return " ".join(parts)


def _document(value: bytes) -> str:
    """The gist of a tick's document."""
    with contextlib.suppress(orjson.JSONDecodeError):
        told = orjson.loads(value)
        if isinstance(told, dict):
            names = ("tradingsymbol", "last_price", "volume_traded", "exchange_timestamp")
            return " ".join(str(told[name]) for name in names if name in told)
    return as_text(value)


def _is_place(text: str) -> bool:
    ms, dash, seq = text.partition("-")
    return text in _PLACES or (ms.isdigit() and (not dash or seq.isdigit()))


def _no_group(action: RedisAction) -> Result:
    return Result(False, f"{action.stream} has no group {action.group}")
