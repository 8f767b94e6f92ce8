"""Found streams: the keys of a server that are streams, and which belong to one family."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator
from typing import TypeAlias

At: TypeAlias = tuple[int, bytes]
"""A key: database and name."""
KNOWN_MAX = 50_000


class FoundStreams:
    """Streams as they are found; the ones found first leave where there are too many.

    Attributes:
        alone: those of no family.
    """

    def __init__(self, families: Iterable[tuple[int, str]]) -> None:
        self._families = sorted(
            ((db, name.encode()) for db, name in families), key=lambda family: -len(family[1])
        )
        self._family: OrderedDict[At, bytes | None] = OrderedDict()
        self.alone: dict[At, None] = {}
        self._members: Counter[At] = Counter()

    def __iter__(self) -> Iterator[At]:
        return iter(self._family)

    def family(self, at: At) -> bytes | None:
        """What the keys of its family begin with; None where it belongs to none."""
        db, key = at
        for of_db, begins in self._families:
            if of_db == db and key.startswith(begins):
                return begins
        return None

    def add(self, at: At) -> At | None:
        """A stream was found; one that had to leave for it."""
        if at in self._family:
            return None
        family = self._family[at] = self.family(at)
        if family is None:
            self.alone[at] = None
        else:
            self._members[at[0], family] += 1
        return next(iter(self._family)) if len(self._family) > KNOWN_MAX else None

    def forget(self, at: At) -> None:
        """It is there no more."""
        if at not in self._family:
            return
        family = self._family.pop(at)
        self.alone.pop(at, None)
        if family is not None:
            self._members[at[0], family] -= 1

    def members(self, but: Iterable[At]) -> Counter[At]:
        """How many streams each family (db, what its keys begin with) has, some left out."""
        found = ((db, self._family.get((db, key))) for db, key in but)
        return self._members - Counter((db, begins) for db, begins in found if begins is not None)
