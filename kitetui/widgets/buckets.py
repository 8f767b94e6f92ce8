"""Volume buckets of the focused instrument: five minutes each, newest first."""

from __future__ import annotations

from kitetui.engine.snapshot import Bucket, Snapshot
from kitetui.widgets.live_grid import Column, LiveGrid, Row
from kitetui.widgets.numbers import bar, clock_minute, compact, price


class BucketsPane(LiveGrid):
    """Incremental volume, its buy and sell sides, and the bucket's VWAP."""

    columns = (
        Column("TIME", 6, False), Column("VOLUME", 8), Column("BUY", 7), Column("SELL", 7),
        Column("Δ", 8), Column("VWAP", 10), Column("", 9, False),
    )  # fmt: skip
    empty_text = "no trades since open"

    def update_from(self, snapshot: Snapshot) -> None:
        """Draw the buckets of a snapshot."""
        symbol = snapshot.depth.symbol if snapshot.depth else ""
        decimals = snapshot.depth.decimals if snapshot.depth else 2
        self.title(f"3 Volume buckets {symbol}", "5 min")
        if snapshot.depth is not None and snapshot.depth.is_index:
            self.empty_text = "an index has no volume; see its future"
            self.show_rows([])
            return
        self.empty_text = BucketsPane.empty_text
        most = max((b.volume for b in snapshot.buckets), default=0) or 1
        self.show_rows([_row(b, most, decimals) for b in snapshot.buckets])


def _row(b: Bucket, most: int, decimals: int) -> Row:
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
            (f"{'+' * (delta > 0)}{compact(delta)}" if sided else "–", _side(delta)),
            (price(b.vwap, decimals) if b.vwap else "–", style),
            (bar(b.volume / most, 9), "bid-bar" if delta >= 0 else "ask-bar"),
        ),
    )


def _side(delta: int) -> str:
    return "up" if delta > 0 else "down" if delta < 0 else "dim"
