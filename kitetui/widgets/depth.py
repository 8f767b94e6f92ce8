"""The depth ladder of the focused instrument: asks above, bids below, the last trade between."""

from __future__ import annotations

from kitetui.engine.snapshot import Depth, Level, Snapshot
from kitetui.widgets.live_grid import Line, LivePane
from kitetui.widgets.numbers import (
    age,
    arrow,
    bar,
    bar_left,
    change_style,
    clock,
    compact,
    percent,
    price,
)
from kitetui.widgets.reading import book_lines, reading_lines, whole_parts
from kitetui.widgets.safe_text import clean

_PRICE, _QTY, _ORDERS, _CUM = 11, 8, 4, 8
ROOMY = 20
"""Lines from which there is room for air."""


class DepthPane(LivePane):
    """Five published levels a side; says so where a mode or an index has none."""

    def update_from(self, snapshot: Snapshot) -> None:
        """Draw the book of a snapshot."""
        d = snapshot.depth
        if d is None:
            self.title("2 Depth")
            self.show([(("… waiting for the first packet", "dim"),)])
            return
        note = f"⚠ {age(d.age_s)}" if d.stale else d.mode  # a border repaints the whole pane
        self.title(f"2 Depth {clean(d.symbol)}", note)
        if d.is_index:
            body: list[Line] = [(), (("an index has no book", "dim"),)]
        elif not d.bids:
            body = [(), ((f"no depth: mode={d.mode}; set feed.mode to full", "dim"),)]
        else:
            body = self._ladder(d)
        book, numbers = (
            [whole_parts(line, self.size.width) for line in lines]
            for lines in (book_lines(d), reading_lines(d))
        )
        self.show([*self._top(d), *body, *book, *self._foot(d), *numbers], stale=d.stale)

    def _top(self, d: Depth) -> list[Line]:
        change = change_style(d.change_pct)
        head: Line = (
            (f" {price(d.ltp, d.decimals)} ", "bold"),
            (f"{arrow(d.direction)} {percent(d.change_pct)}% ", change),
            (f" vol {compact(d.volume)}  avg {price(d.average, d.decimals)}", ""),
        )
        facts = f"  tick {d.tick_size:g}  lot {d.lot_size:,}" if d.lot_size else ""
        return [(*head, (facts, "dim")) if self.size.width >= 64 else head]

    def _ladder(self, d: Depth) -> list[Line]:
        width = max((self.size.width - _PRICE - 4) // 2 - _QTY - _ORDERS - _CUM - 3, 1)
        side = _CUM + width + _QTY + _ORDERS + 4
        most = max((level.quantity for level in (*d.bids, *d.asks)), default=1) or 1
        lines: list[Line] = [
            ((f"{'cum':>{_CUM}} {'':{width}} {'qty':>{_QTY}} {'ord':>{_ORDERS}}", "head"),
             (f" │{'PRICE':^{_PRICE}}│ ", "head"),
             (f"{'ord':<{_ORDERS}} {'qty':<{_QTY}} {'':{width}} {'cum':<{_CUM}}", "head"))
        ]  # fmt: skip
        blank = " " * (side - 1)
        cumulative = 0
        asks: list[Line] = []
        for level in d.asks:
            cumulative += level.quantity
            asks.append(self._ask(level, cumulative, most, width, blank, d.decimals))
        lines += asks[::-1]
        lines.append(self._between(d, side))
        cumulative = 0
        for level in d.bids:
            cumulative += level.quantity
            lines.append(self._bid(level, cumulative, most, width, d.decimals))
        if self.size.height >= ROOMY:
            lines.append(())
        lines.append(self._imbalance(d))
        return lines

    @staticmethod
    def _ask(level: Level, cumulative: int, most: int, width: int, blank: str,
             decimals: int) -> Line:  # fmt: skip
        if not level.price:
            return ((blank, ""), (f" │{'':{_PRICE}}│", "dim"))
        return (
            (f"{blank} │", "dim"),
            (f"{price(level.price, decimals):>{_PRICE - 1}} ", "ask"),
            ("│ ", "dim"),
            (f"{level.orders:<{_ORDERS}} {level.quantity:<{_QTY},} ", "ask"),
            (bar(level.quantity / most, width), "ask-bar"),
            (f" {cumulative:<{_CUM},}", "dim"),
        )

    @staticmethod
    def _bid(level: Level, cumulative: int, most: int, width: int, decimals: int) -> Line:
        if not level.price:
            return ()
        return (
            (f"{cumulative:>{_CUM},} ", "dim"),
            (bar_left(level.quantity / most, width), "bid-bar"),
            (f" {level.quantity:>{_QTY},} {level.orders:>{_ORDERS}}", "bid"),
            (" │", "dim"),
            (f"{price(level.price, decimals):>{_PRICE - 1}} ", "bid"),
            ("│", "dim"),
        )

    @staticmethod
    def _between(d: Depth, side: int) -> Line:
        bid, ask = d.bids[0].price, d.asks[0].price
        if bid and ask:
            gap = ask - bid
            words = f"spread {price(gap, d.decimals)} ({gap / ask * 1e4:.1f}bp)"
            if gap <= 0:
                words = "CROSSED BOOK" if gap < 0 else "LOCKED BOOK"
        else:
            words = "one side only: at its circuit limit?"
        last = f"last {d.last_quantity:,} @ {clock(d.last_trade_s)}"
        left = f" {words} ".center(side - 1, "─")[: side - 1]
        ltp = f"{arrow(d.direction)}{price(d.ltp, d.decimals):>{_PRICE - 2}} "
        return ((f"{left} ┼", "dim"), (ltp, "bold"), (f"┼ {last}", "dim"))

    def _imbalance(self, d: Depth) -> Line:
        bids = sum(level.quantity for level in d.bids)
        asks = sum(level.quantity for level in d.asks)
        if not bids + asks:
            return ()
        share = bids / (bids + asks)
        width = max(min(self.size.width - 32, 44), 8)
        full = round(share * width)
        return (
            (f" imbalance  bid {share:4.0%} ", "bid"),
            ("█" * full, "bid-bar"),
            ("░" * (width - full), "ask-bar"),
            (f" {1 - share:4.0%} ask", "ask"),
        )

    def _foot(self, d: Depth) -> list[Line]:
        def p(value: float) -> str:
            return price(value, d.decimals)

        lines: list[Line] = [
            ((f" o {p(d.open)}  h {p(d.high)}  l {p(d.low)}  c {p(d.close)}", "dim"),),
        ]
        if not d.is_index:
            oi = f"  oi {compact(d.oi)}" if d.oi else ""
            text = f" total buy {compact(d.total_buy)}  total sell {compact(d.total_sell)}{oi}"
            lines.insert(0, ((text, ""),))
        return lines
