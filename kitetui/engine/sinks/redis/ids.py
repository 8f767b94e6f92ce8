"""StreamIds: explicit ids `<ms>-<seq>`, so that a repeated write is refused, not stored twice."""

from __future__ import annotations

import numpy as np

from kitetui.engine.feed.batch import I64
from kitetui.engine.replies import NEVER


class StreamIds:
    """Ids of one stream, rising.

    Attributes:
        last: the newest one that was given or found, as (ms, seq).
    """

    def __init__(self, last: tuple[int, int] = NEVER) -> None:
        self.last = last

    def resume(self, last: tuple[int, int]) -> None:
        """Go on behind an id that the server already holds."""
        self.last = max(self.last, last)

    def next(self, ms: int) -> bytes:
        """The id of the next entry, not before a time in ms."""
        held, seq = self.last
        self.last = (ms, 0) if ms > held else (held, seq + 1)
        return b"%d-%d" % self.last

    def take(self, ms: I64) -> tuple[I64, I64]:
        """The ids of the next n entries, none before its time: ms and seq, i64 (n,) each."""
        held, seq = self.last
        at = np.maximum.accumulate(np.maximum(ms, held))
        place = np.arange(len(at))
        begins = np.append(True, at[1:] != at[:-1])
        out = place - np.maximum.accumulate(np.where(begins, place, 0))
        out[at == held] += seq + 1
        if len(at):
            self.last = int(at[-1]), int(out[-1])
        return at, out
