"""Quarantine: ticks whose values cannot be, kept out of everything that is derived."""

from __future__ import annotations

import msgspec
import numpy as np

from kitetui.config import NormaliseSettings
from kitetui.engine.feed.batch import F64, I64, Bool, Flag, TickBatch
from kitetui.engine.market.instruments import Rows

NEVER = -(1 << 62)
"""A second before all others."""
_AGREE_WITHIN_S = 60
"""Doubted times this close together agree."""


class TickCounts(msgspec.Struct):
    """Ticks by what became of them; the others were used."""

    received: int = 0
    duplicates: int = 0
    late: int = 0
    rejected: int = 0
    reasons: dict[str, int] = msgspec.field(default_factory=dict)

    def reject(self, reason: str, count: int) -> None:
        """Count ticks kept out of every derivation."""
        if count:
            self.rejected += count
            self.reasons[reason] = self.reasons.get(reason, 0) + count


class Quarantine:
    """What a row's next tick may be, and who contradicts it.

    One wrong value must not spoil bars, yet a real jump must not be refused for ever: what a few
    ticks in a row agree on is believed.

    Attributes:
        timed_s: the newest exchange second that was believed.
        price: i64 (rows,), the last price that was believed, raw; 0 before any.
    """

    def __init__(self, rows: Rows, settings: NormaliseSettings, counts: TickCounts) -> None:
        self._rows = rows
        self._settings = settings
        self._counts = counts
        self.timed_s = 0
        self.price: I64 = np.zeros(rows.capacity, np.int64)
        self._doubted_s: list[int] = []
        self._doubted_price: I64 = np.zeros(rows.capacity, np.int64)
        self._agreeing: I64 = np.zeros(rows.capacity, np.int64)
        self._factor: F64 = np.ones(rows.capacity)
        self._root: F64 = np.ones(rows.capacity)
        self._close_binds: Bool = np.ones(rows.capacity, np.bool_)
        self._known = 0

    def look(self, ticks: TickBatch, session_s: int) -> Bool | None:
        """Which ticks are refused, flagged and counted; None where all can be used."""
        unknown: Bool = ticks.row < 0
        zero = (ticks.ltp == 0) & ~unknown
        bad: Bool = unknown | zero
        if bad.any():
            self._counts.reject("no_row_left", int(unknown.sum()))
            self._counts.reject("zero_price", int(zero.sum()))
        absurd = self._absurd(ticks, bad)
        if absurd is not None:
            bad |= absurd
        ahead = self._ahead(ticks.exch_s, bad, session_s)  # a refused price tells no time either
        if ahead is not None:
            bad |= ahead
        if not bad.any():
            return None
        ticks.flags[bad] |= Flag.REJECTED
        return bad

    def _ahead(self, exch_s: I64, bad: Bool, session_s: int) -> Bool | None:
        """Packets whose time nobody confirms: one wrong clock must not close every bar.

        After a long silence the first packets are ahead too: the third that agrees is believed.
        """
        limit_s = self._settings.ahead_s
        known = max(self.timed_s, session_s if self.timed_s else 0)
        timed = (exch_s > 0) & ~bad
        newest = int(exch_s[timed].max(initial=0))
        if not newest:
            return None
        if known and newest <= known + limit_s:
            self.timed_s = max(self.timed_s, newest)
            self._doubted_s.clear()
            return None
        out = np.zeros(len(exch_s), np.bool_)
        for at in np.flatnonzero(timed).tolist():
            second = int(exch_s[at])
            if known and second > known + limit_s:
                near = [d for d in self._doubted_s if abs(d - second) <= _AGREE_WITHIN_S]
                self._doubted_s = [*near, second]
                if len(self._doubted_s) < self._settings.confirmations:
                    out[at] = True
                    continue
            self._doubted_s.clear()
            known = max(known, second, session_s)
            self.timed_s = max(self.timed_s, second)
        self._counts.reject("time_ahead", int(out.sum()))
        return out

    def _absurd(self, ticks: TickBatch, bad: Bool) -> Bool | None:
        """Prices that no trade can have led to from the row's last one, or from its close."""
        row = np.maximum(ticks.row, 0)
        self.learn_rows()
        before = self.price[row]
        if not before.all():
            before = np.where(before > 0, before, ticks.close * self._close_binds[row])
        # Prices within the root of the factor from one price are within the factor of each other,
        # whatever their order: then no tick needs a look of its own.
        root = self._root[row]
        plain = (ticks.ltp <= before * root) & (before <= ticks.ltp * root)
        plain &= (before > 0) & (self._agreeing[row] == 0) & ~bad
        unpriced = self.price[row] == 0
        if unpriced.any():
            # Held against their own closes, two first prices need not be near each other.
            _, place, counts = np.unique(row, return_inverse=True, return_counts=True)
            plain &= ~unpriced | (counts[place] == 1)
        if plain.all():
            self.price[row] = ticks.ltp
            return None
        odd_row = np.zeros(self._rows.capacity, np.bool_)
        odd_row[row[~plain & ~bad]] = True
        odd = odd_row[row] & ~bad
        plain &= ~odd
        self.price[row[plain]] = ticks.ltp[plain]
        out = np.zeros(len(row), np.bool_)
        for at in np.flatnonzero(odd).tolist():
            out[at] = not self._believed(int(row[at]), int(ticks.ltp[at]), int(ticks.close[at]))
        self._counts.reject("absurd_price", int(out.sum()))
        return out

    def _believed(self, row: int, price: int, close: int) -> bool:
        """One tick after the other: whether a price follows from the last, or is confirmed."""
        before = int(self.price[row]) or close * int(self._close_binds[row])
        if self._follows(row, before, price):
            self._agreeing[row] = 0
        else:
            agrees = self._agreeing[row] and self._follows(
                row, int(self._doubted_price[row]), price
            )
            self._agreeing[row] = self._agreeing[row] + 1 if agrees else 1
            self._doubted_price[row] = price
            if self._agreeing[row] < self._settings.confirmations:
                return False
            self._agreeing[row] = 0
        self.price[row] = price
        return True

    def _follows(self, row: int, before: int, price: int) -> bool:
        factor = float(self._factor[row])
        slack = factor * float(self._rows.divisor[row]) * self._settings.jump_slack
        return before <= 0 or (
            price <= before * factor + slack and before <= price * factor + slack
        )

    def learn_rows(self) -> None:
        """Rows were added: the largest ratio between two prices of each, by its asset class."""
        for at in range(self._known, self._rows.count):
            name = self._rows.instruments[at].asset_class
            self._factor[at] = self._settings.jump[name]
            self._root[at] = np.sqrt(self._factor[at])
            self._close_binds[at] = name != "options"  # overnight they may lose almost all
        self._known = self._rows.count
