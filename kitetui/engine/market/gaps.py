"""Gaps: stretches of the session that the feed did not show, and the trades that they hid."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import msgspec
import numpy as np

from kitetui.engine.calendar import ist
from kitetui.engine.feed.batch import I32, Bool, Flag
from kitetui.engine.market.instruments import Rows
from kitetui.engine.market.normalise import Clean, Silence

KEPT = 1_000
SPANS = 8
"""Stretches of a row that may wait for its history; of more the oldest are left as they are."""


class Gap(msgspec.Struct):
    """One stretch that was not seen, in session seconds.

    Attributes:
        cause: `silence`, where the feed told nothing, or `reconnect`.
        instruments: those that it concerns: the lost connections', or all that are watched;
            jumped: those of them that traded meanwhile.
        missed: shares traded meanwhile, as far as later packets' totals tell.
        backfilled: instruments whose minutes the exchange's history told afterwards.
    """

    from_s: int
    to_s: int
    cause: str
    instruments: int
    jumped: int = 0
    missed: int = 0
    backfilled: int = 0

    @property
    def seconds(self) -> int:
        return self.to_s - self.from_s

    def told(self) -> dict[str, str | int]:
        """It, for people and programs."""
        return {"from": ist(self.from_s).isoformat(), "seconds": self.seconds, "cause": self.cause,
                "instruments": self.instruments, "jumped": self.jumped, "missed": self.missed,
                "backfilled": self.backfilled}  # fmt: skip

    def words(self) -> str:
        """It in one line."""
        told = f"{ist(self.from_s):%H:%M:%S} {self.seconds} s {self.cause}"
        missed = f", {self.missed:,} shares missed" if self.missed else ""
        filled = f", {self.backfilled} filled" if self.backfilled else ""
        return f"{told}: {self.jumped} of {self.instruments} instruments traded{missed}{filled}"

    def widen(self, other: Silence) -> None:
        """It is one with another stretch."""
        self.from_s, self.to_s = min(self.from_s, other.from_s), max(self.to_s, other.to_s)


class Gaps:
    """The day's gaps, and which instruments' minutes are worth asking the exchange for.

    Attributes:
        found: the newest ones, oldest first.
        wanted: by row, stretches that ticks do not tell in full: first and last minute of each.
        count: of all.
    """

    def __init__(self, rows: Rows, inside: Callable[[int, int], Silence | None]) -> None:
        """`inside`: what of a stretch lies in a session."""
        self._rows = rows
        self._inside = inside
        self.found: deque[Gap] = deque(maxlen=KEPT)
        self.wanted: dict[int, list[tuple[int, int]]] = {}
        self.count = 0
        self._open: Gap | None = None
        """The one that first packets are counted to."""
        self._lost_s: dict[int, int] = {}

    def lost(self, connection: int, at_s: int) -> None:
        """A connection that was live is no more; `at_s`: when it told something last."""
        self._lost_s.setdefault(connection, at_s)

    def back(self, connection: int, at_s: int, instruments: int) -> None:
        """A connection is live, again or for the first time; it serves so many instruments."""
        from_s = self._lost_s.pop(connection, 0)
        inside = self._inside(from_s, max(at_s, from_s + 1)) if from_s and instruments else None
        newest = self._open
        if inside is None:
            self._open = None  # what its first packets bring is nothing that a gap hid
        elif newest is not None and newest.cause == "reconnect" and inside.from_s < newest.to_s:
            newest.widen(inside)  # several connections, one outage
            newest.instruments += instruments
        else:
            self._add(Gap(inside.from_s, inside.to_s, "reconnect", instruments))

    def see(self, clean: Clean) -> None:
        """Silences that ended in a run, and first packets behind a gap."""
        if not clean.silences and not np.count_nonzero(clean.ticks.flags & Flag.GAP_BEFORE):
            return
        begin = 0
        for silence in clean.silences:
            self._count(clean, slice(begin, silence.at))
            self._silent(silence)
            begin = silence.at
        self._count(clean, slice(begin, None))

    def _silent(self, silence: Silence) -> None:
        """The feed told nothing; part of a reconnect where there was one meanwhile."""
        newest = self._open
        if newest is not None and newest.cause == "reconnect" and silence.from_s < newest.to_s:
            newest.widen(silence)
        else:
            self._add(Gap(silence.from_s, silence.to_s, "silence", self._rows.count))

    def _add(self, gap: Gap) -> None:
        self.found.append(gap)
        self._open = gap
        self.count += 1

    def _count(self, clean: Clean, part: slice) -> None:
        """What the totals of first packets tell of the newest gap."""
        behind = (clean.ticks.flags[part] & Flag.GAP_BEFORE) != 0
        gap = self._open
        if gap is None or not behind.any():
            return
        rows, shares = clean.ticks.row[part][behind], clean.increment[part][behind]
        jumped = shares > 0
        gap.jumped += int(jumped.sum())
        gap.missed += int(shares.sum())
        minutes = gap.from_s // 60, gap.to_s // 60
        for row in self._worth_asking(rows, jumped):
            spans = self.wanted.setdefault(row, [])
            if minutes not in spans:
                spans.append(minutes)
                del spans[:-SPANS]

    def _worth_asking(self, rows: I32, jumped: Bool) -> list[int]:
        """Rows that traded meanwhile; of indices, which trade nothing, all."""
        instruments = self._rows.instruments
        return [row for row, traded in zip(rows.tolist(), jumped.tolist(), strict=True)
                if traded or instruments[row].is_index]  # fmt: skip

    def told(self, row: int, first: int, last: int) -> None:
        """The exchange's history told a row's minutes."""
        spans = self.wanted.get(row, [])
        if (first, last) in spans:
            spans.remove((first, last))
        if not spans:
            self.wanted.pop(row, None)
        for gap in self.found:
            if first * 60 <= gap.to_s and gap.from_s < (last + 1) * 60:
                gap.backfilled += 1
