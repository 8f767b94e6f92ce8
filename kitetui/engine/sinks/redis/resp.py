"""RESP commands as bytes: one at a time, or one for every row of columns."""

from __future__ import annotations

import numpy as np

from kitetui.engine.sinks.redis.text import Piece, Text, join, lengths, numbers


def command(*parts: bytes) -> bytes:
    """One command."""
    out = [b"*%d\r\n" % len(parts)]
    for part in parts:
        out.append(b"$%d\r\n%b\r\n" % (len(part), part))
    return b"".join(out)


def template(*parts: Piece) -> list[Piece]:
    """One command a row, as pieces to `join`; columns and what all rows share may be mixed."""
    return [b"*%d\r\n" % len(parts), *(piece for part in parts for piece in bulk(part))]


def commands(*parts: Piece) -> Text:
    """One command a row."""
    return join(template(*parts))


def bulk(part: Piece) -> list[Piece]:
    """One part of a command, as pieces."""
    if isinstance(part, bytes):
        return [b"$%d\r\n%b\r\n" % (len(part), part)]
    (size,) = numbers([lengths(part)])
    return [b"$", size, b"\r\n", part, b"\r\n"]


def number(value: int | float) -> bytes:
    """A number as Redis readers expect it: integers without a point."""
    if isinstance(value, np.generic):
        value = value.item()
    return b"%d" % value if isinstance(value, int) else repr(round(value, 6)).encode()


def select(db: int) -> bytes:
    """Change the connection's database."""
    return command(b"SELECT", b"%d" % db)
