"""The runtime: starts, supervises and stops the engine on a thread and event loop of its own."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future
from typing import Any, NamedTuple, TypeVar

from kitetui.engine import commands
from kitetui.engine import snapshot as view
from kitetui.engine.core import Core, EnginePlan
from kitetui.engine.memory import keep_together
from kitetui.engine.service import ServiceManager
from kitetui.settings import Settings

T = TypeVar("T")
STOP_TIMEOUT_S = 8.0
SWITCH_INTERVAL_S = 0.0005
"""How long another thread may keep the interpreter while the engine waits; 5 ms by default."""
GC_THRESHOLDS = (50_000, 20, 100)
"""Ticks make much short-lived data: the defaults walk the whole heap many times a second."""


class Engine:
    """The engine. Its methods may be called from any thread unless they say otherwise."""

    def __init__(self, settings: Settings, plan: EnginePlan) -> None:
        self._settings = settings
        self._plan = plan
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._main, name="engine", daemon=True)
        self._ready = threading.Event()
        self._finished = threading.Event()
        self._error: BaseException | None = None
        self._core: Core | None = None
        self._ending = False
        self._asked_for: Settings | None = None
        """Settings that the next core is to have."""
        self._manager = ServiceManager()
        self._asked: set[Future[Any]] = set()
        self._final_status: dict[str, Any] = {}
        self.on_alert: Callable[[], None] | None = None

    def start(self) -> None:
        """Start the thread; returns at once. `wait_ready` tells how it went."""
        keep_together()
        self._thread.start()

    def wait_ready(self, timeout_s: float | None = None) -> bool:
        """Wait until the engine runs, or could not start.

        Raises:
            Exception: what kept it from starting.
        """
        done = self._ready.wait(timeout_s)
        if self._error is not None:
            raise self._error
        return done

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until the engine has ended by itself (a replay does); whether it has."""
        return self._finished.wait(timeout_s)

    @property
    def error(self) -> BaseException | None:
        """What ended the engine, if something did."""
        return self._error

    def snapshot(self, wanted: view.View) -> Future[view.Snapshot]:
        """One picture of the engine, made between two batches."""
        return self._ask(lambda core: core.snapshot(wanted))

    def command(self, command: commands.Command) -> Future[commands.Result]:
        """Carry out a command in the order of all inputs."""
        core = self._core
        if core is None or self._finished.is_set():
            return _failed("the engine is not running")
        return self._submit(core.obey(command))

    def status(self) -> dict[str, Any]:
        """The status document; the last one after the end."""
        if self._finished.is_set() or self._core is None:
            return self._final_status
        try:
            return self._ask(lambda core: core.status()).result(timeout=5)
        except (ConnectionError, CancelledError):  # it ended meanwhile
            return self._final_status

    def renew(self, settings: Settings) -> None:
        """Start anew with these settings, as after a crash: what the engine knows of the day is
        taken in again, viewers come back by themselves."""
        self._asked_for = settings
        self._stop_core()

    def stop(self) -> None:
        """Stop in order: feed, journal, Redis, server. Safe to call twice."""
        self._ending = True
        self._manager.tell("STOPPING=1")
        self._stop_core()
        self._finished.wait(STOP_TIMEOUT_S)
        self._thread.join(1.0)

    def _stop_core(self) -> None:
        """Have the core that runs end; one that starts sees by itself that it shall."""
        core = self._core
        if self._loop is not None and core is not None and not self._finished.is_set():
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(core.stopping.set)

    def _ask(self, question: Callable[[Core], T]) -> Future[T]:
        core = self._core
        if core is None or self._finished.is_set():
            return _failed("the engine is not running")

        async def answer() -> T:
            return question(core)

        return self._submit(answer())

    def _submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Work for the engine's loop; cancelled where the loop ends before it came to it."""
        assert self._loop is not None
        try:
            asked = asyncio.run_coroutine_threadsafe(work, self._loop)
        except RuntimeError:  # the loop is closed
            work.close()
            return _failed("the engine is not running")
        self._asked.add(asked)
        asked.add_done_callback(self._asked.discard)
        if self._finished.is_set():
            asked.cancel()
        return asked

    def _main(self) -> None:
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        try:
            asyncio.run(self._live())
        except BaseException as error:  # noqa: BLE001 - carried over to whoever waits
            self._error = error
        finally:
            self._finished.set()
            self._ready.set()
            for asked in tuple(self._asked):  # nobody waits for answers that will not come
                asked.cancel()

    async def _live(self) -> None:
        """One core after the other: a day is a core's, and so are settings."""
        self._loop = asyncio.get_running_loop()
        before: Settings | None = None
        refused = ""
        while True:
            lived = await self._live_once(refused)
            if lived.error is not None:
                if before is None or lived.started or self._ending:
                    raise lived.error
                # As before, and said so.
                refused = f"{type(lived.error).__name__}: {lived.error}"
                self._settings, before = before, None
            else:
                asked, self._asked_for = self._asked_for, None
                if self._ending or not (asked or lived.day_over):
                    return
                before, refused = (self._settings if asked else None), ""
                self._settings = asked or self._settings
            del lived  # with its error's frames
            gc.unfreeze()
            gc.collect()  # the core before: nothing of it stays beside the next one

    async def _live_once(self, refused: str) -> _Lived:
        """A core from its start to its end; `refused`: why the settings asked for did not do."""
        core: Core | None = None
        error: BaseException | None = None
        try:
            core = Core(self._settings, self._plan, self._alerted, self._manager)
            await core.start()
            if refused:
                core.note_refused(refused)
            gc.freeze()
            gc.set_threshold(*GC_THRESHOLDS)
            gc.enable()
            self._core = core
            self._ready.set()
            if not (self._ending or self._asked_for):  # asked for while it started
                await core.stopping.wait()
        except Exception as failed:  # noqa: BLE001 - told, and raised where nothing else helps
            error = failed
        finally:
            self._core = None
            if core is not None:
                await core.stop()
                with contextlib.suppress(OSError):
                    self._final_status = core.status()
        if core is None:
            return _Lived(error)
        return _Lived(error or core.error, core.started, core.day_over)

    def _alerted(self) -> None:
        if self.on_alert is not None:
            with contextlib.suppress(RuntimeError):  # the screen's loop has ended
                self.on_alert()


class _Lived(NamedTuple):
    """How a core's life ended."""

    error: BaseException | None
    started: bool = False
    day_over: bool = False


def _failed(text: str) -> Future[Any]:
    out: Future[Any] = Future()
    out.set_exception(ConnectionError(text))
    return out


__all__ = ["Engine", "EnginePlan"]
