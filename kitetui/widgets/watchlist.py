"""The watchlist: every instrument, one line each; only the lines on screen are asked for."""

from __future__ import annotations

from kitetui.engine.snapshot import Snapshot, Watch
from kitetui.widgets.live_grid import Line, LivePane
from kitetui.widgets.numbers import age, arrow, change_style, compact, percent, price, spark
from kitetui.widgets.safe_text import fit

TREND = 5
WIDE = 56
"""Cells from which volume, age and trend find room beside a whole option symbol."""


class Watchlist(LivePane):
    """Rows keep their place: the order is the subscription's."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.cursor = 0
        self.top = 0
        self.total = 0
        self._shown: tuple[Watch, ...] = ()
        self._shown_from = 0
        self._token = 0

    @property
    def page(self) -> int:
        """Rows that fit."""
        return max(self.size.height - 1, 1)

    @property
    def token(self) -> int:
        """The instrument under the cursor, the last known one while it moves; 0 before any."""
        at = self.cursor - self._shown_from
        if 0 <= at < len(self._shown):
            self._token = self._shown[at].token
        return self._token

    @property
    def wanted(self) -> tuple[int, int]:
        """Rows to ask for, first and how many: those on screen, else the one under the cursor."""
        return (self.top, self.page) if self.display else (self.cursor, 1)

    def on_resize(self) -> None:
        """The cursor stays in sight."""
        self.move_to(self.cursor)

    def move(self, by: int) -> None:
        """Move the cursor, within the rows."""
        self.move_to(min(max(self.cursor + by, 0), max(self.total - 1, 0)))

    def move_to(self, position: int) -> None:
        """Put the cursor on a row; -1 is the last one."""
        self.cursor = position if position >= 0 else max(self.total - 1, 0)
        self.top = min(max(self.top, self.cursor - self.page + 1, 0), self.cursor)
        self._paint()

    def update_from(self, snapshot: Snapshot) -> None:
        """Draw the rows of a snapshot that this pane asked for."""
        self.total = snapshot.watch_total
        if snapshot.watch_from == self.wanted[0]:
            self._shown, self._shown_from = snapshot.watch, snapshot.watch_from
        self._paint()
        self.title(f"1 Watchlist {self.total:,}", f"{min(self.cursor + 1, self.total):,} of "
                                                  f"{self.total:,}")  # fmt: skip

    def on_focus(self) -> None:
        self._paint()

    def on_blur(self) -> None:
        self._paint()

    def _paint(self) -> None:
        width = self.size.width
        if not self._shown:
            self.show([(("… waiting for instruments", "dim"),)])
            return
        rich = width >= WIDE
        name = max(width - (39 if rich else 23), 8)
        head = f"  {fit('SYMBOL', name)} {'LTP':>10} {'CHG%':>7}"
        head += f" {'VOL':>6} {'AGE':>4} 1m" if rich else ""
        lines: list[Line] = [((head, "head"),)]
        for at, row in enumerate(self._shown[: self.page], self._shown_from):
            lines.append(self._line(row, at == self.cursor, name, rich))
        self.show(lines)

    def _line(self, row: Watch, here: bool, name: int, rich: bool) -> Line:
        mark = "▸" if here else "!" if row.stale else " "
        cursor = "cursor " if here and self.has_focus else ""
        body = "dim" if row.stale else ""
        if row.age_s < 0:
            return ((f"{mark} {fit(row.symbol, name)} {'–':>10}", cursor + "dim"),)
        change = f"{arrow(row.change_pct)}{percent(row.change_pct):>6}"
        line: Line = (
            (f"{mark} {fit(row.symbol, name)} {price(row.ltp, row.decimals):>10} ", cursor + body),
            (change, cursor + change_style(row.change_pct)),
        )
        if rich:
            volume = compact(row.volume) if row.volume else "–"
            tail = f" {age(row.age_s):>4} {spark(row.trend, TREND)}"
            line += ((f" {volume:>6}", cursor + body), (tail, cursor + "dim"))
        return line
