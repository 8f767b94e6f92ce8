"""The store that outlives sessions: levels, value areas and volatilities of past days."""

from __future__ import annotations

import math
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kitetui.engine.feed.batch import F64
from kitetui.engine.feed.records import PastLevels

VIX = "INDIA VIX"
TARGET_DAYS = 30.0
_TABLES = """
CREATE TABLE IF NOT EXISTS levels (
  day INTEGER, token INTEGER, poc REAL, vah REAL, val REAL, high REAL, low REAL, close REAL,
  PRIMARY KEY (day, token)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS volatility (
  day INTEGER, name TEXT, expiry TEXT, days REAL, value REAL,
  PRIMARY KEY (day, name, expiry)) WITHOUT ROWID;
"""


class SessionStore:
    """One SQLite file, mode 0600. Calls block for milliseconds; days are numbers of `ist_day`."""

    def __init__(self, path: Path) -> None:
        """Open or make it.

        Raises:
            OSError: the file cannot be made, or is no database.
        """
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600))
        try:
            self._db = sqlite3.connect(path, check_same_thread=False, timeout=5)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.executescript(_TABLES)
        except sqlite3.DatabaseError as error:
            raise OSError(0, f"is no usable store ({error}); move it away", str(path)) from None

    def close(self) -> None:
        """Let the file go."""
        self._db.close()

    def keep_levels(self, levels: Sequence[PastLevels]) -> None:
        """Remember sessions' levels; the last word on a (day, token) counts."""
        with self._db:
            self._db.executemany(
                "INSERT OR REPLACE INTO levels VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [(x.day, x.token, x.poc, x.vah, x.val, x.high, x.low, x.close) for x in levels],
            )

    def keep_volatility(self, day: int, name: str, expiry: str, days: float, value: float) -> None:
        """Remember a volatility at the money, a share of one a year, `days` before its expiry."""
        with self._db:
            self._db.execute("INSERT OR REPLACE INTO volatility VALUES (?, ?, ?, ?, ?)",
                             (day, name, expiry, days, value))  # fmt: skip

    def levels_before(self, day: int, tokens: Sequence[int]) -> list[PastLevels]:
        """Each token's newest levels before a day."""
        out = []
        for token in tokens:
            line = self._db.execute(
                "SELECT token, day, poc, vah, val, high, low, close FROM levels "
                "WHERE token = ? AND day < ? ORDER BY day DESC LIMIT 1", (token, day),
            ).fetchone()  # fmt: skip
            if line is not None:
                out.append(PastLevels(*line[:2], *(math.nan if x is None else x for x in line[2:])))
        return out

    def volatility_before(self, day: int, name: str, count: int) -> F64:
        """Daily volatilities for 30 days ahead, oldest first, up to `count`: f64 (k,)."""
        lines = self._db.execute(
            "SELECT day, days, value FROM volatility WHERE name = ? AND day < ? "
            "AND day >= (SELECT coalesce(min(day), 0) FROM (SELECT DISTINCT day FROM volatility "
            "WHERE name = ? AND day < ? ORDER BY day DESC LIMIT ?)) ORDER BY day, days",
            (name, day, name, day, count),
        ).fetchall()
        by_day: dict[int, list[tuple[float, float]]] = {}
        for on, days, value in lines:
            by_day.setdefault(on, []).append((days, value))
        return np.array([thirty_days(pairs) for pairs in by_day.values()], np.float64)

    def names(self) -> list[str]:
        """Whose volatilities are known."""
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
