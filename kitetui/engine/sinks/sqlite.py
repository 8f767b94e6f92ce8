"""SQLite files: private, in WAL, and with errors that name the file."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BUSY_S = 2.0


def opened(path: Path, tables: str) -> sqlite3.Connection:
    """A database with these tables, made with mode 0600; usable from any thread, one at a time.

    Raises:
        OSError: the file cannot be used.
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600))
    with said(path, "is no usable database; move it away"):
        db = sqlite3.connect(path, check_same_thread=False, timeout=BUSY_S)
        db.execute("PRAGMA journal_mode=WAL")
        db.executescript(tables)
    return db


@contextlib.contextmanager
def said(path: Path, what: str) -> Iterator[None]:
    """Errors of SQLite as OSError: what went wrong with which file."""
    try:
        yield
    except sqlite3.Error as error:
        raise OSError(errno.EIO, f"{what} ({error})", str(path)) from None


def append_only(*tables: str) -> str:
    """Triggers by which tables refuse that anything in them is changed or removed."""
    return "".join(
        f"CREATE TRIGGER IF NOT EXISTS {table}_{name} BEFORE {action} ON {table} "
        "BEGIN SELECT RAISE(ABORT, 'the ledger is only added to'); END;\n"
        for table in tables for name, action in (("stays", "UPDATE"), ("goes", "DELETE"))
    )  # fmt: skip


def read(path: Path, query: str, values: tuple[object, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Lines of a database that somebody else may be writing.

    Raises:
        OSError: the file cannot be read.
    """
    with said(path, "cannot be read"):
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        with contextlib.closing(db):
            yield from db.execute(query, values)


def remove_days(folder: Path, named: re.Pattern[str], kept: int) -> None:
    """Remove a folder's oldest databases with such names, so that so many are left."""
    found = sorted(path for path in folder.glob("*.sqlite") if named.fullmatch(path.name))
    for path in found[:-kept]:
        for part in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
            with contextlib.suppress(OSError):
                part.unlink()
