"""A black box: what an engine took in around something grave, in a folder that plays by itself.

It has the journal's last minutes, the engine's state before them, and what it thought of itself.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

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
              report: bytes) -> Path:  # fmt: skip
    """Make a box; blocking. What is written meanwhile is not in it.

    Args:
        folder: where boxes are; name: of this one.
        states: checkpoints, the wanted one first: the first that fits is taken.
        journals: the run's files; those from the state on are copied, without one all of them.

    Raises:
        OSError: the disk does not take it.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    made, done = folder / f".{name}", folder / name
    shutil.rmtree(made, ignore_errors=True)
    (made / KEYFRAMES).mkdir(mode=0o700, parents=True)
    made.chmod(0o700)
    try:
        paths = sorted(journals)
        mark, state = _fitting(states, paths)
        for path in paths:
            if mark is None or path.name > mark.journal:
                _copy(path, made / path.name, 0)
            elif path.name == mark.journal:
                begin = _copy(path, made / path.name, mark.offset)
                moved = Mark(mark.journal, begin, mark.number, mark.at_s, mark.day, mark.source,
                             mark.made_by)  # fmt: skip
                assert state is not None
                shutil.copy(state, made / KEYFRAMES / name_of(moved))
        write_private(made / REPORT, report)
        made.rename(done)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
    return done


def _fitting(states: Iterable[Path], journals: Iterable[Path]) -> tuple[Mark | None, Path | None]:
    """The first state whose journal is there as it was, and its file."""
    by_name = {path.name: path for path in journals}
    for state in states:
        with contextlib.suppress(CheckpointError, JournalError):
            kept = checkpoint.read(state)
            if kept is None or kept[0].journal not in by_name:
                continue
            mark = kept[0]
            if number_at(Place(by_name[mark.journal], mark.offset)) == mark.number:
                return mark, state
    return None, None


def _copy(path: Path, target: Path, offset: int) -> int:
    """Copy a journal from the batch at an offset on, 0 for all; where that batch begins then."""
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
    return begin


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
