"""Session hours of a day: one second a segment, for looking up by row."""

from __future__ import annotations

import msgspec
import numpy as np

from kitetui.engine.calendar import SEGMENTS, Calendar
from kitetui.engine.feed.batch import I64

_DAYS_KEPT = 16
_LAST_DAY = 1 << 17
"""Days after it are no dates: a packet's seconds end in 2106."""


class Hours(msgspec.Struct):
    """A day's sessions: i64 (segments,) seconds; zeros where it is closed.

    Attributes:
        began_s: as `open_s`, and of a closed day when it would open.
        all_from_s, all_until_s: between them every segment is open.
    """

    open_s: I64
    began_s: I64
    close_s: I64
    pre_open_s: I64
    all_from_s: int
    all_until_s: int


class SessionHours:
    """The calendar's sessions, day by day."""

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar
        self._of: dict[int, Hours] = {}
        self._admitted = calendar.unscheduled

    def on(self, day: int) -> Hours:
        """Hours on an IST date."""
        if self._admitted is not self._calendar.unscheduled:
            self._admitted = self._calendar.unscheduled
            self._of.clear()
        if day not in self._of:
            known = 0 <= day < _LAST_DAY
            sessions = [self._calendar.session(s, day) if known else None for s in SEGMENTS]
            hours = [(s.open_s, s.close_s, s.pre_open_s) if s else (0, 0, 0) for s in sessions]
            open_s, close_s, pre_open_s = np.array(hours, np.int64).T.copy()
            usual = [self._calendar.usual(s, day).open_s if known else 0 for s in SEGMENTS]
            began_s = np.where(open_s > 0, open_s, np.array(usual, np.int64))
            if len(self._of) > _DAYS_KEPT:
                self._of.clear()
            self._of[day] = Hours(open_s, began_s, close_s, pre_open_s, int(open_s.max()),
                                  int(close_s.min()))  # fmt: skip
        return self._of[day]
