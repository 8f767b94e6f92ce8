"""The backlog: ticks that streams should hold, those that are written and those that are not yet.

A server that is away, comes back, or comes back empty is given what it lacks. What waits long, and
what is written already, is kept as its place in the journal and read from there again: the journal
is the spool. Without a journal only what waits is kept, within a cap.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import msgspec
import numpy as np

from kitetui.engine.feed import wire
from kitetui.engine.feed.journal_reader import JournalError, read_at
from kitetui.engine.feed.records import Kept, Kind
from kitetui.engine.market.instruments import Rows
from kitetui.engine.market.normalise import Run

SAMPLED = 100
"""Of so many ticks one is timed from its receipt to the reply."""
TICK_BYTES = 640
"""What a waiting tick takes as columns."""


class Block(msgspec.Struct):
    """The ticks of one batch.

    Attributes:
        seq: number of the first one; rises by one a tick over the life of the engine.
        before: the id before its first entry's; None until it is first sent.
        kept: what a journal has of its frames.
        runs: the ticks as columns; None once they are to be read from the journal again.
        increment, flags: of each tick, i64 and u16: what the journal does not know.
        at_ns: monotonic time when it was taken.
        recv_ns: when some of its ticks were received, from the first on; wall time.
        shouted: whether its messages went out; they go out once, or never.
        stored: whether the streams had it once.
    """

    seq: int
    count: int
    before: tuple[int, int] | None
    kept: Kept
    runs: list[Run] | None
    increment: bytes
    flags: bytes
    at_ns: int
    recv_ns: list[int]
    shouted: bool = False
    stored: bool = False

    @property
    def last(self) -> int:
        """Number of the last tick."""
        return self.seq + self.count - 1

    @property
    def held(self) -> int:
        """Bytes that its columns take."""
        return self.count * TICK_BYTES if self.runs is not None else 0


class Backlog:
    """Blocks in order: written ones, then waiting ones.

    Attributes:
        waiting: ticks not yet written; written: those that the streams have or had.
        lost: ticks that found no room and no journal to be read from again.
        passed_over: ticks not written because the streams would not hold them any more.
    """

    def __init__(self, rows: Rows, most_bytes: int) -> None:
        self._rows = rows
        self._most_bytes = most_bytes
        self._written: deque[Block] = deque()
        self._waiting: deque[Block] = deque()
        self._freed = 0
        """How many of the first waiting blocks were freed of their columns."""
        self._held = 0
        self._written_ticks = 0
        self._seq = 0
        self.waiting = 0
        self.written = 0
        self.lost = 0
        self.passed_over = 0

    def __bool__(self) -> bool:
        return bool(self._waiting)

    @property
    def first_seq(self) -> int:
        """The number of the first waiting tick; the next one's where none waits."""
        return self._waiting[0].seq if self._waiting else self._seq

    @property
    def next_seq(self) -> int:
        """The number that the next tick will have."""
        return self._seq

    def take(self, runs: Sequence[Run], kept: Kept, now_ns: int, reach: int) -> None:
        """Ticks to be written; older ones than the streams' `reach` leave."""
        increment = np.concatenate([run.increment for run in runs])
        flags = np.concatenate([run.ticks.flags for run in runs])
        received = [at for run in runs for at in run.ticks.recv_ns[::SAMPLED].tolist()]
        block = Block(self._seq, len(increment), None, kept, list(runs), increment.tobytes(),
                      flags.tobytes(), now_ns, received)  # fmt: skip
        self._seq += block.count
        self._waiting.append(block)
        self.waiting += block.count
        self._held += block.held
        self._bound(reach)

    def _bound(self, reach: int) -> None:
        while self.waiting - self._waiting[0].count >= reach:
            self.passed_over += self._pop().count
        while self._written and self._written_ticks + self.waiting > reach:
            self._written_ticks -= self._written.popleft().count
        while self._held > self._most_bytes and self._freed < len(self._waiting):
            block = self._waiting[self._freed]
            self._held -= block.held
            if block.kept.place is not None:
                block.runs = None
                self._freed += 1
            else:
                del self._waiting[self._freed]
                self.waiting -= block.count
                self.lost += block.count

    def _pop(self) -> Block:
        block = self._waiting.popleft()
        self._freed = max(self._freed - 1, 0)
        self._held -= block.held
        self.waiting -= block.count
        return block

    def next(self) -> Block | None:
        """The first waiting block, which leaves; `wrote` or `back` says what became of it."""
        return self._pop() if self._waiting else None

    def wrote(self, block: Block) -> None:
        """A block is in the streams; it is kept as a place, for a server that comes back empty."""
        self.written += 0 if block.stored else block.count
        block.stored = True
        if block.kept.place is not None or block.kept.awaited:
            block.runs = None
            self._written.append(block)
            self._written_ticks += block.count

    def back(self, block: Block) -> None:
        """A block could not be written: it is the first again."""
        self._waiting.appendleft(block)
        self._freed += self._freed > 0 or block.runs is None
        self.waiting += block.count
        self._held += block.held

    def resume(self, stored: int) -> int:
        """Go on behind a tick's number: ticks that wait again though they had been written."""
        again = 0
        while self._written and self._written[-1].last > stored:
            block = self._written.pop()
            self._written_ticks -= block.count
            again += block.count
            self.back(block)
        while self._waiting and self._waiting[0].last <= stored:
            self.wrote(self._pop())
        return again

    def renumber(self) -> None:
        """Another writer's ids are ahead: what waits is given ids anew."""
        for block in self._waiting:
            block.before = None

    def load(self, block: Block) -> list[Run]:
        """A block's ticks; where they have to be read from the journal this blocks.

        Raises:
            JournalError: the journal no longer has them.
        """
        if block.runs is not None:
            return block.runs
        if block.kept.place is None:
            raise JournalError("the disk was full, and memory did not hold them")
        records = read_at(block.kept.place)
        increment = np.frombuffer(block.increment, np.int64)
        flags = np.frombuffer(block.flags, np.uint16)
        runs: list[Run] = []
        at = done = 0
        while at < len(records):
            if records.kind[at] != Kind.FRAME:
                at += 1
                continue
            stop = records.frames_from(at)
            ticks = wire.decode(records.payload[at:stop], records.recv_ns[at:stop]).batch
            at = stop
            if not len(ticks):
                continue
            part = slice(done, done + len(ticks))
            done = part.stop
            ticks.row = self._rows.find(ticks.token)
            ticks.flags = flags[part].copy()
            runs.append(Run(ticks, increment[part]))
        return runs
