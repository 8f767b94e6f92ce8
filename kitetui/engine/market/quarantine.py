"""Quarantine: ticks whose values cannot be, kept out of everything that is derived."""

from __future__ import annotations

import msgspec
import numpy as np

from kitetui.engine.feed.batch import F64, I64, Bool, Flag, TickBatch
from kitetui.engine.market.instruments import Rows
from kitetui.settings import NormaliseSettings

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


class _Doubted(msgspec.Struct):
    """A row's last refused price, and how many in a row agreed."""

    price: int
    agreeing: int


def _either(one: Bool | None, other: Bool | None) -> Bool | None:
    if one is None or other is None:
        return other if one is None else one
    return one | other


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
        self._doubted: dict[int, _Doubted] = {}
        self._factor: F64 = np.ones(rows.capacity)
        self._root: F64 = np.ones(rows.capacity)
        self._close_binds: Bool = np.ones(rows.capacity, np.bool_)
        self._known = 0

    def look(self, ticks: TickBatch, session_s: int) -> Bool | None:
        """Which ticks are refused, flagged and counted; None where all can be used."""
        if not len(ticks):
            return None
        bad = None
        if int(ticks.row.min()) < 0 or np.count_nonzero(ticks.ltp) < len(ticks):
            unknown: Bool = ticks.row < 0
            zero = (ticks.ltp == 0) & ~unknown
            self._counts.reject("no_row_left", int(unknown.sum()))
            self._counts.reject("zero_price", int(zero.sum()))
            bad = unknown | zero
        bad = _either(bad, self._absurd(ticks, bad))
        bad = _either(bad, self._ahead(ticks.exch_s, bad, session_s))  # refused, it tells no time
        if bad is not None:
            ticks.flags[bad] |= Flag.REJECTED
        return bad

    def _ahead(self, exch_s: I64, bad: Bool | None, session_s: int) -> Bool | None:
        """Packets whose time nobody confirms: one wrong clock must not close every bar.

        After a long silence the first packets are ahead too: the third that agrees is believed.
        """
        limit_s = self._settings.ahead_s
        known = max(self.timed_s, session_s if self.timed_s else 0)
        if bad is not None:
            exch_s = np.where(bad, 0, exch_s)
        newest = int(exch_s.max())
        if not newest:
            return None
        if known and newest <= known + limit_s:
            self.timed_s = max(self.timed_s, newest)
            self._doubted_s.clear()
            return None
        out = np.zeros(len(exch_s), np.bool_)
        for at in np.flatnonzero(exch_s > 0).tolist():
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

    def _absurd(self, ticks: TickBatch, bad: Bool | None) -> Bool | None:
        """Prices that no trade can have led to from the row's last one, or from its close."""
        self.learn_rows()
        row = ticks.row if bad is None else np.maximum(ticks.row, 0)
        before, root = self.price[row], self._root[row]
        unpriced = before == 0 if np.count_nonzero(before) < len(row) else None
        if unpriced is not None:
            before = np.where(unpriced, ticks.close * self._close_binds[row], before)
        # Prices within the root of the factor from one price are within the factor of each other,
        # whatever their order: then no tick needs a look of its own.
        low, high = np.minimum(ticks.ltp, before), np.maximum(ticks.ltp, before)
        plain: Bool = high <= low * root
        if bad is not None:
            plain &= ~bad
        if self._doubted:
            plain &= ~np.isin(row, list(self._doubted))
        if unpriced is not None:
            # Held against their own closes, two first prices need not be near each other.
            _, place, counts = np.unique(row, return_inverse=True, return_counts=True)
            plain &= (before > 0) & (~unpriced | (counts[place] == 1))
        if np.count_nonzero(plain) == len(plain):
            self.price[row] = ticks.ltp
            return None
        usable = np.ones(len(row), np.bool_) if bad is None else ~bad
        odd_row = np.zeros(self._rows.capacity, np.bool_)
        odd_row[row[~plain & usable]] = True
        odd = odd_row[row] & usable
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
        doubted = self._doubted.pop(row, None)
        if not self._follows(row, before, price):
            agreeing = 1
            if doubted is not None and self._follows(row, doubted.price, price):
                agreeing += doubted.agreeing
            if agreeing < self._settings.confirmations:
                self._doubted[row] = _Doubted(price, agreeing)
                return False
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
