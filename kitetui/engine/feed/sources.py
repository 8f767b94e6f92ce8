"""The driver of Kite's WebSockets: it does I/O and puts records into the inbox."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Protocol

import msgspec

from kitetui.engine.clock import monotonic_ns
from kitetui.engine.feed.credentials import Credentials, CredentialsError
from kitetui.engine.feed.records import Kind, LinkEvent, RecordBatch, Subscribed
from kitetui.engine.feed.session import (
    Connection,
    Do,
    LinkState,
    connect_url,
    sharded,
    subscribe_messages,
    unsubscribe_messages,
)
from kitetui.engine.late import Late, loader
from kitetui.engine.quiet import hushed
from kitetui.settings import FeedSettings

NS = 1_000_000_000
CREDENTIALS_POLL_S = 2.0
TURN_NS = 1_000_000
_CLOSED = {
    1002: "closed: the server broke the protocol",
    1007: "closed: the server sent text that is no UTF-8",
    1009: "closed: a frame was larger than feed.max_frame_bytes",
}

_load = loader("websockets", "websockets.asyncio.client")
if TYPE_CHECKING:
    import websockets
    import websockets.asyncio.client
else:
    # When there is something to dial: a start can do without its 50 ms.
    websockets = Late(_load)

_quiet = hushed("kitetui.websockets")
"""At DEBUG, websockets logs the request line with its token."""


class Inbox(Protocol):
    """Where drivers put what they take in."""

    def put(self, kind: int, payload: bytes, connection: int = 0) -> None: ...

    async def play(self, batch: RecordBatch) -> None: ...


class KiteSource:
    """Keeps up to three WebSockets to the ticker alive.

    Attributes:
        connections: one per shard, with their states.
        closes: how often a socket was closed, by code.
    """

    def __init__(self, settings: FeedSettings, credentials: Callable[[], Credentials],
                 inbox: Inbox, ended: Callable[[asyncio.Task[None]], None]) -> None:  # fmt: skip
        self._settings = settings
        self._read_credentials = credentials
        self._dialled_with = dict.fromkeys(range(settings.max_connections), credentials())
        self._inbox = inbox
        self._ended = ended
        self._asked: dict[int, list[str]] = {}
        """Messages that a connection's socket is still to be sent, by its number."""
        self._tasks: list[asyncio.Task[None]] = []
        self._sockets: dict[int, websockets.asyncio.client.ClientConnection] = {}
        self._said: dict[int, tuple[str, str]] = {}
        self.connections: list[Connection] = []
        self.closes: Counter[int] = Counter()

    @property
    def credentials(self) -> Credentials:
        """What was dialled with last."""
        return max(self._dialled_with.values(), key=lambda found: found.minted_s)

    @property
    def reconnects(self) -> int:
        """Times that any connection came back."""
        return sum(c.reconnects for c in self.connections)

    @property
    def last_frame_ns(self) -> int:
        """Monotonic time of the newest frame on any connection; 0 before any."""
        return max((c.last_frame_ns for c in self.connections), default=0)

    def subscribe(self, modes: Mapping[int, str]) -> None:
        """Want tokens, each in its mode, and open the connections that carry them.

        Raises:
            ValueError: more tokens than Kite's connections can carry.
        """
        shards = sharded(modes, self._settings.max_connections, self._settings.max_per_connection)
        for shard in shards:
            self.connections.append(Connection(self._settings, shard))
        self._announce()
        for number in range(len(shards)):
            self._begin(number)

    def change(self, add: Mapping[int, str], drop: Iterable[int] = ()) -> list[int]:
        """Take tokens in, in a mode each, or out, on the connections that are there.

        Returns:
            Tokens for which no connection has room.
        """
        for token in drop:
            for number, connection in enumerate(self.connections):
                if connection.shard.pop(token, None) is not None:
                    self._ask(number, unsubscribe_messages([token]))
        refused = []
        fresh: dict[int, dict[int, str]] = {}
        for token, mode in add.items():
            number = self._place(token)
            if number < 0:
                refused.append(token)
            else:
                self.connections[number].shard[token] = mode
                fresh.setdefault(number, {})[token] = mode
        self._announce()
        for number, shard in fresh.items():
            if number < len(self._tasks):
                self._ask(number, subscribe_messages(shard))
            else:
                self._begin(number)
        return refused

    def reconnect(self) -> None:
        """Have every socket dropped and dialled anew."""
        for socket in self._sockets.values():
            socket.transport.abort()

    @property
    def modes(self) -> dict[int, str]:
        """What is subscribed, in its mode."""
        return {t: mode for connection in self.connections for t, mode in connection.shard.items()}

    def _place(self, token: int) -> int:
        """The connection that has a token, or the emptiest one, or a further one; -1 for none."""
        kept, limit = self.connections, self._settings.max_per_connection
        for number, connection in enumerate(kept):
            if token in connection.shard:
                return number
        number = min(range(len(kept)), key=lambda n: len(kept[n].shard), default=-1)
        if number >= 0 and len(kept[number].shard) < limit:
            return number
        if len(kept) == self._settings.max_connections:
            return -1
        kept.append(Connection(self._settings, {}))
        return len(kept) - 1

    def _announce(self) -> None:
        """Record what is subscribed now, in the order of the connections."""
        modes, usual = self.modes, self._settings.mode
        others = {token: mode for token, mode in modes.items() if mode != usual}
        asked = Subscribed(list(modes), usual, others)
        self._inbox.put(Kind.SUBSCRIBE, msgspec.json.encode(asked))

    def _begin(self, number: int) -> None:
        """Have a connection kept."""
        task = asyncio.get_running_loop().create_task(self._keep(number, self.connections[number]))
        task.add_done_callback(self._ended)
        self._tasks.append(task)

    def _ask(self, number: int, messages: list[str]) -> None:
        """Have a connection's socket sent something; one that is down says all when it is up."""
        if number in self._sockets:
            self._asked.setdefault(number, []).extend(messages)

    def _first_row(self, number: int) -> int:
        """Where a connection's tokens begin in what was announced."""
        return sum(len(connection.shard) for connection in self.connections[:number])

    async def close(self) -> None:
        """Close every socket."""
        for connection in self.connections:
            connection.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _keep(self, number: int, connection: Connection) -> None:
        """One connection, for ever: dial, read, wait, again."""
        last_look_ns = 0
        while connection.state is not LinkState.CLOSED:
            self._say(number, connection)
            do, wait_s = connection.step(monotonic_ns())
            if do is Do.CONNECT:
                await self._dial(number, connection)
                continue
            if connection.state is LinkState.AUTH_EXPIRED:
                if monotonic_ns() - last_look_ns > CREDENTIALS_POLL_S * NS:
                    last_look_ns = monotonic_ns()
                    self._look_for_credentials(number, connection)
                wait_s = 0.5
            await asyncio.sleep(max(wait_s, 0.01))

    def _look_for_credentials(self, number: int, connection: Connection) -> None:
        """Whether others than those that this connection was refused with have come."""
        try:
            found = self._read_credentials()
        except CredentialsError:
            return
        refused = self._dialled_with[number]
        if (found.api_key, found.access_token.reveal()) != (
            refused.api_key,
            refused.access_token.reveal(),
        ):
            connection.credentials_changed()

    def _say(self, number: int, connection: Connection) -> None:
        """Record a change of state."""
        now = (str(connection.state), connection.reason)
        if self._said.get(number) != now:
            self._said[number] = now
            event = LinkEvent(number, *now, self._first_row(number), len(connection.shard))
            self._inbox.put(Kind.LINK, msgspec.json.encode(event), number)

    async def _dial(self, number: int, connection: Connection) -> None:
        await asyncio.to_thread(_load)  # the loop is not to wait for an import
        connection.dialled(monotonic_ns())
        try:
            credentials = self._dialled_with[number] = self._read_credentials()
        except CredentialsError:
            credentials = self._dialled_with[number]
        url = connect_url(self._settings.url, credentials.api_key, credentials.access_token)
        try:
            socket = await websockets.asyncio.client.connect(
                url.reveal(),
                compression=None,
                proxy=None,
                max_size=self._settings.max_frame_bytes,
                open_timeout=self._settings.connect_timeout_s,
                close_timeout=1.0,
                ping_interval=None,
                additional_headers={"X-Kite-Version": "3"},
                logger=_quiet,
            )
        except websockets.InvalidStatus as error:
            connection.refused(monotonic_ns(), error.response.status_code, _jitter())
        except (websockets.InvalidHandshake, OSError, RuntimeError, TimeoutError, ValueError,
                websockets.WebSocketException) as error:  # fmt: skip
            # The exception's text may hold the URL and with it the token: only its kind is kept.
            reason = getattr(error, "strerror", None) or type(error).__name__
            connection.lost(monotonic_ns(), f"cannot connect: {reason}", _jitter())
        else:
            await self._read(number, connection, socket)

    async def _read(self, number: int, connection: Connection,
                    socket: websockets.asyncio.client.ClientConnection) -> None:  # fmt: skip
        self._sockets[number] = socket
        self._asked.pop(number, None)
        watch = asyncio.get_running_loop().create_task(self._watch(number, connection, socket))
        reason = "closed"
        try:
            for message in connection.opened(monotonic_ns()):
                await socket.send(message)
            put = self._inbox.put
            turn_ns = monotonic_ns()
            while True:
                frame = await socket.recv()
                now_ns = monotonic_ns()
                if now_ns - turn_ns > TURN_NS:  # many frames may wait: others need the loop too
                    await asyncio.sleep(0)
                    turn_ns = monotonic_ns()
                if connection.received(monotonic_ns()):
                    self._say(number, connection)
                if isinstance(frame, bytes):
                    put(Kind.FRAME, frame, number)
                else:
                    put(Kind.TEXT, frame.encode(), number)
        except websockets.ConnectionClosed as closed:
            ours = closed.sent is not None and not closed.rcvd_then_sent
            told = closed.sent if ours else closed.rcvd
            code = told.code if told is not None else 1006
            self.closes[code] += 1
            reason = _CLOSED.get(code, f"closed {code}")
        finally:
            watch.cancel()
            del self._sockets[number]
            socket.transport.abort()
        if connection.state is LinkState.STALE:
            reason = connection.reason
            self._say(number, connection)
        connection.lost(monotonic_ns(), reason, _jitter())

    async def _watch(self, number: int, connection: Connection,
                     socket: websockets.asyncio.client.ClientConnection) -> None:  # fmt: skip
        """Abort the socket when it has been silent for too long; send what it is to be asked."""
        while True:
            do, wait_s = connection.step(monotonic_ns())
            if do is Do.ABORT:
                socket.transport.abort()
                return
            with contextlib.suppress(websockets.ConnectionClosed):  # the next one is asked for all
                for message in self._asked.pop(number, ()):
                    await socket.send(message)
            await asyncio.sleep(max(wait_s, 0.01))


def _jitter() -> float:
    return random.random()  # noqa: S311 - spreads reconnects, keeps no secret
