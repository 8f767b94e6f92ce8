"""The commands of the day's start: login, instruments, doctor."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from kitetui.cli.options import JSON, RUN, Asked, engine_options, shared

if TYPE_CHECKING:
    from kitetui.places import Places


@click.command()
@click.option(
    "--api-key", default="", metavar="KEY", help="Default: that of the last login, or KITE_API_KEY."
)
@click.option("--no-browser", is_flag=True, help="Only print the address.")
@click.option(
    "--token",
    "pasted",
    default="",
    metavar="TEXT",
    help="A request token, or the address that the browser ended at.",
)
@click.option(
    "--keep-secret",
    is_flag=True,
    help="Keep the api_secret that is typed, in the state folder, mode 0600.",
)
@shared
def login(api_key: str, no_browser: bool, pasted: str, keep_secret: bool,
          asked: Asked) -> None:  # fmt: skip
    """Today's access token: opens Kite's login page and takes what it sends back.

    Register http://127.0.0.1:8018/ as redirect URL of your app at https://developers.kite.trade.
    Over SSH, where the browser is on another machine, paste the address that it ends at: the page
    itself cannot be found there, which does no harm.

    The api_secret comes from the file api_secret of the state folder (mode 0600), from
    KITE_API_SECRET, from the system's keyring (service kitetui, name api_secret), or is typed.

    \b
    kitetui login
    kitetui login --no-browser
    """
    from kitetui.tools.login import login as log_in

    settings = asked.settings
    raise SystemExit(log_in(settings, asked.places, api_key=api_key,
                            browser=not no_browser, pasted=pasted,
                            keep_secret=keep_secret))  # fmt: skip


@click.group()
def instruments() -> None:
    """The exchange's table: fetch it, search it, see what would be watched."""


@instruments.command()
@shared
def sync(asked: Asked) -> None:  # fmt: skip
    """Fetch today's table; needs no login. The engine does so by itself at its start."""
    from kitetui.tools import instruments as tool

    raise SystemExit(tool.sync(asked.settings, asked.places))


@instruments.command()
@click.argument("words", nargs=-1, required=True, metavar="WORD...")
@engine_options
def search(words: tuple[str, ...], engine: Places, as_json: bool) -> None:
    """Instruments whose symbol or name hold all the words."""
    from kitetui.tools import instruments as tool

    raise SystemExit(tool.search(engine, words, as_json=as_json))


@instruments.command()
@click.argument("symbol")
@engine_options
def info(symbol: str, engine: Places, as_json: bool) -> None:
    """All that the table says of an instrument."""
    from kitetui.tools import instruments as tool

    raise SystemExit(tool.info(engine, symbol, as_json=as_json))


@instruments.command()
@JSON
@shared
def plan(as_json: bool, asked: Asked) -> None:  # fmt: skip
    """What feed.instruments comes to now: how many of what, and on which connections."""
    from kitetui.tools import instruments as tool

    settings = asked.settings
    raise SystemExit(tool.plan(settings, asked.places, as_json=as_json))


@click.command()
@JSON
@RUN
@shared
def doctor(as_json: bool, run_folder: Path | None, asked: Asked) -> None:  # fmt: skip
    """Whether all is well for the day, and what to do where it is not.

    Looks at config, folders and their rights, login, clock, network, instruments, calendar,
    Redis, disk and terminal. The exit code is 1 where something would keep the engine from
    working; what only deserves a look leaves it 0.
    """
    from kitetui.tools.doctor import examine

    raise SystemExit(examine(asked, run_folder, as_json=as_json))


DAY = (login, instruments, doctor)
