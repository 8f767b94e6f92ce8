"""`kitetui days` and `kitetui archive`: what was recorded, and a day's ticks as one file."""

from __future__ import annotations

import json
import sys
from datetime import date
from pathlib import Path

import click

from kitetui.cli.options import EXIT_CONFIG, EXIT_UNAVAILABLE, fail
from kitetui.engine.calendar import ist
from kitetui.engine.clock import wall_ns
from kitetui.engine.feed.journal_reader import JournalError
from kitetui.engine.sinks.days import (
    RecordedDay,
    alone,
    archive_day,
    pack_day,
    recorded_day,
    recorded_days,
    remove_old_ticks,
)
from kitetui.engine.sinks.keyframes import Keyframes
from kitetui.engine.sinks.tick_archive import Archived, ArchiveError, NoTicks
from kitetui.places import Places
from kitetui.settings import Settings
from kitetui.widgets.safe_text import clean


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
    today = ist(wall_ns() / 1e9).date()
    if wanted is None:
        days = [day for day in recorded_days(where.journals, where.archive) if day.journals]
        if all(day.archived for day in days):
            click.echo("every recorded day is archived", err=True)
    else:
        days = [_day(where, wanted)]
    try:
        with alone(where.archive, where.journals):
            codes = [_archive(day, where, settings, today, again=wanted is not None,
                              as_json=as_json) for day in days]  # fmt: skip
            remove_old_ticks(where.archive, settings.archive, where.journals)
    except ArchiveError as error:
        fail(EXIT_UNAVAILABLE, str(error))
    return max(codes, default=0)


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


def _archive(day: RecordedDay, where: Places, settings: Settings, today: date, *, again: bool,
             as_json: bool) -> int:  # fmt: skip
    """Archive a day and pack its journals; an exit code. What cannot be done keeps no other day."""
    shown = sys.stderr.isatty()

    def say(what: str, share: float) -> None:
        if shown:
            click.echo(f"\r{day.day}: {what} {share:4.0%}   ", nl=False, err=True)

    try:
        if again or not day.archived:
            made = archive_day(day, where.archive, settings.feed.divisors, say)
            _tell(day, made, as_json=as_json)
        if settings.archive.journals == "pack":
            pack_day(day, Keyframes(where.keyframes), today, say)
    except NoTicks as error:
        click.echo(f"kitetui: {clean(str(error))}", err=True)
        return 0 if not again else EXIT_UNAVAILABLE
    except (ArchiveError, JournalError) as error:
        click.echo(f"kitetui: {clean(str(error))}", err=True)
        return EXIT_CONFIG
    except OSError as error:
        words = f"{error.filename or where.archive}: {error.strerror or error}"
        click.echo(f"kitetui: {clean(words)}", err=True)
        return EXIT_UNAVAILABLE
    finally:
        if shown:
            click.echo("", err=True)
    return 0


def _tell(day: RecordedDay, made: Archived, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"day": f"{day.day}", "path": str(made.path), "lost": made.lost,
                               "ticks": made.ticks, "instruments": made.tokens,
                               "bytes": made.bytes}))  # fmt: skip
        return
    lost = f"; not in it: {made.lost}" if made.lost else ""
    click.echo(f"{day.day}: {made.ticks:,} ticks of {made.tokens:,} instruments in {made.path}, "
               f"{made.bytes_a_tick:.1f} bytes each, as the journals have them{lost}")  # fmt: skip


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
