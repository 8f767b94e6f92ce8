"""The commands. Nothing heavy is imported until the command that needs it runs."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from kitetui import __version__
from kitetui.cli.day import DAY
from kitetui.cli.days import DAYS
from kitetui.cli.desk import VERBS
from kitetui.cli.examples import teach
from kitetui.cli.options import (
    ASCII,
    EXIT_CONFIG,
    LITE,
    MOUSE,
    RUN,
    Asked,
    fail,
    shared,
)
from kitetui.cli.redis import redis
from kitetui.cli.remote import REMOTE
from kitetui.cli.system import SYSTEM


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="kitetui")
@click.option("--demo", is_flag=True, help="Run on a simulated exchange; needs no account.")
@click.option("--headless", is_flag=True, help="Engine only, without the screen.")
@click.option(
    "--duration",
    type=click.FloatRange(min=0.1),
    metavar="S",
    help="Stop by itself after S seconds.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one status document at the end.")
@click.option(
    "--replay",
    metavar="DAY|PATH",
    help="Play what was recorded instead of connecting: a journal, a folder of journals, or a "
    "date such as 2026-11-26 of this profile's own.",
)
@click.option(
    "--from",
    "begin",
    metavar="HH:MM",
    help="For --replay: play up to this time as fast as possible, then at --speed.",
)
@click.option(
    "--source",
    type=click.Choice(["kite", "redis"]),
    help="Where ticks come from: Kite, or crawlers of yours that write to Redis.",
)
@click.option("--speed", metavar="N|max", help="Times real time, for --demo and --replay.")
@LITE
@ASCII
@MOUSE
@click.option("--seed", type=int, default=7, show_default=True, help="Seed of the demo's market.")
@RUN
@shared
@click.pass_context
def cli(ctx: click.Context, /, **options: Any) -> None:
    """The terminal cockpit for Indian markets.

    Takes Zerodha Kite ticks, shows depth, volume, streams and consumer lag, and raises the few
    alerts worth acting on.

    \b
    kitetui --demo                    look around, without an account
    kitetui login                     today's access token
    kitetui                           connect to Kite
    kitetui --headless --json --duration 60
    kitetui --replay day.arrows --speed 10
    kitetui --replay 2026-11-26 --from 10:55
    kitetui --source redis --set redis.url=redis://desk:6379
    ssh -t desk kitetui attach        look at an engine that runs there
    """
    if ctx.invoked_subcommand is None:
        from kitetui.run import run

        raise SystemExit(run(**options))


@cli.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
def decode(files: tuple[Path, ...]) -> None:
    """Binary frames to one JSON object a tick, with the official field names.

    Each FILE is one WebSocket frame, or a recorded journal of them. What could not be decoded is
    counted on standard error; the exit code is 1 when something was rejected.
    """
    from kitetui.tools.decode import decode_files

    raise SystemExit(decode_files(files))


@cli.command("import")
@click.argument("source", type=click.Path(path_type=Path))
@click.option(
    "--to",
    "target",
    required=True,
    type=click.Path(path_type=Path),
    metavar="JOURNAL",
    help="The journal to write; an existing file is not overwritten.",
)
@click.option(
    "--instruments",
    type=click.Path(path_type=Path),
    metavar="CSV",
    help="Instrument table in Kite's columns; default: instruments.csv beside SOURCE.",
)
@shared
def import_(source: Path, target: Path, instruments: Path | None, asked: Asked) -> None:
    """Recorded ticks (Parquet, CSV or JSON lines; a file or a folder) to a journal of Kite frames.

    Field names are matched through fields.yaml. The exchange second of each packet is the
    receive time moved forward by as much as trades otherwise would come from the future.
    """
    from kitetui.tools.importer import import_ticks

    raise SystemExit(import_ticks(source, target, instruments, asked.settings))


@cli.command()
@click.argument("recording", metavar="DAY|PATH")
@click.option(
    "--to",
    "target",
    required=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder for ticks.parquet, bars.parquet and alerts.parquet.",
)
@shared
def export(recording: str, target: Path, asked: Asked) -> None:
    """A recording to Parquet: ticks, bars and alerts, as the engine derives them.

    A recording is a journal, a folder of journals, or a date of this profile's own.
    """
    from kitetui.recordings import NoRecording, journals_of
    from kitetui.tools.exporter import export_journals

    try:
        journals = journals_of(recording, asked.places)
    except NoRecording as error:
        fail(EXIT_CONFIG, str(error))
    raise SystemExit(export_journals(journals, target, asked))


@cli.command()
@click.argument("bars", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder for the tables (CSV) and summary.json.",
)
@click.option(
    "--instruments",
    "table",
    type=click.Path(path_type=Path),
    metavar="CSV",
    help="Instrument table in Kite's columns; it wins over --tick and --hours.",
)
@click.option(
    "--tick",
    type=click.FloatRange(min=0.0),
    default=0.05,
    show_default=True,
    metavar="RUPEES",
    help="Price step of symbols that no table names.",
)
@click.option(
    "--hours",
    default="equity",
    show_default=True,
    metavar="SEGMENT",
    type=click.Choice(
        ["equity", "equity_fno", "index", "equity_derivatives", "currency", "commodity"]
    ),
    help="Whose trading hours of calendar.yaml apply to symbols that no table names.",
)
@click.option(
    "--minutes",
    type=click.IntRange(1, 1440),
    metavar="N",
    help="Length of a bar; default: the commonest distance of two.",
)
@click.option("--ends", is_flag=True, help="Times tell where a bar ends, not where it starts.")
@shared
def study(bars: tuple[Path, ...], asked: Asked, out: Path | None, **options: Any) -> None:
    """Bar files through the engine's own indicators: check every number in any other tool.

    BARS are CSV or Parquet files, or folders of them, with columns for time, open, high, low,
    close and, where there is one, volume. Shown are the newest values; with --out, every value
    of every bar, swings, fair value gaps, pools of liquidity, levels and volume profiles.
    Lines that are wrong are named by file and line, and left out or repaired.
    """
    from kitetui.tools.study import study as run_study

    raise SystemExit(run_study(bars, out, asked.settings, **options))


@cli.command()
@click.argument("alert_id", metavar="ID")
@shared
def explain(alert_id: str, asked: Asked) -> None:
    """Why an alert was raised or kept back, in words, and what became of it.

    ID is the alert's, or its first digits. Everything that fired is known, told or not, for as
    many sessions as ledger.sessions says.
    """
    from kitetui.tools.explain import explain_alert

    raise SystemExit(explain_alert(alert_id, asked.settings, asked.places))


@cli.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=9000,
    show_default=True,
    help="WebSocket port; 0 takes a free one.",
)
@click.option(
    "--rest-port",
    type=click.IntRange(0, 65535),
    default=9001,
    show_default=True,
    help="REST port; 0 takes a free one.",
)
@click.option(
    "--instruments",
    type=click.IntRange(0, 9000),
    default=0,
    help="Fill the list up to N instruments.",
)
@click.option(
    "--rate",
    type=click.FloatRange(0, 200_000),
    default=0.0,
    help="Packets a second to aim at; 0 is the market's own pace.",
)
@click.option("--seed", type=int, default=7, show_default=True)
@click.option(
    "--speed", default="1", show_default=True, metavar="N|max", help="Session seconds per second."
)
@click.option(
    "--clock",
    metavar="TIME",
    help="Session time to start at: HH:MM or an ISO time; default 10:15 of the last session.",
)
@click.option(
    "--faults",
    default="",
    metavar="LIST",
    help="Such as drop@30,mute@60:8,garble@90,truncate@95,expire@100:10,busy@120:5.",
)
@click.option(
    "--from",
    "recording",
    type=click.Path(path_type=Path),
    metavar="JOURNAL",
    help="Serve recorded frames instead of a simulated market.",
)
@click.option(
    "--plant",
    default="",
    metavar="SYMBOL",
    help="Give SYMBOL a burst of volume in the first whole minute.",
)
@click.option(
    "--redirect",
    default="",
    metavar="URL",
    help="Where /connect/login leads; default: where kitetui login waits.",
)
@click.option("--stop-on-eof", is_flag=True, hidden=True)
@shared
def exchange(asked: Asked, **options: Any) -> None:
    """A simulated Kite exchange on loopback: WebSocket and REST, for any Kite client.

    api_key and access_token are both `demo`, the api_secret is `demo-secret`. Time begins at the
    first subscription. Prints one JSON line with its addresses.
    """
    from kitetui.tools.serve import serve_exchange

    raise SystemExit(serve_exchange(asked.settings, **options))


@cli.command()
@click.option("--markdown", is_flag=True, help="As the documentation has it.")
@shared
def keys(markdown: bool, asked: Asked) -> None:
    """The screen's keys: id, keys, and what each does.

    `screen.keys` in kitetui.yaml gives actions other keys, by id.
    """
    from kitetui.tools.key_table import print_keys

    raise SystemExit(print_keys(asked.settings, markdown=markdown))


@cli.command()
@click.argument("name", default="")
@click.option("--markdown", is_flag=True, help="All of them, as the documentation has it.")
@shared
def patterns(name: str, markdown: bool, asked: Asked) -> None:
    """What each pattern looks for; with NAME, every number that one goes by."""
    from kitetui.tools.pattern_book import print_patterns

    known = asked.settings.patterns
    raise SystemExit(print_patterns(known, name, markdown=markdown))


@cli.command()
def manual() -> None:
    """The manual page: every command with its options and examples, as man reads it."""
    from kitetui.tools.manual import page

    click.echo(page(cli), nl=False)


for _verb in (*DAY, *VERBS, *DAYS, *REMOTE, *SYSTEM, redis, redis.commands["pause"],
              redis.commands["resume"]):  # fmt: skip
    cli.add_command(_verb)
teach(cli)


def main() -> None:
    """The console script."""
    try:
        cli.main(prog_name="kitetui", standalone_mode=False)
    except click.exceptions.Exit as ended:
        raise SystemExit(ended.exit_code) from None
    except click.Abort:
        raise SystemExit(130) from None
    except click.ClickException as error:
        error.show()
        raise SystemExit(error.exit_code) from None
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None
