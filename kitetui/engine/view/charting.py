"""The chart of one instrument: candles, VWAP, value area, what was alerted, and its volume."""

from __future__ import annotations

from itertools import chain

import numpy as np

from kitetui.engine import snapshot as view
from kitetui.engine.calendar import ist_day
from kitetui.engine.feed.batch import F64, I64
from kitetui.engine.flow.pipeline import Pipeline
from kitetui.engine.market.bars import (
    CLOSE,
    FLAGS,
    HIGH,
    LOW,
    OPEN,
    VOLUME,
    BarFlag,
)
from kitetui.engine.market.profile import levels
from kitetui.engine.view.reading import Reader, defined

EQUAL_BUCKETS = 50
ALL_BARS = 400
"""More than are kept of any timeframe."""


class Charts:
    """Reads the engine's state; changes nothing."""

    def __init__(self, pipeline: Pipeline, reader: Reader) -> None:
        self._p = pipeline
        self._reader = reader

    def of(self, row: int, minutes: int, count: int) -> view.Chart | None:
        """The newest bars of a row, the forming one last; None where the timeframe is unknown."""
        market = self._p.market
        frame = market.frames.get(minutes)
        if frame is None or count < 1:
            return None
        starts, bars = frame.history.last(row, ALL_BARS)
        closed = len(starts)
        forming = self._reader.forming(row, minutes)
        for start, bar in forming:
            starts = np.append(starts, start)
            bars = np.append(bars, bar[:, None], axis=1)
        vwap = self._vwap(row, minutes, starts, bars, closed)
        kept = slice(max(len(starts) - count, 0), None)
        marks = self._marks(row, int(starts[kept][0]) * 60 if len(starts) else 0)
        profile = market.profiles.profile(row)
        found = levels(profile) if profile else None
        return view.Chart(
            minutes=minutes,
            candles=tuple(self._candles(row, starts[kept], bars[:, kept], vwap[kept])),
            forming=bool(forming),
            poc=found.poc if found else None,
            vah=found.vah if found else None,
            val=found.val if found else None,
            marks=marks,
        )

    def volumes(self, row: int) -> view.Volumes:
        """A row's volume by equal buckets and by price."""
        market = self._p.market
        buckets, closed = market.buckets, int(market.buckets.closed[row])
        divisor = float(market.rows.divisor[row])
        last = buckets.last(row, EQUAL_BUCKETS)
        profile = market.profiles.profile(row)
        prices = () if profile is None else tuple(
            view.VolumeAt(round(profile.low + at * profile.size, 4), int(shares))
            for at, shares in reversed(list(enumerate(profile.volume.tolist())))
        )  # fmt: skip
        return view.Volumes(
            size=int(buckets.size[row]),
            filled=buckets.filled(row),
            vpin=defined(float(buckets.vpin(np.array([row]))[0])),
            buckets=tuple(
                view.EqualBucket(closed - at, one.end_s, one.seconds,
                                 one.turnover / max(one.buy + one.sell, 1) / divisor,
                                 one.buy, one.sell)
                for at, one in enumerate(reversed(last))
            ),
            prices=prices,
        )  # fmt: skip

    def _candles(self, row: int, starts: I64, bars: I64, vwap: F64) -> list[view.Candle]:
        price = self._p.market.rows.price
        return [
            view.Candle(
                int(start) * 60, price(row, int(bar[OPEN])), price(row, int(bar[HIGH])),
                price(row, int(bar[LOW])), price(row, int(bar[CLOSE])), int(bar[VOLUME]),
                float(mean) if np.isfinite(mean) else None,
                bool(int(bar[FLAGS]) & ~BarFlag.BACKFILLED),
            )
            for start, bar, mean in zip(starts.tolist(), bars.T, vwap.tolist(), strict=True)
        ]  # fmt: skip

    def _vwap(self, row: int, minutes: int, starts: I64, bars: I64, closed: int) -> F64:
        """VWAP since the session's open at each bar's end, rupees; NaN where it is not known.

        Back from what the indicators know of the whole session: more than the bars that are kept.

        Args:
            closed: how many of the bars are closed; those after them are forming.
        """
        out: F64 = np.full(len(starts), np.nan)
        if not len(starts):
            return out
        volume = bars[VOLUME].astype(np.float64)
        typical = (bars[HIGH] + bars[LOW] + bars[CLOSE]) / 3  # as the indicators have it
        cost = typical / float(self._p.market.rows.divisor[row]) * volume
        days = np.array([ist_day(int(start) * 60) for start in starts])
        shares, spent = self._p.market.frames[minutes].indicators.session(row)
        for at in range(closed - 1, -1, -1):
            if days[at] != days[closed - 1] or shares <= 0:
                break
            out[at] = spent / shares
            shares, spent = shares - volume[at], spent - cost[at]
        shares, spent = self._p.market.frames[minutes].indicators.session(row)
        for at in range(closed, len(starts)):
            if not at or days[at] != days[at - 1]:
                shares = spent = 0.0
            shares, spent = shares + volume[at], spent + cost[at]
            if shares > 0:
                out[at] = spent / shares
        return out

    def _marks(self, row: int, since_s: int) -> tuple[view.Mark, ...]:
        """Alerts of the instrument since a time, oldest first."""
        token = int(self._p.market.rows.token[row])
        found = [
            view.Mark(alert.bar_s, alert.side, alert.priority.name, alert.pattern)
            for alert in chain(self._p.desk.closed, self._p.desk)
            if alert.token == token and alert.bar_s >= since_s
        ]
        return tuple(sorted(found))
