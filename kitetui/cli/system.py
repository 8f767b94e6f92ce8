"""The commands about running it for good: service, config, bundle, completion."""

from __future__ import annotations

from pathlib import Path

import click

from kitetui.cli.options import JSON, RUN, Asked, shared, where

_ARGUMENTS = click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[-- OPTION...]")


@click.group()
def service() -> None:
    """The engine as a service of systemd: from boot, watched, and started again by itself."""


@service.command("print")
@click.option("--user", is_flag=True, help="The unit of your own manager, not the system's.")
@_ARGUMENTS
def print_(user: bool, arguments: tuple[str, ...]) -> None:
    """Print the unit file, hardened, and how it is installed; nothing is changed.

    What follows -- is given to the engine, such as -- --profile night.
    """
    from kitetui.tools.service import print_unit

    raise SystemExit(print_unit(user=user, arguments=arguments))


@service.command()
@click.option("--user", is_flag=True, required=True, help="For your own manager; needs no root.")
@_ARGUMENTS
def install(user: bool, arguments: tuple[str, ...]) -> None:
    """Write the unit of your own manager, and say what comes then."""
    from kitetui.tools.service import install as write

    raise SystemExit(write(arguments))


@service.command()
def uninstall() -> None:
    """Remove the unit of your own manager; what was recorded stays."""
    from kitetui.tools.service import uninstall as remove

    raise SystemExit(remove())


@click.group()
def config() -> None:
    """The settings: what is in force, where it comes from, and whether a change would do."""


@config.command()
@click.argument("words", nargs=-1, metavar="[WORD...]")
@click.option("--changed", is_flag=True, help="Only what is not as delivered.")
@JSON
@shared
def show(words: tuple[str, ...], changed: bool, as_json: bool, asked: Asked) -> None:
    """Every value, where it comes from, and its sentence; only those whose key holds the words."""
    from kitetui.tools.settings import show as print_settings

    raise SystemExit(print_settings(asked.config_dir, asked.overrides, words, changed=changed,
                                    as_json=as_json))  # fmt: skip


@config.command()
@shared
def validate(asked: Asked) -> None:
    """Whether the files would do; the exit code is 78 where they would not."""
    from kitetui.tools.settings import validate as check

    raise SystemExit(check(asked.config_dir, asked.overrides))


@config.command()
@click.argument("name", default="kitetui", metavar="[FILE]")
@shared
def edit(name: str, asked: Asked) -> None:
    """Edit a file of yours in $EDITOR; what would not do is not kept unless you say so.

    FILE is kitetui, redis, fields, thresholds, universe, calendar or alerts. It holds only what
    differs from the delivered one.
    """
    from kitetui.tools.settings import edit as change

    raise SystemExit(change(asked.config_dir, asked.overrides, name))


@config.command()
@click.option("--markdown", is_flag=True, hidden=True)
def reference(markdown: bool) -> None:
    """Every key with its default and its sentence, as the documentation has it."""
    from kitetui.tools.settings import reference as print_reference

    raise SystemExit(print_reference())


@click.command()
@click.option(
    "--to",
    "target",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Default: kitetui-DATE-TIME.tar.gz here.",
)
@RUN
@shared
def bundle(target: Path | None, run_folder: Path | None, asked: Asked) -> None:
    """Versions, settings, status, events and the doctor's findings in one file, for a report.

    No token, no secret and no tick is in it.
    """
    from kitetui.tools.bundle import write_bundle

    raise SystemExit(write_bundle(asked, where(asked.state, asked.profile, run_folder), target))


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Completion for a shell: commands, options and their values.

    \b
    bash   eval "$(kitetui completion bash)"          in ~/.bashrc
    zsh    eval "$(kitetui completion zsh)"           in ~/.zshrc
    fish   kitetui completion fish > ~/.config/fish/completions/kitetui.fish
    """
    from click.shell_completion import get_completion_class

    from kitetui.cli.main import cli

    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(cli, {}, "kitetui", "_KITETUI_COMPLETE").source())


SYSTEM = (service, config, bundle, completion)
