"""The ledger: every firing and what became of it. One SQLite file a session day, only added to.

A firing is written before anything of its outcome is known, and nothing that was written is ever
changed: the tables refuse it. Whole days leave when there are more than the settings keep.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from kitetui.engine.alerts.alert import Alert
from kitetui.engine.calendar import ist_day
from kitetui.engine.sinks.day_files import DayFiles, ids_from
from kitetui.engine.sinks.sqlite import append_only, read

KEPT_MAX = 2_000
"""Past firings of a pattern, timeframe and asset class that anybody looks at."""
_TABLES = """
CREATE TABLE IF NOT EXISTS firing (
  id TEXT PRIMARY KEY, at_s INTEGER, token INTEGER, pattern TEXT, timeframe TEXT,
  asset_class TEXT, exit TEXT, followed INTEGER, score REAL, null_rate REAL, chance REAL,
  barrier REAL, cost_r REAL, parameters TEXT, alert TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outcome (
  id TEXT PRIMARY KEY, outcome TEXT, bars INTEGER, at_s INTEGER, price REAL, r REAL,
  best_r REAL, best_bar INTEGER, worst_r REAL, worst_bar INTEGER) WITHOUT ROWID;
""" + append_only("firing", "outcome")

_ADD_FIRING = "INSERT OR IGNORE INTO firing VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_KEPT = """
SELECT pattern, timeframe, asset_class, token, at_s, exit, score, null_rate, chance, barrier,
  cost_r, outcome, r, bars
FROM (SELECT pattern, timeframe, asset_class, token, f.at_s, id, exit, score, null_rate, chance,
        barrier, cost_r, coalesce(outcome, '') AS outcome, coalesce(r, 0.0) AS r,
        coalesce(bars, 0) AS bars,
        row_number() OVER (PARTITION BY pattern, timeframe, asset_class
                           ORDER BY f.at_s DESC, id DESC) AS place
      FROM firing f LEFT JOIN outcome USING (id)
      WHERE parameters IN (SELECT value FROM json_each(?)))
WHERE place <= ? ORDER BY at_s DESC, id DESC"""
_FIND = """
SELECT alert, exit, parameters, o.* FROM firing LEFT JOIN outcome o USING (id)
WHERE id >= ? AND id < ? LIMIT 2"""
_ADD_OUTCOME = "INSERT OR IGNORE INTO outcome VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


class Entry(msgspec.Struct, frozen=True):
    """A firing, told or not.

    Attributes:
        alert: what it is or would have been, as it stood when it fired.
        exit: how it left the gate, such as `admitted` or `low_confidence`.
        followed: whether its outcome is; barrier: target's distance over the stop's.
        cost_r: what a round trip costs, in stops' distances.
        parameters: the digest of its pattern's settings.
    """

    alert: Alert
    asset_class: str
    exit: str
    followed: bool
    barrier: float
    cost_r: float
    parameters: str


class Settlement(msgspec.Struct, frozen=True):
    """What became of a firing: times in bars of its timeframe, results in stops' distances.

    `fired_s`: when it fired, whose day keeps it.
    """

    fired_s: int
    alert_id: str
    outcome: str
    bars: int
    at_s: int
    price: float
    r: float
    best_r: float
    best_bar: int
    worst_r: float
    worst_bar: int


class Found(NamedTuple):
    """A firing as it was written: its alert, exit and parameters as in `Entry`."""

    alert: Alert
    exit: str
    parameters: str
    settled: Settlement | None


class Kept(msgspec.Struct, frozen=True):
    """A firing of a past day in short; `outcome` is empty where none is known."""

    pattern: str
    timeframe: str
    asset_class: str
    token: int
    at_s: int
    exit: str
    score: float
    null_rate: float
    chance: float
    barrier: float
    cost_r: float
    outcome: str
    r: float
    bars: int


class Ledger:
    """All days of one state folder. Calls may block: they belong on a thread that may wait.

    Attributes:
        unreadable: names of past days that could not be read, each once.

    `write` raises OSError where the day's file cannot be used.
    """

    def __init__(self, folder: Path, sessions: int) -> None:
        """`sessions`: days that are kept."""
        self._days = DayFiles(folder, _TABLES, sessions)
        self.unreadable: dict[str, str] = {}

    def write(self, entries: Sequence[Entry], settlements: Sequence[Settlement]) -> None:
        """Add firings and outcomes, in one transaction a day; what is there already stays."""
        days = {ist_day(e.alert.at_s) for e in entries} | {ist_day(s.fired_s) for s in settlements}
        for day in sorted(days):
            with self._days.writing(day, "the ledger is not written") as db:
                db.executemany(
                    _ADD_FIRING,
                    [_line(entry) for entry in entries if ist_day(entry.alert.at_s) == day],
                )
                db.executemany(
                    _ADD_OUTCOME,
                    [
                        msgspec.structs.astuple(s)[1:]
                        for s in settlements
                        if ist_day(s.fired_s) == day
                    ],
                )

    def close(self) -> None:
        """Let the file go."""
        self._days.close()

    def kept(self, before: int, sessions: int, parameters: Collection[str]) -> list[Kept]:
        """Firings of the newest sessions before a day, oldest first.

        Of each pattern, timeframe and asset class the newest 2,000, which is what calibrations
        and the board look at. A day that cannot be read is left out and named.

        Args:
            parameters: digests in force; what fired under others is another pattern's past.
        """
        limit = self._days.path(before).name
        left: Counter[tuple[str, str, str]] = Counter()
        days: list[list[Kept]] = []
        for path in reversed([p for p in self._days.all() if p.name < limit][-sessions:]):
            day: list[Kept] = []
            for line in self._lines(path, _KEPT, (json.dumps(sorted(parameters)), KEPT_MAX)):
                kept = Kept(*(_number(x) for x in line))
                key = kept.pattern, kept.timeframe, kept.asset_class
                left[key] += 1
                if left[key] <= KEPT_MAX:
                    day.append(kept)
            days.append(day[::-1])
        return [kept for day in reversed(days) for kept in day]

    def find(self, alert_id: str) -> list[Found]:
        """Firings whose id begins so, newest day first, at most two."""
        out: list[Found] = []
        for path in reversed(self._days.all()):
            for text, way, parameters, *ended in self._lines(path, _FIND, ids_from(alert_id)):
                try:
                    alert = msgspec.json.decode(text, type=Alert)
                except msgspec.DecodeError as error:
                    self.unreadable[path.name] = f"{path}: a firing cannot be read: {error}"
                    continue
                settled = Settlement(alert.at_s, *ended) if ended[0] is not None else None
                out.append(Found(alert, way, parameters, settled))
            if len(out) > 1:
                break
        return out[:2]

    def _lines(self, path: Path, query: str, values: tuple[object, ...]) -> (
            Iterator[tuple[Any, ...]]):  # fmt: skip
        """Lines of a day, newest first; none where it cannot be read."""
        try:
            yield from read(path, query, values)
        except OSError as error:
            self.unreadable[path.name] = f"{path}: {error.strerror}"


def _line(entry: Entry) -> tuple[object, ...]:
    a = entry.alert
    return (a.alert_id, a.at_s, a.token, a.pattern, a.timeframe, entry.asset_class, entry.exit,
            entry.followed, a.score, a.null_rate, a.p_hit, entry.barrier, entry.cost_r,
            entry.parameters, msgspec.json.encode(a).decode())  # fmt: skip


def _number(value: Any) -> Any:
    """SQLite keeps NaN as NULL."""
    return float("nan") if value is None else value
