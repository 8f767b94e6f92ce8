"""The publisher: batches to Redis in order, conflated rows within a budget, failures survived."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import hiredis
import msgspec
from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, BusyLoadingError, RedisError, ResponseError

from kitetui.engine.alerts.alert import Alert, AlertOutcome, Origin
from kitetui.engine.clock import monotonic_ns, sleep
from kitetui.engine.market.instruments import Instrument
from kitetui.engine.market.normalise import Run
from kitetui.engine.sinks.redis.encode import BookRow, BucketRow, Encoder, Entry, SessionRow, select
from kitetui.settings import RedisSettings

BREAKER_AFTER = 3
PROBE_S = 30.0
IDLE_S = 0.1
TICK_BYTES = 1_500
"""What a waiting tick takes, as columns or encoded."""
REPLIES_AT_ONCE = 1_000
ALERTS_MAX = 100_000
"""Batches with alerts that may wait: more than a day has."""
EXTRAS_MAX = 10_000
"""Commands beside ticks and alerts that may wait: news, the scoreboard. The oldest leave."""


NOT_A_SERVER = (RedisError, hiredis.HiredisError, OSError, TimeoutError, EOFError, ValueError,
                TypeError, LookupError)  # fmt: skip
"""What a server that is away, or is no Redis at all, may lead to."""


AUTH_WORDS = ("NOAUTH", "WRONGPASS", "NOPERM", "Authentication required")


class RowState(msgspec.Struct, frozen=True):
    """What the conflated writes of a row say."""

    instrument: Instrument
    session: SessionRow | None
    bucket: BucketRow | None
    book: BookRow | None = None


class RowStates(Protocol):
    """Where the publisher asks for a row's present state."""

    def row_state(self, row: int) -> RowState: ...


class EncodingError(Exception):
    """A command could not be made: a bug of ours or of the templates, never the server's."""


class _Spooled(msgspec.Struct):
    """Ticks on their way: encoded, and their entries given their ids, at the first attempt."""

    runs: list[Run]
    ticks: int
    size: int
    adds: list[bytes] = []
    pre_open: list[bytes] = []
    tried: bool = False


class _Told(msgspec.Struct):
    """Alerts on their way, in the same manner."""

    raised: list[Entry]
    system: list[Entry]
    outcomes: list[Entry]
    changed: list[bytes]
    publishes: list[bytes]
    adds: list[bytes] = []
    tried: bool = False


class Publisher:
    """Takes batches without waiting; a task of its own writes them.

    Attributes:
        state: `connecting`, `ok`, `down`, `auth`, `loading` or `full`; `reason` in words.
        policy: what the server does when its memory is full; '' where it does not say.
        published: ticks stored; refused: writes of a repeated batch that the server already had.
        dropped: ticks that found no room in the spool; the journal still has them.
    """

    def __init__(self, settings: RedisSettings, url: str, encoder: Encoder, rows: RowStates,
                 note: Callable[[str, str], None]) -> None:  # fmt: skip
        self._settings = settings
        self._url = url
        self._encoder = encoder
        self._rows = rows
        self._note = note
        self._spool: deque[_Spooled] = deque()
        self._spool_bytes = 0
        self._told: deque[_Told] = deque(maxlen=ALERTS_MAX)
        self._dirty: dict[int, int] = {}
        self._extras: deque[tuple[str, bytes]] = deque(maxlen=EXTRAS_MAX)
        self._wake = asyncio.Event()
        self._connection: AbstractConnection | None = None
        self._closing = False
        self._failures = 0
        self.state = "connecting"
        self.reason = ""
        self.server = ""
        self.policy = ""
        self._spooled = 0
        self.published = 0
        self.refused = 0
        self.dropped = 0
        self.errors: dict[str, int] = {}
        self.round_trip_ms = 0.0

    @property
    def spooled(self) -> int:
        """Ticks waiting to be written."""
        return self._spooled

    def take(self, runs: list[Run], raised: list[Alert], changed: list[Alert], wall_ms: int,
             outcomes: Iterable[AlertOutcome] = ()) -> None:  # fmt: skip
        """Queue what a batch led to."""
        now_ns = monotonic_ns()
        ticks = 0
        for run in runs:
            ticks += len(run.ticks)
            for row in run.ticks.row.tolist():
                if row >= 0:
                    self._dirty.setdefault(row, now_ns)
        told = _Told([], [], [], [], [])
        for alert in raised:
            entry, shouts = self._encoder.raised(alert, wall_ms)
            (told.system if alert.origin is Origin.SYSTEM else told.raised).append(entry)
            told.publishes += shouts
        told.outcomes += [self._encoder.outcome(one, wall_ms) for one in outcomes]
        for alert in (*raised, *changed):
            told.changed += self._encoder.alert(alert)
        if told.changed or told.outcomes:
            self._told.append(told)
        if ticks:
            self._spool.append(_Spooled(list(runs), ticks, ticks * TICK_BYTES))
            self._spool_bytes += ticks * TICK_BYTES
            self._spooled += ticks
            self._shed()
        if ticks or told.changed or told.outcomes:
            self._wake.set()

    def put(self, store: str, commands: Iterable[bytes]) -> None:
        """Queue commands for a store that may be repeated, such as those with absolute values."""
        self._extras.extend((store, command) for command in commands)
        if self._extras:
            self._wake.set()

    def _shed(self) -> None:
        """Keep the spool within its bytes: the oldest ticks leave, alerts stay."""
        while self._spool_bytes > self._settings.spool_bytes:
            item = self._spool.popleft()
            self._spool_bytes -= item.size
            self._spooled -= item.ticks
            self.dropped += item.ticks

    async def run(self) -> None:
        """Write until `close`; never raises for anything the server does."""
        while not self._closing or self._waiting():
            try:
                if self._connection is None:
                    await self._connect()
                await self._flush()
                self._failures = 0
                if self.state != "ok":
                    self._became("ok", "")
            except AuthenticationError as error:
                await self._failed("auth", PROBE_S, error)
            except BusyLoadingError as error:
                await self._failed("loading", 0.5, error)
            except NOT_A_SERVER as error:
                await self._failed(*self._diagnosis(str(error)), error)
            if self._closing and self._failures:
                break
            if not (self._spool or self._told or self._extras or self._closing):
                self._wake.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(IDLE_S):
                        await self._wake.wait()

    def _waiting(self) -> bool:
        """Whether anything is left to write."""
        if not self._spool:  # rows whose only ticks were dropped have nothing to say
            self._dirty = {r: at for r, at in self._dirty.items() if self._encoder.knows(r)}
        return bool(self._spool or self._told or self._dirty or self._extras)

    def close(self) -> None:
        """Write what is queued, then end `run`; at the first failure it ends at once."""
        self._closing = True
        self._wake.set()

    async def disconnect(self) -> None:
        """Let the connection go, without waiting for the server's goodbye."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                await asyncio.wait_for(connection.disconnect(nowait=True), 0.5)

    async def _connect(self) -> None:
        pool = ConnectionPool.from_url(
            self._url,
            retry=Retry(NoBackoff(), 0),
            socket_connect_timeout=2.0,
            client_name="kitetui-publisher",
            protocol=2,
        )
        connection: AbstractConnection = pool.make_connection()  # type: ignore[no-untyped-call]
        await asyncio.wait_for(connection.connect(), 3.0)  # type: ignore[no-untyped-call]
        self._connection = connection
        names = self._encoder.names
        ticks = [names.processed_stream] + ([names.raw_stream] if self._encoder.full else [])
        for store, ids, streams in (
            ("continuous_market", self._encoder.tick_ids, ticks),
            ("alerts", self._encoder.alert_ids, [names.alert_stream]),
            ("alerts", self._encoder.system_ids, [names.system_stream]),
            ("alerts", self._encoder.outcome_ids, [names.outcome_stream]),
        ):
            await self._call(select(names.db(store)))
            for stream in streams:
                info = (await self._ask("XINFO", "STREAM", stream))[0]
                if isinstance(info, list):
                    told = dict(zip(info[::2], info[1::2], strict=False))
                    ids.resume(bytes(told.get(b"last-generated-id", b"0-0")).decode())
        policy = (await self._ask("CONFIG", "GET", "maxmemory-policy"))[0]
        if isinstance(policy, list) and len(policy) == 2:
            self.policy = policy[1].decode("utf-8", "replace")
        info = (await self._ask("INFO", "server"))[0]
        if isinstance(info, bytes):
            self.server = _server_name(info)

    async def _ask(self, *parts: str | bytes | int) -> list[Any]:
        assert self._connection is not None
        packed = b"".join(self._connection.pack_command(*parts))
        return await self._call(packed)

    async def _call(self, *commands: bytes) -> list[Any]:
        """Send commands, read one reply each; error replies come back as values.

        Replies are parsed in one go: a coroutine step per reply would cost more than the write.
        """
        assert self._connection is not None
        reader = hiredis.Reader(replyError=ResponseError)
        out: list[Any] = []
        deadline_s = self._settings.deadline_ms / 1000 + len(commands) / 20_000
        async with asyncio.timeout(deadline_s):
            await self._connection.send_packed_command([b"".join(commands)], check_health=False)
            stream = self._connection._reader  # the connection's own reader; see the docstring
            assert stream is not None
            while len(out) < len(commands):
                data = await stream.read(1 << 16)
                if not data:
                    raise ConnectionError("the server closed the connection")
                reader.feed(data)
                while (reply := reader.gets()) is not False:
                    out.append(reply)
        return out

    async def _flush(self) -> None:
        """The oldest waiting batches and a slice of the conflated rows, in one round trip."""
        batches: list[_Spooled] = []
        told: list[_Told] = []
        waiting = 0
        while self._spool and waiting < REPLIES_AT_ONCE:
            item = self._spool.popleft()
            self._spool_bytes -= item.size
            self._spooled -= item.ticks
            waiting += 2 * item.ticks
            batches.append(item)
        while self._told and len(told) < REPLIES_AT_ONCE:
            told.append(self._told.popleft())
        dirty: dict[int, int] = {}
        try:
            await self._write(batches, told, dirty)
        except BaseException:
            self._dirty = {**dirty, **self._dirty}
            self._spool.extendleft(reversed(batches))
            self._told.extendleft(reversed(told))
            self._spool_bytes += sum(item.size for item in batches)
            self._spooled += sum(item.ticks for item in batches)
            raise
        self.published += sum(item.ticks for item in batches)

    async def _write(self, batches: list[_Spooled], told: list[_Told],
                     dirty: dict[int, int]) -> None:  # fmt: skip
        """Write batches and due rows; the rows that were due are moved to `dirty`."""
        repeated = self._failures > 0 or any(item.tried for item in batches)
        repeated |= any(item.tried for item in told)
        extras = list(self._extras)[:REPLIES_AT_ONCE]
        try:
            commands, rows = self._commands(batches, told, extras)
        except Exception as error:
            raise EncodingError(f"{type(error).__name__}: {error}") from error
        if not (batches or told or rows or extras):
            return
        dirty.update((row, self._dirty.pop(row)) for row in rows)
        began_ns = monotonic_ns()
        self._count(await self._call(*commands), repeated)
        for _ in extras:
            self._extras.popleft()
        self.round_trip_ms = (monotonic_ns() - began_ns) / 1e6

    def _commands(self, batches: list[_Spooled], told: list[_Told],
                  extras: list[tuple[str, bytes]]) -> tuple[list[bytes], list[int]]:  # fmt: skip
        """All commands of a flush, and the conflated rows among them."""
        names, encoder = self._encoder.names, self._encoder
        commands = [select(names.db("continuous_market"))]
        publishes: list[bytes] = []
        for item in batches:
            if not item.tried:
                for run in item.runs:
                    entries, shouts = encoder.ticks(run)
                    item.adds += encoder.tick_ids.give(entries)
                    publishes += shouts  # never repeated: stale messages would look live
                    item.pre_open += encoder.pre_open(run)
                item.runs = []
            item.tried = True
            commands += item.adds
        for one in told:
            if not one.tried:
                one.adds = [
                    *encoder.alert_ids.give(one.raised),
                    *encoder.system_ids.give(one.system),
                    *encoder.outcome_ids.give(one.outcomes),
                ]
                publishes += one.publishes
            one.tried = True
        rows = self._conflated(commands)
        early = [c for item in batches for c in item.pre_open]
        if early:
            commands += [select(names.db("premarket")), *early]
        notices = [c for one in told for c in (*one.changed, *one.adds)]
        if notices:
            commands += [select(names.db("alerts")), *notices]
        for store in dict.fromkeys(store for store, _ in extras):
            commands += [select(names.db(store)), *(c for of, c in extras if of == store)]
        return [*commands, *publishes], rows

    def _conflated(self, commands: list[bytes]) -> list[int]:
        """Latest, session and bucket writes of the oldest dirty rows, within the time budget."""
        now_ns = monotonic_ns()
        budget_ns = int(self._settings.flush_budget_ms * 1e6)
        latest: list[bytes] = []
        sessions: list[bytes] = []
        buckets: list[bytes] = []
        books: list[bytes] = []
        rows: list[int] = []
        due_ns = now_ns - int(self._settings.conflate_ms * 1e6)
        for row, since in self._dirty.items():  # oldest first: a row joins at the end
            spent = monotonic_ns() - now_ns > budget_ns
            if not self._closing and (since > due_ns or (rows and spent)):
                break
            if not self._encoder.knows(row):
                continue  # its first ticks still wait
            rows.append(row)
            state = self._rows.row_state(row)
            latest.append(self._encoder.latest(row))
            if state.session is not None:
                sessions += self._encoder.session(state.session)
            if state.bucket is not None:
                buckets += self._encoder.bucket(state.bucket)
            if state.book is not None:
                books += self._encoder.book(state.book)
        names = self._encoder.names
        commands += latest
        if sessions:
            commands += [select(names.db("system")), *sessions]
        if buckets:
            commands += [select(names.db("cumulative_volume")), *buckets]
        if books:
            commands += [select(names.db("microstructure")), *books]
        return rows

    def _count(self, replies: list[Any], repeated: bool) -> None:
        for reply in replies:
            if not isinstance(reply, ResponseError):
                continue
            text = str(reply)
            if repeated and "equal or smaller" in text:
                self.refused += 1
            elif text.startswith(("OOM", "READONLY", "NOREPLICAS", "MISCONF", "LOADING")):
                raise ResponseError(text)
            elif text.startswith(AUTH_WORDS):
                raise AuthenticationError(text)
            else:
                word = text.split(" ", 1)[0][:24]
                if word not in self.errors:
                    self._note("redis", f"a write was refused: {text[:160]}")
                self.errors[word] = self.errors.get(word, 0) + 1

    def _diagnosis(self, text: str) -> tuple[str, float]:
        """The state that an error's text tells of, and how long to wait before another try."""
        if text.startswith(AUTH_WORDS):  # redis-py raises a bare ConnectionError for it
            return "auth", PROBE_S
        return "full" if text.startswith("OOM") else "down", (
            0.1 if self._failures < BREAKER_AFTER else 1.0
        )

    async def _failed(self, state: str, wait_s: float, error: Exception) -> None:
        self._failures += 1
        await self.disconnect()
        if self._failures >= BREAKER_AFTER or state in ("auth", "loading", "full"):
            self._became(state, str(error) or type(error).__name__)
        if not self._closing:
            await sleep(wait_s)

    def _became(self, state: str, reason: str) -> None:
        if state != self.state:
            self._note("redis", f"{state} {reason}".strip()[:200])
        self.state, self.reason = state, reason[:200]


def _server_name(info: bytes) -> str:
    fields = dict(
        line.split(":", 1) for line in info.decode("utf-8", "replace").splitlines() if ":" in line
    )
    if "valkey_version" in fields:
        return f"valkey {fields['valkey_version']}"
    return f"redis {fields.get('redis_version', '?')}"
