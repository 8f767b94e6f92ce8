"""Volume of the focused instrument: by five minutes, by equal buckets, or by price."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import BindingType

from kitetui.engine.snapshot import Bucket, EqualBucket, ProfileReading, Snapshot, Volumes
from kitetui.keys import bindings
from kitetui.widgets.lines import whole
from kitetui.widgets.live_grid import Column, LiveGrid, Row
from kitetui.widgets.numbers import age, bar, clock, clock_minute, compact, price
from kitetui.widgets.reading import profile_line

BAR = 9
_BY_TIME = (
    Column("TIME", 6, False), Column("VOLUME", 8), Column("BUY", 7), Column("SELL", 7),
    Column("Δ", 8), Column("VWAP", 10), Column("", BAR, False),
)  # fmt: skip
_BY_VOLUME = (
    Column("#", 4), Column("CLOSED", 8, False), Column("BUY", 7), Column("SELL", 7),
    Column("Δ", 8), Column("VWAP", 10), Column("TOOK", 4),
)  # fmt: skip
_BY_PRICE = (Column("PRICE", 11), Column("VOLUME", 8), Column("", 4, False), Column("", 34, False))
KINDS = {"time": _BY_TIME, "volume": _BY_VOLUME, "price": _BY_PRICE}


class BucketsPane(LiveGrid):
    """Incremental volume, its buy and sell sides, and its VWAP.

    Attributes:
        kind: one of `KINDS`.
    """

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("buckets")]
    columns: tuple[Column, ...] = _BY_TIME
    empty_text = "no trades since open"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.kind = "time"

    def action_kind(self) -> None:
        """By time, by equal buckets, by price."""
        if self.keeps():
            return
        kinds = list(KINDS)
        self.kind = kinds[(kinds.index(self.kind) + 1) % len(kinds)]
        self.columns = KINDS[self.kind]
        self.asks()

    def update_from(self, snapshot: Snapshot) -> None:
        """Draw the volume of a snapshot."""
        d = snapshot.depth
        symbol, decimals = (d.symbol, d.decimals) if d else ("", 2)
        reading = d.reading.profile if d is not None and d.reading is not None else None
        self.empty_text = BucketsPane.empty_text
        stale = snapshot.header.silent or (d is not None and d.stale)
        if d is not None and d.is_index:
            self.empty_text = "an index has no volume; see its future"
            self._head_line(symbol, "")
            self.show_rows([])
        elif self.kind == "time":
            most = max((b.volume for b in snapshot.buckets), default=0) or 1
            self._head_line(symbol, "5 min")
            profile = () if reading is None else profile_line(reading, decimals)
            foot = (whole(profile, self.size.width),) if profile else ()
            self.show_rows([_by_time(b, most, decimals) for b in snapshot.buckets], foot=foot,
                           stale=stale)  # fmt: skip
        elif self.kind == "volume":
            self._equal(snapshot.volumes, symbol, decimals, stale=stale)
        else:
            self._prices(snapshot.volumes, reading, symbol, decimals, stale=stale)

    def _head_line(self, symbol: str, note: str) -> None:
        by = "" if self.kind == "time" else f"  by {self.kind}"
        self.title(f"3 Volume buckets {symbol}".rstrip() + by, note)

    def _equal(self, volumes: Volumes, symbol: str, decimals: int, *, stale: bool) -> None:
        vpin = f"  vpin {volumes.vpin:.3f}" if volumes.vpin is not None else ""
        self._head_line(symbol, f"{compact(volumes.size)} a bucket{vpin}" if volumes.size else "")
        if not volumes.size:
            self.empty_text = "no past session tells how much is usual: buckets have no size yet"
        filled = ((f" open {bar(volumes.filled, 20)} {volumes.filled:4.0%}", "dim"),)
        rows = [_by_volume(one, decimals) for one in volumes.buckets]
        self.show_rows(rows, foot=(filled,) if volumes.size else (), stale=stale)

    def _prices(self, volumes: Volumes, reading: ProfileReading | None, symbol: str,
                decimals: int, *, stale: bool) -> None:  # fmt: skip
        """As many prices a line as it takes to show all of them."""
        lines = max(self.page, 1)
        each = -(-len(volumes.prices) // lines) or 1
        parts = [volumes.prices[at : at + each] for at in range(0, len(volumes.prices), each)]
        totals = [sum(one.volume for one in part) for part in parts]
        most = max(totals, default=0) or 1
        step, apart = "", 0.0
        if len(volumes.prices) > 1:
            apart = volumes.prices[0].price - volumes.prices[1].price
            step = f"{price(apart * each, decimals)} a line"
        self._head_line(symbol, step)
        rows = []
        for part, total in zip(parts, totals, strict=True):
            low, high = part[-1].price, part[0].price + apart
            mark, style = _mark(low, high, reading)
            rows.append(Row(low, (
                (price(low, decimals), "bold" if mark == "poc" else ""), (compact(total), ""),
                (mark, "warn" if mark == "poc" else "dim"),
                (bar(total / most, 34), style),
            )))  # fmt: skip
        self.show_rows(rows, stale=stale)


def _mark(low: float, high: float, reading: ProfileReading | None) -> tuple[str, str]:
    """Which level lies in a line, and its bar's style: the value area's or not."""
    if reading is None:
        return "", "bid-bar"
    style = "bid-bar" if reading.val < high and low < reading.vah else "ask-bar"
    for name, inside in (("poc", low <= reading.poc < high), ("vah", low < reading.vah <= high),
                         ("val", low <= reading.val < high)):  # fmt: skip
        if inside:
            return name, style
    return "", style


def _by_time(b: Bucket, most: int, decimals: int) -> Row:
    delta = b.buy - b.sell
    sided = b.buy + b.sell > 0  # REST history tells volume, not its sides
    style = "" if b.open_now else "dim"
    mark = "▸" if b.open_now else "+" if b.backfilled else "~" if b.uncertain else " "
    return Row(
        b.start_s,
        (
            (f"{mark}{clock_minute(b.start_s)}", style),
            (compact(b.volume), ""),
            (compact(b.buy) if sided else "–", "bid" if sided else "dim"),
            (compact(b.sell) if sided else "–", "ask" if sided else "dim"),
            (_signed(delta) if sided else "–", _side(delta)),
            (price(b.vwap, decimals) if b.vwap else "–", style),
            (bar(b.volume / most, BAR), "bid-bar" if delta >= 0 else "ask-bar"),
        ),
    )


def _by_volume(b: EqualBucket, decimals: int) -> Row:
    delta = b.buy - b.sell
    return Row(
        b.number,
        (
            (f"{b.number}", "dim"),
            (clock(b.end_s), ""),
            (compact(b.buy), "bid"),
            (compact(b.sell), "ask"),
            (_signed(delta), _side(delta)),
            (price(b.vwap, decimals), ""),
            (age(b.seconds), "dim"),
        ),
    )


def _signed(delta: int) -> str:
    return f"{'+' * (delta > 0)}{compact(delta)}"


def _side(delta: int) -> str:
    return "up" if delta > 0 else "down" if delta < 0 else "dim"
