"""Operators: what people do with alerts; the same rules for keys, scripts and sockets."""

from __future__ import annotations

from collections import OrderedDict

from kitetui.engine.alerts.alert import WAITING, Alert, AlertState
from kitetui.engine.alerts.desk import Desk
from kitetui.engine.alerts.shelves import Shelf
from kitetui.engine.calendar import ist
from kitetui.engine.commands import (
    Acknowledge,
    AcknowledgeMany,
    Mute,
    Result,
    Shelve,
    Undo,
    Unmute,
    Unshelve,
)
from kitetui.settings import AlertSettings

NS = 1_000_000_000
ACTORS_MAX = 64
WHY_MAX = 200

DeskCommand = Acknowledge | AcknowledgeMany | Undo | Shelve | Unshelve | Mute | Unmute


class Operators:
    """Carries commands out. An acknowledgement is compare-and-set on what was seen."""

    def __init__(self, settings: AlertSettings, desk: Desk) -> None:
        self._settings = settings
        self._desk = desk
        self._undo_ns = int(settings.undo_s * NS)
        self._last_ack: OrderedDict[str, tuple[list[Alert], int]] = OrderedDict()

    def obey(self, command: DeskCommand, now_ns: int, at_s: int) -> Result:
        """Carry out a command; a refusal says why.

        Args:
            now_ns: wall time at which it came in; at_s: session second.
        """
        actor = command.actor[:64]
        match command:
            case Acknowledge():
                return self._acknowledge(command, actor, now_ns, at_s)
            case AcknowledgeMany():
                return self._acknowledge_many(command, actor, now_ns, at_s)
            case Undo():
                return self._undo(actor, now_ns, at_s)
            case Shelve():
                return self._shelve(command, actor, at_s)
            case Unshelve():
                return self._unshelve_alert(command, actor, at_s)
            case Mute():
                return self._mute(command, actor, at_s)
            case Unmute():
                words = f"{command.symbol} {command.pattern}".strip()
                if self._desk.shelves.take(command.symbol, command.pattern):
                    return Result(True, f"{words} is heard again")
                return Result(False, f"{words} is not muted")

    def _seen(self, command: Acknowledge | Shelve) -> Alert | Result:
        """The alert of a command that was given on what it is now; else why not."""
        alert = self._desk.get(command.alert_id) or self._desk.gone(command.alert_id)
        if alert is None:
            return Result(False, f"no alert {command.alert_id[:16]} in the queue")
        told = alert.state in (AlertState.ACKED, AlertState.CLOSED) and alert.acked_by
        if told and isinstance(command, Acknowledge):
            at = ist(alert.acked_s)
            return Result(
                False,
                f"{alert.symbol} {alert.pattern} was acknowledged by {alert.acked_by} "
                f"at {at:%H:%M:%S}",
            )
        if alert.state is AlertState.CLOSED:
            return Result(False, f"{alert.symbol} {alert.pattern} has left the queue")
        if (alert.episode, alert.revision) != (command.episode, command.revision):
            return Result(
                False, f"{alert.symbol} {alert.pattern} changed since you saw it; look again"
            )
        return alert

    def _acknowledge(self, command: Acknowledge, actor: str, now_ns: int, at_s: int) -> Result:
        alert = self._acknowledged(command, actor, now_ns, at_s)
        if isinstance(alert, Result):
            return alert
        self._note_ack(actor, [alert], now_ns)
        words = f"{alert.symbol} {alert.pattern} {alert.timeframe}".rstrip()
        return Result(True, f"acknowledged {words}; undo takes it back", alert.alert_id)

    def _acknowledge_many(
        self, command: AcknowledgeMany, actor: str, now_ns: int, at_s: int
    ) -> Result:
        """Each as it was seen; those that changed stay."""
        done: list[Alert] = []
        for alert_id, episode, revision in command.seen:
            one = Acknowledge(alert_id, episode, revision, actor)
            alert = self._acknowledged(one, actor, now_ns, at_s)
            if isinstance(alert, Alert):
                done.append(alert)
        left = len(command.seen) - len(done)
        rest = f"; {left} changed since you saw them" if left else ""
        if done:
            self._note_ack(actor, done, now_ns)
        return Result(bool(done), f"acknowledged {len(done)} alerts{rest}")

    def _acknowledged(
        self, command: Acknowledge, actor: str, now_ns: int, at_s: int
    ) -> Alert | Result:
        """The alert as it was before it was acknowledged; else why it is not."""
        alert = self._seen(command)
        if isinstance(alert, Result):
            return alert
        if alert.state not in WAITING:
            return Result(False, f"{alert.symbol} {alert.pattern} is {alert.state}")
        fields = {"acked_by": actor, "acked_s": now_ns // NS}
        if alert.state is AlertState.RETURNED:
            self._desk.close(alert, "acknowledged", at_s, actor, **fields)
        else:
            self._desk.move(alert, AlertState.ACKED, actor, "acknowledged", at_s, **fields)
        return alert

    def _note_ack(self, actor: str, alerts: list[Alert], now_ns: int) -> None:
        self._last_ack[actor] = alerts, now_ns
        self._last_ack.move_to_end(actor)
        if len(self._last_ack) > ACTORS_MAX:
            self._last_ack.popitem(last=False)

    def _undo(self, actor: str, now_ns: int, at_s: int) -> Result:
        alerts, when_ns = self._last_ack.pop(actor, ([], 0))
        if not alerts:
            return Result(False, "nothing to undo")
        if now_ns - when_ns > self._undo_ns:
            return Result(
                False, f"too late: an acknowledgement can be undone for {self._undo_ns // NS} s"
            )
        back = [alert for alert in alerts if self._taken_back(alert, actor, at_s)]
        first = alerts[0]
        if not back:
            return Result(False, f"{first.symbol} {first.pattern} has changed or left the queue")
        words = f"{first.symbol} {first.pattern} is" if len(alerts) == 1 else f"{len(back)} are"
        return Result(True, f"{words} unacknowledged again", first.alert_id)

    def _taken_back(self, before: Alert, actor: str, at_s: int) -> bool:
        """An alert is as it was before it was acknowledged, or waits although it is over."""
        now, state = self._desk.get(before.alert_id), before.state
        if now is None:
            now = next((a for a in self._desk.closed if a.alert_id == before.alert_id), None)
            state = AlertState.RETURNED
            if now is None or not now.acked_by or not self._desk.reopen(now):
                return False
        elif now.state is not AlertState.ACKED:
            return False
        self._desk.move(now, state, actor, "acknowledgement undone", at_s, acked_by="", acked_s=0,
                        valid_until_s=now.valid_until_s or at_s)  # fmt: skip
        return True

    def _shelve(self, command: Shelve, actor: str, at_s: int) -> Result:
        alert = self._seen(command)
        if isinstance(alert, Result):
            return alert
        until_s = self._shelf_end(command.minutes, alert.session_end_s, at_s)
        shelf = Shelf(*alert.key, until_s, actor, command.why[:WHY_MAX])
        if not self._desk.shelves.put(shelf):
            return Result(False, "too many shelves; take one down first")
        self._desk.move(alert, AlertState.SHELVED, actor, command.why[:WHY_MAX] or "shelved", at_s,
                   shelved_until_s=until_s)  # fmt: skip
        words = f"{alert.symbol} {alert.pattern} is shelved until {ist(until_s):%H:%M}"
        return Result(True, f"{words}; unshelve takes it back", alert.alert_id)

    def _unshelve_alert(self, command: Unshelve, actor: str, at_s: int) -> Result:
        alert = self._desk.get(command.alert_id)
        if alert is None or alert.state is not AlertState.SHELVED:
            return Result(False, f"no shelved alert {command.alert_id[:16]}")
        self._desk.shelves.take(*alert.key)
        self._desk.unshelve(alert.key, actor, "unshelved", at_s)
        return Result(True, f"{alert.symbol} {alert.pattern} is off the shelf", alert.alert_id)

    def _mute(self, command: Mute, actor: str, at_s: int) -> Result:
        if not (command.symbol or command.pattern):
            return Result(False, "mute what? name a symbol, a pattern, or both")
        until_s = self._shelf_end(command.minutes, 0, at_s)
        shelf = Shelf(
            command.symbol, command.pattern, "", None, until_s, actor, command.why[:WHY_MAX]
        )
        if not self._desk.shelves.put(shelf):
            return Result(False, "too many shelves; take one down first")
        return Result(True, f"{shelf.words} is muted until {ist(until_s):%H:%M}")

    def _shelf_end(self, minutes: int, session_end_s: int, at_s: int) -> int:
        """0 minutes are the rest of the session."""
        end_s = session_end_s or at_s + self._settings.session_shelf_minutes * 60
        return min(at_s + minutes * 60, end_s) if minutes > 0 else end_s
