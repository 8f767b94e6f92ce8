"""Shelves: what operators do not want to hear of for a while, with who, why and until when."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from kitetui.engine.alerts.alert import Key

SHELVES_MAX = 500


class Shelf(msgspec.Struct, frozen=True):
    """A key, or a symbol or pattern as a whole (the other is '').

    Attributes:
        until_s: session second at which it ends: every shelf ends.
    """

    symbol: str
    rule: str
    timeframe: str
    side: int | None
    until_s: int
    actor: str
    why: str = ""

    @property
    def words(self) -> str:
        """What is shelved, for people."""
        side = {1: "up", -1: "down"}.get(self.side or 0, "")
        parts = (self.symbol or "any symbol", self.rule or "any pattern", self.timeframe, side)
        return " ".join(part for part in parts if part)


_Place = tuple[str, str, str, int | None]


class Shelves:
    """Shelves by what they cover; a pure function of commands and time."""

    def __init__(self) -> None:
        self._shelves: dict[_Place, Shelf] = {}

    def __len__(self) -> int:
        return len(self._shelves)

    def __iter__(self) -> Iterator[Shelf]:
        return iter(sorted(self._shelves.values(), key=lambda s: (s.until_s, s.words)))

    def put(self, shelf: Shelf) -> bool:
        """Shelve; False where there are too many."""
        place = _place(shelf)
        if place not in self._shelves and len(self._shelves) >= SHELVES_MAX:
            return False
        self._shelves[place] = shelf
        return True

    def take(self, symbol: str, rule: str, timeframe: str = "", side: int | None = None) -> bool:
        """Unshelve exactly what was shelved so; False where there is no such shelf."""
        return self._shelves.pop((symbol, rule, timeframe, side), None) is not None

    def covering(self, key: Key, now_s: int) -> Shelf | None:
        """The shelf that a key lies on now."""
        if not self._shelves:
            return None
        family = key.rule.partition(".")[0]
        for place in (
            (key.symbol, key.rule, key.timeframe, key.side), (key.symbol, "", "", None),
            ("", key.rule, "", None), ("", family, "", None), (key.symbol, key.rule, "", None),
            (key.symbol, family, "", None),
        ):  # fmt: skip
            shelf = self._shelves.get(place)
            if shelf is not None and shelf.until_s > now_s:
                return shelf
        return None

    def ended(self, now_s: int) -> list[Shelf]:
        """Take down what is over."""
        over = [shelf for shelf in self._shelves.values() if shelf.until_s <= now_s]
        for shelf in over:
            del self._shelves[_place(shelf)]
        return over


def _place(shelf: Shelf) -> _Place:
    return shelf.symbol, shelf.rule, shelf.timeframe, shelf.side
