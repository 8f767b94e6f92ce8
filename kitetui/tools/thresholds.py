"""`kitetui tune`: thresholds of the running engine, changed and taken back."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click
import msgspec

from kitetui.caller import Caller
from kitetui.cli.options import fail
from kitetui.engine.commands import Tune, Untune
from kitetui.engine.snapshot import Threshold, View
from kitetui.places import Places
from kitetui.sentences import sentence
from kitetui.tools.verbs import EXIT_REFUSED, say, with_engine
from kitetui.widgets.safe_text import clean


def listing(where: Places, words: Sequence[str], *, as_json: bool) -> int:
    """Print those that are not as in the files, or whose keys hold all words."""

    def work(caller: Caller) -> int:
        known = _known(caller)
        if words:
            found = [one for one in known if all(word.lower() in one.key for word in words)]
        else:
            found = [one for one in known if one.actor]
        if as_json:
            click.echo(json.dumps([msgspec.to_builtins(one) for one in found]))
            return 0
        for one in found:
            click.echo(clean(line(one)))
            click.echo(clean(f"      {sentence(one.key) or '-'}"))
        if not found:
            click.echo("no threshold is called so" if words else "all thresholds are as in the "
                       "files; kitetui tune WORD lists some, such as volume_spike")  # fmt: skip
        return 0 if found or not words else EXIT_REFUSED

    return with_engine(where, "ro", work)


def tune(where: Places, key: str, value: str, *, as_json: bool) -> int:
    """Change one; '' has it as in the files."""

    def work(caller: Caller) -> int:
        return say([caller.do(Tune(_key(_known(caller), key), value, ""))], as_json)

    return with_engine(where, "rw", work)


def undo(where: Places, *, as_json: bool) -> int:
    """Take one's own last change back."""
    return with_engine(where, "rw", lambda caller: say([caller.do(Untune(""))], as_json))


def line(one: Threshold) -> str:
    """A threshold in a line."""
    was = f"  (files: {one.of_files}; changed by {one.actor})" if one.actor else ""
    return f"{one.key}: {one.value}{was}"


def _known(caller: Caller) -> tuple[Threshold, ...]:
    return caller.look(View(thresholds=True)).thresholds


def _key(known: Sequence[Threshold], asked: str) -> str:
    """A whole key, by it or by its end."""
    fits = [one.key for one in known if one.key == asked or one.key.endswith(f".{asked}")]
    if len(fits) > 1:
        fail(EXIT_REFUSED, f"{asked[:80]} may be {' or '.join(fits[:4])}")
    return fits[0] if fits else asked
