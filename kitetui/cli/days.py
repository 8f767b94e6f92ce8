"""The commands about recorded days: what there is, the archive of ticks, where runs part."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import click

from kitetui.cli.options import Asked, engine_options, fail, shared

if TYPE_CHECKING:
    from kitetui.places import Places


@click.command()
@engine_options
def days(engine: Places, as_json: bool) -> None:
    """What is recorded: journals, archived ticks and minute bars, a line a day.

    `kitetui --replay 2026-11-26` plays a day again as long as its journals are kept
    (journal.retention_days).
    """
    from kitetui.tools.days import list_days

    raise SystemExit(list_days(engine, as_json=as_json))


@click.command()
@click.argument("day", required=False, metavar="[DAY]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, a line a day.")
@click.option("--background", is_flag=True, hidden=True)
@shared
def archive(day: str | None, as_json: bool, background: bool, asked: Asked) -> None:  # fmt: skip
    """A day's ticks to one Parquet file by token, checked byte for byte against the journals.

    DAY is a date such as 2026-11-26; without it every day that is due is archived. The engine
    does this by itself after the session. What then becomes of the journals, archive.journals
    says: pack, keep or drop. Prices are as on the wire: divide them by the column divisor.
    """
    from kitetui.tools.days import archive as archive_days

    if background:
        with contextlib.suppress(OSError):  # a hardened service may not
            os.nice(10)
    settings = asked.settings
    raise SystemExit(archive_days(asked.places, settings, day, as_json=as_json))


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN [RUN]")
@click.option("--other", "others", multiple=True, metavar="KEY=VALUE",
              help="Like --set, for the second run alone. Repeatable.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@shared
def diff(runs: tuple[str, ...], others: tuple[str, ...], as_json: bool, asked: Asked) -> None:
    """Where two runs part: the first alert or bar that differs, and all that follow.

    A RUN is a folder that `kitetui export` wrote, or a recording that is played now: a journal, a
    folder of journals, or a date. With one RUN and --other, the same recording is played twice:

    \b
    kitetui diff 2026-11-26 --other thresholds.volume_spike.params.min_ratio=3

    The exit code is 1 where they differ.
    """
    from kitetui.tools.differ import diff as differ

    if len(runs) > 2 or (len(runs) == 1 and not others):
        fail(2, "expected two runs, or one and --other KEY=VALUE")
    other = asked._replace(overrides=(*asked.overrides, *others))
    names = runs if len(runs) == 2 else (runs[0], runs[0])
    raise SystemExit(differ(names, asked.places, (asked, other), as_json=as_json))


DAYS = (days, archive, diff)
