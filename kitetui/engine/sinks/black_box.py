"""A black box: what an engine took in around something grave, in a folder that plays by itself.

It has the journal's last minutes, the engine's state before them, and what it thought of itself.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from kitetui.engine.feed.journal_reader import JournalError, begin_of, number_at
from kitetui.engine.feed.records import Place
from kitetui.engine.sinks import checkpoint
from kitetui.engine.sinks.checkpoint import CheckpointError, Mark
from kitetui.engine.sinks.keyframes import name_of
from kitetui.private_file import write_private

KEYFRAMES = "keyframes"
REPORT = "report.json"
PIECE = 1 << 20


def write_box(folder: Path, name: str, states: Sequence[Path], journals: Iterable[Path],
              report: bytes, most_bytes: int) -> Path:  # fmt: skip
    """Make a box; blocking. What is written meanwhile is not in it.

    Args:
        folder: where boxes are; name: of this one.
        states: checkpoints, the wanted one first: the first that fits is taken.
        journals: the run's files; those from the state on are copied, without one all of them.
        most_bytes: what it may take; of what the disk has left it takes half at the most.

    Raises:
        OSError: the disk does not take it, or it would be too large.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    for left in folder.glob(".*"):  # of one who was killed while at it
        shutil.rmtree(left, ignore_errors=True)
    made, done = folder / f".{name}", folder / name
    (made / KEYFRAMES).mkdir(mode=0o700, parents=True)
    made.chmod(0o700)
    try:
        paths = {path.name: path for path in sorted(journals)}
        mark = _take_state(states, paths, made / KEYFRAMES)
        parts = [(path, mark.offset if mark is not None and path.name == mark.journal else 0)
                 for path in paths.values()
                 if mark is None or path.name >= mark.journal]  # fmt: skip
        _fits(parts, min(most_bytes, shutil.disk_usage(folder).free // 2))
        for path, offset in parts:
            _copy(path, made / path.name, offset)
        write_private(made / REPORT, report)
        made.rename(done)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
    return done


def _take_state(states: Iterable[Path], journals: Mapping[str, Path],
                folder: Path) -> Mark | None:  # fmt: skip
    """Copy the first state whose journal is there as it was; what it says of its place."""
    for state in states:
        taken = folder / "state"
        try:
            shutil.copy(state, taken)  # first: the next checkpoint takes the name
            kept = checkpoint.read(taken)
            mark = kept[0] if kept is not None else None
            if mark is not None and mark.journal in journals:
                path = journals[mark.journal]
                if number_at(Place(path, mark.offset)) == mark.number:
                    begin = begin_of(path)
                    moved = msgspec.structs.replace(mark, offset=begin)
                    taken.rename(folder / name_of(moved))
                    return mark
        except (CheckpointError, JournalError, FileNotFoundError):
            pass
        taken.unlink(missing_ok=True)
    return None


def _fits(parts: Iterable[tuple[Path, int]], most_bytes: int) -> None:
    size = sum(path.stat().st_size - offset for path, offset in parts)
    if size > most_bytes:
        raise OSError(errno.EFBIG, f"it would take {size >> 20:,} MB")


def _copy(path: Path, target: Path, offset: int) -> None:
    """Copy a journal from the batch at an offset on, 0 for all: it begins where any first does."""
    begin = begin_of(path)
    with path.open("rb") as source:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with os.fdopen(os.open(target, flags, 0o600), "wb") as sink:
            sink.write(source.read(begin))
            source.seek(max(offset, begin))
            left = os.fstat(source.fileno()).st_size - max(offset, begin)
            while left > 0 and (piece := source.read(min(left, PIECE))):
                sink.write(piece)
                left -= len(piece)


def boxes(folder: Path) -> list[Path]:
    """All that are there, oldest first: their names begin with when they were made."""
    return sorted(p for p in folder.glob("[0-9]*") if (p / REPORT).is_file())


def make_room(folder: Path, most_bytes: int) -> int:
    """Remove the oldest boxes until the rest needs no more room; how many went."""
    found = [(path, sum(f.stat().st_size for f in path.rglob("*") if f.is_file()))
             for path in boxes(folder)]  # fmt: skip
    held = sum(size for _, size in found)
    removed = 0
    for path, size in found[:-1]:  # the newest stays, however large
        if held <= most_bytes:
            break
        shutil.rmtree(path, ignore_errors=True)
        held -= size
        removed += 1
    return removed


def in_box(path: Path) -> Path | None:
    """Where a box keeps its state; None for a folder that is none."""
    return path / KEYFRAMES if (path / REPORT).is_file() else None
