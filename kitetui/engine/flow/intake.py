"""The intake: everything that comes in, journalled in batches, then applied in order, in steps.

Between two steps the loop goes on: a minute's close of 9,000 instruments keeps nobody waiting.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator

import msgspec

from kitetui.engine.clock import monotonic_ns, wall_ns
from kitetui.engine.feed.records import Kind, RecordBatch
from kitetui.engine.flow.derived import Derived
from kitetui.engine.flow.pipeline import Pipeline
from kitetui.settings import BatchSettings

REST = 1
"""A batch that is not full closes once the loop was free for so many times what the batch before
took: soon where there is little to do, and never so often that small batches eat the time."""
HOLD_NS = 2_000_000
"""How long steps may hold the loop before others get their turn."""
MOST_WAITING = 64
"""Batches that may wait; beyond it the loop is held, so that sockets are read no faster."""
NEVER = 1 << 63

Taken = Callable[[RecordBatch, Derived], None]


class _Work(msgspec.Struct):
    """A batch, who is told of what followed from it, and who waits for that; or steps alone."""

    batch: RecordBatch
    taken: Taken
    done: asyncio.Future[None] | None = None
    steps: Iterator[None] | None = None


class Intake:
    """Takes records in and applies them. Everything happens on the engine's loop.

    After a bug nothing more is applied, while what still comes in is journalled.
    """

    def __init__(self, settings: BatchSettings, pipeline: Pipeline,
                 journal: Callable[[RecordBatch], None], taken: Taken,
                 failed: Callable[[BaseException], None] = lambda error: None) -> None:  # fmt: skip
        """`journal` keeps a batch before anything follows from it; `taken` is told what did.

        `failed` is told of a bug: who put in what it came up with may be a viewer's connection,
        which goes on.
        """
        self._failed = failed
        self._settings = settings
        self._pipeline = pipeline
        self._journal = journal
        self._taken = taken
        self._open = RecordBatch()
        self._open_ticks = 0
        self._rested_ns = 0
        self._flush_handle: asyncio.TimerHandle | None = None
        self._waiting: deque[_Work] = deque()
        self._steps: Iterator[None] | None = None
        self._derived = Derived()
        self._turn_due = False
        self._broken = False

    def put(self, kind: int, payload: bytes, connection: int = 0) -> None:
        """Take one record; the batch closes by size, by time, or at `flush`."""
        self._open.append(kind, wall_ns(), payload, connection)
        if kind == Kind.FRAME and len(payload) > 1:
            self._open_ticks += (payload[0] << 8) | payload[1]
            if self._open_ticks >= self._settings.max_ticks or self._rested():
                self.flush()
                return
        if self._flush_handle is None:
            wait_s = self._settings.max_wait_ms / 1000
            self._flush_handle = asyncio.get_running_loop().call_later(wait_s, self.flush)

    def _rested(self) -> bool:
        """Whether the open batch is worth closing, and nothing else is waiting."""
        return (self._open_ticks >= self._settings.min_ticks and not self._waiting
                and monotonic_ns() >= self._rested_ns)  # fmt: skip

    async def play(self, batch: RecordBatch, taken: Taken | None = None) -> None:
        """Take a recorded batch as it was, without keeping it again; ends when it is applied."""
        await self._put(_Work(batch, taken or self._taken))

    async def between(self, steps: Iterator[None]) -> None:
        """Take steps while nothing is applied: after what has come in, before what will."""
        await self._put(_Work(RecordBatch(), lambda batch, derived: None, None, steps))

    async def _put(self, work: _Work) -> None:
        if self._broken:
            raise asyncio.CancelledError
        work.done = asyncio.get_running_loop().create_future()
        self._waiting.append(work)
        self._next_turn()
        await work.done

    def flush(self) -> None:
        """Close the open batch: journal first, then everything that follows from it."""
        if self._flush_handle is not None:
            self._flush_handle.cancel()
            self._flush_handle = None
        if not len(self._open):
            return
        began_ns = monotonic_ns()
        batch, self._open, self._open_ticks = self._open, RecordBatch(), 0
        self._journal(batch)
        if self._broken:
            return
        self._waiting.append(_Work(batch, self._taken))
        if not self._turn_due:
            self._apply(monotonic_ns() + HOLD_NS)
            now_ns = monotonic_ns()
            self._rested_ns = now_ns + REST * (now_ns - began_ns)
        elif len(self._waiting) > MOST_WAITING:
            self._apply(NEVER, leave=MOST_WAITING)

    def finish(self) -> None:
        """Apply all that was taken in."""
        self.flush()
        self._apply(NEVER)

    def _turn(self) -> None:
        self._turn_due = False
        self._apply(monotonic_ns() + HOLD_NS)

    def _next_turn(self) -> None:
        if not self._turn_due:
            self._turn_due = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _apply(self, until_ns: int, leave: int = 0) -> None:
        """Take steps until that time is reached, or no more than so many batches are left."""
        try:
            while len(self._waiting) > leave:
                if monotonic_ns() > until_ns:
                    self._next_turn()
                    return
                self._step()
        except BaseException as error:
            self._broken = True
            self._give_up()
            self._failed(error)
            raise

    def _step(self) -> None:
        """One step of the first batch."""
        work = self._waiting[0]
        if self._steps is None:
            self._derived = Derived()
            self._steps = work.steps or self._pipeline.steps(work.batch, self._derived)
        for _ in self._steps:
            return
        self._steps = None
        self._waiting.popleft()
        work.taken(work.batch, self._derived)
        if work.done is not None and not work.done.done():
            work.done.set_result(None)

    def _give_up(self) -> None:
        for work in self._waiting:
            if work.done is not None:
                work.done.cancel()
        self._waiting.clear()
