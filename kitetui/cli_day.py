"""The commands of the day's start: login, instruments, doctor."""

from __future__ import annotations

from pathlib import Path

import click

from kitetui.cli_options import load_settings, shared, where


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
          config_dir: Path | None, state: Path | None, profile: str,
          overrides: tuple[str, ...]) -> None:  # fmt: skip
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

    settings = load_settings(config_dir, overrides)
    raise SystemExit(log_in(settings, where(state, profile), api_key=api_key,
                            browser=not no_browser, pasted=pasted,
                            keep_secret=keep_secret))  # fmt: skip


DAY = (login,)
