"""LastPacket: the newest packet of every row, for what only packets carry."""

from __future__ import annotations

import numpy as np

from kitetui.engine.feed.batch import COLUMNS, FULL, I64, U8, Bool
from kitetui.engine.market.by_row import put_rows
from kitetui.engine.market.normalise import Clean

LTP, ATP, VOLUME, LTT, OI, EXCHANGE = (
    COLUMNS.index(name) for name in ("ltp", "atp", "volume", "ltt_s", "oi", "exch_s")
)
BID, ASK = len(COLUMNS), len(COLUMNS) + 1
_FIRST_ASK = 5


class LastPacket:
    """The columns of every row's last packet, and the best prices of its last book.

    Attributes:
        cols: i64 (rows, 20), raw: the packet's columns, then the best bid and ask.
        length: u8 (rows,), of the packet.
    """

    def __init__(self, capacity: int) -> None:
        self.cols: I64 = np.zeros((capacity, len(COLUMNS) + 2), np.int64)
        self.length: U8 = np.zeros(capacity, np.uint8)

    def keep(self, clean: Clean, part: slice) -> None:
        """Remember the last packet of each row in a part of a run."""
        ticks, rows = clean.ticks, clean.by.row[part]
        values = np.empty((len(rows), self.cols.shape[1]), np.int64)
        values[:, : len(COLUMNS)] = ticks.cols[:, part].T
        values[:, BID], values[:, ASK] = ticks.depth[part, 0, 1], ticks.depth[part, _FIRST_ASK, 1]
        length = ticks.length[part]
        if not clean.full:
            self._keep_best_prices(clean, rows, values, length == FULL)
        # Repeated rows take the last value, which is the newest packet of the row.
        put_rows(self.cols, rows, values)
        self.length[rows] = length

    def _keep_best_prices(self, clean: Clean, rows: I64, values: I64, full: Bool) -> None:
        """Packets without a book leave the row's last best prices as they were."""
        if clean.by.unique:
            values[~full, BID:] = self.cols[rows[~full], BID:]
            return
        for at, (row, has_book) in enumerate(zip(rows.tolist(), full.tolist(), strict=True)):
            if has_book:
                self.cols[row, BID:] = values[at, BID:]
            else:
                values[at, BID:] = self.cols[row, BID:]
