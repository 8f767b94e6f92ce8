"""Day files: one SQLite file a session day, the one of a day that is written held open."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from kitetui.engine.calendar import day_date
from kitetui.engine.sinks.sqlite import opened, remove_days, said

_NAME = re.compile(r"\d{4}-\d\d-\d\d\.sqlite")


class DayFiles:
    """The days of one folder; the oldest leave when there are more than are kept."""

    def __init__(self, folder: Path, tables: str, sessions: int) -> None:
        """`tables`: what makes them; `sessions`: days that are kept."""
        self._folder = folder
        self._tables = tables
        self._sessions = sessions
        self._day = -1
        self._db: sqlite3.Connection | None = None

    @contextlib.contextmanager
    def writing(self, day: int, what: str) -> Iterator[sqlite3.Connection]:
        """A transaction on a day; when it is over all of it is on the disk, or nothing.

        Raises:
            OSError: the day's file cannot be used; says `what` that means.
        """
        if self._db is None or day != self._day:
            self.close()
            self._db, self._day = opened(self.path(day), self._tables), day
            remove_days(self._folder, _NAME, self._sessions)
        with said(self.path(day), what), self._db:
            yield self._db

    def path(self, day: int) -> Path:
        """A day's file, there or not."""
        return self._folder / f"{day_date(day).isoformat()}.sqlite"

    def all(self) -> list[Path]:
        """The files that are there, oldest first."""
        return sorted(p for p in self._folder.glob("*.sqlite") if _NAME.fullmatch(p.name))

    def close(self) -> None:
        """Let the file go."""
        if self._db is not None:
            self._db.close()
        self._db, self._day = None, -1


def ids_from(begin: str) -> tuple[str, str]:
    """The first id that begins so, and one after the last."""
    digits = re.sub(r"[^0-9a-f]", "", begin)
    return digits, digits + "g"
