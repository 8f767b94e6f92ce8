"""What was computed and still holds: pictures ask again for what changes once a minute."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """Values by key, each good as long as its stamp is the same; bounded."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: dict[Hashable, tuple[Hashable, T]] = {}

    def get(self, key: Hashable, stamp: Hashable, make: Callable[[], T]) -> T:
        """The value of a key; made where there is none of this stamp."""
        known = self._known.get(key)
        if known is not None and known[0] == stamp:
            return known[1]
        if known is None and len(self._known) >= self._most:
            self._known.clear()
        value = make()
        self._known[key] = (stamp, value)
        return value
