"""The alert queue: what waits first, the urgent before the rest. The cursor sticks to an alert."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from typing import ClassVar

from textual.binding import BindingType

from kitetui.engine.snapshot import (
    WAITING,
    Alert,
    AlertState,
    Flood,
    Origin,
    Priority,
    Snapshot,
)
from kitetui.keys import bindings
from kitetui.widgets.lines import Line, Span
from kitetui.widgets.live_grid import SETTLE_S, Column, LiveGrid, Row
from kitetui.widgets.live_pane import LivePane
from kitetui.widgets.numbers import age, arrow, clock, compact, price, short_pattern, spark
from kitetui.widgets.safe_text import fit, fit_ends

_SIDES = {1: "up", -1: "down"}
_GLYPHS = {
    AlertState.UNACKED: "●", AlertState.RETURNED: "○", AlertState.ACKED: "✓",
    AlertState.SHELVED: "◐", AlertState.SUPPRESSED: "◌", AlertState.CLOSED: "·",
}  # fmt: skip
_URGENT = {Priority.P1: "alarm", Priority.P2: "bad", Priority.P3: ""}
TREND_MINUTES = 12


class AlertsPane(LiveGrid):
    """Each line is an alert as it was when painted: acknowledging names exactly that one.

    While it is the active pane its rows keep their places; what came since is counted. Who looks
    elsewhere sees the top of the queue, unless alerts are marked.

    Attributes:
        marked: ids of alerts that are to be acknowledged together.
    """

    columns = (
        Column("", 2, False), Column("P", 2, False), Column("AGE", 4),
        Column("SYMBOL", 21, False, 18, ends=True), Column("RULE", 19, False, 12),
        Column("TF", 3, False), Column("DIR", 6, False),
        Column("PRICE", 11, least=9), Column("CONF", 4), Column("HIT n", 9), Column("QTY", 6),
        Column("×", 4), Column("WHAT", 44, False),
    )  # fmt: skip
    empty_text = "0 unacked: all clear"

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("alerts")]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.marked: set[str] = set()
        self._painted: dict[str, Alert] = {}
        self._waiting_outside = 0
        self._to_top = False
        self._was_away = False

    def on_hide(self) -> None:
        """What comes while nobody sees the queue is let in when it is back."""
        self._was_away = True

    @property
    def selected(self) -> Alert | None:
        """The alert under the cursor, as it is on the screen; None where the list just moved, and
        where other rows than those of the list are shown."""
        if self.comparing or not self.settled:
            return None
        return self._painted.get(str(self.cursor_key))

    @property
    def chosen(self) -> list[Alert]:
        """Marked alerts that wait, as they were painted."""
        return [a for a in self._painted.values() if a.alert_id in self.marked]

    def action_mark(self) -> None:
        """Mark the alert under the cursor, or take its mark, and go on to the next."""
        if self.keeps():
            return
        if self.selected is not None and self.selected.state in WAITING:
            self.marked ^= {self.selected.alert_id}
            self.move(1)
            self.asks()

    @property
    def on_screen(self) -> list[Alert]:
        """Waiting alerts on the screen now, as they were painted."""
        if self.comparing:
            return []
        rows = self.rows[self._offset : self._offset + self.page]
        alerts = (self._painted[str(row.key)] for row in rows)
        return [alert for alert in alerts if alert.state in WAITING]

    def update_from(self, snapshot: Snapshot) -> None:
        """Draw the queue of a snapshot."""
        h = snapshot.header
        if self.frozen:
            rows = [_row(a, h.session_s, marked=False) for a in snapshot.alerts]
            self._hold_rows(rows, _foot(snapshot.flood))
            return
        alerts = {a.alert_id: a for a in snapshot.alerts}
        at_hand = self.active or self.has_focus
        if at_hand and self._painted and not (self._to_top or self._was_away):
            kept = [alerts[i] for i in self._painted if i in alerts]
            self._waiting_outside = len(alerts) - len(kept)
        else:
            kept, self._waiting_outside = list(alerts.values()), 0
        if not kept:
            kept, self._waiting_outside = list(alerts.values()), 0
        ack, top = self.key("alert.ack"), self.key("cursor.top").partition(" ")[0]
        marks = f"  ◆ {len(self.marked)} marked: {ack}" if self.marked else ""
        fresh = f"  ▲ {self._waiting_outside} new: {top}" if self._waiting_outside else ""
        self.title(f"6 Alerts  {h.unacked} unacked / {h.alerts}{marks}{fresh}", self._keys_told())
        self._painted = {a.alert_id: a for a in kept}
        self.marked &= {a.alert_id for a in kept if a.state in WAITING}
        self._was_away = False
        if self._to_top:
            self.cursor_key, self._to_top = None, False
        rows = [_row(a, h.session_s, marked=a.alert_id in self.marked) for a in kept]
        if not (at_hand or self.marked or self._held_anew):
            self._show_the_top([row.key for row in rows if self._wanted(row)])
        self.show_rows(rows, foot=_foot(snapshot.flood))

    def _show_the_top(self, keys: list[Hashable]) -> None:
        """What came last is seen. A cursor below would mean what nobody sees, and one on what is
        done with keeps the keys from what waits."""
        self._offset = 0
        meant = [key for key in keys if self._painted[str(key)].state in WAITING] or keys
        if meant and self.cursor_key not in meant[: self.page]:
            self._slip_to(meant[0])

    def _line(self, row: Row, cursor: bool) -> Line:
        """Keys work from everywhere: without the focus, too, it is seen which alert they mean."""
        pointed = row.key == self.cursor_key and not self.has_focus
        return super()._line(_pointed(row) if pointed else row, cursor)

    def _keys_told(self) -> str:
        """What the queue's keys do, as the settings have them."""
        told = (("alert.ack", "ack"), ("alert.ack_all", "all"), ("alert.shelve", "shelve"),
                ("alert.explain", "why"), ("alert.undo", "undo"))  # fmt: skip
        return "  ".join(f"{self.key(name)} {does}" for name, does in told if self.key(name))

    def move_to(self, position: int) -> None:
        """Put the cursor on a row; the first one also lets in what came since."""
        self._to_top = position == 0 and self._waiting_outside > 0
        super().move_to(position)

    def next_unacked(self) -> None:
        """Put the cursor on the next alert that waits."""
        waiting = [
            at for at, row in enumerate(self.rows)
            if self._painted[str(row.key)].state in WAITING
        ]  # fmt: skip
        here = [at for at, row in enumerate(self.rows) if row.key == self.cursor_key]
        later = [at for at in waiting if here and at > here[0]]
        if waiting:
            self._put_on((later or waiting)[0])


class AlertStrip(LivePane, can_focus=False):
    """Three lines of the newest alerts, always visible on a small screen.

    Attributes:
        first: the alert on the marked line, which `a` acknowledges where the queue is not shown;
            None where it is there too short a time to be read.
    """

    _newest: Alert | None = None
    _since_s = 0.0

    @property
    def first(self) -> Alert | None:
        return None if self.moved else self._newest

    @property
    def moved(self) -> bool:
        """Whether it is another one than a moment ago."""
        now_s = asyncio.get_running_loop().time()
        return self._newest is not None and now_s - self._since_s < SETTLE_S

    def point(self, x: int, y: int) -> None:
        """Go to the queue."""
        self.post_message(self.Points("alerts"))

    def update_from(self, snapshot: Snapshot) -> None:
        """Draw the newest alerts of a snapshot."""
        waiting = [a for a in snapshot.alerts if a.state in WAITING]
        first = waiting[0] if waiting else None
        if (first and first.alert_id) != (self._newest and self._newest.alert_id):
            self._since_s = asyncio.get_running_loop().time()
        self._newest = first
        lines: list[Line] = [
            (("▸" if a is first else " ", "accent"), *_strip_line(a, snapshot.header.session_s))
            for a in waiting[:3]
        ]
        if len(waiting) > 3:
            *head, last = lines
            lines = [*head, (*last, (f"  +{len(waiting) - 3} more", "dim"))]
        if snapshot.flood.active:
            lines = [_banner(snapshot.flood), *lines][:3]
        if not lines:
            lines = [((" ✓ 0 unacked: all clear", "good"),)]
        self.show(lines)


def _banner(flood: Flood) -> Line:
    since = f" since {clock(flood.since_s)}" if flood.since_s else ""
    text = f" FLOOD{since}: {flood.pending} wait for the next digest, {flood.held} held so far "
    return ((text, "alarm"),)


def _foot(flood: Flood) -> tuple[Line, ...]:
    """Volume of alerts, a minute each, and the flood's banner."""
    recent = flood.minutes[-TREND_MINUTES:]
    trend = spark(tuple(float(m[1]) for m in recent), TREND_MINUTES)
    now = recent[-1] if recent else (0, 0, 0, 0)
    volume: Line = (
        (f"1m {trend} ", "dim"),
        (f"{now[1]} offered, {now[2]} raised, {now[3]} told", "dim"),
        (f"   today {flood.told}, urgent {flood.urgent}, digests {flood.digests}", "dim"),
        (f"   left unseen {flood.overflowed}" if flood.overflowed else "", "warn"),
    )
    if flood.active:
        return (_banner(flood), volume)
    return (volume,) if recent else ()


def _strip_line(a: Alert, now_s: float) -> Line:
    pattern = fit(short_pattern(a.pattern, 18), 18)
    text = f"{age(now_s - a.at_s):>5} {fit_ends(a.symbol, 18)} {pattern} {a.timeframe:<3}"
    if a.origin is Origin.SYSTEM:
        return ((f"{a.priority.name} ", _URGENT[a.priority]),
                (f"{age(now_s - a.at_s):>5} {fit(a.message or a.pattern, 58)}", ""))  # fmt: skip
    return (
        (f"{a.priority.name} ", _URGENT[a.priority]),
        (text, ""),
        (f" {arrow(a.side)} ", _SIDES.get(a.side, "dim")),
        (f"{price(a.price):>11} {a.confidence:4.0%}", ""),
    )


def _row(a: Alert, now_s: float, *, marked: bool) -> Row:
    waiting = a.state in WAITING
    body = "" if waiting else "dim"
    market = a.origin is not Origin.SYSTEM
    cells: tuple[Span, ...] = (
        (
            "◆" if marked else _GLYPHS[a.state],
            "accent" if marked else _URGENT[a.priority] or "bad" if waiting else "dim",
        ),
        (a.priority.name, _URGENT[a.priority] if waiting else "dim"),
        (age(now_s - a.at_s), body),
        (a.symbol, "bold" if waiting else "dim"),
        (short_pattern(a.pattern, 19), body),
        (a.timeframe, body),
        (
            f"{arrow(a.side)} {a.direction if a.side else '–'}" if market else "",
            _SIDES.get(a.side, "dim") if waiting else "dim",
        ),
        (price(a.price) if market else "", body),
        (f"{a.confidence:.0%}" if market else "", body),
        (_hit(a), body if a.calibrated else "dim"),
        (_quantity(a), body if a.plan is not None and a.plan.quantity else "dim"),
        (f"{a.count}" if a.count > 1 else "", body),
        (_what(a), "dim" if market or not waiting else ""),
    )
    return Row(a.alert_id, cells)


def _pointed(row: Row) -> Row:
    """A row that the cursor is on, in a pane without the focus."""
    (glyph, style), *cells = row.cells
    return Row(row.key, ((f"▸{glyph}", style), *cells))


def _hit(a: Alert) -> str:
    """The chance to hit and the outcomes behind it; `~` where they are too few to tell.

    Without any outcome nothing is claimed: the rate that chance alone has says nothing of it.
    """
    if a.p_hit is not None and not a.p_outcomes:
        return "– 0"
    if a.p_hit is None:
        return ""
    return f"{'' if a.calibrated else '~'}{a.p_hit:.0%} {a.p_outcomes}"


def _what(a: Alert) -> str:
    if a.state is AlertState.ACKED:
        return f"acknowledged by {a.acked_by}"
    if a.state is AlertState.SHELVED:
        return f"shelved until {clock(a.shelved_until_s)}"
    if a.state is AlertState.RETURNED:
        return f"over: {a.reason}".replace("_", " ")
    if a.state is AlertState.SUPPRESSED:
        return a.reason
    if a.message:
        return a.message
    parts = [f"{name} {value:.2f}" for name, value in a.evidence.items() if name != "same_minute"]
    return " ".join([*a.tags, *parts[:3]])


def _quantity(a: Alert) -> str:
    """How much to take; `e` says why it is nothing."""
    if a.plan is None:
        return ""
    return "BLOCK" if a.plan.reason.startswith("BLOCKED") else compact(a.plan.quantity)
