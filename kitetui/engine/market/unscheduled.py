"""Unscheduled sessions: days that the calendar has closed, and on which the exchange trades."""

from __future__ import annotations

from typing import NamedTuple

from kitetui.engine.calendar import SEGMENTS, Calendar, ist_day
from kitetui.engine.feed.batch import I32, I64
from kitetui.engine.market.instruments import Rows

INSTRUMENTS = 3
"""So many of a segment that trade are believed."""


class Opened(NamedTuple):
    """A segment (its place in `SEGMENTS`) and a day, and the tick that opened them."""

    at: int
    hours: int
    day: int


class Unscheduled:
    """Trades with the exchange's own time on a closed day open it, from the next packet on.

    Attributes:
        found: segments and days.
    """

    def __init__(self, rows: Rows, calendar: Calendar) -> None:
        self._rows = rows
        self._calendar = calendar
        self.found: set[tuple[str, int]] = set()
        self._traded: dict[tuple[int, int], set[int]] = {}

    def sync(self) -> None:
        """Have the calendar know what this state has found, and nothing else."""
        self._calendar.admit(frozenset(self.found))

    def look(self, row: I64 | I32, at_s: I64, places: I64) -> list[Opened]:
        """Look at trades of closed days, in order; the days that they opened.

        Args:
            row, at_s: (n,), of a run of ticks; places: the trades among them.
        """
        out = []
        for at in places.tolist():
            second, hours = int(at_s[at]), int(self._rows.hours[row[at]])
            day, segment = ist_day(second), SEGMENTS[hours]
            usual = self._calendar.usual(segment, day)
            if (segment, day) in self.found or not usual.open_s <= second < usual.close_s:
                continue
            traded = self._traded.setdefault((hours, day), set())
            traded.add(int(row[at]))
            if len(traded) >= INSTRUMENTS:
                del self._traded[hours, day]
                self.found.add((segment, day))
                out.append(Opened(at, hours, day))
        self.sync()
        return out
