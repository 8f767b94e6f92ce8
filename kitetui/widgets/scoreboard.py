"""The scoreboard: how good each pattern was, beside what chance alone would have done."""

from __future__ import annotations

import math

from kitetui.engine.snapshot import BoardLine, Snapshot
from kitetui.widgets.lines import Span
from kitetui.widgets.live_grid import Column, LiveGrid, Row
from kitetui.widgets.numbers import short_pattern

NOTE = "hits before stops; R after costs; * beyond chance"
SHORT_NOTE = "hits before stops, beside chance"


class ScoreboardPane(LiveGrid):
    """One line a pattern, timeframe and class. A rate never stands without its null, which comes
    first: columns are left out from the right."""

    columns = (
        Column("PATTERN", 20, False), Column("TF", 3, False), Column("OF", 3, False),
        Column("N", 5), Column("NULL", 4),
        Column("HIT", 4), Column("95 %", 8), Column("R NET", 6), Column("95 %", 13),
        Column("LIFT", 5), Column("SKILL", 6), Column("TIME", 4),
        Column("GAPS", 4), Column("80 %", 4),
    )  # fmt: skip
    empty_text = "no outcome yet: each firing is followed to its target, stop or time"

    def update_from(self, snapshot: Snapshot) -> None:
        """Draw the board of a snapshot."""
        self.title("8 Scoreboard", NOTE if self.size.width > len(NOTE) + 6 else SHORT_NOTE)
        self.show_rows([_row(line) for line in snapshot.board])


def _row(line: BoardLine) -> Row:
    better = line.notable and line.expectancy_r > 0
    worse = math.isfinite(line.expectancy_high) and line.expectancy_high < 0
    interval = f"{_number(line.expectancy_low, '+.2f')}..{_number(line.expectancy_high, '+.2f')}"
    cells: tuple[Span, ...] = (
        (short_pattern(line.pattern, 20), ""),
        (line.timeframe, "dim"),
        (line.asset_class[:3], "dim"),
        (f"{line.n:,}", ""),
        (_number(line.null, ".0%"), "dim"),
        (_number(line.rate, ".0%"), ""),
        (f"{line.low:.0%}-{line.high:.0%}", "dim"),
        (_number(line.expectancy_r, "+.2f"), "up" if better else "down" if worse else ""),
        (interval, "dim"),
        (_number(line.lift, ".2f") + ("*" if line.notable else " "), ""),
        (_number(line.skill, "+.2f"), "dim"),
        (_number(line.timeouts, ".0%"), "dim"),
        (f"{line.unresolvable:,}", "dim"),
        ("yes" if line.claim else "–", "good" if line.claim else "dim"),
    )
    return Row((line.pattern, line.timeframe, line.asset_class), cells)


def _number(value: float, form: str) -> str:
    return format(value, form) if math.isfinite(value) else "–"
