"""How a screen reaches an engine, and the one that is in this process, on a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol, TypeVar

from kitetui.engine import commands
from kitetui.engine.snapshot import Snapshot, View

ANSWER_S = 2.0
Answer = TypeVar("Answer")


class Starter(Protocol):
    """Brings an engine up; `run` provides it."""

    def start(self) -> Any: ...

    def stop(self) -> None: ...


class Link(Protocol):
    """The way to an engine. No method waits for the engine unless it says so.

    Attributes:
        owns_engine: whether the engine ends with us; role: what it lets us do: `rw` or `ro`.
        boot: what it is doing until it is ready, in words; down: it was there and is gone.
        error: what keeps us from it for good.
        on_alert: called on a thread of the link when a picture is worth asking for.
    """

    owns_engine: bool
    role: str
    boot: str
    down: bool
    error: BaseException | None
    on_alert: Callable[[], None] | None

    def start(self) -> None: ...

    def snapshot(self, wanted: View) -> Future[Snapshot] | None: ...

    def command(self, command: commands.Command) -> Future[commands.Result] | None: ...

    def stop(self) -> None: ...

    def status(self) -> dict[str, Any]: ...

    def wait(self, timeout_s: float | None = None) -> bool: ...


class LocalLink:
    """An engine in this process."""

    owns_engine = True
    down = False

    def __init__(self, starter: Starter) -> None:
        self._starter = starter
        self._engine: Any = None
        self._thread = threading.Thread(target=self._start, name="starter", daemon=True)
        self._stop_lock = threading.Lock()
        self._stopped = False
        self.role = "rw"
        self.boot = "starting the engine …"
        self.error: BaseException | None = None
        self.ready = False
        self.on_alert: Callable[[], None] | None = None

    def start(self) -> None:
        """Begin; returns at once. Does nothing once stopped."""
        with self._stop_lock:
            if not self._stopped:
                self._thread.start()

    def snapshot(self, wanted: View) -> Future[Snapshot] | None:
        """Ask for a picture; None while there is no engine."""
        if not self.ready or self._engine is None:
            return None
        answer: Future[Snapshot] = self._engine.snapshot(wanted)
        return answer

    def command(self, command: commands.Command) -> Future[commands.Result] | None:
        """Send a command; None while there is no engine."""
        if not self.ready or self._engine is None:
            return None
        answer: Future[commands.Result] = self._engine.command(command)
        return answer

    def stop(self) -> None:
        """Stop the engine and what came up with it; waits. Safe to call twice."""
        with self._stop_lock:
            if self._stopped:
                return
            self._stopped = True
            self.on_alert = None
            if self._engine is not None:
                self._engine.stop()
            self._starter.stop()
            if self._thread.ident is not None:
                self._thread.join(2)

    def status(self) -> dict[str, Any]:
        """The status document; empty while there is no engine."""
        found: dict[str, Any] = self._engine.status() if self._engine is not None else {}
        return found

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until the engine has ended; whether it has."""
        return bool(self._engine is None or self._engine.wait(timeout_s))

    def _start(self) -> None:
        try:
            engine = self._starter.start()
            self._engine = engine
            if self._stopped:
                engine.stop()
                return
            engine.on_alert = self._alerted
            engine.wait_ready(60)
            self.boot = "waiting for the first snapshot …"
            self.ready = True
            engine.wait()
            self.error = engine.error
        except BaseException as error:  # noqa: BLE001 - shown on the screen, raised at its end
            self.error = error

    def _alerted(self) -> None:
        if self.on_alert is not None:
            self.on_alert()


async def answered(asked: Future[Answer]) -> Answer:
    """What the engine answers.

    Raises:
        ConnectionError: not in time, or not any more: it ends.
    """
    answer = asyncio.wrap_future(asked)
    try:  # `wait`, not `wait_for`: the engine's cancelling is told from the caller's own
        done, _ = await asyncio.wait({answer}, timeout=ANSWER_S)
        if not done:
            raise ConnectionError("the engine does not answer")
        if answer.cancelled():
            raise ConnectionError("the engine ends")
        return answer.result()
    finally:
        answer.cancel()
