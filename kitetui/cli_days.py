"""The commands about recorded days: what there is, and the archive of ticks."""

from __future__ import annotations

import os
from pathlib import Path

import click

from kitetui.cli_options import engine_options, load_settings, shared, where


@click.command()
@engine_options
def days(state: Path | None, profile: str, as_json: bool) -> None:
    """What is recorded: journals, archived ticks and minute bars, a line a day.

    `kitetui --replay 2026-11-26` plays a day again as long as its journals are kept
    (journal.retention_days).
    """
    from kitetui.tools.days import list_days

    raise SystemExit(list_days(where(state, profile), as_json=as_json))


@click.command()
@click.argument("day", required=False, metavar="[DAY]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, a line a day.")
@click.option("--background", is_flag=True, hidden=True)
@shared
def archive(day: str | None, as_json: bool, background: bool, config_dir: Path | None,
            state: Path | None, profile: str, overrides: tuple[str, ...]) -> None:  # fmt: skip
    """A day's ticks to one Parquet file by token, checked byte for byte against the journals.

    DAY is a date such as 2026-11-26; without it every day that is due is archived. The engine
    does this by itself after the session. What then becomes of the journals, archive.journals
    says: pack, keep or drop. Prices are as on the wire: divide them by the column divisor.
    """
    from kitetui.tools.days import archive as archive_days

    if background:
        os.nice(10)
    settings = load_settings(config_dir, overrides)
    raise SystemExit(archive_days(where(state, profile), settings, day, as_json=as_json))


DAYS = (days, archive)
