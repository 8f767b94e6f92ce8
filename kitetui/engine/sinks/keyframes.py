"""Keyframes: checkpoints of a day that are kept, so that any hour of it opens at once.

A file's name says all that is looked for: session time, number and place of the batch it ends with,
and the journal that has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

import msgspec

from kitetui.engine.calendar import IST, ist
from kitetui.engine.feed.journal_reader import JournalError, number_at
from kitetui.engine.feed.records import Place
from kitetui.engine.sinks import checkpoint
from kitetui.engine.sinks.checkpoint import CheckpointError, Mark
from kitetui.engine.state import Frozen

_STAMP = "%Y%m%d-%H%M%S"
_DAY = len("20261126")
_NAME = re.compile(r"(\d{8}-\d{6})@(\d+)@(\d+)@(.+\.arrows)\.bin$")


def name_of(mark: Mark) -> str:
    """What a keyframe's file is called."""
    return f"{ist(mark.at_s):{_STAMP}}@{mark.number}@{mark.offset}@{mark.journal}.bin"


class Keyframe(msgspec.Struct, frozen=True):
    """One kept checkpoint.

    Attributes:
        stamp: its session time, `20261126-140000` IST.
        number, offset: of the last batch that is in it, in `journal`.
    """

    path: Path
    stamp: str
    number: int
    offset: int
    journal: str


class Keyframes:
    """The keyframes of one engine's state folder."""

    def __init__(self, folder: Path, every_s: int = 0) -> None:
        """`every_s`: session seconds from one to the next, for whoever keeps them."""
        self._folder = folder
        self._every_s = every_s
        self._slot = -1

    def keep(self, path: Path, mark: Mark) -> None:
        """Keep a checkpoint that was just written, if it is time.

        Raises:
            OSError: the disk does not take its name.
        """
        if not self._every_s or not mark.at_s:
            return
        slot = mark.at_s // self._every_s
        if slot == self._slot or (self._slot < 0 and slot == self._newest_slot(mark.at_s)):
            return
        name = name_of(mark)
        self._folder.mkdir(mode=0o700, exist_ok=True)
        checkpoint.keep_also(path, self._folder / name)
        self._slot = slot

    def _newest_slot(self, at_s: int) -> int:
        """Of those that earlier engines kept, up to now: one that starts often keeps no more."""
        stamps = [one.stamp for one in self.all() if one.stamp <= f"{ist(at_s):{_STAMP}}"]
        if not stamps:
            return -1
        at = datetime.strptime(stamps[-1], _STAMP).replace(tzinfo=IST)
        return int(at.timestamp()) // self._every_s

    def all(self) -> list[Keyframe]:
        """Oldest session time first."""
        out = []
        for path in self._folder.glob("*.bin"):
            found = _NAME.match(path.name)
            if found is not None:
                out.append(Keyframe(path, found[1], int(found[2]), int(found[3]), found[4]))
        return sorted(out, key=lambda one: (one.stamp, one.number))

    def before(self, hour: str, journals: Mapping[str, Path],
               made_by: str) -> Iterator[tuple[Place, Frozen]]:  # fmt: skip
        """States not behind an hour, the latest first, with the batch that each ends with.

        Args:
            hour: HH:MM; journals: by name, those that are played.
            made_by: as `Mark.made_by`: others would go on otherwise.
        """
        # The hour of the first day that is played: a later day's comes after it. Journals are named
        # by the wall's date, states by the session's: a demo plays Friday's market on a Sunday.
        first = min(journals, default="")[:_DAY]
        kept = [
            one for one in self.all() if one.journal in journals and one.journal[:_DAY] == first
        ]
        day = kept[0].stamp[:_DAY] if kept else ""
        for one in reversed(kept):
            if one.stamp <= f"{day}-{hour.replace(':', '')}00":
                yield from self._fitting(one, journals, made_by)

    def newest(self, journals: Mapping[str, Path],
               made_by: str) -> Iterator[tuple[Place, Frozen]]:  # fmt: skip
        """States of any hour, the latest first; arguments as for `before`."""
        for one in reversed(self.all()):
            if one.journal in journals:
                yield from self._fitting(one, journals, made_by)

    def _fitting(self, one: Keyframe, journals: Mapping[str, Path],
                 made_by: str) -> Iterator[tuple[Place, Frozen]]:  # fmt: skip
        """A keyframe's state, where it is of this code and its journal is as it was."""
        place = Place(journals[one.journal], one.offset, one.number)
        try:
            if number_at(place) != one.number:
                return
            kept = checkpoint.read(one.path)
        except (JournalError, CheckpointError):
            return
        if kept is not None and kept[0].made_by == made_by:
            yield place, kept[1]

    def numbers(self, journal: str) -> set[int]:
        """Batches of a journal that keyframes end with."""
        return {one.number for one in self.all() if one.journal == journal}

    def moved(self, journal: str, offsets: Mapping[int, int]) -> None:
        """A journal was rewritten: where the batches lie now, by number.

        Raises:
            OSError: a file cannot be renamed.
        """
        for one in self.all():
            if one.journal == journal and one.number in offsets:
                name = f"{one.stamp}@{one.number}@{offsets[one.number]}@{journal}.bin"
                one.path.rename(self._folder / name)

    def remove_left(self, journals: Path) -> None:
        """Remove those whose journal is gone."""
        for one in self.all():
            if not (journals / one.journal).exists():
                one.path.unlink(missing_ok=True)
