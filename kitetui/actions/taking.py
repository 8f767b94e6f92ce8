"""Taking something out of the screen: a line, a pane, a table, a picture."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

from kitetui.actions.engine import EngineActions
from kitetui.engine.snapshot import View
from kitetui.takeout import Takeout
from kitetui.terminal import copy
from kitetui.widgets.alerts import AlertsPane
from kitetui.widgets.live_grid import LiveGrid
from kitetui.widgets.live_pane import LivePane
from kitetui.widgets.numbers import stamp
from kitetui.widgets.safe_text import clean
from kitetui.widgets.watchlist import Watchlist

WATCH_HEADS = ("symbol", "ltp", "change_pct", "volume", "oi", "age_s")
ROWS_MAX = 10_000
FONT = "DejaVu Sans Mono"


class TakeActions(EngineActions):
    """Keys that copy and save."""

    _folder: Path | None
    _taken = 0

    def action_copy_line(self) -> None:
        """Copy the line under the cursor; of an alert, with the command that explains it."""
        pane = self._base.query_one(f"#{self._active}", LivePane)
        line = pane.line_here.rstrip().replace("\n", " ")
        if isinstance(pane, AlertsPane) and pane.selected is not None:
            line += f"\nkitetui explain {pane.selected.alert_id}"
        self._copied(line)

    def action_copy_pane(self) -> None:
        """Copy all lines of the pane."""
        pane = self._base.query_one(f"#{self._active}", LivePane)
        self._copied("\n".join(clean(line.rstrip()) for line in pane.plain).rstrip())

    def _copied(self, text: str) -> None:
        text = "\n".join("\t".join(map(clean, line.split("\t"))) for line in text.split("\n"))
        if not text.strip():
            self._say("nothing to copy", done=False)
            return
        copy(self, text)
        lines = text.count("\n") + 1
        noun = "line" if lines == 1 else "lines"
        if self._folder is None:
            self._say(f"copied {lines} {noun}", done=True)
            return
        self._saved(lambda out: (out.text(text),), f"copied {lines} {noun}; also in")

    async def action_save_table(self) -> None:
        """Save the pane as CSV; of the watchlist, every instrument that it lists."""
        pane = self._base.query_one(f"#{self._active}", LivePane)
        if isinstance(pane, Watchlist):
            wanted = View(watch_count=ROWS_MAX, watching=pane.watching)
            snapshot = await self._picture(wanted)
            found = snapshot.watch if snapshot is not None else ()
            heads: tuple[str, ...] = WATCH_HEADS
            rows = [[getattr(row, head) for head in WATCH_HEADS] for row in found]
        elif isinstance(pane, LiveGrid):
            heads = tuple(column.title for column in pane.columns)
            rows = [[text for text, _ in row.cells] for row in pane.rows]
        else:
            heads, rows = (self._active,), [[line] for line in pane.plain]
        if not rows:
            self._say(f"{self._active} has no rows", done=False)
            return
        stamp = self._stamp
        self._saved(lambda out: (out.table(self._active, stamp, heads, rows),),
                    f"{len(rows):,} rows in")  # fmt: skip

    def action_save_picture(self) -> None:
        """Save the screen as a picture."""
        svg = self.export_screenshot(title="kitetui")
        svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL).replace("Fira Code", FONT)
        stamp = self._stamp
        self._saved(lambda out: out.picture(stamp, svg), "picture in")

    @property
    def _stamp(self) -> str:
        """When it is, of the session and of the wall: no two files of one name."""
        at_s = self._snapshot.header.session_s if self._snapshot is not None else 0.0
        self._taken += 1
        return f"{stamp(at_s)}-{os.getpid()}-{self._taken}"

    def _saved(self, write: Callable[[Takeout], tuple[Path, ...]], words: str) -> None:
        if self._folder is None:
            self._say("this screen has no folder to save into", done=False)
            return
        try:
            paths = write(Takeout(self._folder / "taken"))
        except OSError as error:
            self._say(f"{error.filename}: {error.strerror}", done=False)
            return
        self._say(f"{words} {' and '.join(map(str, paths))}", done=True)
