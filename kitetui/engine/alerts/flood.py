"""The flood governor: who is told of what. At most so many annunciations in any ten minutes.

P1 is always told, one a second and the rest of that second together in the next; P2 is told within
the budget, and what goes beyond it opens FLOOD: one banner, then a digest a minute at most, until
arrivals are rare again. P3 is only counted into digests.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from enum import StrEnum
from hashlib import blake2b

import msgspec

from kitetui.engine.alerts.alert import Alert, Priority
from kitetui.settings import BudgetSettings

TOP = 5
"""Groups that a digest names; the others are counted."""
ARRIVALS_MAX = 20_000
IDS_MAX = 1_000
"""Ids that a digest carries; the ledger has the others."""


class Form(StrEnum):
    """What kind of message."""

    ALERT = "alert"
    AGAIN = "again"
    TOGETHER = "together"
    FLOOD = "flood"
    DIGEST = "digest"
    CALM = "calm"


class Notice(msgspec.Struct, frozen=True):
    """One interruption of a person.

    Attributes:
        notice_id: the same for the same event in any process, replay or retry.
        alerts: whom it is about, as they were; a digest has none.
        alert_ids: of all that it stands for, at most a thousand.
        text: what a digest or banner says.
    """

    notice_id: str
    form: Form
    priority: Priority
    at_s: int
    alerts: tuple[Alert, ...] = ()
    alert_ids: tuple[str, ...] = ()
    text: str = ""


class Flood:
    """Spends the budget; a pure function of alerts and time.

    Attributes:
        active: whether FLOOD is on, since `since_s`.
        told: annunciations of P2 and P3 ever; urgent: of P1; digests: digests.
        held: alerts that a digest stood for.
    """

    def __init__(self, settings: BudgetSettings) -> None:
        self._settings = settings
        self._window_s = settings.minutes * 60
        self.active = False
        self.since_s = 0
        self.told = self.urgent = self.digests = self.held = 0
        self._told_s: deque[int] = deque()
        self._arrived_s: deque[int] = deque(maxlen=ARRIVALS_MAX)
        self._urgent_s = -1
        self._urgent: list[Alert] = []
        self._groups: Counter[tuple[str, str]] = Counter()
        self._ids: list[str] = []
        self._pending = 0
        self._digest_s = 0

    def spend(self, alerts: Sequence[Alert], at_s: int, form: Form = Form.ALERT) -> list[Notice]:
        """Alerts of one moment, the most expected first among those of a priority."""
        out: list[Notice] = []
        for alert in sorted(alerts, key=_order):
            if alert.priority is Priority.P1:
                out += self._urgently(alert, at_s, form)
            elif alert.priority is Priority.P2:
                out += self._within_budget(alert, at_s, form)
        return out

    def tick(self, at_s: int) -> list[Notice]:
        """Time went on: what was held is told, and FLOOD may end."""
        out: list[Notice] = []
        if self._urgent and at_s != self._urgent_s:
            alerts, self._urgent = tuple(self._urgent), []
            self._urgent_s = at_s
            form = Form.TOGETHER if len(alerts) > 1 else Form.ALERT
            out.append(_notice(form, Priority.P1, at_s, alerts))
            self.urgent += 1
        self._forget(at_s)
        over = self.active and len(self._arrived_s) < self._settings.flood_ends_below
        due = not 0 <= at_s - self._digest_s < self._settings.digest_s
        if self._pending and (over or due):
            out.append(self._digest(at_s))
        if over:
            self.active = False
            minutes = max((at_s - self.since_s) // 60, 1)
            text = f"The flood is over: it lasted {minutes} min"
            out.append(_notice(Form.CALM, Priority.P3, at_s, (), text))
        return out

    @property
    def messages(self) -> int:
        """How often people were told something."""
        return self.told + self.urgent + self.digests

    @property
    def pending(self) -> int:
        """Alerts that the next digest stands for."""
        return self._pending

    def _urgently(self, alert: Alert, at_s: int, form: Form) -> list[Notice]:
        if at_s != self._urgent_s and not self._urgent:
            self._urgent_s = at_s
            self.urgent += 1
            return [_notice(form, Priority.P1, at_s, (alert,))]
        self._urgent.append(alert)
        return []

    def _within_budget(self, alert: Alert, at_s: int, form: Form) -> list[Notice]:
        self._forget(at_s)
        self._arrived_s.append(at_s)
        if not self.active:
            if len(self._told_s) < self._settings.told:
                self._told_s.append(at_s)
                self.told += 1
                return [_notice(form, alert.priority, at_s, (alert,))]
            self.active, self.since_s, self._digest_s = True, at_s, at_s
            self._hold(alert)
            text = (f"FLOOD: more than {self._settings.told} alerts in "
                    f"{self._settings.minutes} min; digests until it is calm")  # fmt: skip
            return [_notice(Form.FLOOD, Priority.P2, at_s, (), text)]
        self._hold(alert)
        return []

    def _hold(self, alert: Alert) -> None:
        self.held += 1
        self._pending += 1
        self._groups[alert.symbol, alert.pattern] += 1
        if len(self._ids) < IDS_MAX:
            self._ids.append(alert.alert_id)

    def _digest(self, at_s: int) -> Notice:
        top = sorted(self._groups.items(), key=lambda item: (-item[1], item[0]))[:TOP]
        named = ", ".join(f"{s} {p}" + (f" x{n}" if n > 1 else "") for (s, p), n in top)
        others = self._pending - sum(n for _, n in top)
        text = f"{self._pending} alerts: {named}" + (f" and {others} more" if others else "")
        out = _notice(Form.DIGEST, Priority.P2, at_s, (), text, tuple(self._ids))
        self._groups.clear()
        self._ids, self._pending, self._digest_s = [], 0, at_s
        self.digests += 1
        return out

    def _forget(self, at_s: int) -> None:
        """What is out of the window; so is what another clock timed, from before the session."""
        for times in (self._arrived_s, self._told_s):
            while times and not 0 <= at_s - times[0] < self._window_s:
                times.popleft()


def _order(alert: Alert) -> tuple[int, float, str]:
    return alert.priority, -(alert.expected_r or 0.0), alert.alert_id


def _notice(form: Form, priority: Priority, at_s: int, alerts: tuple[Alert, ...], text: str = "",
            ids: tuple[str, ...] = ()) -> Notice:  # fmt: skip
    ids = ids or tuple(alert.alert_id for alert in alerts)
    told = "\x1f".join((form, str(at_s), *ids, text))
    notice_id = blake2b(told.encode(), digest_size=8).hexdigest()
    return Notice(notice_id, form, priority, at_s, alerts, ids, text)
