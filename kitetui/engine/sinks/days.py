"""Recorded days: their journals and their tick archives, and what is still to be done of them.

A journal's file is of one date: another one follows at midnight.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path

import msgspec

from kitetui.engine.calendar import ist
from kitetui.engine.feed.journal_files import first_of, is_first, whole_runs
from kitetui.engine.feed.journal_reader import JournalError, source_of
from kitetui.engine.sinks.journal_packer import FRESH, is_packed, pack
from kitetui.engine.sinks.keyframes import Keyframes
from kitetui.engine.sinks.tick_archive import (
    FOLDER,
    SORTING,
    Archived,
    ArchiveError,
    Say,
    archive_path,
    archive_ticks,
    silent,
)
from kitetui.settings import ArchiveSettings

SIMULATED = b"simulated"
ENDED_S = 120
"""A file that midnight ended was last written a moment later."""


class RecordedDay(msgspec.Struct):
    """What there is of a date.

    Attributes:
        journals: files of its main feed, in order; packed: how many of them are.
        heads: the first files of their runs, which name the instruments.
        other: files of other feeds, such as a demo's.
        ticks: the archive of its ticks; None where there is none.
    """

    day: date
    journals: list[Path]
    heads: list[Path]
    other: list[Path]
    packed: int = 0
    ticks: Path | None = None

    @property
    def journal_bytes(self) -> int:
        return sum(_size(path) for path in self.journals)

    @property
    def ticks_bytes(self) -> int:
        return _size(self.ticks) if self.ticks is not None else 0

    @property
    def written_ns(self) -> int:
        """When the newest of its journals was last written."""
        return max((_written_ns(path) for path in self.journals), default=0)

    @property
    def archived(self) -> bool:
        """Whether the archive has all that the journals have."""
        return self.ticks is not None and _written_ns(self.ticks) >= self.written_ns


def recorded_days(journals: Path, archive: Path) -> list[RecordedDay]:
    """All dates of which there is anything, oldest first."""
    days = {day for path in journals.glob("*.arrows") if (day := _date(path)) is not None}
    for path in (archive / FOLDER).glob("????-??-??.parquet"):
        with contextlib.suppress(ValueError):
            days.add(date.fromisoformat(path.stem))
    return [recorded_day(journals, archive, day) for day in sorted(days)]


def recorded_day(journals: Path, archive: Path, day: date) -> RecordedDay:
    """What there is of a date; of several feeds the largest is its own, and no demo's is."""
    runs = whole_runs(journals, lambda path: _date(path) == day)
    source = {path: source_of(path) for path in runs}
    paths = [path for path in runs if _date(path) == day]
    sizes: Counter[bytes] = Counter()
    for path in paths:
        if source[path] != SIMULATED:
            sizes[source[path]] += _size(path)
    main = sizes.most_common(1)[0][0] if sizes else None
    own = [path for path in paths if source[path] == main]
    packed = 0
    for path in own:
        with contextlib.suppress(JournalError):
            packed += is_packed(path)
    ticks = archive_path(archive, day)
    heads = [path for path in runs
             if path not in paths and source[path] == main and is_first(path)]  # fmt: skip
    return RecordedDay(day, own, heads, [path for path in paths if path not in own], packed,
                       ticks if ticks.exists() else None)  # fmt: skip


def archive_day(day: RecordedDay, archive: Path, divisors: Mapping[int, int],
                say: Say = silent) -> Archived:  # fmt: skip
    """Archive a day's ticks; blocking, and with `alone` only.

    Raises:
        ArchiveError, JournalError, OSError: it cannot be done; what is there stays.
    """
    written_ns = day.written_ns  # what comes in from now on is for the next time
    made = archive_ticks(sorted([*day.heads, *day.journals]), archive_path(archive, day.day),
                         day.day, divisors, say)  # fmt: skip
    os.utime(made.path, ns=(written_ns, written_ns))
    return made


def pack_day(day: RecordedDay, keyframes: Keyframes, today: date, say: Say = silent) -> None:
    """Pack what nobody writes any more of a day that is over; with `alone` only.

    Today's stay: a restart goes on from places in them.

    Raises:
        OSError: the disk takes no more; what was packed is.
    """
    if day.day >= today:
        return
    for at, path in enumerate(day.journals):
        say("packing journals", at / len(day.journals))
        if not _held(path):
            with contextlib.suppress(JournalError):
                keyframes.moved(path.name, pack(path, keyframes.numbers(path.name)).offsets)


@contextlib.contextmanager
def alone(archive: Path, journals: Path) -> Iterator[None]:
    """One process at a time archives and packs; what a killed one left goes.

    Raises:
        ArchiveError: another process is at it.
    """
    folder = archive / FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ArchiveError(f"{folder}: another process archives a day; wait for it") from None
        for left in folder.glob(f"{SORTING}*"):
            shutil.rmtree(left, ignore_errors=True)
        for left in journals.glob(f"*{FRESH}"):
            left.unlink(missing_ok=True)
        yield
    finally:
        os.close(handle)


def remove_old_ticks(archive: Path, settings: ArchiveSettings, journals: Path) -> int:
    """Remove the oldest days of ticks beyond those that are kept; how many went.

    A day whose journals are there still is not removed: it would be made again.
    """
    files = sorted((archive / FOLDER).glob("????-??-??.parquet"))
    kept = {_date(path) for path in journals.glob("*.arrows")}
    removed = 0
    for path in files[: max(len(files) - settings.tick_days, 0)]:
        with contextlib.suppress(OSError, ValueError):
            if date.fromisoformat(path.stem) not in kept:
                path.unlink()
                removed += 1
    return removed


def _held(path: Path) -> bool:
    """Whether a journal's writer lives: it holds its run's first file until it ends."""
    return any(_locked(one) for one in {path, first_of(path)} if one.exists())


def _locked(path: Path) -> bool:
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


def _date(path: Path) -> date | None:
    """Of which date a journal's file is, in India."""
    written_ns = _written_ns(path)
    return ist(written_ns / 1e9 - ENDED_S).date() if written_ns else None


def _written_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
