"""The watchlist: every instrument, one line each; only the lines on screen are asked for."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import BindingType

from kitetui.engine.snapshot import SORTS, Snapshot, Watch, Watching
from kitetui.keys import bindings
from kitetui.widgets.lines import Line
from kitetui.widgets.live_pane import LivePane
from kitetui.widgets.numbers import (
    age,
    arrow,
    change_style,
    coarse_age,
    compact,
    percent,
    price,
    spark,
)
from kitetui.widgets.safe_text import clean, fit, fit_ends

TREND = 5
WIDE = 56
"""Cells from which volume, age and trend find room beside a whole option symbol."""
_HEADS = {"symbol": "SYMBOL", "price": "LTP", "change": "CHG%", "volume": "VOL", "oi": "OI",
          "age": "AGE", "": "as subscribed"}  # fmt: skip


class Watchlist(LivePane):
    """Rows as subscribed, or sorted. The cursor sticks to its instrument, wherever that goes.

    Attributes:
        watching: how it is sorted and filtered.
        cursor: place of the instrument under the cursor, -1 where it is filtered out.
        top: the first place on screen; total: how many there are.
    """

    filters = True
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("watchlist")]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.watching = Watching()
        self.cursor = 0
        self.top = 0
        self.total = 0
        self._shown: tuple[Watch, ...] = ()
        self._shown_from = 0
        self._token = 0
        self._moved = True
        self._comes = False
        self._prices: dict[int, float] = {}
        self._groups: tuple[tuple[str, int], ...] = ()

    @property
    def page(self) -> int:
        """Rows that fit."""
        return max(self.size.height - 1, 1)

    @property
    def token(self) -> int:
        """The instrument under the cursor, the last known one while it moves; 0 before any."""
        at = self.cursor - self._shown_from
        if self._moved and 0 <= at < len(self._shown):
            self._token, self._moved = self._shown[at].token, False
        return self._token

    @property
    def symbol(self) -> str:
        """The instrument under the cursor; '' where it is not in sight."""
        return next((row.symbol for row in self._shown if row.token == self._token), "")

    @property
    def line_here(self) -> str:
        """The line under the cursor."""
        at = self.cursor - self._first(self._shown, self._shown_from) + 1
        return self.plain[at][2:] if 1 <= at < len(self.plain) else ""

    @property
    def wanted(self) -> tuple[int, int]:
        """Rows to ask for, first and how many: those on screen, else the one under the cursor."""
        return (self.top, self.page) if self.display else (max(self.cursor, 0), 1)

    def on_resize(self) -> None:
        """The cursor stays in sight."""
        self._follow()
        self._paint()

    def move(self, by: int) -> None:
        """Move the cursor, within the rows; one that is out of sight begins where one looks."""
        seen = not self.display or self.top <= self.cursor < self.top + self.page
        to = self.cursor + by if seen else self.top
        self.move_to(min(max(to, 0), max(self.total - 1, 0)))

    def point(self, x: int, y: int) -> None:
        """Put the cursor on the row that was clicked."""
        position = self._first(self._shown, self._shown_from) + y - 1
        if 1 <= y <= self.page and position < self._shown_from + len(self._shown):
            self.move_to(position)

    def move_to(self, position: int) -> None:
        """Put the cursor on a row; -1 is the last one."""
        self.cursor = position if position >= 0 else max(self.total - 1, 0)
        if self.frozen:  # other rows are not asked for
            last = self._shown_from + len(self._shown) - 1
            self.cursor = min(max(self.cursor, self._shown_from), max(last, 0))
        self._moved = True
        self._follow()
        self._paint()

    def return_to(self, token: int) -> None:
        """Put the cursor on an instrument, where it is shown."""
        self._token, self._moved, self._comes = token, False, True
        self.asks()

    def focus_on(self, token: int) -> None:
        """Put the cursor on an instrument, and show whatever hides it."""
        self._token, self._moved, self._comes = token, False, True
        self.filtered = ""
        self._look(text="", group="")

    def action_sort(self) -> None:
        """Sort by the next value."""
        if not self.keeps():
            at = (SORTS.index(self.watching.sort) + 1) % len(SORTS)
            self._look(sort=SORTS[at], reverse=False)

    def action_reverse(self) -> None:
        """Turn the order round."""
        if not self.keeps():
            self._look(reverse=not self.watching.reverse)

    def action_group(self) -> None:
        """Show the next group of instruments, or all."""
        if self.keeps():
            return
        names = ["", *(name for name, _ in self._groups)]
        at = names.index(self.watching.group) if self.watching.group in names else 0
        self._look(group=names[(at + 1) % len(names)])

    def filter(self, text: str) -> None:
        """Show only instruments whose symbol or name holds these words."""
        self.filtered = text
        self._look(text=text)

    def _look(self, **changes: object) -> None:
        now = self.watching
        told = {"sort": now.sort, "reverse": now.reverse, "text": now.text, "group": now.group}
        self.watching = Watching(**{**told, **changes})  # type: ignore[arg-type]
        self.top = 0
        self.asks()

    def update_from(self, snapshot: Snapshot) -> None:
        """Draw the rows of a snapshot that this pane asked for."""
        self.total, self._groups = snapshot.watch_total, snapshot.watch_groups
        if self.frozen:
            self._hold(self._drawn(snapshot.watch, snapshot.watch_from), stale=False)
            return
        if snapshot.watch_from == self.wanted[0]:
            self._shown, self._shown_from = snapshot.watch, snapshot.watch_from
        if not self._moved and snapshot.focus == self._token:
            self._went_to(snapshot.watch_at)
        self._paint()
        self.title(self._heading(snapshot.watch_all), self._note())

    def _went_to(self, place: int) -> None:
        """The instrument under the cursor lies somewhere else now.

        Who looks at the top of a sorted list goes on looking at its top.
        """
        if place == self.cursor and not self._comes:
            return
        self.cursor = place
        if self.top or self._comes or not self.watching.sort:
            self._follow()
        self._comes = False

    def _follow(self) -> None:
        if self.cursor >= 0:
            self.top = min(max(self.top, self.cursor - self.page + 1, 0), self.cursor)

    def _heading(self, whole: int) -> str:
        count = f"{self.total:,}" if self.total == whole else f"{self.total:,} of {whole:,}"
        return f"1 Watchlist {count}{self.watching.group and '  ' + self.watching.group}"

    def _note(self) -> str:
        w = self.watching
        order = f"  {_HEADS[w.sort]} {'▲' if w.reverse else '▼'}" if w.sort or w.reverse else ""
        place = f"{self.cursor + 1:,} of {self.total:,}" if self.total else ""
        return f"{place}{order}"

    def watch_has_focus(self, has_focus: bool) -> None:
        """The cursor is seen otherwise; the events of it come before it is so."""
        super().watch_has_focus(has_focus)
        self._paint()

    def _paint(self) -> None:
        """Draw the rows as they are; held ones still show where the cursor is."""
        lines = self._drawn(self._shown, self._shown_from)
        self._prices = {row.token: row.ltp for row in self._shown}
        self._put(lines, stale=False)

    def _drawn(self, rows: tuple[Watch, ...], first: int) -> list[Line]:
        width = self.size.width
        if not rows:
            return [((self._why_empty(), "dim"),)]
        rich = width >= WIDE
        name = max(width - (39 if rich else 23), 8)
        head = f"  {fit('SYMBOL', name)} {'LTP':>10} {'CHG%':>7}"
        if rich:
            head += f" {'OI' if self.watching.sort == 'oi' else 'VOL':>6} {'AGE':>4} 1m"
        lines: list[Line] = [((head, "head"),)]
        begin = self._first(rows, first)
        for at, row in enumerate(rows[begin - first :][: self.page], begin):
            lines.append(self._line(row, at == self.cursor, name, rich))
        return lines

    def _first(self, rows: tuple[Watch, ...], first: int) -> int:
        """The place that is drawn first: the top where rows from there on fill the pane, as in a
        held one that shrank; else what there is, until the answer comes."""
        whole = first <= self.top and self.top + self.page <= first + len(rows)
        return self.top if whole else first

    def _why_empty(self) -> str:
        w = self.watching
        if w.text:
            return f"/{clean(w.text)} matches nothing: esc clears it"
        return f"no {w.group}: c shows others" if w.group else "… waiting for instruments"

    def _line(self, row: Watch, here: bool, name: int, rich: bool) -> Line:
        mark = "▸" if here else "!" if row.stale else " "
        cursor = "cursor " if here and self.has_focus else ""
        body = "dim" if row.stale else ""
        if row.age_s < 0:
            return ((f"{mark} {fit_ends(row.symbol, name)} {'–':>10}", cursor + "dim"),)
        change = f"{arrow(row.change_pct)}{percent(row.change_pct):>6}"
        moved = self.flashes and self._prices.get(row.token, row.ltp) != row.ltp
        line: Line = (
            (f"{mark} {fit_ends(row.symbol, name)} ", cursor + body),
            (f"{price(row.ltp, row.decimals):>10} ", cursor + ("bold" if moved else body)),
            (change, cursor + change_style(row.change_pct)),
        )
        if rich:
            amount = row.oi if self.watching.sort == "oi" else row.volume
            seen = coarse_age(row.age_s) if self.lite else age(row.age_s)
            trend = "" if self.lite else spark(row.trend, TREND)
            line += ((f" {compact(amount) if amount else '–':>6}", cursor + body),
                     (f" {seen:>4} {trend}", cursor + "dim"))  # fmt: skip
        return line
