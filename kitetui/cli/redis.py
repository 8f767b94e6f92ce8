"""The commands about Redis: its contract, what it will take, and what an operator may do there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from kitetui.cli.options import Asked, engine_options, shared

if TYPE_CHECKING:
    from kitetui.places import Places


@click.group()
def redis() -> None:
    """The Redis contract, and the streams of a running engine.

    \b
    schema, check, plan            the contract, a server held against it, its memory
    look STREAM [GROUP]            newest entries, or consumers and what waits for them
    trim, group, claim, forget     mend streams and groups, once you have read what will happen
    pause, resume, profile         what the engine writes
    """


_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@redis.command()
@_JSON
@shared
def schema(asked: Asked, as_json: bool) -> None:
    """Every key, stream and channel in force: its database, type, cap, life and content."""
    from kitetui.tools.redis_plan import schema as print_schema

    raise SystemExit(print_schema(asked.settings.redis, as_json=as_json))


@redis.command()
@click.option("--url", metavar="URL", help="Another server than redis.url.")
@_JSON
@shared
def check(asked: Asked, url: str | None, as_json: bool) -> None:
    """Compare a live server with the contract: types, fields, lives, caps, foreign keys.

    The exit code is 1 where something differs, 69 where the server cannot be asked.
    """
    from kitetui.tools.redis_check import check as look

    settings = asked.settings.redis
    found = url or settings.url
    if found == "embedded":
        found = f"unix://{asked.places.redis / 'valkey.sock'}"
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
def plan(asked: Asked, instruments: int, rate: float | None, focus: int, as_json: bool) -> None:
    """What the streams will write in a day, and hold in memory, before they do."""
    from kitetui.tools.redis_plan import plan as print_plan

    settings = asked.settings.redis
    raise SystemExit(print_plan(settings, instruments, rate, focus, as_json=as_json))


_DB = click.option("--db", type=click.IntRange(0, 15), default=4, show_default=True,
                   help="The database of the stream.")  # fmt: skip
_YES = click.option("--yes", is_flag=True, help="Do it without asking.")
_STREAM = click.argument("stream")
_GROUP = click.argument("group")


def _act(engine: Places, as_json: bool, yes: bool, **action: Any) -> None:
    from kitetui.tools.redis_verbs import act

    raise SystemExit(act(engine, action, yes=yes, as_json=as_json))


@redis.command()
@_STREAM
@click.argument("group", default="")
@_DB
@engine_options
def look(stream: str, group: str, db: int, engine: Places, as_json: bool) -> None:
    """The newest entries of a stream, decoded; or the consumers of a group and what is pending."""
    _act(engine, as_json, True, action="inspect", stream=stream, group=group, db=db)


@redis.command()
@_STREAM
@click.option(
    "--to",
    "keep",
    type=click.IntRange(min=0),
    required=True,
    metavar="N",
    help="Entries that stay.",
)
@_DB
@_YES
@engine_options
def trim(stream: str, keep: int, db: int, yes: bool, engine: Places, as_json: bool) -> None:
    """Trim a stream; what groups have not read of it is counted and said first."""
    _act(engine, as_json, yes, action="trim", stream=stream, value=str(keep), db=db)


@redis.command()
@_STREAM
@_GROUP
@click.option(
    "--at",
    "place",
    default="$",
    show_default=True,
    metavar="ID",
    help="$ for the end, 0 for the beginning, or an id.",
)
@click.option("--new", is_flag=True, help="Create it; otherwise one that exists is moved.")
@_DB
@_YES
@engine_options
def group(
    stream: str,
    group: str,
    place: str,
    new: bool,
    db: int,
    yes: bool,
    engine: Places,
    as_json: bool,
) -> None:
    """Create a consumer group, or move one; what it would skip or read twice is said first."""
    _act(engine, as_json, yes, action="create" if new else "advance", stream=stream,
         group=group, value=place, db=db)  # fmt: skip


@redis.command()
@_STREAM
@_GROUP
@click.argument("consumer")
@click.option("--to", "taker", required=True, metavar="CONSUMER", help="Who has them then.")
@_DB
@_YES
@engine_options
def claim(
    stream: str,
    group: str,
    consumer: str,
    taker: str,
    db: int,
    yes: bool,
    engine: Places,
    as_json: bool,
) -> None:
    """Give what a dead consumer has not acknowledged to another one."""
    _act(engine, as_json, yes, action="claim", stream=stream, group=group,
         consumer=consumer, value=taker, db=db)  # fmt: skip


@redis.command()
@_STREAM
@_GROUP
@click.argument("consumer")
@_DB
@_YES
@engine_options
def forget(
    stream: str, group: str, consumer: str, db: int, yes: bool, engine: Places, as_json: bool
) -> None:
    """Delete a dead consumer; what it has not acknowledged is lost to its group with it."""
    _act(engine, as_json, yes, action="forget", stream=stream, group=group,
         consumer=consumer, db=db)  # fmt: skip


@redis.command()
@_YES
@engine_options
def pause(yes: bool, engine: Places, as_json: bool) -> None:
    """Write nothing to Redis; ticks wait in the journal until `resume`."""
    _act(engine, as_json, yes, action="pause")


@redis.command()
@engine_options
def resume(engine: Places, as_json: bool) -> None:
    """Write to Redis again, what waits first and in order."""
    _act(engine, as_json, True, action="resume")


@redis.command("profile")
@click.argument("name", type=click.Choice(["full", "lean", "packed", "alerts"]))
@_YES
@engine_options
def profile_(name: str, yes: bool, engine: Places, as_json: bool) -> None:
    """Switch the publication profile of the running engine, until it is started anew."""
    _act(engine, as_json, yes, action="profile", value=name)
