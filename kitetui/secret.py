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
    """A URL without its user information and query, fit for logs and the screen."""
    return re.sub(r"//[^@/]*@", "//***@", url).split("?")[0]
