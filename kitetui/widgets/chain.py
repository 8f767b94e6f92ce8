"""The option chain of the focused instrument: calls on the left, puts on the right."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import BindingType

from kitetui.engine.snapshot import OptionChain, Snapshot, Strike, StrikeSide
from kitetui.keys import bindings, heading
from kitetui.widgets.lines import Line, Span, whole
from kitetui.widgets.live_grid import Column, LiveGrid, Row
from kitetui.widgets.numbers import bar, bar_left, compact, price
from kitetui.widgets.reading import chain_lines

NONE = "–"
_BAR = 4


class ChainPane(LiveGrid):
    """A strike a line. The cursor is on a strike; left and right choose its call or its put.

    Attributes:
        expiry: which expiry, counted from the instrument's own or the nearest.
        puts: whether the put is chosen.
    """

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("chain")]
    filters = False
    empty_text = "no options of this instrument are watched: feed.instruments has none"
    columns: tuple[Column, ...] = (
        Column("OI", 5), Column("", _BAR), Column("ΔOI", 6), Column("VOL", 5), Column("IV", 5),
        Column("Δ", 5), Column("CALL", 8), Column("STRIKE", 8), Column("PUT", 8), Column("Δ", 5),
        Column("IV", 5), Column("VOL", 5), Column("ΔOI", 6), Column("", _BAR, False),
        Column("OI", 5),
    )  # fmt: skip
    _NARROW = (6, 7, 8, 4, 10, 0, 14, 2, 12)
    """Places of the columns that matter most, for a narrow pane, in this order."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.expiry = 0
        self.puts = False
        self._chain: OptionChain | None = None
        self._places: tuple[int, ...] = tuple(range(len(ChainPane.columns)))
        self._of = ("", "")
        self._focus = 0
        self._resized = False

    @property
    def selected(self) -> StrikeSide | None:
        """The option under the cursor."""
        strikes = self._chain.strikes if self._chain is not None else ()
        here = next((one for one in strikes if one.price == self.cursor_key), None)
        if here is None:
            return None
        return here.put if self.puts else here.call

    def action_side(self, puts: bool) -> None:
        """Choose the call, or the put."""
        self.puts = puts
        self.asks()

    def action_expiry(self, by: int) -> None:
        """Another expiry."""
        if self.keeps():
            return
        self.expiry += by
        self.asks()

    def on_resize(self) -> None:
        """Choose the columns that there is room for."""
        places, left = [], self.size.width
        if left >= sum(column.width + 1 for column in ChainPane.columns) - 1:
            self._places = tuple(range(len(ChainPane.columns)))
        else:
            for at in self._NARROW:
                left -= ChainPane.columns[at].width + 1
                if left >= -1:
                    places.append(at)
            self._places = tuple(sorted(places))
        self.columns = tuple(ChainPane.columns[at] for at in self._places)
        self._resized = True
        self.again()
        self.asks()

    def update_from(self, snapshot: Snapshot) -> None:
        """Draw the chain of a snapshot."""
        chain = snapshot.chain
        if snapshot.focus != self._focus:
            self._focus, self.expiry = snapshot.focus, 0
        if chain is None:
            self.title(heading("chain"))
            if not self.frozen:
                self._chain, self._of = None, ("", "")
            self.show_rows([])
            return
        if not self.frozen:  # what is gone to is what is on the screen
            self._chain = chain
            self._centre(chain)
        at = chain.expiries.index(chain.expiry) + 1
        self.title(f"{heading('chain')} {chain.name} {chain.expiry}",
                   f"expiry {at} of {len(chain.expiries)}: , .")  # fmt: skip
        most = max((side.oi for strike in chain.strikes for side in (strike.call, strike.put)
                    if side is not None), default=0) or 1  # fmt: skip
        told = [whole(line, self.size.width) for line in chain_lines(chain.reading, 2)]
        foot = (*_legs(self.selected, self.puts), *told)
        self.show_rows([self._row(strike, chain, most) for strike in chain.strikes], foot=foot,
                       stale=snapshot.header.silent)  # fmt: skip

    def _centre(self, chain: OptionChain) -> None:
        """Put the money of another chain, or what was chosen before a resize, in the middle."""
        other = self._of != (chain.name, chain.expiry)
        if not (other or self._resized):
            return
        if other:
            self.cursor_key = chain.money
        self._of, self._resized = (chain.name, chain.expiry), False
        prices = [strike.price for strike in chain.strikes]
        at = prices.index(self.cursor_key) if self.cursor_key in prices else len(prices) // 2
        self._offset = max(at - self.page // 2, 0)

    def _row(self, strike: Strike, chain: OptionChain, most: int) -> Row:
        money = strike.price == chain.money
        here = strike.price == self.cursor_key and self.has_focus
        middle = f"{strike.price:,.0f}" if strike.price % 1 == 0 else price(strike.price)
        cells = (
            *_side(strike.call, most, calls=True, chosen=here and not self.puts),
            (f"{'▸' if money else ''}{middle}", "accent" if money else "bold"),
            *_side(strike.put, most, calls=False, chosen=here and self.puts)[::-1],
        )
        return Row(strike.price, tuple(cells[at] for at in self._places))


def _side(side: StrikeSide | None, most: int, *, calls: bool, chosen: bool) -> tuple[Span, ...]:
    """Open interest first, the last price last."""
    if side is None:
        return (("", "dim"),) * 7
    length = bar_left(side.oi / most, _BAR) if calls else bar(side.oi / most, _BAR)
    change = (
        ""
        if side.oi_change is None
        else f"{side.oi_change:+,}"
        if abs(side.oi_change) < 10_000
        else f"{'+' * (side.oi_change > 0)}{compact(side.oi_change)}"
    )
    moved = side.oi_change or 0
    return (
        (compact(side.oi) if side.oi else NONE, ""),
        (length, "bid-bar" if calls else "ask-bar"),
        (change or NONE, "up" if moved > 0 else "down" if moved < 0 else "dim"),
        (compact(side.volume) if side.volume else NONE, "dim"),
        (NONE if side.volatility is None else f"{side.volatility:.1%}"[:5], ""),
        (NONE if side.delta is None else f"{side.delta:.2f}", "dim"),
        (NONE if side.last is None else price(side.last),
         "badge" if chosen else "bid" if calls else "ask"),
    )  # fmt: skip


def _legs(side: StrikeSide | None, puts: bool) -> tuple[Line, ...]:
    if side is None:
        return ()
    return (((f" {'put' if puts else 'call'} chosen: enter goes to it, ← → choose", "dim"),),)
