"""Transport: how a recording plays, at which pace, whether it is held, and what it skips to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from kitetui.engine.clock import monotonic_ns

NS = 1_000_000_000
SLOWEST, FASTEST = 0.1, 1_000.0
PART_NS = 50_000_000
"""So much is played at once, in the time that it takes to play: what a live batch takes at most."""
NEVER = 1 << 63


class Transport:
    """The controls of one replay. Everything happens on the engine's loop.

    Attributes:
        speed: times the recording's own pace; None for as fast as possible.
        paused: whether it is held.
        until_s: session second that is hurried to; 0 where nothing is.
        back_s: session second before the present one that is asked for; 0 where none is.
    """

    def __init__(self, speed: float | None, session_s: Callable[[], int]) -> None:
        """`session_s`: the session second that was reached; 0 before any."""
        self.speed = speed
        self.paused = False
        self.until_s = 0
        self.back_s = 0
        self._session_s = session_s
        self._anchor: tuple[int, int] | None = None
        self._changed = asyncio.Event()

    # ---- the operator's side -------------------------------------------------------------

    def pause(self, *, held: bool) -> None:
        """Hold it, or let it go on."""
        self.paused = held
        self._change()

    def step(self, seconds: int) -> None:
        """Go on for so many seconds of the session, back where they are below 0; hold it there."""
        self.paused = True
        self.seek(self._session_s() + seconds)

    def pace(self, speed: float | None) -> None:
        """Play at another speed from here on, within what makes sense."""
        self.speed = None if speed is None else min(max(speed, SLOWEST), FASTEST)
        self._change()

    def seek(self, at_s: int) -> None:
        """Go to a session second, there or back; it is held there if it is held now."""
        if at_s > self._session_s():
            self.until_s, self.back_s = at_s, 0
        else:
            self.until_s, self.back_s = 0, at_s
        self._change()

    def _change(self) -> None:
        self._anchor = None
        self._changed.set()

    # ---- the player's side ---------------------------------------------------------------

    @property
    def hurries(self) -> bool:
        """Whether it goes as fast as possible, and is to stop nowhere."""
        return self.speed is None and not (self.paused or self.until_s or self.back_s)

    @property
    def part_ns(self) -> int:
        """How much of the recording is played before it is looked again what is wanted."""
        if self.hurries:
            return NEVER
        stops = self.paused or self.until_s or self.back_s
        return PART_NS if stops else round(PART_NS * max(self.speed or 1.0, 1.0))

    async def due(self, recv_ns: int) -> bool:
        """Wait until what was received at a time is to be played; False to go back instead."""
        while True:
            if self.back_s:
                return False
            if self.until_s:
                if self._session_s() < self.until_s:
                    return True
                self.until_s = 0
                self._anchor = None
            if self.paused:
                await self.change()
                continue
            if self.speed is None:
                return True
            now_ns = monotonic_ns()
            began_ns, first_ns = self._anchor = self._anchor or (now_ns, recv_ns)
            wait_s = ((recv_ns - first_ns) / self.speed - (now_ns - began_ns)) / NS
            if wait_s <= 0:
                return True
            await self.change(wait_s)

    async def change(self, timeout_s: float | None = None) -> None:
        """Wait until the operator wants something else, or for so long."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._changed.wait()
        except TimeoutError:
            return
        self._changed.clear()

    def went_back(self, reached_s: int) -> None:
        """The state is of an earlier second; what is left of the way is hurried."""
        self.until_s = self.back_s if self.back_s > reached_s else 0
        self.back_s = 0
        self._anchor = None
