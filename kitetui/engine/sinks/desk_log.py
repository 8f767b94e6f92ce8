"""The desk's log: every alert, every change of it, and the candidates that became none.

One SQLite file a session day. It is only added to, and synced before anybody is told. Firings too
weak to be candidates are in the ledger of firings.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from kitetui.engine.alerts.alert import Alert
from kitetui.engine.alerts.desk import Transition
from kitetui.engine.alerts.gate import Departure
from kitetui.engine.calendar import ist_day
from kitetui.engine.commands import Result
from kitetui.engine.sinks.day_files import DayFiles, ids_from
from kitetui.engine.sinks.sqlite import append_only, read

_TABLES = """
CREATE TABLE IF NOT EXISTS alert (id TEXT PRIMARY KEY, at_s INTEGER, body TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS transition (
  number INTEGER PRIMARY KEY, at_s INTEGER, id TEXT, episode INTEGER, revision INTEGER,
  before TEXT, after TEXT, actor TEXT, reason TEXT, wall_ms INTEGER,
  UNIQUE (id, episode, revision));
CREATE TABLE IF NOT EXISTS departure (
  number INTEGER, at_s INTEGER, id TEXT, symbol TEXT, rule TEXT, priority INTEGER, exit TEXT,
  PRIMARY KEY (number, at_s, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS control (
  number INTEGER PRIMARY KEY, at_s INTEGER, actor TEXT, action TEXT, done INTEGER, said TEXT,
  wall_ms INTEGER);
""" + append_only("alert", "transition", "departure", "control")
_ADD_ALERT = "INSERT OR IGNORE INTO alert VALUES (?, ?, ?)"
_ADD_DEPARTURE = "INSERT OR IGNORE INTO departure VALUES (?, ?, ?, ?, ?, ?, ?)"
_FIND = "SELECT body FROM alert WHERE id >= ? AND id < ? LIMIT 2"
_CHANGES = ("SELECT at_s, id, episode, revision, before, after, actor, reason "
            "FROM transition WHERE id = ? ORDER BY number")  # fmt: skip
_ADD = """
INSERT OR IGNORE INTO transition
  (at_s, id, episode, revision, before, after, actor, reason, wall_ms)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""


class DeskLog:
    """All days of one state folder. `write` may be repeated: what is there already stays."""

    def __init__(self, folder: Path, sessions: int) -> None:
        """`sessions`: days that are kept."""
        self._days = DayFiles(folder, _TABLES, sessions)

    def write(self, raised: Sequence[Alert], transitions: Sequence[Transition],
              departures: Sequence[Departure], wall_ms: int) -> None:  # fmt: skip
        """Add what came of candidates; when this returns it is on the disk.

        Raises:
            OSError: the day's file cannot be used.
        """
        days = sorted({ist_day(one.at_s) for some in (raised, transitions, departures)
                       for one in some})  # fmt: skip
        for day in days:
            with self._days.writing(day, "the desk's log is not written") as db:
                db.executemany(_ADD_ALERT, [
                    (a.alert_id, a.at_s, msgspec.json.encode(a).decode())
                    for a in raised if ist_day(a.at_s) == day
                ])  # fmt: skip
                db.executemany(_ADD, [
                    (*msgspec.structs.astuple(t), wall_ms)
                    for t in transitions if ist_day(t.at_s) == day
                ])  # fmt: skip
                db.executemany(_ADD_DEPARTURE, [
                    msgspec.structs.astuple(d) for d in departures if ist_day(d.at_s) == day
                ])  # fmt: skip

    def control(self, at_s: int, actor: str, action: str, result: Result, wall_ms: int) -> None:
        """Add what an operator did to Redis or to a threshold, and what came of it.

        Raises:
            OSError: the day's file cannot be used.
        """
        with self._days.writing(ist_day(at_s), "the desk's log is not written") as db:
            db.execute(
                "INSERT INTO control (at_s, actor, action, done, said, wall_ms) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (at_s, actor, action, result.done, result.text, wall_ms),
            )

    def controls(self, day: int) -> list[tuple[Any, ...]]:
        """What operators did to Redis and thresholds on a day: second, actor, action, done,
        answer."""
        return list(self._lines(day, "SELECT at_s, actor, action, done, said FROM control "
                                     "ORDER BY number"))  # fmt: skip

    def close(self) -> None:
        """Let the file go."""
        self._days.close()

    def alerts(self, day: int) -> list[Alert]:
        """Alerts of a day as they came up, in that order."""
        lines = self._lines(day, "SELECT body FROM alert ORDER BY at_s, id")
        return [msgspec.json.decode(line[0], type=Alert) for line in lines]

    def transitions(self, day: int) -> list[Transition]:
        """Changes of a day, in order."""
        query = ("SELECT at_s, id, episode, revision, before, after, actor, reason "
                 "FROM transition ORDER BY number")  # fmt: skip
        return [Transition(*line) for line in self._lines(day, query)]

    def departures(self, day: int) -> list[Departure]:
        """Candidates of a day that became no alert, in the order in which they came."""
        query = ("SELECT number, at_s, id, symbol, rule, priority, exit FROM departure "
                 "ORDER BY number, at_s")  # fmt: skip
        return [Departure(*line) for line in self._lines(day, query)]

    def find(self, alert_id: str) -> list[tuple[Alert, list[Transition]]]:
        """Alerts whose id begins so, newest day first, at most two, each with its changes."""
        out: list[tuple[Alert, list[Transition]]] = []
        for path in reversed(self._days.all()):
            try:
                found = list(read(path, _FIND, ids_from(alert_id)))
                for (body,) in found:
                    alert = msgspec.json.decode(body, type=Alert)
                    lines = read(path, _CHANGES, (alert.alert_id,))
                    out.append((alert, [Transition(*line) for line in lines]))
            except (OSError, msgspec.DecodeError):
                continue  # a day that cannot be read hides no other
            if len(out) > 1:
                break
        return out[:2]

    def _lines(self, day: int, query: str) -> Iterator[tuple[Any, ...]]:
        path = self._days.path(day)
        return read(path, query) if path.exists() else iter(())
