"""The commands about Redis: its contract, a server held against it, what it will take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kitetui.cli_options import load_settings, shared, where


@click.group()
def redis() -> None:
    """The Redis contract: print it, hold a server against it, plan its memory."""


_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@redis.command()
@_JSON
@shared
def schema(config_dir: Path | None, overrides: tuple[str, ...], as_json: bool, **_: Any) -> None:
    """Every key, stream and channel in force: its database, type, cap, life and content."""
    from kitetui.tools.redis_plan import schema as print_schema

    settings = load_settings(config_dir, overrides)
    raise SystemExit(print_schema(settings.redis, as_json=as_json))


@redis.command()
@click.option("--url", metavar="URL", help="Another server than redis.url.")
@_JSON
@shared
def check(config_dir: Path | None, state: Path | None, profile: str, overrides: tuple[str, ...],
          url: str | None, as_json: bool) -> None:  # fmt: skip
    """Compare a live server with the contract: types, fields, lives, caps, foreign keys.

    The exit code is 1 where something differs, 69 where the server cannot be asked.
    """
    from kitetui.tools.redis_check import check as look

    settings = load_settings(config_dir, overrides).redis
    found = url or settings.url
    if found == "embedded":
        found = f"unix://{where(state, profile).redis / 'valkey.sock'}"
    raise SystemExit(look(settings, found, as_json=as_json))


@redis.command()
@click.option("--instruments", type=click.IntRange(1, 9000), required=True, metavar="N")
@click.option(
    "--rate",
    type=click.FloatRange(0.1, 1_000_000),
    metavar="R",
    help="Ticks a second, all together; default: one of each instrument.",
)
@click.option(
    "--focus",
    type=click.IntRange(0, 9000),
    default=20,
    show_default=True,
    metavar="N",
    help="Symbols with streams of their own.",
)
@_JSON
@shared
def plan(config_dir: Path | None, overrides: tuple[str, ...], instruments: int,
         rate: float | None, focus: int, as_json: bool, **_: Any) -> None:  # fmt: skip
    """What the streams will write in a day, and hold in memory, before they do."""
    from kitetui.tools.redis_plan import plan as print_plan

    settings = load_settings(config_dir, overrides).redis
    raise SystemExit(print_plan(settings, instruments, rate, focus, as_json=as_json))
