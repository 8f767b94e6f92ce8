"""FiveSeconds: bars of five seconds for a few rows, from packets as they come."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import numpy as np

from kitetui.engine.feed.batch import Bool, Flag
from kitetui.engine.market.normalise import Run

SECONDS = 5
ALLOWANCE_S = 2
_UNUSED = (
    Flag.DUPLICATE | Flag.LATE | Flag.OUT_OF_SESSION | Flag.REJECTED | Flag.STALE | Flag.PRE_OPEN
)


class Bar(msgspec.Struct):
    """One row's five seconds, raw prices; `start_s` is an exchange second."""

    row: int
    start_s: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    ticks: int


class FiveSeconds:
    """The open bar of each row; a tick for an earlier one than it is counted in `late`."""

    def __init__(self) -> None:
        self._open: dict[int, Bar] = {}
        self._newest_s = 0
        self.late = 0

    def take(self, run: Run, focus: Bool) -> list[Bar]:
        """Fold a run's ticks of rows in focus; bars that closed by it."""
        ticks = run.ticks
        row = ticks.row
        used = (row >= 0) & ((ticks.flags & _UNUSED) == 0) & (ticks.exch_s > 0)
        at = np.flatnonzero(used & focus[np.maximum(row, 0)])
        if not len(at):
            return []
        order = np.argsort(row[at], kind="stable")
        at = at[order]
        columns = (row[at], ticks.exch_s[at] // SECONDS * SECONDS, ticks.ltp[at], run.increment[at])
        done: list[Bar] = []
        for tick in zip(*(column.tolist() for column in columns), strict=True):
            done += self._fold(*tick)
        return done

    def _fold(self, row: int, start_s: int, price: int, volume: int) -> Iterable[Bar]:
        held = self._open.get(row)
        self._newest_s = max(self._newest_s, start_s)
        if held is not None and start_s < held.start_s:
            self.late += 1
            return ()
        if held is None or start_s > held.start_s:
            self._open[row] = Bar(row, start_s, price, price, price, price, volume, 1)
            return () if held is None else (held,)
        held.high, held.low, held.close = max(held.high, price), min(held.low, price), price
        held.volume += volume
        held.ticks += 1
        return ()

    def passed(self) -> list[Bar]:
        """Bars whose time is over by the packets of other rows."""
        limit_s = self._newest_s - SECONDS - ALLOWANCE_S
        rows = [row for row, bar in self._open.items() if bar.start_s < limit_s]
        return [self._open.pop(row) for row in rows]
