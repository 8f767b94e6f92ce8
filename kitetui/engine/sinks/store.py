"""The store that outlives sessions: levels, value areas and volatilities of past days."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from kitetui.engine.feed.batch import F64
from kitetui.engine.feed.records import PastLevels
from kitetui.engine.sinks.sqlite import opened, said

VIX = "INDIA VIX"
TARGET_DAYS = 30.0
DAYS_KEPT = 600
"""Calendar days, more than the 252 sessions that a rank looks back."""
_TABLES = """
CREATE TABLE IF NOT EXISTS levels (
  token INTEGER, day INTEGER, poc REAL, vah REAL, val REAL, high REAL, low REAL, close REAL,
  PRIMARY KEY (token, day)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS volatility (
  day INTEGER, name TEXT, expiry TEXT, days REAL, value REAL,
  PRIMARY KEY (day, name, expiry)) WITHOUT ROWID;
"""


class SessionStore:
    """One SQLite file, mode 0600. Calls may block: they belong on a thread that may wait.

    Days are numbers of `ist_day`. All methods raise OSError where the file cannot be used.
    """

    def __init__(self, path: Path) -> None:
        """Open or make it."""
        self._path = path
        self._db = opened(path, _TABLES)

    def close(self) -> None:
        """Let the file go."""
        self._db.close()

    def keep_levels(self, levels: Sequence[PastLevels]) -> None:
        """Remember sessions' levels; the last word on a (token, day) counts."""
        lines = [(x.token, x.day, x.poc, x.vah, x.val, x.high, x.low, x.close) for x in levels]
        with said(self._path, "levels are not kept"), self._db:
            self._db.executemany(
                "INSERT OR REPLACE INTO levels VALUES (?, ?, ?, ?, ?, ?, ?, ?)", lines
            )

    def keep_volatility(self, day: int, lines: Sequence[tuple[str, str, float, float]]) -> None:
        """Remember a day's (name, expiry, days to it, volatility at the money) and tidy up."""
        with said(self._path, "volatilities are not kept"), self._db:
            self._db.executemany("INSERT OR REPLACE INTO volatility VALUES (?, ?, ?, ?, ?)",
                                 [(day, *line) for line in lines])  # fmt: skip
            for table in ("levels", "volatility"):
                self._db.execute(f"DELETE FROM {table} WHERE day < ?", (day - DAYS_KEPT,))  # noqa: S608

    def levels_before(self, day: int, tokens: Collection[int]) -> list[PastLevels]:
        """Each token's newest levels before a day."""
        with said(self._path, "levels cannot be read"):
            lines = self._db.execute(
                "SELECT token, max(day), poc, vah, val, high, low, close FROM levels "
                "WHERE day < ? GROUP BY token", (day,),
            ).fetchall()  # fmt: skip
        wanted = set(tokens)
        return [
            PastLevels(*line[:2], *(math.nan if x is None else x for x in line[2:]))
            for line in lines
            if line[0] in wanted
        ]

    def volatility_before(self, day: int, name: str, count: int) -> F64:
        """Daily volatilities for 30 days ahead, oldest first, up to `count`: f64 (k,)."""
        with said(self._path, "volatilities cannot be read"):
            lines = self._db.execute(
                "SELECT day, days, value FROM volatility WHERE name = ? AND day < ? "
                "ORDER BY day, days", (name, day),
            ).fetchall()  # fmt: skip
        by_day: dict[int, list[tuple[float, float]]] = {}
        for on, days, value in lines:
            by_day.setdefault(on, []).append((days, value))
        return np.array([thirty_days(pairs) for pairs in by_day.values()][-count:], np.float64)

    def names(self) -> list[str]:
        """Whose volatilities are known."""
        with said(self._path, "volatilities cannot be read"):
            return [n for (n,) in self._db.execute("SELECT DISTINCT name FROM volatility")]


def thirty_days(pairs: Sequence[tuple[float, float]]) -> float:
    """Volatility 30 days ahead of (days to expiry, volatility): total variance in between.

    Outside the listed expiries the nearest one counts.
    """
    below = [p for p in pairs if p[0] <= TARGET_DAYS]
    above = [p for p in pairs if p[0] > TARGET_DAYS]
    if not below or not above:
        return min(pairs, key=lambda p: abs(p[0] - TARGET_DAYS))[1]
    (d0, v0), (d1, v1) = max(below), min(above)
    share = (TARGET_DAYS - d0) / (d1 - d0)
    variance = (1 - share) * v0 * v0 * d0 + share * v1 * v1 * d1
    return float(np.sqrt(variance / TARGET_DAYS))
