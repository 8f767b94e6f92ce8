"""An event loop whose time is a number: where nothing is ready it goes on to the next timer."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from typing import Any

NS = 1_000_000_000
TURN_NS = 5_000
"""What a turn of the loop takes: code that waits for the clock without sleeping gets on."""
EXECUTOR_S = 0.002


class VirtualClock:
    """Stands in for the module `time`; the wall may be set, the monotonic clock only goes on."""

    def __init__(self, wall_s: float) -> None:
        self.now_ns = NS
        self.wall_offset_ns = int(wall_s * NS) - NS

    def time_ns(self) -> int:
        return self.now_ns + self.wall_offset_ns

    def time(self) -> float:
        return self.time_ns() / NS

    def monotonic_ns(self) -> int:
        return self.now_ns

    def monotonic(self) -> float:
        return self.now_ns / NS

    def sleep(self, seconds: float) -> None:
        self.now_ns += int(seconds * NS)


class Standstill(Exception):
    """Nothing is ready and nothing will be: everybody waits for somebody else."""


class _Ticking:
    """In the place of a selector: waiting is moving the clock on."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise Standstill
        self._clock.now_ns += TURN_NS + int(timeout * NS)
        return []

    def close(self) -> None:
        """Nothing is open."""


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs on a clock of its own, on connections in memory, and its threads are calls."""

    def __init__(self, clock: VirtualClock, network: Any) -> None:
        super().__init__()
        self._clock = clock
        self._network = network
        self._selector = _Ticking(clock)

    def time(self) -> float:
        return self._clock.monotonic()

    def _process_events(self, event_list: list[Any]) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """Nobody sleeps."""

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """The work is done at once, and is said to be done a moment later."""
        future = self.create_future()
        try:
            value, error = contextvars.copy_context().run(func, *args), None
        except Exception as failed:
            value, error = None, failed

        def done() -> None:
            if future.done():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(value)

        self.call_later(EXECUTOR_S, done)
        return future

    async def create_connection(  # type: ignore[override]
        self, protocol_factory: Callable[[], Any], host: str | None = None,
        port: int | None = None, **_: Any,
    ) -> Any:  # fmt: skip
        return await self._network.connect(self, protocol_factory, (host, port))

    async def create_server(  # type: ignore[override]
        self, protocol_factory: Callable[[], Any], host: str | None = None,
        port: int | None = None, **_: Any,
    ) -> Any:  # fmt: skip
        return self._network.listen(self, protocol_factory, (host, port))

    async def create_unix_server(  # type: ignore[override]
        self, protocol_factory: Callable[[], Any], path: Any = None, **_: Any
    ) -> Any:
        return self._network.listen(self, protocol_factory, (str(path), None))
