"""The desk: the queue of alerts and what operators do with it."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import msgspec

from kitetui.engine.alerts.alert import Alert, AlertState
from kitetui.engine.commands import Acknowledge, Command, Result, Undo

NS = 1_000_000_000


class Desk:
    """Alerts by id, oldest first. A pure function of the alerts and commands it was given.

    Attributes:
        revision: grows with every change of any alert.
        dropped: alerts that left because the queue was full.
    """

    def __init__(self, queue_cap: int, undo_s: float) -> None:
        self.queue_cap = queue_cap
        self.undo_ns = int(undo_s * NS)
        self.revision = 0
        self.dropped = 0
        self._alerts: dict[str, Alert] = {}
        self._last_ack: dict[str, tuple[str, int]] = {}
        self._hash = blake2b(digest_size=16)

    def __len__(self) -> int:
        return len(self._alerts)

    @property
    def unacked(self) -> int:
        """Alerts waiting for somebody."""
        return sum(1 for a in self._alerts.values() if a.state is AlertState.UNACKED)

    @property
    def alert_hash(self) -> str:
        """A digest of every alert ever raised, in order: equal runs have equal hashes."""
        return self._hash.hexdigest()

    def newest(self, count: int) -> list[Alert]:
        """Alerts for the screen: unacknowledged first, then newest first."""
        waiting = [a for a in self._alerts.values() if a.state is AlertState.UNACKED]
        done = [a for a in self._alerts.values() if a.state is not AlertState.UNACKED]
        return (waiting[::-1] + done[::-1])[:count]

    def raise_alert(self, alert: Alert) -> None:
        """Put an admitted alert into the queue."""
        self._alerts[alert.alert_id] = alert
        self._hash.update(alert.alert_id.encode())
        self.revision += 1
        if len(self._alerts) > self.queue_cap:
            acked = next((i for i, a in self._alerts.items() if a.state is AlertState.ACKED), None)
            del self._alerts[acked if acked is not None else next(iter(self._alerts))]
            self.dropped += 1

    def mark(self, alert_id: str, tags: tuple[str, ...]) -> Alert | None:
        """Give an alert words it does not have yet; the changed alert, if it is still there."""
        alert = self._alerts.get(alert_id)
        fresh = tuple(tag for tag in tags if alert is not None and tag not in alert.tags)
        if alert is None or not fresh:
            return None
        return self._change(alert, tags=alert.tags + fresh)

    def obey(self, command: Command, now_ns: int) -> Result:
        """Carry out a command; a refusal says why."""
        if isinstance(command, Acknowledge):
            return self._acknowledge(command, now_ns)
        return self._undo(command, now_ns)

    def get(self, alert_id: str) -> Alert | None:
        """An alert still in the queue."""
        return self._alerts.get(alert_id)

    def _acknowledge(self, command: Acknowledge, now_ns: int) -> Result:
        alert = self._alerts.get(command.alert_id)
        if alert is None:
            return Result(False, f"no alert {command.alert_id[:16]} in the queue")
        if alert.state is AlertState.ACKED:
            return Result(
                False, f"{alert.symbol} {alert.pattern} was acknowledged by {alert.acked_by}"
            )
        if (alert.episode, alert.revision) != (command.episode, command.revision):
            return Result(
                False, f"{alert.symbol} {alert.pattern} changed since you saw it; look again"
            )
        self._change(
            alert, state=AlertState.ACKED, acked_by=command.actor[:64], acked_s=now_ns // NS
        )
        self._last_ack[command.actor] = (alert.alert_id, now_ns)
        return Result(
            True,
            f"acknowledged {alert.symbol} {alert.pattern} {alert.timeframe}; u takes it back",
            alert.alert_id,
        )

    def _undo(self, command: Undo, now_ns: int) -> Result:
        alert_id, when_ns = self._last_ack.pop(command.actor, ("", 0))
        alert = self._alerts.get(alert_id)
        if alert is None or alert.state is not AlertState.ACKED:
            return Result(False, "nothing to undo")
        if now_ns - when_ns > self.undo_ns:
            return Result(
                False, f"too late: an acknowledgement can be undone for {self.undo_ns // NS} s"
            )
        self._change(alert, state=AlertState.UNACKED, acked_by="", acked_s=0)
        return Result(
            True, f"{alert.symbol} {alert.pattern} is unacknowledged again", alert.alert_id
        )

    def _change(self, alert: Alert, **fields: Any) -> Alert:
        changed = msgspec.structs.replace(alert, **fields, revision=alert.revision + 1)
        self._alerts[alert.alert_id] = changed
        self.revision += 1
        return changed
