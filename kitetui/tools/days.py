"""`kitetui days` and `kitetui archive`: what was recorded, and a day's ticks as one file."""

from __future__ import annotations

import json
import sys
from datetime import date
from pathlib import Path

import click

from kitetui.cli_options import EXIT_CONFIG, EXIT_UNAVAILABLE, fail
from kitetui.engine.feed.journal_reader import JournalError
from kitetui.engine.sinks.days import (
    RecordedDay,
    archive_day,
    recorded_day,
    recorded_days,
    remove_old_ticks,
)
from kitetui.engine.sinks.keyframes import Keyframes
from kitetui.engine.sinks.tick_archive import Archived, ArchiveError
from kitetui.places import Places
from kitetui.settings import Settings


def list_days(where: Places, *, as_json: bool) -> int:
    """Print a line for each recorded day; the exit code."""
    found = recorded_days(where.journals, where.archive)
    if as_json:
        click.echo(json.dumps([_told(day, where) for day in found]))
        return 0
    if not found:
        click.echo(f"nothing is recorded in {where.journals}", err=True)
        return 0
    click.echo(f"{'day':<12}{'journals':>9}{'MB':>9}{'':>9}{'ticks MB':>10}  minute bars")
    for day in found:
        packed = "packed" if day.journals and day.packed == len(day.journals) else ""
        ticks = f"{day.ticks_bytes / 1e6:.1f}" if day.ticks is not None else "-"
        notes = ["yes" if _bars(day, where).exists() else "-"]
        if day.ticks is not None and not day.archived:
            notes.append("the journals are newer than the ticks")
        if day.other:
            notes.append(f"{len(day.other)} more of a demo or another feed")
        click.echo(f"{day.day!s:<12}{len(day.journals):>9}{day.journal_bytes / 1e6:>9.1f}"
                   f"{packed:>9}{ticks:>10}  {'  '.join(notes)}")  # fmt: skip
    return 0


def _bars(day: RecordedDay, where: Places) -> Path:
    return where.archive / f"{day.day}.parquet"


def archive(where: Places, settings: Settings, wanted: str | None, *, as_json: bool) -> int:
    """Archive a day, or all that are due; the exit code."""
    if wanted is None:
        days = [day for day in recorded_days(where.journals, where.archive)
                if day.journals and not day.archived]  # fmt: skip
        if not days:
            click.echo("every recorded day is archived", err=True)
    else:
        days = [_day(where, wanted)]
    for day in days:
        made = _archive(day, where, settings)
        if as_json:
            click.echo(json.dumps({"day": f"{day.day}", "path": str(made.path), "lost": made.lost,
                                   "ticks": made.ticks, "instruments": made.tokens,
                                   "bytes": made.bytes}))  # fmt: skip
        else:
            lost = f"; {made.lost}" if made.lost else ""
            click.echo(f"{day.day}: {made.ticks:,} ticks of {made.tokens:,} instruments in "
                       f"{made.path}, {made.bytes_a_tick:.1f} bytes each, as the journals have "
                       f"them{lost}")  # fmt: skip
    remove_old_ticks(where.archive, settings.archive.tick_days)
    return 0


def _day(where: Places, wanted: str) -> RecordedDay:
    try:
        day = date.fromisoformat(wanted)
    except ValueError:
        fail(2, f"{wanted}: expected a date such as 2026-11-26")
    found = recorded_day(where.journals, where.archive, day)
    if not found.journals:
        fail(
            EXIT_UNAVAILABLE,
            f"no journal of {day} in {where.journals}; `kitetui days` lists what is there",
        )
    return found


def _archive(day: RecordedDay, where: Places, settings: Settings) -> Archived:
    shown = sys.stderr.isatty()

    def say(what: str, share: float) -> None:
        if shown:
            click.echo(f"\r{day.day}: {what} {share:4.0%}   ", nl=False, err=True)

    try:
        made = archive_day(day, where.archive, Keyframes(where.keyframes), settings.archive,
                           settings.feed.divisors, say)  # fmt: skip
    except (ArchiveError, JournalError) as error:
        fail(EXIT_CONFIG, str(error))
    except OSError as error:
        fail(EXIT_UNAVAILABLE, f"{error.filename or where.archive}: {error.strerror or error}")
    finally:
        if shown:
            click.echo("", err=True)
    return made


def _told(day: RecordedDay, where: Places) -> dict[str, object]:
    return {
        "day": f"{day.day}",
        "journals": len(day.journals),
        "journal_bytes": day.journal_bytes,
        "packed": day.packed,
        "other_feeds": len(day.other),
        "ticks": str(day.ticks or ""),
        "ticks_bytes": day.ticks_bytes,
        "archived": day.archived,
        "bars": _bars(day, where).exists(),
    }
