"""Increments: cumulative volumes of packets to what each of them adds."""

from __future__ import annotations

import numpy as np

from kitetui.engine.calendar import DAY_S, IST_OFFSET_S, ist_day
from kitetui.engine.feed.batch import I32, I64, QUOTE, Bool, Flag, TickBatch
from kitetui.engine.market.by_row import ByRow
from kitetui.engine.market.hours import SessionHours
from kitetui.engine.market.instruments import Rows

_LAST_S = 1 << 62


class Increments:
    """Volumes against the running maximum of each (row, date).

    Attributes:
        epoch_day: i64 (rows,), the row's date.
        first, last: i64 (rows,), cumulative volume at the baseline and now.
    """

    def __init__(self, rows: Rows, hours: SessionHours) -> None:
        capacity = rows.capacity
        self._rows = rows
        self._hours = hours
        self.epoch_day: I64 = np.full(capacity, -1, np.int64)
        self.first: I64 = np.zeros(capacity, np.int64)
        self.last: I64 = np.zeros(capacity, np.int64)
        self._unbased: Bool = np.zeros(capacity, np.bool_)
        self._joined: Bool = np.zeros(capacity, np.bool_)
        self._first_of_day: dict[int, int] = {}
        self._stamp: I32 = np.zeros(capacity, np.int32)

    def read(self, ticks: TickBatch, by: ByRow, stamp: I64, exch_s: I64, day: int | None,
             full: bool) -> I64:  # fmt: skip
        """What each tick adds to its row's volume; flags those of which it is not known when.

        Args:
            stamp: i64 (n,), the ticks' own seconds; day: the date of all of them, if it is one.
            exch_s: i64 (n,), exchange seconds; full: whether all are full packets.
        """
        row = by.row
        if not len(row):
            return np.zeros(0, np.int64)
        days = day if day is not None else (stamp + IST_OFFSET_S) // DAY_S
        bearing = None if full else ticks.length >= QUOTE
        odd: Bool = self._unbased[row]
        if bearing is not None:
            odd = (odd & bearing) | self._stepped_back(ticks, by)
        odd |= self.epoch_day[row] != days
        if not np.count_nonzero(odd) and (bearing is None or bearing.all()):
            before, after = by.running_maximum(ticks.volume, self.last)
            increment: I64 = after - before
        else:
            days = np.broadcast_to(days, len(row))
            increment = np.zeros(len(row), np.int64)
            of_odd_row = np.zeros(self._rows.capacity, np.bool_)
            of_odd_row[row[odd]] = True
            odd = of_odd_row[row]
            self._odd_volumes(ticks, by, np.flatnonzero(odd), days, exch_s, increment)
            plain = np.flatnonzero(~odd if bearing is None else bearing & ~odd)
            part = ByRow(ticks.row[plain], self._stamp)
            before, after = part.running_maximum(ticks.volume[plain], self.last)
            increment[plain] = after - before
        if np.count_nonzero(ticks.flags):
            gapped = (ticks.flags & Flag.GAP_BEFORE) != 0
            ticks.flags[gapped & (increment > 0)] |= Flag.VOLUME_UNCERTAIN
        return increment

    def _stepped_back(self, ticks: TickBatch, by: ByRow) -> Bool:
        """Quote packets, which carry no time, whose volume is below what their row had."""
        quote: Bool = ticks.length == QUOTE
        if not quote.any():
            return quote
        before, _ = by.running_maximum(ticks.volume, self.last.copy())
        return quote & (ticks.volume < before)

    def _odd_volumes(self, ticks: TickBatch, by: ByRow, places: I64, days: I64, exch_s: I64,
                     increment: I64) -> None:  # fmt: skip
        """Ticks of rows whose date or baseline changes in this run."""
        if not len(places):
            return
        connected = self._connected_since_open(ticks, by.row, days, exch_s)
        _, place, counts = np.unique(by.row[places], return_inverse=True, return_counts=True)
        once = counts[place] == 1
        self._first_of_epoch(ticks, by.row, places[once], days, connected, increment)
        for at in places[~once]:
            self._first_of_epoch(ticks, by.row, np.array([at]), days, connected, increment)

    def _first_of_epoch(self, ticks: TickBatch, rows: I64, places: I64, days: I64,
                        connected: Bool, increment: I64) -> None:  # fmt: skip
        """Ticks at `places`, each of another row."""
        row, day = rows[places], days[places]
        turned = day > self.epoch_day[row]
        self.epoch_day[row] = day
        self._unbased[row] |= turned
        self.first[row[turned]] = self.last[row[turned]] = 0
        bearing = ticks.length[places] >= QUOTE
        places, row = places[bearing], row[bearing]
        volume = ticks.volume[places]
        unbased = self._unbased[row]
        self._unbased[row] = False
        joined_late = unbased & (~connected[places] | self._joined[row])
        self._joined[row] = False
        # Without a time, a fall to less than half is a new day's count, not a late packet.
        recounted = ~unbased & (ticks.length[places] == QUOTE)
        recounted &= volume * 2 < self.last[row]
        self.first[row] += np.where(joined_late | recounted, volume - self.last[row], 0)
        self.last[row] = np.where(joined_late | recounted, volume, self.last[row])
        ticks.flags[places[joined_late | recounted]] |= Flag.VOLUME_UNCERTAIN
        increment[places] = np.maximum(volume - self.last[row], 0)
        self.last[row] += increment[places]

    def _connected_since_open(self, ticks: TickBatch, row: I64, days: I64, exch_s: I64) -> Bool:
        """Whether a packet before each tick came, on its date, before the row's session opened."""
        usable = (exch_s > 0) & ((ticks.flags & Flag.CACHED_FIRST) == 0)
        out = np.zeros(len(row), np.bool_)
        for day in np.unique(days).tolist():
            held = self._first_of_day.get(day, _LAST_S)
            told = np.where(usable & (days == day), exch_s, _LAST_S)
            earliest = np.empty_like(told)
            earliest[0] = held
            np.minimum.accumulate(told[:-1], out=earliest[1:])
            np.minimum(earliest, held, out=earliest)
            opens_s = self._hours.on(day).began_s[self._rows.hours[row]]
            out |= (days == day) & (earliest <= opens_s)
        return out

    def join(self, rows: I64 | I32) -> None:
        """Rows are sent from now on, whoever else was there since the open: what was traded before
        their next volume is nobody's."""
        self._unbased[rows] = self._joined[rows] = True

    def note_times(self, exch_s: I64) -> None:
        """The earliest packet of each date: it tells whether we were there at the open."""
        low_s, high_s = int(exch_s.min(initial=_LAST_S)), int(exch_s.max(initial=0))
        if low_s > 0 and ist_day(low_s) == ist_day(high_s):
            earliest = {ist_day(low_s): low_s}
        else:
            seconds = exch_s[exch_s > 0]
            dates = (seconds + IST_OFFSET_S) // DAY_S
            earliest = {d: int(seconds[dates == d].min()) for d in np.unique(dates).tolist()}
        for day, second in earliest.items():
            self._first_of_day[day] = min(self._first_of_day.get(day, second), second)
