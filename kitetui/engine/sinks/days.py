"""Recorded days: their journals and their tick archives, and what is still to be done of them."""

from __future__ import annotations

import contextlib
import os
import re
from collections import Counter
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import msgspec

from kitetui.engine.feed.journal_files import files_of_day
from kitetui.engine.feed.journal_reader import JournalError, source_of
from kitetui.engine.sinks.journal_packer import is_packed, pack
from kitetui.engine.sinks.keyframes import Keyframes
from kitetui.engine.sinks.tick_archive import (
    FOLDER,
    Archived,
    Say,
    archive_path,
    archive_ticks,
    silent,
)
from kitetui.settings import ArchiveSettings

SIMULATED = b"simulated"
_RUN = re.compile(r"(\d{8})-\d{6}-\d{6}-(\d+)(?:\.\d{3})?\.arrows$")


class RecordedDay(msgspec.Struct):
    """What there is of a date.

    Attributes:
        journals: files of its main feed, in order; packed: how many of them are.
        other: files of other feeds, such as a demo's.
        ticks: the archive of its ticks; None where there is none.
    """

    day: date
    journals: list[Path]
    other: list[Path]
    packed: int = 0
    ticks: Path | None = None

    @property
    def journal_bytes(self) -> int:
        return sum(_stat(path, "st_size") for path in self.journals)

    @property
    def ticks_bytes(self) -> int:
        return _stat(self.ticks, "st_size") if self.ticks is not None else 0

    @property
    def archived(self) -> bool:
        """Whether the archive is at least as young as the journals."""
        newest = max((_stat(path, "st_mtime_ns") for path in self.journals), default=0)
        return self.ticks is not None and _stat(self.ticks, "st_mtime_ns") >= newest


def recorded_days(journals: Path, archive: Path) -> list[RecordedDay]:
    """All dates of which there is anything, oldest first."""
    days = {_date(found[1]) for path in journals.glob("*.arrows")
            if (found := _RUN.match(path.name)) is not None}  # fmt: skip
    for path in (archive / FOLDER).glob("????-??-??.parquet"):
        with contextlib.suppress(ValueError):
            days.add(date.fromisoformat(path.stem))
    return [recorded_day(journals, archive, day) for day in sorted(d for d in days if d)]


def recorded_day(journals: Path, archive: Path, day: date) -> RecordedDay:
    """What there is of a date; of several feeds the largest is its own, and no demo's is."""
    paths = files_of_day(journals, day)
    source = {path: source_of(path) for path in paths}
    sizes: Counter[bytes] = Counter()
    for path, name in source.items():
        if name != SIMULATED:
            sizes[name] += _stat(path, "st_size")
    main = sizes.most_common(1)[0][0] if sizes else None
    own = [path for path in paths if source[path] == main]
    packed = 0
    for path in own:
        with contextlib.suppress(JournalError):
            packed += is_packed(path)
    ticks = archive_path(archive, day)
    return RecordedDay(day, own, [p for p in paths if p not in own], packed,
                       ticks if ticks.exists() else None)  # fmt: skip


def archive_day(day: RecordedDay, archive: Path, keyframes: Keyframes, settings: ArchiveSettings,
                divisors: Mapping[int, int], say: Say = silent) -> Archived:  # fmt: skip
    """Archive a day's ticks, then treat its journals as `archive.journals` says; blocking.

    Raises:
        ArchiveError, JournalError, OSError: it cannot be done; the journals stay.
    """
    made = archive_ticks(day.journals, archive_path(archive, day.day), divisors, say)
    closed = [path for path in day.journals if not _written(path)]
    if settings.journals == "pack":
        for at, path in enumerate(closed):
            say("packing journals", at / len(closed))
            keyframes.moved(path.name, pack(path, keyframes.numbers(path.name)).offsets)
    elif settings.journals == "drop" and not made.lost:
        for path in closed:
            path.unlink(missing_ok=True)
    newest = max((_stat(path, "st_mtime_ns") for path in day.journals), default=0)
    if _stat(made.path, "st_mtime_ns") < newest:  # by a clock that was set back
        os.utime(made.path, ns=(newest, newest))
    return made


def remove_old_ticks(archive: Path, keep: int) -> int:
    """Remove the oldest days of ticks beyond `keep`; how many went."""
    files = sorted((archive / FOLDER).glob("????-??-??.parquet"))
    for path in files[: max(len(files) - keep, 0)]:
        with contextlib.suppress(OSError):
            path.unlink()
    return max(len(files) - keep, 0)


def _written(path: Path) -> bool:
    """Whether the process that made a journal lives: its files, and places in them, are its own."""
    found = _RUN.match(path.name)
    if found is None:
        return False
    try:
        os.kill(int(found[2]), 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _date(text: str) -> date | None:
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return None


def _stat(path: Path, field: str) -> int:
    try:
        return int(getattr(path.stat(), field))
    except OSError:
        return 0
