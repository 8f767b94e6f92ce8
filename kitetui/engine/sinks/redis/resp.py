"""RESP commands as bytes, built without a client object per command."""

from __future__ import annotations


def command(*parts: bytes) -> bytes:
    """One command."""
    out = [b"*%d\r\n" % len(parts)]
    for part in parts:
        out.append(b"$%d\r\n%b\r\n" % (len(part), part))
    return b"".join(out)


def prefix(count: int, *parts: bytes) -> bytes:
    """The fixed head of a command of `count` parts; the rest is appended with `bulk`."""
    return b"*%d\r\n" % count + b"".join(b"$%d\r\n%b\r\n" % (len(p), p) for p in parts)


def bulk(part: bytes) -> bytes:
    """One more part of a command."""
    return b"$%d\r\n%b\r\n" % (len(part), part)


def number(value: int | float) -> bytes:
    """A number as Redis readers expect it: integers without a point."""
    return b"%d" % value if isinstance(value, int) else repr(round(value, 6)).encode()
