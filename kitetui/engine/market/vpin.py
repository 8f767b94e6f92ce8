"""Equal-volume buckets and VPIN (Easley, Lopez de Prado and O'Hara, 2012)."""

from __future__ import annotations

import msgspec
import numpy as np

from kitetui.engine.feed.batch import F64, I64

BUCKETS_A_DAY = 50
"""A bucket holds this part of the usual day's volume, and VPIN averages as many buckets."""
FIELDS = ("end_s", "buy", "sell", "turnover", "seconds")
END_S, BUY, SELL, TURNOVER, SECONDS = range(5)


class VolumeBucket(msgspec.Struct, frozen=True):
    """One closed bucket: times in seconds, shares, raw price times shares."""

    end_s: int
    buy: int
    sell: int
    turnover: int
    seconds: int


class VolumeBuckets:
    """Buckets of equal volume of every row.

    A trade that overfills a bucket goes on into the next ones. Shares whose side is unknown count
    half to each.

    Attributes:
        size: i64 (rows,), shares a bucket; 0 while no past session tells the usual volume.
        closed: i64 (rows,), buckets ever filled.
    """

    def __init__(self, capacity: int) -> None:
        self.size: I64 = np.zeros(capacity, np.int64)
        self.closed: I64 = np.zeros(capacity, np.int64)
        self._open: I64 = np.zeros((capacity, 4), np.int64)
        """Twice the shares bought and sold, turnover, and the second it began."""
        self._ring: I64 = np.zeros((capacity, BUCKETS_A_DAY, len(FIELDS)), np.int64)

    def set_size(self, row: int, usual_day: int) -> None:
        """Tell a row's usual volume of a day; only a row without buckets is sized."""
        if not self.size[row] and usual_day >= BUCKETS_A_DAY:
            self.size[row] = usual_day // BUCKETS_A_DAY

    def apply(self, row: I64, at_s: I64, ltp: I64, shares: I64, side: I64, *, unique: bool) -> None:
        """Take trades, in order."""
        size = self.size[row]
        if np.count_nonzero(size) < len(size):
            sized = size > 0
            row, at_s, ltp = row[sized], at_s[sized], ltp[sized]
            shares, side = shares[sized], side[sized]
        if not len(row):
            return
        held = self._open.take(row, axis=0)
        room = self.size[row] * 2 - held[:, 0] - held[:, 1]
        fits = (2 * shares < room) & (held[:, 3] > 0)
        if not unique or not fits.all():
            odd = ~fits if unique else np.ones(len(row), np.bool_)
            for at in np.flatnonzero(odd).tolist():
                self._fill(int(row[at]), int(at_s[at]), int(ltp[at]), int(shares[at]),
                           int(side[at]))  # fmt: skip
            row, ltp, shares, side = row[~odd], ltp[~odd], shares[~odd], side[~odd]
        more = np.zeros((len(row), 4), np.int64)
        more[:, 0], more[:, 1], more[:, 2] = shares * (1 + side), shares * (1 - side), shares * ltp
        self._open[row] += more

    def vpin(self, rows: I64) -> F64:
        """Mean of |bought - sold| over bucket size, last 50 buckets: f64 (n,); NaN before them."""
        ring = self._ring[rows]
        tilt = np.abs(ring[:, :, BUY] - ring[:, :, SELL]).sum(axis=1)
        full = self.closed[rows] >= BUCKETS_A_DAY
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = tilt / (2.0 * BUCKETS_A_DAY * self.size[rows])
        return np.where(full, mean, np.nan)

    def last(self, row: int, n: int) -> list[VolumeBucket]:
        """Up to n newest closed buckets, oldest first."""
        closed = int(self.closed[row])
        at = np.arange(max(closed - min(n, BUCKETS_A_DAY), 0), closed) % BUCKETS_A_DAY
        return [
            VolumeBucket(end_s, buy // 2, sell // 2, turnover, seconds)
            for end_s, buy, sell, turnover, seconds in self._ring[row, at].tolist()
        ]

    def filled(self, row: int) -> float:
        """How full the open bucket is, 0 to 1."""
        size = int(self.size[row])
        return float(self._open[row, :2].sum()) / (2 * size) if size else 0.0

    def _fill(self, row: int, at_s: int, ltp: int, shares: int, side: int) -> None:
        """One trade, over as many buckets as it fills."""
        size = int(self.size[row])
        bought, sold, turnover, since_s = self._open[row].tolist()
        since_s = since_s or at_s
        skipped = max(shares // size - BUCKETS_A_DAY - 1, 0)  # the ring would forget them at once
        self.closed[row] += skipped
        shares -= skipped * size
        while shares:
            part = min(shares, size - (bought + sold) // 2)
            bought += part * (1 + side)
            sold += part * (1 - side)
            turnover += part * ltp
            shares -= part
            if bought + sold == 2 * size:
                at = int(self.closed[row]) % BUCKETS_A_DAY
                self._ring[row, at] = at_s, bought, sold, turnover, max(at_s - since_s, 0)
                self.closed[row] += 1
                bought = sold = turnover = 0
                since_s = at_s
        self._open[row] = bought, sold, turnover, since_s
