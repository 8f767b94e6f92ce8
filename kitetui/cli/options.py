"""What the commands share: options, exit codes, settings and folders, errors as a sentence."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import click

EXIT_UNAVAILABLE, EXIT_RUNNING, EXIT_AGAIN, EXIT_AUTH, EXIT_CONFIG = 69, 73, 75, 77, 78

_SHARED = [
    click.option("--config", "config_dir", type=click.Path(path_type=Path), metavar="DIR",
                 help="Folder of YAML files laid over the defaults."),
    click.option("--state", type=click.Path(path_type=Path), metavar="DIR",
                 help="Where journals, credentials and the embedded server's data live."),
    click.option("--profile", default="default", show_default=True, metavar="NAME",
                 help="A second, separate engine."),
    click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE",
                 help="Override one setting, such as screen.hz=2. Repeatable."),
]  # fmt: skip


class Asked(NamedTuple):
    """What the shared options ask for. Settings and folders are looked up when they are wanted;
    where they cannot be used that is the end."""

    config_dir: Path | None
    state: Path | None
    profile: str
    overrides: tuple[str, ...]

    @property
    def given(self) -> frozenset[str]:
        """The keys that --set names."""
        return frozenset(text.partition("=")[0] for text in self.overrides)

    @property
    def settings(self) -> Any:
        """The settings in force."""
        return load_settings(self.config_dir, self.overrides)

    @property
    def places(self) -> Any:
        """The folders of the engine that is meant."""
        return where(self.state, self.profile)


def shared(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options of every command that reads settings: it is given them as `asked`."""

    @wraps(function)
    def command(*, config_dir: Path | None, state: Path | None, profile: str,
                overrides: tuple[str, ...], **options: Any) -> Any:  # fmt: skip
        return function(asked=Asked(config_dir, state, profile, overrides), **options)

    out: Callable[..., Any] = command
    for option in reversed(_SHARED):
        out = option(out)
    return out


LITE = click.option("--lite", is_flag=True,
                    help="For a slow link: a frame a second, coarse ages.")  # fmt: skip
ASCII = click.option("--ascii", "ascii_", is_flag=True,
                     help="Draw borders, bars and glyphs in ASCII.")  # fmt: skip
MOUSE = click.option("--mouse", is_flag=True,
                     help="Take clicks and the wheel; text is selected with shift.")  # fmt: skip
RUN = click.option("--run", "run_folder", type=click.Path(path_type=Path), metavar="DIR",
                   help="Where the engine's sockets are, if not in the state folder.")  # fmt: skip
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def which_engine(function: Callable[..., Any]) -> Callable[..., Any]:
    """Which engine is meant: the command is given its folders as `engine`."""

    @wraps(function)
    def command(*, state: Path | None, profile: str, run_folder: Path | None,
                **options: Any) -> Any:  # fmt: skip
        return function(engine=where(state, profile, run_folder), **options)

    out: Callable[..., Any] = command
    for option in (
        RUN,
        click.option("--profile", default="default", show_default=True, metavar="NAME",
                     help="Which engine."),
        click.option("--state", type=click.Path(path_type=Path), metavar="DIR",
                     help="Its state folder."),
    ):  # fmt: skip
        out = option(out)
    return out


def engine_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Which engine is meant, and how to print."""
    return which_engine(JSON(function))


def looks(overrides: tuple[str, ...], *, lite: bool, ascii_: bool, mouse: bool) -> tuple[str, ...]:
    """Overrides with what options say of the screen."""
    asked = (("screen.lite=always", lite), ("screen.ascii=true", ascii_),
             ("screen.mouse=true", mouse))  # fmt: skip
    return (*overrides, *(setting for setting, wanted in asked if wanted))


def fail(code: int, message: str) -> NoReturn:
    """End with a sentence and an exit code; what files hold is cleaned before it is shown."""
    from kitetui.widgets.safe_text import clean

    click.echo(f"kitetui: {clean(message)}", err=True)
    raise SystemExit(code)


def load_settings(config_dir: Path | None, overrides: tuple[str, ...]) -> Any:
    """The settings; where they cannot be used, the end."""
    from kitetui.config import ConfigError, load
    from kitetui.engine.plugins import load_plugins

    try:
        load_plugins()
        return load(config_dir, overrides)
    except ConfigError as error:
        fail(EXIT_CONFIG, str(error))


def where(state: Path | None, profile: str, run: Path | None = None) -> Any:
    """The folders of an engine; where they cannot be used, the end."""
    from kitetui.config import ConfigError
    from kitetui.places import places

    try:
        return places(state, profile, run)
    except ConfigError as error:
        fail(EXIT_CONFIG, str(error))
