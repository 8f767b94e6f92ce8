"""Link: a connection to the server with several flushes under way, each with its deadline."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import Callable
from typing import Any

import hiredis
import msgspec

from kitetui.engine.clock import monotonic_ns, wall_ns
from kitetui.engine.redis_py import redis

NS_A_MS = 1_000_000
CHUNK = 1 << 17
"""Bytes handed over at once: asyncio moves what a socket did not take, again and again."""
SEND_BUFFER = 4 << 20
"""Asked for; the system gives as much as it allows."""
CONNECT_S = 3.0
CANCELS = 5
COMMANDS_A_MS = 20
"""Commands that a server is trusted to carry out in a millisecond, beyond the deadline."""


class Flush(msgspec.Struct):
    """Commands that go out together.

    Attributes:
        done, undo: called once the replies are in, or when they will not come. None of them
            holds the flush itself: its megabytes would stay until a walk over the whole heap.
        ticks: number of its first tick, and the id before that one's entries.
    """

    parts: list[bytes | memoryview] = msgspec.field(default_factory=list)
    commands: int = 0
    messages: list[bytes | memoryview] = msgspec.field(default_factory=list)
    message_count: int = 0
    messages_ns: int = 0
    """What is published with it, if it goes out soon enough after this monotonic time."""
    done: list[Callable[[Flush], None]] = msgspec.field(default_factory=list)
    undo: list[Callable[[], None]] = msgspec.field(default_factory=list)
    refusals: list[tuple[int, str]] = msgspec.field(default_factory=list)
    ticks: tuple[int, tuple[int, int]] | None = None
    answered_ns: int = 0
    """Wall time of the last reply."""
    sent_ns: int = 0
    deadline_ns: int = 0

    def publish(self, oldest_ns: int) -> None:
        """Take the messages along, or drop them where they are older than a monotonic time."""
        if self.messages_ns >= oldest_ns:
            self.parts += self.messages
            self.commands += self.message_count
        self.messages = []

    def give_back(self) -> None:
        """What it carried was not written."""
        for undo in reversed(self.undo):
            undo()

    def refused(self) -> list[tuple[list[bytes], str]]:
        """Refused commands, taken apart, and why."""
        if not self.refusals:
            return []
        why = dict(self.refusals)
        out: list[tuple[list[bytes], str]] = []
        reader = hiredis.Reader()
        at = 0
        for part in self.parts:
            reader.feed(bytes(part))
            while (told := reader.gets()) is not False:
                if at in why:
                    out.append(([bytes(word) for word in told], why[at]))
                at += 1
        return out


class Link:
    """One connection. Flushes are answered in the order in which they were sent.

    Attributes:
        round_trip_ms: of the newest answered flush.
    """

    def __init__(self, url: str, deadline_ms: float,
                 moved: Callable[[], None] = lambda: None) -> None:  # fmt: skip
        """`moved` is called when a flush was answered, or the connection ended."""
        self._pool = redis.asyncio.ConnectionPool.from_url(
            url, retry=redis.asyncio.retry.Retry(redis.backoff.NoBackoff(), 0),
            socket_connect_timeout=2.0, socket_timeout=None,
            client_name="kitetui-publisher", protocol=2,
        )  # fmt: skip
        self._deadline_ns = int(deadline_ms * NS_A_MS)
        self._connection: redis.asyncio.connection.AbstractConnection | None = None
        self._reader = hiredis.Reader(replyError=redis.ResponseError)
        self._waiting: deque[Flush] = deque()
        self._replies = 0
        self._tasks: tuple[asyncio.Task[None], ...] | None = None
        self._outgoing: deque[list[bytes | memoryview]] = deque()
        self._handed = asyncio.Event()
        self._moved = asyncio.Event()
        self._tell = moved
        self._answered: deque[Flush] = deque()
        self._error: Exception | None = None
        self.round_trip_ms = 0.0

    async def open(self) -> None:
        """Connect; TLS, AUTH and CLIENT SETNAME are redis-py's."""
        connection: redis.asyncio.connection.AbstractConnection = self._pool.make_connection()  # type: ignore[no-untyped-call]
        self._connection = connection  # now, so that one that never answers is closed as well
        await asyncio.wait_for(connection.connect(), CONNECT_S)  # type: ignore[no-untyped-call]
        writer = connection._writer
        assert writer is not None
        plug = writer.get_extra_info("socket")
        if plug is not None:  # while a flush is made nobody sends: the kernel goes on with this
            plug.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)

    async def ask(self, *parts: str | bytes | int) -> Any:
        """One command and its reply; only while no flush is under way.

        Raises:
            ResponseError: the server's answer is one.
        """
        assert self._connection is not None and not self._waiting
        async with asyncio.timeout(CONNECT_S):
            await self._send([b"".join(self._connection.pack_command(*parts))])
            while (reply := self._reader.gets()) is False:
                await self._feed()
        if isinstance(reply, redis.ResponseError):
            raise reply
        return reply

    def send(self, flush: Flush) -> None:
        """Hand a flush over; it goes out, and its replies come in, while others are made."""
        if self._tasks is None:
            loop = asyncio.get_running_loop()
            self._tasks = (loop.create_task(self._read()), loop.create_task(self._write()))
        flush.sent_ns = monotonic_ns()
        flush.deadline_ns = (
            flush.sent_ns + self._deadline_ns + flush.commands * NS_A_MS // COMMANDS_A_MS
        )
        self._waiting.append(flush)
        self._outgoing.append(flush.parts)
        self._handed.set()

    @property
    def under_way(self) -> int:
        """Flushes that are not answered."""
        return len(self._waiting)

    def answered(self) -> list[Flush]:
        """Flushes that were answered since the last call."""
        out = list(self._answered)
        self._answered.clear()
        return out

    def check(self) -> None:
        """See whether the connection is well.

        Raises:
            TimeoutError: the first flush was not answered in time.
            Exception: what ended the connection.
        """
        if self._error is not None:
            raise self._error
        if self._waiting and monotonic_ns() > self._waiting[0].deadline_ns:
            raise TimeoutError("no answer within the deadline")

    async def room(self, most: int) -> None:
        """Wait until fewer than `most` flushes are under way.

        Raises:
            TimeoutError: the first one was not answered in time.
            Exception: what ended the connection.
        """
        while True:
            if self._error is not None:
                raise self._error
            if len(self._waiting) < most:
                return
            self.check()
            now_ns, limit_ns = monotonic_ns(), self._waiting[0].deadline_ns
            self._moved.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout((limit_ns - now_ns) / 1e9 + 0.001):
                    await self._moved.wait()

    async def close(self) -> list[Flush]:
        """Let the connection go, without the server's goodbye; flushes without an answer."""
        tasks, self._tasks = set(self._tasks or ()), None
        for _ in range(CANCELS):  # a library may swallow a cancellation
            for task in tasks:
                task.cancel()
            if tasks:
                _, tasks = await asyncio.wait(tasks, timeout=0.1)
        if self._connection is not None:
            connection, self._connection = self._connection, None
            with contextlib.suppress(redis.RedisError, OSError, TimeoutError):
                await asyncio.wait_for(connection.disconnect(nowait=True), 0.5)
        left = list(self._waiting)
        self._waiting.clear()
        self._outgoing.clear()
        self._error = None  # its traceback holds frames, and these hold flushes
        return left

    async def _send(self, parts: list[bytes | memoryview]) -> None:
        assert self._connection is not None
        for chunk in _chunks(parts):
            await self._connection.send_packed_command([chunk], check_health=False)  # type: ignore[list-item]

    async def _write(self) -> None:
        """Send what was handed over, for ever."""
        try:
            while True:
                while self._outgoing:
                    await self._send(self._outgoing.popleft())
                self._handed.clear()
                await self._handed.wait()
        except Exception as error:  # noqa: BLE001 - carried over to whoever waits
            self._error = self._error or error
            self._move()

    async def _feed(self) -> None:
        assert self._connection is not None
        stream = self._connection._reader  # the connection's own: a step a reply costs too much
        assert stream is not None
        data = await stream.read(1 << 16)
        if not data:
            raise ConnectionError("the server closed the connection")
        self._reader.feed(data)

    async def _read(self) -> None:
        """Read replies, for ever; they are counted, errors among them are kept."""
        try:
            while True:
                await self._feed()
                self._match()
        except Exception as error:  # noqa: BLE001 - carried over to whoever waits
            self._error = self._error or error
            self._move()

    def _match(self) -> None:
        gets = self._reader.gets
        while (reply := gets()) is not False:
            if not self._waiting:
                raise ConnectionError("the server said more than it was asked")
            flush = self._waiting[0]
            if isinstance(reply, redis.ResponseError):
                flush.refusals.append((self._replies, str(reply)))
            self._replies += 1
            if self._replies == flush.commands:
                self._waiting.popleft()
                self._replies = 0
                flush.answered_ns = wall_ns()
                self.round_trip_ms = (monotonic_ns() - flush.sent_ns) / NS_A_MS
                self._answered.append(flush)
                self._move()

    def _move(self) -> None:
        self._moved.set()
        self._tell()


def _chunks(parts: list[bytes | memoryview]) -> list[bytes | memoryview]:
    """Parts joined or cut to pieces of about the same size."""
    out: list[bytes | memoryview] = []
    small: list[bytes | memoryview] = []
    size = 0
    for part in parts:
        if len(part) < CHUNK // 4:
            small.append(part)
            size += len(part)
            if size < CHUNK:
                continue
        if small:
            out.append(b"".join(small))
            small, size = [], 0
        if len(part) >= CHUNK // 4:
            view = memoryview(part)
            out += [view[at : at + CHUNK] for at in range(0, len(view), CHUNK)]
    if small:
        out.append(b"".join(small))
    return out
