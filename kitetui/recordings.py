"""What a person means by a recording: a journal, a folder of journals, or a date."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from kitetui.places import Places


class NoRecording(Exception):
    """Nothing is recorded there; says where."""


def journals_of(text: str, where: Places) -> tuple[Path, ...]:
    """The journals of a path, of a folder, or of a date of this profile's own, in order.

    Raises:
        NoRecording: the folder or the date has none. A path is not looked at.
    """
    from kitetui.engine.feed.journal_files import whole_runs
    from kitetui.engine.sinks.days import recorded_day

    path = Path(text)
    if path.is_dir():
        found = sorted(path.glob("*.arrows"))
        if not found:
            raise NoRecording(f"{path}: holds no journals (*.arrows)")
        return tuple(found)
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return (path,)
    kept = recorded_day(where.journals, where.archive, day)
    own = kept.journals or kept.other  # a demo's, where there is nothing else
    if not own:
        raise NoRecording(f"{where.journals}: holds nothing of {day}")
    return tuple(whole_runs(where.journals, lambda path: path in own))
