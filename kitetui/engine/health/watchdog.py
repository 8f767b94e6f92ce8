"""The watchdog: whether a thread's loop goes on, looked at from another, and where it stands."""

from __future__ import annotations

import sys
import threading
import traceback
from collections import deque
from pathlib import Path

import msgspec

from kitetui.engine.clock import monotonic_ns

NS = 1_000_000_000
STALL_NS = 250_000_000
"""A loop that does not go on for so long stands."""
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

    def __init__(self) -> None:
        self.stalls = 0
        self._watched = threading.get_ident()
        self._beat_ns = monotonic_ns()
        self._where = ""
        self._ended: deque[Stall] = deque(maxlen=KEPT)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
        self._thread.start()

    def beat(self) -> list[Stall]:
        """The loop goes on; the stalls that ended since the last call."""
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
            if not self._where and monotonic_ns() - self._beat_ns > STALL_NS:
                self._where = self._look() or "no frame"

    def _look(self) -> str:
        frame = sys._current_frames().get(self._watched)
        if frame is None:
            return ""
        calls = traceback.extract_stack(frame, FRAMES)[::-1]
        return ", in ".join(f"{c.name} ({Path(c.filename).name}:{c.lineno})" for c in calls)
