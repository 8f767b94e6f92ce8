"""Zones of the session, and the usual range of the bar that enters each of them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from kitetui.engine.feed.batch import F64, I64
from kitetui.engine.market.bars import HIGH, LOW, ClosedBars
from kitetui.engine.market.warmup import PastBars
from kitetui.settings import ZoneSettings

ENTRY_MINUTES = 5
"""Length of the bar that enters a zone."""
SESSIONS = 20
MIN_SESSIONS = 5
"""Past sessions from which on a range has a usual."""


class Zones:
    """Which zone a minute lies in, and how far prices usually go when it begins.

    Attributes:
        names: of the zones, in order.
        usual: f64 (rows,), median raw range of the entering bar over past sessions, as it was
            before the row's last one; NaN while fewer than five are known.
    """

    def __init__(self, settings: Mapping[str, ZoneSettings], capacity: int) -> None:
        self.names = tuple(settings)
        self._settings = tuple(settings.values())
        self.usual: F64 = np.full(capacity, np.nan)
        shape = (len(self.names), SESSIONS, capacity)
        self._ranges: npt.NDArray[np.uint32] = np.full(shape, 0, np.uint32)
        self._count: I64 = np.zeros((len(self.names), capacity), np.int64)

    def first_minutes(self, opened: I64, closes: I64) -> I64:
        """First minute of each zone in sessions that open and close then: i64 (zones, n)."""
        return np.array([
            closes - zone.before_close if zone.before_close is not None
            else opened + (zone.after_open or 0)
            for zone in self._settings
        ], np.int64).reshape(len(self.names), -1)  # fmt: skip

    def name_at(self, minute: int, opened: int, closes: int) -> str:
        """The zone that holds a minute, or ''."""
        first = self.first_minutes(np.array([opened]), np.array([closes]))[:, 0].tolist()
        for name, zone, begins in zip(self.names, self._settings, first, strict=True):
            if begins <= minute < begins + zone.minutes:
                return name
        return ""

    def entered(self, start: int, opened: I64, closes: I64) -> I64:
        """The zone that a bar enters, by number; -1 for none: i64 (n,)."""
        out = np.full(len(opened), -1, np.int64)
        for number, first in enumerate(self.first_minutes(opened, closes)):
            out[first == start] = number
        return out

    def take(self, bars: ClosedBars, opened: I64, closes: I64) -> None:
        """Bars of the entry's length closed: what was usual before them, and their own ranges."""
        zone = self.entered(bars.start, opened, closes)
        at = np.flatnonzero(zone >= 0)
        if not len(at):
            return
        zone, rows = zone[at], bars.rows[at]
        held = self._ranges[zone, :, rows].astype(np.float64)
        count = self._count[zone, rows]
        held[np.arange(SESSIONS) >= count[:, None]] = np.nan
        known = count >= MIN_SESSIONS
        self.usual[rows] = np.nan
        if known.any():
            self.usual[rows[known]] = np.nanmedian(held[known], axis=1)
        self._ranges[zone, count % SESSIONS, rows] = (bars.values[HIGH] - bars.values[LOW])[at]
        self._count[zone, rows] += 1

    def learn(self, row: int, bars: PastBars) -> None:
        """Tell one row's past bars of the entry's length, those of whole past sessions."""
        past = slice(0, bars.past)
        starts, height = bars.starts[past], (bars.values[HIGH] - bars.values[LOW])[past]
        for number, first in enumerate(self.first_minutes(bars.opens[past], bars.closes[past])):
            found = height[starts == first][-SESSIONS:]
            self._ranges[number, : len(found), row] = found
            self._count[number, row] = len(found)
