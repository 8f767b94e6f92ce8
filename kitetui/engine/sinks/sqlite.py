"""SQLite files: private, in WAL, and with errors that name the file."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

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
