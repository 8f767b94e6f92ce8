"""Consumer lag: how far every group is behind, in entries and in time, and its state, the worst
first."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import BindingType

from kitetui.engine.snapshot import Group, Snapshot
from kitetui.keys import bindings
from kitetui.widgets.live_grid import Column, LiveGrid, Row
from kitetui.widgets.numbers import age, compact

_STYLES = {"OK": "good", "WARN": "warn", "REWIND": "bad", "STALL": "bad", "STOP": "alarm"}
"""By state, the worse the later."""
_GLYPHS = {"OK": "✓", "WARN": "▲", "STALL": "■", "STOP": "■", "REWIND": "◀"}
_WORST_FIRST = tuple(_STYLES)[::-1]


class LagPane(LiveGrid):
    """One line a group; where not all have room, those in trouble have. A lag that cannot be known
    is `?`, never 0."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("lag")]
    columns = (
        Column("GROUP", 16, False), Column("LAG", 7), Column("BEHIND", 6), Column("OUT/s", 7),
        Column("PEND", 6), Column("IDLE", 5), Column("STATE", 8, False),
        Column("LOST", 7), Column("OLDEST", 6), Column("CONS", 4), Column("STREAM", 32, False),
    )  # fmt: skip
    empty_text = "no consumer group reads these streams"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._groups: dict[object, Group] = {}

    @property
    def selected(self) -> Group | None:
        """The group under the cursor."""
        return self._groups.get(self.cursor_key)

    def update_from(self, snapshot: Snapshot) -> None:
        """Draw the groups of a snapshot."""
        lost = sum(g.lost or 0 for g in snapshot.groups)
        self.title("5 Consumer lag", f"⚠ {lost:,} entries lost" if lost else "Burrow rules, 10 s")
        self._groups = {_key(g): g for g in snapshot.groups}
        groups = sorted(snapshot.groups, key=_rank)
        self.show_rows([_row(g) for g in groups], stale=snapshot.streams_age_s > 3)


def _rank(g: Group) -> tuple[int, bool]:
    """Its place: by state, then who lost entries before who did not; else as they come."""
    known = g.state in _WORST_FIRST
    return _WORST_FIRST.index(g.state) if known else 0, not g.lost


def _key(g: Group) -> object:
    return g.server, g.db, g.stream, g.name


def _row(g: Group) -> Row:
    lag = "?" if g.lag is None else f"{'>' if g.lag_at_least else ''}{compact(g.lag)}"
    out = "?" if g.out_per_s is None else compact(g.out_per_s)
    style = _STYLES.get(g.state, "warn")
    return Row(
        _key(g),
        (
            (f"✗ {g.name}" if g.lost else g.name, "bad" if g.lost else ""),
            (lag, "" if not g.lag else style),
            (age(g.lag_s) if g.lag else "–", "dim"),
            (out, ""),
            (compact(g.pending), "dim"),
            (age(g.idle_s), "dim"),
            (f"{_GLYPHS.get(g.state, '?')} {g.state}", style),
            (compact(g.lost) if g.lost else "–", "bad" if g.lost else "dim"),
            (age(g.oldest_s) if g.pending else "–", "dim"),
            (str(g.consumers), "dim"),
            (g.stream, "dim"),
        ),
    )
