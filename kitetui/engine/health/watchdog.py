"""The watchdog: whether a thread's loop goes on, looked at from another, and where it stands."""

from __future__ import annotations

import contextlib
import sys
import threading
import traceback
from collections import deque
from pathlib import Path

import msgspec

from kitetui.engine.calendar import ist
from kitetui.engine.clock import monotonic_ns, wall_ns
from kitetui.private_file import write_private

NS = 1_000_000_000
STALL_NS = 250_000_000
"""A loop that does not go on for so long stands."""
HANG_NS = 10_000_000_000
"""One that stands for so long may never go on: what all threads do is written down."""
LOOK_S = 0.05
FRAMES = 4
"""The innermost calls that are named."""
KEPT = 16


class Stall(msgspec.Struct, frozen=True):
    """A time in which the loop stood; `where` names calls, the innermost first."""

    seconds: float
    where: str


class Watchdog:
    """Watches the thread that starts it, which calls `beat` as long as its loop goes on.

    Attributes:
        stalls: how often it stood.
    """

    def __init__(self, hang: Path) -> None:
        """`hang`: where to write what all threads do, when the loop stands for long."""
        self.stalls = 0
        self._hang = hang
        self._told = False
        self._watched = threading.get_ident()
        self._beat_ns = monotonic_ns()
        self._where = ""
        self._ended: deque[Stall] = deque(maxlen=KEPT)
        self._stop = threading.Event()
        self._thread = self._begin()

    def _begin(self) -> threading.Thread:
        thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
        thread.start()
        return thread

    def beat(self) -> list[Stall]:
        """The loop goes on; the stalls that ended since the last call."""
        if not self._thread.is_alive() and not self._stop.is_set():
            with contextlib.suppress(RuntimeError):  # the system gives no thread now
                self._thread = self._begin()
        now_ns = monotonic_ns()
        where, self._where = self._where, ""
        if where:
            self.stalls += 1
            self._ended.append(Stall((now_ns - self._beat_ns) / NS, where))
        self._beat_ns = now_ns
        ended = list(self._ended)
        self._ended.clear()
        return ended

    @property
    def standing_s(self) -> float:
        """How long the loop has not gone on; may be asked from any thread."""
        return (monotonic_ns() - self._beat_ns) / NS

    def close(self) -> None:
        """Watch no more."""
        self._stop.set()
        self._thread.join(1.0)

    def _run(self) -> None:
        while not self._stop.wait(LOOK_S):
            stands_ns = monotonic_ns() - self._beat_ns
            if not self._where and stands_ns > STALL_NS:
                self._where = self._look() or "no frame"
            if stands_ns < STALL_NS:
                self._told = False
            elif stands_ns > HANG_NS and not self._told:
                self._told = True
                self._write(stands_ns / NS)

    def _write(self, seconds: float) -> None:
        """Leave word of a loop that may never go on: nobody else can."""
        named = {thread.ident: thread.name for thread in threading.enumerate()}
        at = ist(wall_ns() / NS).isoformat(timespec="seconds")
        lines = [f"{at}: the engine has done nothing for {seconds:.0f} s\n"]
        for ident, frame in sys._current_frames().items():
            lines.append(f"\nthread {named.get(ident, ident)}:\n")
            lines += traceback.format_stack(frame)
        with contextlib.suppress(OSError):
            write_private(self._hang, "".join(lines).encode())

    def _look(self) -> str:
        frame = sys._current_frames().get(self._watched)
        if frame is None:
            return ""
        calls = traceback.extract_stack(frame, FRAMES)[::-1]
        return ", in ".join(f"{c.name} ({Path(c.filename).name}:{c.lineno})" for c in calls)
