"""The outbox: what people are to be told, on the disk until it is sent, expired or refused.

`sending` is written before a message leaves and `sent` after it was taken: a crash between the two
sends that one again, and no other. Times are wall-clock ms.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from kitetui.engine.alerts.alert import Priority
from kitetui.engine.alerts.flood import Form, Notice
from kitetui.engine.sinks.sqlite import opened, said

ROWS_MAX = 10_000
KEPT_MS = 2 * 86_400_000
"""How long what is done stays, so that a restart tells nobody twice."""
LIFE_MS = {Priority.P1: 86_400_000, Priority.P2: 1_800_000, Priority.P3: 300_000}
_TABLES = """
CREATE TABLE IF NOT EXISTS message (
  number INTEGER PRIMARY KEY, id TEXT, channel TEXT, priority INTEGER, form TEXT, silent INTEGER,
  body TEXT, state TEXT, reason TEXT, attempts INTEGER, at_ms INTEGER, expires_ms INTEGER,
  UNIQUE (id, channel));
CREATE INDEX IF NOT EXISTS waiting ON message (channel, state, priority, number);
CREATE TABLE IF NOT EXISTS fact (channel TEXT, name TEXT, value TEXT, PRIMARY KEY (channel, name));
"""


class Message(msgspec.Struct, frozen=True):
    """One message on its way; `notice` is what it says."""

    number: int
    priority: Priority
    silent: bool
    attempts: int
    notice: Notice


class Outbox:
    """Messages by channel. Calls take well under a millisecond and raise OSError."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db: sqlite3.Connection = opened(path, _TABLES)
        with self._said(), self._db:
            # What was on its way when an engine died may not have arrived.
            self._db.execute("UPDATE message SET state = 'queued' WHERE state = 'sending'")

    def put(self, channel: str, notices: Iterable[tuple[Notice, bool]], now_ms: int) -> None:
        """Queue notices, silent or not; those that are known already stay as they are."""
        lines = [
            (n.notice_id, channel, int(n.priority), n.form, silent,
             msgspec.json.encode(n).decode(), now_ms, now_ms + LIFE_MS[n.priority])
            for n, silent in notices
        ]  # fmt: skip
        if not lines:
            return
        with self._said(), self._db:
            self._db.executemany(
                "INSERT OR IGNORE INTO message (id, channel, priority, form, silent, body, state, "
                "reason, attempts, at_ms, expires_ms) VALUES (?,?,?,?,?,?,'queued','',0,?,?)",
                lines,
            )
            self._make_room(channel)

    def next(self, channel: str, now_ms: int) -> Message | None:
        """The most urgent message, the oldest of those; what is too old by now is expired."""
        with self._said(), self._db:
            self._db.execute(
                "UPDATE message SET state = 'expired' WHERE channel = ? AND state = 'queued' "
                "AND expires_ms <= ?", (channel, now_ms),
            )  # fmt: skip
            line = self._db.execute(
                "SELECT number, priority, silent, attempts, body FROM message "
                "WHERE channel = ? AND state = 'queued' ORDER BY priority, number LIMIT 1",
                (channel,),
            ).fetchone()
        return None if line is None else _message(line)

    def beside(self, channel: str, message: Message, most: int) -> list[Message]:
        """The ones that would follow of the same priority, it first."""
        with self._said():
            lines = self._db.execute(
                "SELECT number, priority, silent, attempts, body FROM message "
                "WHERE channel = ? AND state = 'queued' AND priority = ? ORDER BY number LIMIT ?",
                (channel, int(message.priority), most),
            ).fetchall()
        return [_message(line) for line in lines]

    def mark(self, messages: Sequence[Message], state: str, reason: str = "") -> None:
        """Messages came to a state: sending, sent, queued, refused; on the disk when it returns."""
        attempts = 1 if state == "sending" else 0
        with self._said(), self._db:
            self._db.executemany(
                "UPDATE message SET state = ?, reason = ?, attempts = attempts + ? "
                "WHERE number = ?",
                [(state, reason[:200], attempts, message.number) for message in messages],
            )

    def expired(self, channel: str) -> int:
        """Messages that expired since this was last asked."""
        with self._said(), self._db:
            found = self._db.execute(
                "UPDATE message SET state = 'told expired' WHERE channel = ? AND state = 'expired'",
                (channel,),
            )
        return int(found.rowcount)

    def queued(self, channel: str) -> int:
        """Messages that wait."""
        with self._said():
            (count,) = self._db.execute(
                "SELECT count(*) FROM message WHERE channel = ? AND state = 'queued'", (channel,)
            ).fetchone()
        return int(count)

    def counts(self, channel: str) -> dict[str, int]:
        """Messages by state; those refused by their reason, such as `refused: superseded`."""
        with self._said():
            lines = self._db.execute(
                "SELECT CASE state WHEN 'refused' THEN 'refused: ' || reason ELSE state END AS how,"
                " count(*) FROM message WHERE channel = ? GROUP BY how", (channel,)
            ).fetchall()  # fmt: skip
        return {str(how): int(count) for how, count in lines}

    def fact(self, channel: str, name: str) -> str:
        """What was noted under a name; '' for nothing."""
        with self._said():
            line = self._db.execute(
                "SELECT value FROM fact WHERE channel = ? AND name = ?", (channel, name)
            ).fetchone()
        return str(line[0]) if line else ""

    def note(self, channel: str, name: str, value: str) -> None:
        """Note something that outlives the process, such as how long to wait."""
        with self._said(), self._db:
            self._db.execute("INSERT OR REPLACE INTO fact VALUES (?, ?, ?)", (channel, name, value))

    def tidy(self, now_ms: int) -> None:
        """Let go of what was done with days ago."""
        with self._said(), self._db:
            self._db.execute(
                "DELETE FROM message WHERE at_ms < ? AND state NOT IN ('queued', 'sending')",
                (now_ms - KEPT_MS,),
            )

    def close(self) -> None:
        """Let the file go."""
        self._db.close()

    def _make_room(self, channel: str) -> None:
        """Beyond its rows the least urgent, oldest ones are dropped, P1 never."""
        waiting = self.queued(channel)
        if waiting > ROWS_MAX:
            self._db.execute(
                "UPDATE message SET state = 'expired' WHERE number IN (SELECT number FROM message "
                "WHERE channel = ? AND state = 'queued' AND priority > 1 "
                "ORDER BY priority DESC, number LIMIT ?)", (channel, waiting - ROWS_MAX),
            )  # fmt: skip

    def _said(self) -> contextlib.AbstractContextManager[None]:
        return said(self._path, "the outbox cannot be used")


def _message(line: tuple[int, int, int, int, str]) -> Message:
    number, priority, silent, attempts, body = line
    notice = msgspec.json.decode(body, type=Notice)
    return Message(number, Priority(priority), bool(silent), attempts, notice)


def is_digest(notice: Notice) -> bool:
    """Whether it stands for others."""
    return notice.form in (Form.DIGEST, Form.FLOOD, Form.CALM)
