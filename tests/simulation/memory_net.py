"""Connections in memory with latency, cuts and silence; as a kernel's, in order and with limits."""

from __future__ import annotations

import asyncio
import random
import socket
from collections import deque
from collections.abc import Callable
from typing import Any

Address = tuple[str | None, int | None]
HIGH_BYTES, LOW_BYTES = 65_536, 16_384
APART_S = 1e-6


END = b""
"""What arrives after the last byte."""


class End(asyncio.Transport):
    """One end of a connection."""

    def __init__(self, loop: asyncio.AbstractEventLoop, link: Link, names: dict[str, Any]) -> None:
        super().__init__(names)
        self.loop = loop
        self.link = link
        self.protocol: Any = None
        self.peer: End
        self._closing = False
        self.gone = False
        self._arrived: deque[bytes] = deque()
        self._reading = True
        self._unread = 0
        self._waits = False
        self._high, self._low = HIGH_BYTES, LOW_BYTES
        self._next_at = 0.0

    # ---- what a protocol asks of it --------------------------------------------------------

    def write(self, data: Any) -> None:
        if self._closing or not data:
            return
        self._unread += len(data)
        self._later(self.peer._take, bytes(data))
        if self._unread > self._high and not self._waits:
            self._waits = True
            self.protocol.pause_writing()

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list_of_data))

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self._later(self.peer._take, END)

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._later(self.peer._take, END)
            self._later(self._lose, None)

    def abort(self) -> None:
        if not self.gone:
            self._closing = True
            self.loop.call_soon(self._lose, None)
            self._later(self.peer._lose, ConnectionResetError(104, "Connection reset by peer"))

    def is_closing(self) -> bool:
        return self._closing

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def get_protocol(self) -> Any:
        return self.protocol

    def pause_reading(self) -> None:
        self._reading = False

    def resume_reading(self) -> None:
        self._reading = True
        self.loop.call_soon(self._deliver)

    def is_reading(self) -> bool:
        return self._reading

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._high = HIGH_BYTES if high is None else high
        self._low = self._high // 4 if low is None else low

    def get_write_buffer_size(self) -> int:
        return self._unread

    # ---- what the network does -------------------------------------------------------------

    def _later(self, what: Callable[..., None], *args: Any) -> None:
        """In order, after the latency."""
        at = self.loop.time() + self.link.latency_s
        self._next_at = max(self._next_at + APART_S, at)  # timers of one time have no order
        self.loop.call_at(self._next_at, what, *args)

    def _take(self, data: bytes) -> None:
        if self._closing:  # whoever closed reads no more
            self.peer._drained(len(data))
            return
        self._arrived.append(data)
        self._deliver()

    def _deliver(self) -> None:
        while self._arrived and self._reading and not self.gone and not self.link.silent:
            data = self._arrived.popleft()
            if data is END:
                if not self.protocol.eof_received():
                    self.close()
                return
            self.protocol.data_received(data)
            self.peer._drained(len(data))

    def _drained(self, size: int) -> None:
        self._unread -= size
        if self._waits and self._unread <= self._low and not self.gone:
            self._waits = False
            self.protocol.resume_writing()

    def _lose(self, error: Exception | None) -> None:
        if not self.gone:
            self.gone = self._closing = True
            self.protocol.connection_lost(error)


class Link:
    """What both ends share: how far apart they are, and whether anything arrives."""

    def __init__(self, address: Address, latency_s: float) -> None:
        self.address = address
        self.latency_s = latency_s
        self.silent = False
        self.ends: tuple[End, End]

    def thaw(self) -> None:
        """What waited arrives."""
        self.silent = False
        for end in self.ends:
            end._deliver()

    def cut(self) -> None:
        """Both ends are told at once."""
        for end in self.ends:
            end._closing = True
            end.loop.call_soon(end._lose, ConnectionResetError(104, "Connection reset by peer"))

    def flush(self) -> None:
        """What was written is on its way, whatever became of the writer: it arrives now."""
        for at, what, args in self.pending():
            del at
            what(*args)

    def pending(self) -> list[tuple[float, Callable[..., None], Any]]:
        """What is to arrive at the server's end, in order."""
        server = self.ends[1]
        timers = [t for t in server.loop._scheduled  # type: ignore[attr-defined]
                  if not t._cancelled and t._callback == server._take]  # fmt: skip
        return [(t.when(), t._callback, t._args) for t in sorted(timers, key=lambda t: t.when())]


class Listening:
    """What `create_server` gives."""

    def __init__(self, network: Network, address: Address) -> None:
        self._network = network
        self._address = address
        self.sockets = (self,)
        self.family = socket.AF_INET

    def getsockname(self) -> Address:
        return self._address

    def close(self) -> None:
        self._network.servers.pop(self._address, None)

    async def wait_closed(self) -> None:
        """There is nothing to wait for."""

    def close_clients(self) -> None:
        """Their ends are closed by themselves."""

    def is_serving(self) -> bool:
        return self._address in self._network.servers

    async def start_serving(self) -> None:
        """It does already."""


class Network:
    """Who listens where, and every connection."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.servers: dict[Address, Callable[[], Any]] = {}
        self.refused: set[Address] = set()
        self.links: list[Link] = []

    def listen(self, loop: asyncio.AbstractEventLoop, factory: Callable[[], Any],
               address: Address) -> Listening:  # fmt: skip
        """Serve an address."""
        del loop
        self.servers[address] = factory
        return Listening(self, address)

    async def connect(self, loop: asyncio.AbstractEventLoop, factory: Callable[[], Any],
                      address: Address) -> tuple[End, Any]:  # fmt: skip
        """A connection to whoever listens.

        Raises:
            ConnectionRefusedError: nobody does.
        """
        latency_s = self._rng.uniform(0.0001, 0.02)
        await asyncio.sleep(latency_s)
        if address not in self.servers or address in self.refused:
            raise ConnectionRefusedError(111, "Connection refused")
        link = Link(address, latency_s)
        ours = End(loop, link, {"peername": address, "sockname": ("127.0.0.1", 1)})
        theirs = End(loop, link, {"peername": ("127.0.0.1", 1), "sockname": address})
        ours.peer, theirs.peer = theirs, ours
        link.ends = (ours, theirs)
        ours.protocol, theirs.protocol = factory(), self.servers[address]()
        self.links = [old for old in self.links if not old.ends[0].gone] + [link]
        ours.protocol.connection_made(ours)
        theirs.protocol.connection_made(theirs)
        return ours, ours.protocol

    def to(self, address: Address) -> list[Link]:
        """Connections to a server."""
        return [link for link in self.links if link.address == address and not link.ends[0].gone]
