"""Session time: the newest packet's, and between packets moved on by our own clock."""

from __future__ import annotations

from kitetui.engine.clock import monotonic_ns
from kitetui.engine.flow.pipeline import Pipeline

NS = 1_000_000_000


class SessionClock:
    """What time it is on the market."""

    def __init__(self, pipeline: Pipeline, speed: float | None) -> None:
        """`speed`: seconds of market per second of ours; None where packets alone move it."""
        self._pipeline = pipeline
        self._speed = speed
        self._newest_s, self._seen_ns = 0, monotonic_ns()

    @property
    def now_ns(self) -> int:
        """Session time; 0 before any packet."""
        if not self._newest_s or self._speed is None:
            return self._newest_s * NS
        return self._newest_s * NS + int((monotonic_ns() - self._seen_ns) * self._speed)

    def look(self, *, back: bool = False) -> None:
        """Packets were taken in; `back`: it may be earlier now than it was."""
        newest_s = self._pipeline.market.normaliser.newest_s
        if back or newest_s > self._newest_s:
            self._newest_s, self._seen_ns = newest_s, monotonic_ns()
