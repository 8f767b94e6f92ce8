"""LiveGrid: rows under a header line, with a cursor that sticks to its row."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Sequence
from typing import NamedTuple

from kitetui.widgets.lines import Line, Span
from kitetui.widgets.live_pane import LivePane
from kitetui.widgets.safe_text import fit, fit_ends

SETTLE_S = 0.7
"""A cursor that moved by itself acts on nothing for so long."""
CUT_MIN = 16
"""Least cells of a last column that is cut."""


class Column(NamedTuple):
    """A column of a grid: title, width in cells, and whether its values stand right.

    `least`: the width that does where not all columns have room; 0 is the same width. `ends`:
    whether the end of a long value stays, not only its beginning.
    """

    title: str
    width: int
    right: bool = True
    least: int = 0
    ends: bool = False


class Row(NamedTuple):
    """A row of a grid: its key, and per column text and style."""

    key: Hashable
    cells: tuple[Span, ...]


class LiveGrid(LivePane):
    """Rows under a header line. The cursor sticks to a row's key, wherever the row moves to.

    Attributes:
        slipped_s: when the cursor came to a row by itself, as its own went away or the first one
            came; 0 otherwise.
    """

    filters = True
    columns: tuple[Column, ...] = ()
    empty_text = ""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._rows: list[Row] = []
        self.cursor_key: Hashable = None
        self._held_rows: tuple[list[Row], bool, tuple[Line, ...]] | None = None
        self.slipped_s = 0.0
        self._drawn_once = False
        """Before that nothing came under anybody's finger."""
        self._offset = 0
        self._foot: tuple[Line, ...] = ()

    @property
    def page(self) -> int:
        """Rows that fit."""
        return max(self.size.height - 1 - len(self._foot), 1)

    @property
    def line_here(self) -> str:
        """The cells of the row under the cursor, with a tab between them."""
        row = next((row for row in self._rows if row.key == self.cursor_key), None)
        return "\t".join(text for text, _ in row.cells) if row is not None else ""

    @property
    def rows(self) -> list[Row]:
        """The rows as last given."""
        return self._rows

    def show_rows(self, rows: Sequence[Row], *, stale: bool = False,
                  foot: tuple[Line, ...] = ()) -> None:  # fmt: skip
        """Put rows on the grid, keeping the cursor on its key. A frozen grid keeps its rows."""
        if self.frozen:
            self._held_rows = (list(rows), stale, foot)
            self._hold_rows(rows, foot, stale)
            return
        self._foot = foot
        was = [row.key for row in self._rows]
        self._rows = [row for row in rows if self._wanted(row)]
        keys = [row.key for row in self._rows]
        if self.cursor_key not in keys:
            at = was.index(self.cursor_key) if self.cursor_key in was else 0
            self._slip_to(keys[min(at, len(keys) - 1)] if keys else None)
        self._drawn_once = True
        self._paint(stale)

    def _slip_to(self, key: Hashable) -> None:
        """Put the cursor where nobody asked it to be: whoever looks needs a moment to see it."""
        self.cursor_key = key
        self.slipped_s = asyncio.get_running_loop().time() if self._drawn_once else 0.0

    def compare(self) -> str:
        """As for lines; what was held comes back with the cursor where it is now."""
        told = super().compare()
        if self.frozen and not self.comparing:
            self._paint(self.stale)
        return told

    def _hold_rows(self, rows: Sequence[Row], foot: tuple[Line, ...] = (),
                   stale: bool = False) -> None:  # fmt: skip
        """What would be drawn if the grid were not held."""
        self._hold(self._drawn([row for row in rows if self._wanted(row)], foot), stale)

    def freeze(self, on: bool) -> None:
        """Hold rows and cursor's surroundings still, or catch up."""
        held, self._held_rows = self._held_rows, None
        if not on:
            self._held = None  # lines without the rows that keys mean
        super().freeze(on)
        if not on and held is not None:
            self.show_rows(held[0], stale=held[1], foot=held[2])

    def _wanted(self, row: Row) -> bool:
        return self.holds(" ".join(text for text, _ in row.cells))

    def move(self, by: int) -> None:
        """Move the cursor, within the rows."""
        keys = [row.key for row in self._rows]
        if keys:
            at = keys.index(self.cursor_key) if self.cursor_key in keys else 0
            self._put_on(min(max(at + by, 0), len(keys) - 1))

    def point(self, x: int, y: int) -> None:
        """Put the cursor on the row that was clicked."""
        if 1 <= y <= self.page and self._offset + y <= len(self._rows):
            self._put_on(self._offset + y - 1)

    def move_to(self, position: int) -> None:
        """Put the cursor on a row; -1 is the last one."""
        self._put_on(position)

    def _put_on(self, position: int) -> None:
        if self._rows:
            self.cursor_key, self.slipped_s = self._rows[position].key, 0.0
            self._paint(self.stale)

    @property
    def settled(self) -> bool:
        """Whether whoever looks had time to see which row the cursor is on."""
        return asyncio.get_running_loop().time() - self.slipped_s >= SETTLE_S

    def _paint(self, stale: bool) -> None:
        """Draw the rows as they are; a frozen grid still follows its own cursor."""
        keys = [row.key for row in self._rows]
        at = keys.index(self.cursor_key) if self.cursor_key in keys else 0
        page = self.page
        self._offset = min(max(self._offset, at - page + 1, 0), at, max(len(keys) - page, 0))
        self._put(self._drawn(self._rows, self._foot), stale)

    def _drawn(self, rows: Sequence[Row], foot: tuple[Line, ...]) -> list[Line]:
        """Head, the rows that fit, and foot."""
        if not rows:
            return [self._head(), *self.why_empty(self.empty_text), *foot]
        focused, page = self.has_focus, self.page
        lines = [self._head()]
        for row in rows[self._offset : self._offset + page]:
            lines.append(self._line(row, focused and row.key == self.cursor_key))
        lines += [()] * (page - len(lines) + 1)
        return [*lines, *foot]

    def watch_has_focus(self, has_focus: bool) -> None:
        """The cursor is seen otherwise; the events of it come before it is so."""
        super().watch_has_focus(has_focus)
        self._paint(self.stale)

    @property
    def _fitting(self) -> list[Column]:
        """The columns that fit whole; the first ones matter most, and the last may be cut."""
        out: list[Column] = []
        left = self.size.width
        columns = self.columns
        if sum(column.width + 1 for column in columns[:-1]) > left:
            columns = tuple(column._replace(width=column.least or column.width)
                            for column in columns)  # fmt: skip
        for column in columns:
            if column.width > left:
                if column is columns[-1] and left >= CUT_MIN:
                    out.append(column._replace(width=left))
                break
            out.append(column)
            left -= column.width + 1
        return out

    def _head(self) -> Line:
        text = " ".join(fit(c.title, c.width, c.right) for c in self._fitting)
        return ((text, "head"),)

    def _line(self, row: Row, cursor: bool) -> Line:
        """Cells joined where their style is the same: fewer segments, fewer bytes."""
        out: list[Span] = []
        for column, (text, style) in zip(self._fitting, row.cells, strict=False):
            name = f"cursor {style}" if cursor else style
            cell = fit_ends(text, column.width) if column.ends else fit(
                text, column.width, column.right)  # fmt: skip
            cell += " "
            if out and out[-1][1] == name:
                out[-1] = (out[-1][0] + cell, name)
            else:
                out.append((cell, name))
        return tuple(out)
