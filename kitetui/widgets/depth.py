"""The depth ladder of the focused instrument: asks above, bids below, the last trade between."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import BindingType

from kitetui.engine.snapshot import Depth, Level, Snapshot
from kitetui.keys import bindings, heading
from kitetui.widgets.ladder import Ladder, Rung
from kitetui.widgets.lines import Line, whole
from kitetui.widgets.live_pane import LivePane
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
from kitetui.widgets.reading import book_lines, reading_lines
from kitetui.widgets.safe_text import clean

_PRICE, _QTY, _ORDERS, _CUM = 11, 8, 4, 8
LADDER_REST, LADDER_LEAST = 15, 9
"""Lines that a ladder leaves to what else is said, and rows that it has at least."""
ROOMY = 20
"""Lines from which there is room for air."""


class DepthPane(LivePane):
    """Five published levels a side, or a ladder of prices that keep their rows; says so where a
    mode or an index has none."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("depth")]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.ladder = Ladder()

    def action_ladder(self) -> None:
        """List the levels, or give every price a row."""
        if self.keeps():
            return
        self.ladder.on = not self.ladder.on
        self.ladder.recentre()
        self.asks()

    def action_recentre(self) -> None:
        """Put the last price into the middle."""
        if self.keeps():
            return
        self.ladder.recentre()
        self.asks()

    def action_group(self, by: int) -> None:
        """Make a row stand for more ticks, or for fewer."""
        if self.keeps():
            return
        self.ladder.coarser(by)
        self.ladder.on = True
        self.asks()

    def update_from(self, snapshot: Snapshot) -> None:
        """Draw the book of a snapshot."""
        d = snapshot.depth
        if d is None:
            self.title(heading("depth"))
            self.show([(("… waiting for the first packet", "dim"),)])
            return
        note = f"⚠ {age(d.age_s)}" if d.stale else d.mode  # a border repaints the whole pane
        if self.ladder.on and d.bids:
            note += f"  ladder {self.ladder.step(d):g}"
        self.title(f"{heading('depth')} {clean(d.symbol)}", note)
        if d.is_index:
            body: list[Line] = [(), (("an index has no book", "dim"),)]
        elif not d.bids:
            body = [(), ((f"no depth: mode={d.mode}; set feed.mode to full", "dim"),)]
        else:
            body = self._rungs(d) if self.ladder.on else self._levels(d)
        book, numbers = (
            [whole(line, self.size.width) for line in lines]
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

    @property
    def _side(self) -> int:
        """Cells of one side of the book that its quantities and orders leave."""
        return (self.size.width - _PRICE - 4) // 2 - _QTY - _ORDERS - 2

    @property
    def _cum(self) -> int:
        """Cells of the sums and what parts them from the rest; 0 where there is no room."""
        return _CUM + 1 if self._side > _CUM + 1 else 0

    @property
    def _bar(self) -> int:
        """Cells of a level's bar."""
        return max(self._side - self._cum, 1)

    def _heads(self) -> Line:
        width = self._bar
        below, above = (f"{'cum':>{_CUM}} ", f" {'cum':<{_CUM}}") if self._cum else ("", "")
        return (
            (f"{below}{'':{width}} {'qty':>{_QTY}} {'ord':>{_ORDERS}}", "head"),
            (f" │{'PRICE':^{_PRICE}}│ ", "head"),
            (f"{'ord':<{_ORDERS}} {'qty':<{_QTY}} {'':{width}}{above}", "head"),
        )

    def _rungs(self, d: Depth) -> list[Line]:
        """A row a price: as many as there is room for beside what else is to be said."""
        count = max(self.size.height - LADDER_REST, LADDER_LEAST) | 1
        rungs = self.ladder.look(d, count)
        rows = [self._row(rung, d) for rung in rungs.rows]
        beyond = (("↑", rungs.above), ("↓", rungs.below))
        away = "".join(f"  {side} {compact(shares)} beyond" for side, shares in beyond if shares)
        return [self._heads(), *rows, ((f" {_spread(d)[0]}", "dim"), (away, "warn")),
                self._imbalance(d)]  # fmt: skip

    def _levels(self, d: Depth) -> list[Line]:
        """The published levels, with the last trade between them."""
        asks, bids = _summed(d.asks, asks=True), _summed(d.bids, asks=False)
        lines = [self._heads(), *(self._row(rung, d) for rung in asks[::-1])]
        lines.append(self._between(d))
        lines += [self._row(rung, d) if rung.price else () for rung in bids]
        if self.size.height >= ROOMY:
            lines.append(())
        lines.append(self._imbalance(d))
        return lines

    def _row(self, rung: Rung, d: Depth) -> Line:
        """What lies at a price, bids on the left and asks on the right."""
        width = self._bar
        most = max((level.quantity for level in (*d.bids, *d.asks)), default=1) or 1
        left: Line = ((" " * (self._cum + width + _QTY + _ORDERS + 2), ""),)
        right: Line = ()
        style = "bold" if rung.last else "bid" if rung.bid else "ask" if rung.ask else "dim"
        if rung.bid is not None:
            held, orders = _shares(rung.bid.quantity), _count(rung.bid.orders)
            left = (
                (f"{_shares(rung.bid_total):>{_CUM}} " if self._cum else "", "dim"),
                (bar_left(rung.bid.quantity / most, width), "bid-bar"),
                (f" {held:>{_QTY}} {orders:>{_ORDERS}}", "bid"),
            )
        if rung.ask is not None:
            held, orders = _shares(rung.ask.quantity), _count(rung.ask.orders)
            right = (
                (f" {orders:<{_ORDERS}} {held:<{_QTY}} ", "ask"),
                (bar(rung.ask.quantity / most, width), "ask-bar"),
                (f" {_shares(rung.ask_total):<{_CUM}}" if self._cum else "", "dim"),
            )
        mark = arrow(d.direction) if rung.last else " "
        words = _priced(mark, rung.price, d.decimals) if rung.price else " " * _PRICE
        return (*left, (" │", "dim"), (words, style), ("│", "dim"), *right)

    def _between(self, d: Depth) -> Line:
        side = self._cum + self._bar + _QTY + _ORDERS + 3
        forms = _spread(d)
        words = next((form for form in forms if len(form) <= side - 3), forms[-1])
        last = f"last {d.last_quantity:,} @ {clock(d.last_trade_s)}"
        left = f" {words} ".center(side - 1, "─")[: side - 1]
        ltp = _priced(arrow(d.direction), d.ltp, d.decimals)
        style = "dim" if d.bids[0].price and d.asks[0].price else "warn"
        return ((left, style), (" ┼", "dim"), (ltp, "bold"), (f"┼ {last}", "dim"))

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


def _summed(levels: tuple[Level, ...], *, asks: bool) -> list[Rung]:
    """Levels as rows, the nearest first, with the sums that lie before them."""
    out, total = [], 0
    for level in levels:
        total += level.quantity
        here = level if level.price else None
        out.append(Rung(level.price, None if asks else here, here if asks else None, total, total,
                        last=False))  # fmt: skip
    return out


def _spread(d: Depth) -> tuple[str, ...]:
    """What lies between the best prices, in many words and in few."""
    bid, ask = d.bids[0].price, d.asks[0].price
    if not (bid or ask):
        return ("no book",)
    if not ask:
        return "no asks: upper circuit?", "upper circuit?"
    if not bid:
        return "no bids: lower circuit?", "lower circuit?"
    gap = ask - bid
    if gap <= 0:
        return ("CROSSED BOOK" if gap < 0 else "LOCKED BOOK",)
    figure = price(gap, d.decimals)
    return f"spread {figure} ({gap / ask * 1e4:.1f}bp)", f"spread {figure}", figure


def _shares(quantity: int) -> str:
    """A quantity, or a sum, in eight cells."""
    return f"{quantity:,}" if quantity < 1_000_000 else compact(quantity)


def _count(orders: int) -> str:
    """Orders at a price, in four cells."""
    return f"{orders}" if orders < 10_000 else f"{min(orders // 1000, 999)}K"


def _priced(mark: str, value: float, decimals: int) -> str:
    """A price in its column, of six digits without the air behind it."""
    return f"{mark}{price(value, decimals):>{_PRICE - 2}} "[:_PRICE]
