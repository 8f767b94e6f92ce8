"""What rows say now, as columns: the questions that row writes ask of the market, and answers."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from kitetui.engine.feed.batch import F64, I64, Bool
from kitetui.engine.market.normalise import Run


class Sessions(msgspec.Struct):
    """Session totals of rows, i64 and f64 (n,); prices in rupees."""

    rows: I64
    day: I64
    volume: I64
    bucket_volume: I64
    last: F64
    high: F64
    low: F64
    updates: I64


class Bars(msgspec.Struct):
    """One bar of each row.

    Attributes:
        start: i64 (n,), minutes since the epoch; values: i64 (len(bars.FIELDS), n), raw.
    """

    rows: I64
    start: I64
    values: I64


class Books(msgspec.Struct):
    """What the books of rows say, rupees and shares; NaN where a side is empty or it is crossed.

    Attributes:
        flow: i64 (n, len(book.FLOWS)), changes of the last seconds.
    """

    rows: I64
    spread: F64
    microprice: F64
    imbalance: F64
    bid_total: I64
    ask_total: I64
    flow: I64


class RowSource(Protocol):
    """Where the present state of rows is asked for; rows that know nothing are left out."""

    def sessions(self, rows: I64) -> Sessions: ...

    def buckets(self, rows: I64) -> list[Bars]:
        """The five-minute buckets that still grow; the last holds the newest of each row."""
        ...

    def books(self, rows: I64) -> Books: ...

    def newest_bars(self, minutes: int) -> I64:
        """First minute of every row's newest closed bar, -1 before any: i64 (capacity,)."""
        ...

    def bars_since(self, minutes: int, rows: I64, after: I64) -> list[Bars]:
        """Closed bars that start after a minute of each row, and today; oldest first."""
        ...

    def indicators(self, minutes: int, rows: I64) -> F64:
        """Committed values: f64 (len(indicators.NAMES), n), NaN where undefined."""
        ...

    def profile(self, row: int) -> dict[str, Any] | None:
        """The levels of a row's session and its volume by price; None without volume."""
        ...


class RowsTold(msgspec.Struct):
    """What rows say that had ticks, and are written.

    Attributes:
        rows: i64 (n,); newest: the last tick of each.
        focused: the same of those with a stream of their own, with the indicators of one minute,
            f64 (len(indicators.NAMES), focused).
    """

    rows: I64
    newest: Run
    sessions: Sessions
    buckets: list[Bars]
    books: Books
    focused: Run | None
    indicators: F64


class BarsTold(msgspec.Struct):
    """What follows from bars that closed.

    Attributes:
        closed: bars by timeframe in minutes, oldest first.
        before: rows by timeframe, and the bar of each that was written last.
        rows: those whose indicators moved on, i64 (n,); newest: their bar's first minute.
        values: indicators by timeframe, f64 (len(indicators.NAMES), n).
        speaks: which of these rows are told on channels, bool (n,).
    """

    closed: list[tuple[int, Bars]]
    before: list[tuple[int, I64, I64]]
    rows: I64
    newest: I64
    values: dict[int, F64]
    speaks: Bool
