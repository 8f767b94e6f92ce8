"""The alert queue: unacknowledged first, newest first. The cursor sticks to an alert."""

from __future__ import annotations

from kitetui.engine.snapshot import Alert, AlertState, Snapshot
from kitetui.widgets.live_grid import Column, Line, LiveGrid, LivePane, Row, Span
from kitetui.widgets.numbers import age, arrow, price, short_pattern
from kitetui.widgets.safe_text import fit

_SIDES = {1: "up", -1: "down"}


class AlertsPane(LiveGrid):
    """Each line is an alert as it was when painted: acknowledging names exactly that one."""

    columns = (
        Column("", 2, False), Column("AGE", 4), Column("SYMBOL", 21, False),
        Column("PATTERN", 19, False), Column("TF", 3, False), Column("DIR", 6, False),
        Column("PRICE", 11), Column("CONF", 5), Column("SCORE", 5), Column("EVIDENCE", 44, False),
    )  # fmt: skip
    empty_text = "0 unacked: all clear"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._painted: dict[str, Alert] = {}

    @property
    def selected(self) -> Alert | None:
        """The alert under the cursor, as it is on the screen."""
        return self._painted.get(str(self.cursor_key))

    def update_from(self, snapshot: Snapshot) -> None:
        """Draw the queue of a snapshot."""
        h = snapshot.header
        if self.frozen:
            self.held_updates += 1
            return
        self.title(f"6 Alerts  {h.unacked} unacked / {h.alerts}", "a ack  e why  u undo  n next")
        self._painted = {a.alert_id: a for a in snapshot.alerts}
        self.show_rows([_row(a, h.session_s) for a in snapshot.alerts])

    def next_unacked(self) -> None:
        """Put the cursor on the next unacknowledged alert."""
        waiting = [
            at for at, row in enumerate(self.rows)
            if self._painted[str(row.key)].state is AlertState.UNACKED
        ]  # fmt: skip
        here = [at for at, row in enumerate(self.rows) if row.key == self.cursor_key]
        later = [at for at in waiting if here and at > here[0]]
        if waiting:
            self.move_to((later or waiting)[0])


class AlertStrip(LivePane, can_focus=False):
    """Three lines of the newest alerts, always visible on a small screen.

    Attributes:
        first: the alert on the first line, which `a` acknowledges where the queue is not shown.
    """

    first: Alert | None = None

    def update_from(self, snapshot: Snapshot) -> None:
        """Draw the newest alerts of a snapshot."""
        self.first = next((a for a in snapshot.alerts if a.state is AlertState.UNACKED), None)
        waiting = [a for a in snapshot.alerts if a.state is AlertState.UNACKED]
        lines: list[Line] = [_strip_line(a, snapshot.header.session_s) for a in waiting[:3]]
        if len(waiting) > 3:
            *head, last = lines
            lines = [*head, (*last, (f"  (+{len(waiting) - 3} more: 6)", "dim"))]
        if not lines:
            lines = [((" ✓ 0 unacked: all clear", "good"),)]
        self.show(lines)


def _strip_line(a: Alert, now_s: float) -> Line:
    pattern = fit(short_pattern(a.pattern, 18), 18)
    text = f"{age(now_s - a.at_s):>5} {fit(a.symbol, 18)} {pattern} {a.timeframe:<3}"
    return (
        (" ● ", "bad"),
        (text, ""),
        (f" {arrow(a.side)} ", _SIDES.get(a.side, "dim")),
        (f"{price(a.price):>11} {a.confidence:4.0%}", ""),
    )


def _row(a: Alert, now_s: float) -> Row:
    waiting = a.state is AlertState.UNACKED
    body = "" if waiting else "dim"
    cells: tuple[Span, ...] = (
        ("●" if waiting else "✓", "bad" if waiting else "dim"),
        (age(now_s - a.at_s), body),
        (a.symbol, "bold" if waiting else "dim"),
        (short_pattern(a.pattern, 19), body),
        (a.timeframe, body),
        (
            f"{arrow(a.side)} {a.direction if a.side else '–'}",
            _SIDES.get(a.side, "dim") if waiting else "dim",
        ),
        (price(a.price), body),
        (f"{a.confidence:.0%}", body),
        (f"{a.score:.2f}", "dim"),
        (_evidence(a), "dim"),
    )
    return Row(a.alert_id, cells)


def _evidence(a: Alert) -> str:
    if a.state is AlertState.ACKED:
        return f"acknowledged by {a.acked_by}"
    parts = [f"{name} {value:.2f}" for name, value in a.evidence.items() if name != "same_minute"]
    return " ".join([*a.tags, *parts[:3]])
