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
    out: list[Piece] = [b"*%d\r\n" % len(parts)]
    sizes = iter(numbers([lengths(part) for part in parts if not isinstance(part, bytes)]))
    for part in parts:
        if isinstance(part, bytes):
            out.append(b"$%d\r\n%b\r\n" % (len(part), part))
        else:
            out += [b"$", next(sizes), b"\r\n", part, b"\r\n"]
    return out


def commands(*parts: Piece) -> Text:
    """One command a row."""
    return join(template(*parts))


def number(value: int | float) -> bytes:
    """A number as Redis readers expect it: integers without a point."""
    if isinstance(value, np.generic):
        value = value.item()
    return b"%d" % value if isinstance(value, int) else repr(round(value, 6)).encode()


def select(db: int) -> bytes:
    """Change the connection's database."""
    return command(b"SELECT", b"%d" % db)
