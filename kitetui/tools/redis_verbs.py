"""`kitetui redis look, trim, group, claim, forget, pause, resume, profile`: said, asked, done."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from kitetui.caller import Caller, NoEngine, NotAllowed
from kitetui.cli.options import EXIT_CONFIG, EXIT_UNAVAILABLE, fail
from kitetui.engine.commands import RedisAction, Result
from kitetui.places import Places
from kitetui.widgets.safe_text import clean

EXIT_REFUSED = 1


def act(where: Places, action: dict[str, Any], *, yes: bool, as_json: bool) -> int:
    """Ask the running engine what would happen, the operator whether it shall, and do it."""
    try:
        with Caller(where.run, "rw") as caller:
            would = caller.do(RedisAction(**action, actor=caller.actor, dry=True))
            if not would.done:
                return _say(would, as_json)
            if not yes and not _agreed(would):
                return EXIT_REFUSED
            return _say(caller.do(RedisAction(**action, actor=caller.actor)), as_json)
    except NoEngine as error:
        fail(EXIT_UNAVAILABLE, str(error))
    except NotAllowed as error:
        fail(EXIT_CONFIG, str(error))


def _agreed(would: Result) -> bool:
    if not sys.stdin.isatty():
        click.echo(clean(would.text))
        fail(2, "nothing was done: give --yes to do it without being asked")
    return click.confirm(f"{clean(would.text)}\ndo it?", err=True)


def _say(result: Result, as_json: bool) -> int:
    if as_json:
        click.echo(json.dumps({"done": result.done, "text": result.text}))
    else:
        for line in result.text.splitlines():
            click.echo(clean(line), err=not result.done)
    return 0 if result.done else EXIT_REFUSED
