"""How long the screen's own stages take, of the newest frames."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque

from kitetui.engine.snapshot import LATENCY_MS, Stage

KEPT = 512


class Timing:
    """One stage of a frame."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._ms: deque[float] = deque(maxlen=KEPT)
        self._told_ms = 0.0

    def add(self, seconds: float) -> None:
        """It took so long."""
        self._ms.append(seconds * 1e3)

    def tell_ms(self) -> float:
        """The median; 0 before any. What was told before stands until it is off by a third, and a
        millisecond: a median between two figures would have the header painted with every frame."""
        usual_ms = _at(sorted(self._ms), 0.5)
        if abs(usual_ms - self._told_ms) >= max(self._told_ms / 3, 1.0):
            self._told_ms = usual_ms
        return self._told_ms

    def stage(self) -> Stage:
        """It as the latency pane shows stages."""
        held = sorted(self._ms)
        counts = [0] * (len(LATENCY_MS) + 1)
        for ms in held:
            counts[bisect_left(LATENCY_MS, ms)] += 1
        return Stage(self._name, _at(held, 0.5), _at(held, 0.9), _at(held, 0.99), _at(held, 1.0),
                     tuple(counts))  # fmt: skip


def _at(held: list[float], share: float) -> float:
    """The value below which a share of them lies; 0 without any."""
    return held[min(int(len(held) * share), len(held) - 1)] if held else 0.0
