"""How a screen reaches an engine in another process: over its socket, on a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import orjson

from kitetui.caller import NoEngine, NotAllowed
from kitetui.engine.calendar import ist
from kitetui.engine.clock import monotonic_ns, sleep, wall_ns
from kitetui.engine.commands import Command, Result
from kitetui.engine.door.doorway import (
    ANSWERED_MAX,
    LENGTH,
    VERSION,
    Answered,
    Asked,
    BadMessage,
    Do,
    Done,
    Hello,
    Look,
    Nudge,
    Picture,
    Ping,
    Receiver,
    Refused,
    Report,
    Status,
    Welcome,
    framed,
    length,
    read_answered,
)
from kitetui.engine.snapshot import Snapshot, View

PING_S = 5.0
DEAD_S = 15.0
RETRY_MIN_S, RETRY_MAX_S = 0.2, 1.0
PENDING_MAX = 64
NS = 1_000_000_000


class RemoteLink:
    """A running engine, reached over its socket; comes back by itself when the engine does.

    Attributes:
        role: what the engine lets this screen do: `rw` or `ro`; actor: as whom it knows us.
        boot: what is waited for, in words; down: an engine that was there is gone.
        error: why it cannot be reached, for good.
    """

    owns_engine = False

    def __init__(self, folder: Path, *, look_only: bool = False, name: str = "") -> None:
        """
        Args:
            folder: where the sockets are; look_only: take `ro.sock` even where `rw.sock` would do.
            name: who it is, where an account is shared.
        """
        self._folder = folder
        self._roles = ["ro"] if look_only else ["rw", "ro"]
        self._hello = Hello(VERSION, "screen", name, _came_from())
        self._loop: asyncio.AbstractEventLoop | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._pending: deque[tuple[int, Asked, Future[Any] | None]] = deque()
        self._receiver = Receiver()
        self._thread = threading.Thread(target=self._main, name="link", daemon=True)
        self._stopping = False
        self._welcomed = False
        self.role = self._roles[0]
        self.actor = ""
        self.boot = "looking for the engine …"
        self.down = False
        self.error: BaseException | None = None
        self.ready = False
        self.on_alert: Callable[[], None] | None = None

    def start(self) -> None:
        """Begin; returns at once."""
        if not self._stopping and not self._thread.is_alive():
            self._thread.start()

    def snapshot(self, wanted: View) -> Future[Snapshot] | None:
        """Ask for a picture; None while there is no engine."""
        return self._ask(Look(wanted)) if self.ready else None

    def command(self, command: Command) -> Future[Result] | None:
        """Send a command; None while there is no engine."""
        return self._ask(Do(command)) if self.ready else None

    def status(self) -> dict[str, Any]:
        """The status document; empty while there is no engine."""
        if not self.ready:
            return {}
        try:
            found: dict[str, Any] = self._ask(Report()).result(2.0)
        except (ConnectionError, TimeoutError):
            return {}
        return found

    def stop(self) -> None:
        """Leave; the engine goes on. Safe to call twice."""
        self._stopping = True
        self.on_alert = None
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it has ended
                self._loop.call_soon_threadsafe(self._hang_up)
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join(2)

    def wait(self, timeout_s: float | None = None) -> bool:
        """There is nothing of ours to wait for."""
        return True

    # ---- on the thread -------------------------------------------------------------------

    def _main(self) -> None:
        try:
            asyncio.run(self._live())
        except BaseException as error:  # noqa: BLE001 - shown on the screen, raised at its end
            self.error = error
        finally:
            self.ready = False

    async def _live(self) -> None:
        """Connect, serve, and again, until the screen leaves or is refused."""
        self._loop = asyncio.get_running_loop()
        wait_s = RETRY_MIN_S
        while not self._stopping:
            try:
                await self._serve(*await self._dial())
                wait_s = RETRY_MIN_S
            except NoEngine:
                pass
            except NotAllowed as refused:
                # Where we were let in before, an engine that starts may not have opened its doors,
                # or others came back first; another version stays another one.
                if not self._welcomed or "version" in str(refused):
                    raise
            if not self._stopping:
                self._gone()
                await sleep(wait_s)
                wait_s = min(wait_s * 2, RETRY_MAX_S)

    async def _dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Greet the engine on the first socket that lets us.

        Raises:
            NoEngine: nobody is there; NotAllowed: somebody is, and does not let us in.
        """
        for role in self._roles:
            path = self._folder / f"{role}.sock"
            try:
                reader, writer = await asyncio.open_unix_connection(str(path), limit=ANSWERED_MAX)
            except PermissionError:
                continue
            except OSError as error:
                raise NoEngine(f"{path}: {error.strerror}") from None
            answer = await self._greeted(path, reader, writer)
            if isinstance(answer, Welcome):
                self._welcomed = True
                self.role, self.actor = answer.role, answer.actor
                return reader, writer
            writer.close()
            raise NotAllowed(answer.reason if isinstance(answer, Refused) else "no greeting")
        raise NotAllowed(
            f"{self._folder}: its sockets are not yours to use; the engine's settings "
            "attach.view_group and attach.operate_group name who may"
        )

    async def _greeted(self, path: Path, reader: asyncio.StreamReader,
                       writer: asyncio.StreamWriter) -> Answered:  # fmt: skip
        """What is said to our greeting.

        Raises:
            NoEngine: nothing, in time; NotAllowed: what no engine says.
        """
        try:
            writer.write(framed(self._hello))
            async with asyncio.timeout(DEAD_S):
                return await _read(reader)
        except (OSError, EOFError, TimeoutError) as error:
            writer.transport.abort()
            raise NoEngine(f"{path}: {getattr(error, 'strerror', '') or 'no answer'}") from None
        except BadMessage as error:
            writer.transport.abort()
            raise NotAllowed(f"{path}: what answers is no engine: {error}") from None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take answers until the connection ends."""
        if self._stopping:
            writer.transport.abort()
            return
        self._receiver = Receiver()
        self._writer = writer
        self.down, self.ready = False, True
        self.boot = "waiting for the first snapshot …"
        pinging = asyncio.get_running_loop().create_task(self._keep_alive())
        try:
            while True:
                self._take(await _read(reader))
        except (OSError, EOFError, BadMessage, ValueError):
            pass
        finally:
            pinging.cancel()
            self.ready, self._writer = False, None
            writer.transport.abort()
            for _, _, asked in self._pending:
                if asked is not None and asked.set_running_or_notify_cancel():
                    asked.set_exception(ConnectionError("the engine is gone"))
            self._pending.clear()

    def _take(self, answer: Answered) -> None:
        """Give an answer to the oldest question.

        Raises:
            BadMessage: nobody asked, or it is of another shape.
        """
        if isinstance(answer, Nudge):
            if self.on_alert is not None:
                self.on_alert()
            return
        if not self._pending:
            raise BadMessage("an answer to no question")
        value = self._value(answer)  # a picture counts although nobody waits for it any more
        _, question, asked = self._pending.popleft()
        if asked is None or not asked.set_running_or_notify_cancel():
            return
        if isinstance(answer, Refused) and not isinstance(question, Do):
            self.boot = answer.reason
            asked.set_exception(ConnectionError(answer.reason))
        else:
            asked.set_result(value)

    def _value(self, answer: Answered) -> Any:
        if isinstance(answer, Picture):
            return self._receiver.snapshot(answer)
        if isinstance(answer, Done):
            return answer.result
        if isinstance(answer, Refused):
            return Result(False, answer.reason)
        return orjson.loads(answer.document) if isinstance(answer, Status) else None

    async def _keep_alive(self) -> None:
        """Say something at least every 5 s; hang up on an engine that is silent for 15."""
        last_ns = monotonic_ns()
        while True:
            await sleep(0.5)
            now_ns = monotonic_ns()
            if self._pending:
                last_ns = self._pending[-1][0]
                if now_ns - self._pending[0][0] > DEAD_S * NS:
                    self._hang_up()
            elif now_ns - last_ns > PING_S * NS:
                last_ns = now_ns
                self._send(Ping(), None)

    def _ask(self, question: Asked) -> Future[Any]:
        answer: Future[Any] = Future()
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(self._send, question, answer)
        except RuntimeError:  # the thread has ended
            answer.set_exception(ConnectionError("the link is closed"))
        return answer

    def _send(self, question: Asked, answer: Future[Any] | None) -> None:
        if self._writer is None or len(self._pending) >= PENDING_MAX:
            if answer is not None and answer.set_running_or_notify_cancel():
                answer.set_exception(ConnectionError("the engine does not answer"))
            return
        self._pending.append((monotonic_ns(), question, answer))
        self._writer.write(framed(question))

    def _hang_up(self) -> None:
        if self._writer is not None:
            self._writer.transport.abort()

    def _gone(self) -> None:
        if not self.down:
            self.down = True
            self.boot = (f"ENGINE DOWN since {ist(wall_ns() / NS):%H:%M:%S}  what is shown is old; "
                         "it goes on by itself when the engine is back")  # fmt: skip
            if self.on_alert is not None:
                self.on_alert()  # have it shown at once


async def _read(reader: asyncio.StreamReader) -> Answered:
    """One message.

    Raises:
        EOFError: the connection ended; BadMessage: it is none.
    """
    head = await reader.readexactly(LENGTH.size)
    return read_answered(await reader.readexactly(length(head, ANSWERED_MAX)))


def _came_from() -> str:
    """Where SSH came from, as it says itself; '' where there is none."""
    return os.environ.get("SSH_CONNECTION", "").partition(" ")[0]
