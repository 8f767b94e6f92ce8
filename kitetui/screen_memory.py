"""What a screen remembers from one day to the next: arrangement, order, theme."""

from __future__ import annotations

from pathlib import Path

import msgspec

from kitetui.engine.snapshot import SORTS
from kitetui.keys import PANES
from kitetui.layout import PRESETS
from kitetui.private_file import read_private, replace_private

VERSION = 1
MAX_BYTES = 1 << 16


class Remembered(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the screen was left.

    Attributes:
        preset: the arrangement; guests: panes by the one whose place they have.
        active: the pane with the focus.
        theme: the one that was chosen by key; '' for the settings'.
        symbol: the instrument under the cursor; sort, reverse, group: of the watchlist.
        ladder, grouping: how the depth pane shows prices, and how many ticks are one row.
        toured: whether the tour was seen.
    """

    version: int = VERSION
    preset: str = "trade"
    guests: dict[str, str] = {}
    active: str = PANES[0]
    theme: str = ""
    symbol: str = ""
    sort: str = ""
    reverse: bool = False
    group: str = ""
    ladder: bool = False
    grouping: int = 1
    toured: bool = False

    def usable(self) -> bool:
        """Whether everything it names is there."""
        panes = {*self.guests, *self.guests.values(), self.active}
        return (self.version == VERSION and self.preset in PRESETS and panes <= set(PANES)
                and self.sort in SORTS and self.grouping >= 1)  # fmt: skip


class ScreenMemory:
    """One file; without a path nothing is remembered.

    Attributes:
        reason: why what was remembered is not used, '' where it is.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._kept = Remembered()
        self.reason = ""

    def read(self) -> Remembered:
        """How the screen was left; as at the first time where that cannot be told."""
        if self._path is None:
            return self._kept
        try:
            found = msgspec.json.decode(read_private(self._path, MAX_BYTES), type=Remembered)
        except FileNotFoundError:
            return self._kept
        except (OSError, msgspec.DecodeError) as error:
            self.reason = f"{self._path.name}: {getattr(error, 'strerror', None) or error}"
            return self._kept
        if not found.usable():
            self.reason = f"{self._path.name} is of another version"
            return self._kept
        self._kept = found
        return found

    def keep(self, now: Remembered) -> None:
        """Remember how the screen is, where that differs."""
        if self._path is None or now == self._kept:
            return
        self._kept = now
        try:
            replace_private(self._path, msgspec.json.encode(now))
        except OSError as error:
            self.reason = f"{self._path.name}: {error.strerror}"
