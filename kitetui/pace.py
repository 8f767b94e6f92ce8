"""When the next frame is due: no more than the terminal takes, and few where the link is slow."""

from __future__ import annotations

from typing import Literal

QUEUE_MAX = 1
"""Frames that may wait for the terminal before another is made."""
SLOW_FRAME_S = 0.03
LITE_HZ = 1.0
STALLED_S = 3.0
"""A terminal that is behind for so much of the last `WATCHED_S` has a slow link."""
WATCHED_S = 10.0
CALM_S = 60.0
"""A link that was not behind for so long is slow no longer."""


class Pace:
    """Decides frame by frame; times are the loop's, in seconds.

    Attributes:
        lite: whether the link is taken for slow: one frame a second, and less on it.
    """

    def __init__(self, hz: float, lite: Literal["auto", "always", "never"]) -> None:
        self._hz = hz
        self._mode = lite
        self.lite = lite == "always"
        self._skip = 0
        self._painted_s = float("-inf")
        self._stalled: list[float] = []

    @property
    def hz(self) -> float:
        """Frames a second, as it goes now."""
        return (LITE_HZ if self.lite else self._hz) / (2 if self._skip else 1)

    def due(self, queue: int, now_s: float, *, at_once: bool = False) -> bool:
        """Whether to make a frame now.

        Args:
            queue: frames that the terminal has not taken; at_once: a key or an alert wants it.
        """
        behind = queue > QUEUE_MAX
        if self._mode == "auto" and not at_once:
            self._judge(behind, now_s)
        if behind:
            return False
        if at_once:
            return True
        if self._skip:
            self._skip -= 1
            return False
        # A tick may come a little early: it is not to cost a whole second.
        return not self.lite or now_s - self._painted_s >= 1 / LITE_HZ - 0.5 / self._hz

    def painted(self, began_s: float, now_s: float) -> None:
        """A frame was made: one that took long is followed by a pause."""
        self._painted_s = began_s
        if now_s - began_s > SLOW_FRAME_S:
            self._skip = 1

    def _judge(self, behind: bool, now_s: float) -> None:
        if behind:
            self._stalled.append(now_s)
        kept_s = CALM_S if self.lite else WATCHED_S
        self._stalled = [at_s for at_s in self._stalled if now_s - at_s <= kept_s]
        if self.lite:
            self.lite = bool(self._stalled)
        else:
            self.lite = len(self._stalled) / self._hz >= STALLED_S
