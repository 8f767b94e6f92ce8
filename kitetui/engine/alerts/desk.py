"""The desk: the queue of alerts and the states they go through.

A pure function of the alerts and times it was given. Every change is a `Transition`.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from hashlib import blake2b
from itertools import chain
from typing import Any

import msgspec

from kitetui.engine.alerts.alert import WAITING, Alert, AlertState, Key, Priority
from kitetui.engine.alerts.shelves import Shelves
from kitetui.settings import AlertSettings

ENGINE = "engine"
CLOSED_KEPT = 200
EPISODES_MAX = 20_000


class Transition(msgspec.Struct, frozen=True):
    """One change of one alert, as the ledger has it.

    Attributes:
        at_s: session second; actor: who did it, `engine` or an operator.
        before, after: states; `before` is empty where the alert comes up.
    """

    at_s: int
    alert_id: str
    episode: int
    revision: int
    before: str
    after: str
    actor: str
    reason: str


class Desk:
    """Alerts by id, and at most one open episode of each key.

    Attributes:
        overflowed: alerts that left because the queue was full, never a P1.
        closed: those that left last, newest last.
        transitions: changes since they were last taken; changed: alerts as they are now.
    """

    def __init__(self, settings: AlertSettings) -> None:
        self._settings = settings
        self.overflowed = 0
        self.shelves = Shelves()
        self.closed: deque[Alert] = deque(maxlen=CLOSED_KEPT)
        self.transitions: list[Transition] = []
        self.changed: dict[str, Alert] = {}
        self._open: dict[Key, str] = {}
        self._urgent: OrderedDict[str, Alert] = OrderedDict()
        self._waiting: OrderedDict[str, Alert] = OrderedDict()
        self._rest: OrderedDict[str, Alert] = OrderedDict()
        self._episodes: OrderedDict[Key, int] = OrderedDict()
        self._told_s: dict[str, tuple[int, int]] = {}
        self._hash = blake2b(digest_size=16).digest()

    def tune(self, settings: AlertSettings) -> None:
        """Go by other thresholds from now on."""
        self._settings = settings

    def __len__(self) -> int:
        return len(self._urgent) + len(self._waiting) + len(self._rest)

    def __iter__(self) -> Iterator[Alert]:
        return chain(self._urgent.values(), self._waiting.values(), self._rest.values())

    @property
    def unacked(self) -> int:
        """Alerts waiting for somebody."""
        return sum(alert.state in WAITING for alert in self)

    def unacked_by_priority(self) -> tuple[int, int, int]:
        """The same of P1, P2 and P3."""
        counts = [0, 0, 0]
        for alert in self:
            if alert.state in WAITING:
                counts[alert.priority - 1] += 1
        return counts[0], counts[1], counts[2]

    @property
    def alert_hash(self) -> str:
        """A digest of every alert ever raised, in order: equal runs have equal hashes."""
        return self._hash.hex()

    def newest(self, count: int) -> list[Alert]:
        """Alerts for the screen: what waits first, the urgent before the rest, newest first."""
        if not count:
            return []

        def place(alert: Alert) -> tuple[bool, int, int, str]:
            waits = alert.state in WAITING
            urgent = waits and alert.priority is Priority.P1
            return not waits, not urgent, -alert.at_s, alert.alert_id

        return sorted(self, key=place)[:count]

    def gone(self, alert_id: str) -> Alert | None:
        """An alert that left lately."""
        return next((a for a in reversed(self.closed) if a.alert_id == alert_id), None)

    def get(self, alert_id: str) -> Alert | None:
        """An alert still in the queue."""
        for part in (self._urgent, self._waiting, self._rest):
            if (alert := part.get(alert_id)) is not None:
                return alert
        return None

    def open_episode(self, key: Key) -> Alert | None:
        """The episode of a key that is open."""
        alert_id = self._open.get(key)
        return None if alert_id is None else self.get(alert_id)

    # ---- what the gate does ----------------------------------------------------------------

    def raise_alert(self, alert: Alert) -> Alert:
        """Put an admitted alert into the queue; it as it stands there."""
        key = alert.key
        episode = self._episodes.get(key, 0) + 1
        self._episodes[key] = episode
        self._episodes.move_to_end(key)
        if len(self._episodes) > EPISODES_MAX:
            self._episodes.popitem(last=False)
        if episode != alert.episode or not alert.last_s:
            alert = msgspec.structs.replace(alert, episode=episode, last_s=alert.at_s)
        self._hash = blake2b(self._hash + alert.alert_id.encode(), digest_size=16).digest()
        self._open[key] = alert.alert_id
        self._put(alert)
        self._log(alert, "", ENGINE, alert.reason or "raised", alert.at_s)
        self._make_room(alert.at_s)
        return alert

    def merge(self, alert: Alert, candidate: Alert) -> bool:
        """Count a candidate into its open episode; whether people are to be told of it again.

        A rise in priority or in confidence takes an acknowledgement back; a condition that
        returns opens the alert that is still waiting again.
        """
        rises = candidate.priority < alert.priority
        rises |= candidate.confidence >= alert.confidence + self._settings.pierce_confidence
        now: dict[str, Any] = {
            "count": alert.count + 1,
            "last_s": candidate.at_s,
            "valid_until_s": max(alert.valid_until_s, candidate.valid_until_s),
        }
        if candidate.message:
            now["message"] = candidate.message
        if rises:
            now |= {"priority": min(alert.priority, candidate.priority),
                    "confidence": candidate.confidence, "score": candidate.score,
                    "evidence": candidate.evidence}  # fmt: skip
        if alert.state is AlertState.RETURNED:
            self.move(alert, AlertState.UNACKED, ENGINE, "it is back", candidate.at_s, **now)
            return rises
        if rises and alert.state in (AlertState.ACKED, AlertState.UNACKED):
            self.move(alert, AlertState.UNACKED, ENGINE, "it is stronger", candidate.at_s,
                      acked_by="", acked_s=0, **now)  # fmt: skip
            return True
        self._put(msgspec.structs.replace(alert, **now))
        return False

    def mark(self, alert_id: str, tags: tuple[str, ...]) -> None:
        """Give an alert words it does not have yet."""
        alert = self.get(alert_id)
        fresh = tuple(tag for tag in tags if alert is not None and tag not in alert.tags)
        if alert is not None and fresh:
            self._change(alert, tags=alert.tags + fresh)

    def over(self, alert_id: str, reason: str, at_s: int) -> None:
        """The condition of an alert is over."""
        alert = self.get(alert_id)
        if alert is None:
            return
        if alert.state is AlertState.UNACKED:
            self.move(alert, AlertState.RETURNED, ENGINE, reason, at_s, valid_until_s=at_s)
        elif alert.state in (AlertState.ACKED, AlertState.SUPPRESSED):
            self.close(alert, reason, at_s)
        elif alert.state is AlertState.SHELVED:
            self._put(msgspec.structs.replace(alert, valid_until_s=at_s))

    def release(self, alert: Alert, at_s: int) -> Alert:
        """What kept an alert from being told is over, and its condition is not."""
        return self.move(alert, AlertState.UNACKED, ENGINE, "nothing suppresses it", at_s)

    # ---- time ------------------------------------------------------------------------------

    def tick(self, at_s: int) -> list[Alert]:
        """Time went on; the alerts to be told again because nobody has acknowledged them."""
        again: list[Alert] = []
        for shelf in self.shelves.ended(at_s):
            if shelf.side is not None:
                key = Key(shelf.symbol, shelf.rule, shelf.timeframe, shelf.side)
                self.unshelve(key, ENGINE, "the shelf's time is over", at_s)
        for alert in list(self):
            if alert.session_end_s and at_s >= alert.session_end_s:
                self.close(alert, "session_end", at_s)
            elif alert.valid_until_s and at_s >= alert.valid_until_s and alert.state in (
                AlertState.UNACKED, AlertState.ACKED, AlertState.SUPPRESSED,
            ):  # fmt: skip
                self.over(alert.alert_id, "its time is over", at_s)
            elif alert.state is AlertState.RETURNED:
                if at_s - alert.valid_until_s >= self._settings.returned_minutes * 60:
                    self.close(alert, "expired", at_s)
            elif alert.state is AlertState.UNACKED and self._escalates(alert, at_s):
                again.append(alert)
        return again

    def told(self, alert_id: str, at_s: int) -> None:
        """Somebody was told of an alert."""
        if self.get(alert_id) is not None:
            times, _ = self._told_s.get(alert_id, (0, 0))
            self._told_s[alert_id] = (times + 1, at_s)

    def _escalates(self, alert: Alert, at_s: int) -> bool:
        wait_minutes = self._settings.escalate_minutes.get(alert.priority.name)
        times, last_s = self._told_s.get(alert.alert_id, (0, 0))
        return bool(
            wait_minutes and 1 <= times <= self._settings.escalations
            and not 0 <= at_s - last_s < wait_minutes * 60
        )  # fmt: skip

    # ---- changes ---------------------------------------------------------------------------

    def unshelve(self, key: Key, actor: str, reason: str, at_s: int) -> None:
        """Take a key's alert from the shelf: back to waiting, or away where it is over."""
        alert = self.open_episode(key)
        if alert is None or alert.state is not AlertState.SHELVED:
            return
        if alert.valid_until_s and at_s >= alert.valid_until_s:
            self.close(alert, reason, at_s, actor, shelved_until_s=0)
        else:
            self.move(alert, AlertState.UNACKED, actor, reason, at_s, shelved_until_s=0)

    def close(self, alert: Alert, reason: str, at_s: int, actor: str = ENGINE,
               **fields: Any) -> None:  # fmt: skip
        """Let an alert go."""
        closed = self.move(alert, AlertState.CLOSED, actor, reason, at_s, **fields)
        for part in (self._urgent, self._waiting, self._rest):
            part.pop(alert.alert_id, None)
        self._open.pop(alert.key, None)
        self._told_s.pop(alert.alert_id, None)
        self.closed.append(closed)

    def reopen(self, alert: Alert) -> bool:
        """Take one back that left last; False where its key has another episode by now."""
        if alert.key in self._open or alert not in self.closed:
            return False
        self.closed.remove(alert)
        self._open[alert.key] = alert.alert_id
        return True

    def _make_room(self, at_s: int) -> None:
        """Within its rows: what needs nobody leaves first, then the least urgent, oldest first."""
        while len(self._waiting) + len(self._rest) > self._settings.rows:
            if self._rest:
                leaves = next(iter(self._rest.values()))
            else:
                least = max(alert.priority for alert in self._waiting.values())
                leaves = next(a for a in self._waiting.values() if a.priority == least)
            self.overflowed += 1
            self.close(leaves, "overflow", at_s)

    def move(self, alert: Alert, state: AlertState, actor: str, reason: str, at_s: int,
              **fields: Any) -> Alert:  # fmt: skip
        """Bring an alert into a state, for the ledger; it as it is then."""
        before = alert.state
        changed = self._change(alert, state=state, reason=reason, **fields)
        self._log(changed, before, actor, reason, at_s)
        return changed

    def _change(self, alert: Alert, **fields: Any) -> Alert:
        changed = msgspec.structs.replace(alert, revision=alert.revision + 1, **fields)
        self._put(changed)
        return changed

    def _put(self, alert: Alert) -> None:
        """Keep an alert where its kind of alerts is kept."""
        if alert.priority is Priority.P1:
            home = self._urgent
        elif alert.state in WAITING:
            home = self._waiting
        else:
            home = self._rest
        for part in (self._urgent, self._waiting, self._rest):
            if part is not home:
                part.pop(alert.alert_id, None)
        home[alert.alert_id] = alert
        self.changed[alert.alert_id] = alert

    def _log(self, alert: Alert, before: str, actor: str, reason: str, at_s: int) -> None:
        self.transitions.append(
            Transition(at_s, alert.alert_id, alert.episode, alert.revision, before, alert.state,
                       actor, reason)
        )  # fmt: skip

    def drain(self) -> tuple[list[Transition], dict[str, Alert]]:
        """What changed since this was last asked: transitions, and alerts as they are now."""
        transitions, self.transitions = self.transitions, []
        changed, self.changed = self.changed, {}
        return transitions, changed
