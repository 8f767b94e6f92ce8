"""Secrets: a string that never prints itself, and URLs fit to be shown."""

from __future__ import annotations

import re
from typing import Any


class Secret:
    """A string that never prints itself; `reveal` is called where the wire needs it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The text itself, for the one line that sends it."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "***"

    def __reduce__(self) -> Any:
        raise TypeError("a secret cannot be serialised")

    def __bool__(self) -> bool:
        return bool(self._value)


def redacted_url(url: str) -> str:
    """A URL without its user information and query, fit for logs and the screen.

    All up to the last `@` is the user's: passwords hold `@` and `/` as well. Where a `?` comes
    before it nobody knows where the query begins, and only the scheme is shown.
    """
    scheme, mark, rest = url.partition("//")
    if not mark:
        return "***" if "@" in url else url
    user, at, place = rest.rpartition("@")
    if "?" in user:
        return f"{scheme}{mark}***"
    return f"{scheme}{mark}{'***@' if at else ''}{place.split('?')[0]}"


def origin_of(url: str) -> str:
    """A URL's scheme and host alone: paths of hooks are secrets themselves."""
    found = re.match(r"([a-z][a-z0-9+.-]*://)(?:.*@)?([^/?#]+)(.?)", url, re.IGNORECASE)
    return f"{found[1]}{found[2]}{'/***' if found[3] else ''}" if found else redacted_url(url)


def redacted(text: str) -> str:
    """A text whose URLs are fit to be shown."""
    return re.sub(r"\b[a-z][a-z0-9+.-]*://[^\s'\"]+", lambda m: redacted_url(m[0]), text)
