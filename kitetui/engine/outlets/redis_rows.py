"""Rows of the market as Redis is told of them: columns for many rows at once."""

from __future__ import annotations

from typing import Any

import numpy as np

from kitetui.engine.calendar import DAY_S, IST_OFFSET_S, ist_day
from kitetui.engine.feed.batch import COLUMNS, F64, FULL, I64
from kitetui.engine.market.bars import FIELDS, VOLUME, merge
from kitetui.engine.market.book import read_book
from kitetui.engine.market.market import Market
from kitetui.engine.market.profile import levels
from kitetui.engine.sinks.redis.rows.columns import Bars, Books, Sessions

BUCKET_MINUTES = 5
_LTP, _HIGH, _LOW, _EXCH = (COLUMNS.index(name) for name in ("ltp", "high", "low", "exch_s"))


class MarketRows:
    """Reads the market's state; changes nothing."""

    def __init__(self, market: Market) -> None:
        self._market = market

    def sessions(self, rows: I64) -> Sessions:
        """Session totals of rows that had a tick of their day."""
        market = self._market
        volumes = market.normaliser.volumes
        rows = rows[volumes.epoch_day[rows] >= 0]
        cols, divisor = market.packets.cols[rows], market.rows.divisor[rows]
        growing = self.buckets(rows)[-1]  # of some of the rows, in their order
        in_bucket = np.zeros(len(rows), np.int64)
        in_bucket[np.isin(rows, growing.rows)] = growing.values[VOLUME]
        return Sessions(
            rows=rows,
            day=volumes.epoch_day[rows],
            volume=volumes.last[rows],
            bucket_volume=in_bucket,
            last=cols[:, _LTP] / divisor,
            high=cols[:, _HIGH] / divisor,
            low=cols[:, _LOW] / divisor,
            updates=market.minutes.session_ticks[rows],
        )

    def buckets(self, rows: I64) -> list[Bars]:
        """The five-minute buckets that grow: closed minutes of theirs and the open ones.

        Around a bucket's end a row has two: the one before waits for late trades. The last of
        the list holds the newest of each row.
        """
        before: list[Bars] = []
        longer = self._market.longer[BUCKET_MINUTES]
        minutes = self._market.minutes
        start = longer.start[rows].copy()
        values = longer.values[:, rows].copy()
        slots = minutes.minute[:, rows]
        first = np.where((slots[0] >= 0) & ((slots[1] < 0) | (slots[0] < slots[1])), 0, 1)
        for slot in (first, 1 - first):
            minute = np.take_along_axis(slots, slot[None], axis=0)[0]
            has = np.flatnonzero(minute >= 0)
            if not len(has):
                continue
            minute = minute[has]
            head = self._heads(minute, rows[has])
            bars = minutes.values[slot[has], rows[has]].T
            joins = head == start[has]
            joined = has[joins]
            values[:, joined] = merge(values[:, joined], bars[:, joins])
            fresh = has[~joins]
            ended = fresh[start[fresh] >= 0]
            if len(ended):
                before.append(Bars(rows[ended], start[ended], values[:, ended].copy()))
            values[:, fresh] = bars[:, ~joins]
            start[fresh] = head[~joins]
        known = start >= 0
        return [*before, Bars(rows[known], start[known], values[:, known])]

    def _heads(self, minute: I64, rows: I64) -> I64:
        """First minutes of the buckets that hold a minute of each row."""
        head = np.empty(len(rows), np.int64)
        for one in np.unique(minute).tolist():
            of = np.flatnonzero(minute == one)
            opened, _ = self._market.session_minutes(one, rows[of])
            head[of] = one - (one - opened) % BUCKET_MINUTES
        return head

    def books(self, rows: I64) -> Books:
        """The books of rows that have one."""
        market = self._market
        rows = rows[market.packets.length[rows] == FULL]
        now = read_book(market.flow.depth[rows])
        divisor = market.rows.divisor[rows]
        seconds = market.packets.cols[rows, _EXCH]
        flow = np.zeros((len(rows), market.flow.flow.shape[2]), np.int64)
        for second in np.unique(seconds).tolist():
            of = np.flatnonzero(seconds == second)
            flow[of] = market.flow.recent(rows[of], second)
        return Books(rows, now.spread / divisor, now.microprice / divisor, now.imbalance,
                     now.bid, now.ask, flow)  # fmt: skip

    def newest_bars(self, minutes: int) -> I64:
        """First minute of every row's newest bar of today; -1 where it has none of today."""
        newest = self._market.frames[minutes].history.newest
        return np.where(newest >= self._today(), newest, -1)

    def bars_since(self, minutes: int, rows: I64, after: I64) -> list[Bars]:
        """Closed bars of today after a minute of each row, oldest first."""
        history = self._market.frames[minutes].history
        after = np.maximum(after, self._today() - 1)
        held = np.minimum(history.count[rows], history.depth)
        out: list[Bars] = []
        back = 0
        while len(rows):
            starts = history.starts(rows, 1, back)[:, 0]
            fresh = starts > after
            rows, starts, after, held = rows[fresh], starts[fresh], after[fresh], held[fresh]
            if not len(rows):
                break
            values = np.stack([history.window(f, rows, 1, back)[:, 0] for f in range(len(FIELDS))])
            out.append(Bars(rows, starts, values))
            back += 1
            more = held > back
            rows, after, held = rows[more], after[more], held[more]
        return out[::-1]

    def indicators(self, minutes: int, rows: I64) -> F64:
        """Committed values of a timeframe."""
        return self._market.frames[minutes].indicators.values(rows)

    def profile(self, row: int) -> dict[str, Any] | None:
        """The levels of a row's session and its volume by price."""
        profile = self._market.profiles.profile(row)
        found = levels(profile) if profile else None
        if profile is None or found is None:
            return None
        bins = np.flatnonzero(profile.volume)
        prices = (profile.low + bins * profile.size).round(4)
        return {
            "poc": found.poc, "vah": found.vah, "val": found.val,
            "hvn": [round(p, 4) for p in found.hvn], "lvn": [round(p, 4) for p in found.lvn],
            "rows": [[p, v] for p, v in zip(prices.tolist(), profile.volume[bins].round(3).tolist(),
                                            strict=True)],
        }  # fmt: skip

    def _today(self) -> int:
        """First minute of the session's date."""
        return (ist_day(self._market.session_s) * DAY_S - IST_OFFSET_S) // 60
