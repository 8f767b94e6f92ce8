"""The commands about looking in from elsewhere: attach, ssh-setup, web."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kitetui.cli.options import ASCII, LITE, MOUSE, load_settings, looks, which_engine

if TYPE_CHECKING:
    from kitetui.places import Places

_CONFIG = click.option("--config", "config_dir", type=click.Path(path_type=Path), metavar="DIR",
                       help="Folder of YAML files laid over the defaults.")  # fmt: skip
_SET = click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE",
                    help="Override one setting, such as screen.hz=2. Repeatable.")  # fmt: skip


@click.command()
@click.option("--ro", "look_only", is_flag=True, help="Look only, even where more is allowed.")
@click.option(
    "--as",
    "name",
    default="",
    metavar="NAME",
    help="Who looks, where an account is shared: it stands with what is acknowledged.",
)
@click.option("--wait", is_flag=True, help="Wait for an engine that does not run yet.")
@click.option(
    "--duration",
    type=click.FloatRange(min=0.1),
    metavar="S",
    help="Leave by itself after S seconds.",
)
@click.option(
    "--ssh", is_flag=True, help="As a key's command in authorized_keys: see kitetui ssh-setup."
)
@LITE
@ASCII
@MOUSE
@_CONFIG
@_SET
@which_engine
def attach(look_only: bool, name: str, wait: bool, duration: float | None, ssh: bool, lite: bool,
           ascii_: bool, mouse: bool, config_dir: Path | None, overrides: tuple[str, ...],
           engine: Places) -> None:  # fmt: skip
    """A screen on an engine that runs already; leaving it changes nothing there.

    What may be done is what the engine's sockets allow: who may open rw.sock does all that keys
    do, who may open ro.sock looks. Several people may look at once, each at what they like;
    what one acknowledges is acknowledged for all. When the engine ends the screen stays, says so,
    and goes on when the engine is back.

    \b
    kitetui attach
    ssh -t desk kitetui attach --lite
    """
    from kitetui.attach import attach as show
    from kitetui.run import check_terminal

    if ssh:
        from kitetui.tools.ssh_door import answer

        answer(engine)
    check_terminal()
    settings = load_settings(config_dir, looks(overrides, lite=lite, ascii_=ascii_, mouse=mouse))
    raise SystemExit(show(engine, settings, look_only=look_only, name=name, wait=wait,
                          duration=duration))  # fmt: skip


@click.command("ssh-setup")
@click.option(
    "--view",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="KEY.pub",
    help="A public key of somebody who looks. Repeatable.",
)
@click.option(
    "--operate",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="KEY.pub",
    help="One of somebody who may do all that keys do. Repeatable.",
)
@click.option("--user", default="", metavar="NAME", help="The account; default: yours.")
@click.option(
    "--state", type=click.Path(path_type=Path), metavar="DIR", help="The engine's state folder."
)
@click.option(
    "--run",
    "run_folder",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where its sockets are.",
)
@click.option("--profile", default="", metavar="NAME", help="Which engine.")
def ssh_setup(view: tuple[Path, ...], operate: tuple[Path, ...], user: str, state: Path | None,
              run_folder: Path | None, profile: str) -> None:  # fmt: skip
    """What an account needs so that people look in over SSH; printed, nothing is changed.

    Each key opens the screen and nothing else: no shell, no forwarding, no files. The name in a
    key's comment is who acknowledges.

    \b
    kitetui ssh-setup --operate ravi.pub --view asha.pub >> ~/.ssh/authorized_keys
    """
    from kitetui.tools.ssh_door import WORDS
    from kitetui.tools.ssh_setup import print_setup

    options = [part for option, value in (("--state", state and state.absolute()),
                                          ("--run", run_folder and run_folder.absolute()),
                                          ("--profile", profile))
               if value for part in (option, str(value))]  # fmt: skip
    raise SystemExit(print_setup(view, operate, options, user or getpass.getuser(), WORDS))


@click.command()
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=8017,
    show_default=True,
    help="Port on loopback.",
)
@click.option(
    "--operate",
    is_flag=True,
    help="Let the browser do all that keys do; else it looks only.",
)
@which_engine
def web(port: int, operate: bool, engine: Places) -> None:
    """The screen in a browser on this machine: the same, attached to a running engine.

    Served on loopback only, to whoever has the address with its key. From another machine it is
    reached through SSH: ssh -L 8017:127.0.0.1:8017 HOST. Needs textual-serve:
    pip install 'kitetui[web]'.
    """
    import sys

    from kitetui.cli.options import EXIT_UNAVAILABLE, fail

    try:
        from kitetui.tools.web import WebScreen
    except ModuleNotFoundError as error:
        fail(EXIT_UNAVAILABLE, f"kitetui web needs {error.name}: pip install 'kitetui[web]'")
    command = [sys.executable, "-m", "kitetui", "attach", "--wait", "--as", "web",
               *([] if operate else ["--ro"]), "--state", str(engine.state), "--run",
               str(engine.run)]  # fmt: skip
    try:
        WebScreen(command, port).serve()
    except OSError as error:
        fail(EXIT_UNAVAILABLE, f"--port {port}: {error.strerror or error}")


REMOTE = (attach, ssh_setup, web)
