"""`kitetui config`: shows settings with their origin and sentence, checks them, edits files."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from kitetui.cli.options import EXIT_CONFIG, fail
from kitetui.config import FILES, ConfigError, default_folder, gather, load, user_folder
from kitetui.engine.plugins import load_checked
from kitetui.private_file import replace_private
from kitetui.secret import origin_of, redacted
from kitetui.sentences import sentences
from kitetui.widgets.safe_text import clean

VALUE_MAX = 60


def show(folder: Path | None, overrides: Sequence[str], words: Sequence[str], *, changed: bool,
         as_json: bool) -> int:  # fmt: skip
    """Print the settings in force; the exit code."""
    try:
        load(folder, overrides)
        tree, origins = gather(folder, overrides)
        delivered = dict(leaves(gather(default_folder())[0]))
    except ConfigError as error:
        fail(EXIT_CONFIG, str(error))
    told = sentences()
    lines = []
    for key, value in leaves(tree):
        if not all(word.lower() in key.lower() for word in words):
            continue
        own = key not in delivered or delivered[key] != value
        if changed and not own:
            continue
        lines.append({"key": key, "value": plain(key, value), "from": _origin(key, origins),
                      "changed": own, "sentence": told.get(key, "")})  # fmt: skip
    if as_json:
        click.echo(json.dumps(lines))
        return 0
    home = str(default_folder())
    for line in lines:
        origin = line["from"].replace(home, "delivered")
        mark = "*" if line["changed"] else " "
        click.echo(clean(f"{mark} {line['key']}: {_short(line['key'], line['value'])}"))
        click.echo(clean(f"      {line['sentence'] or '-'}  [{origin}]"))
    if not lines:
        click.echo("no key is called so" if words else "all is as delivered", err=True)
    return 0 if lines or not words else 1


def validate(folder: Path | None, overrides: Sequence[str]) -> int:
    """Say whether the settings would do; the exit code."""
    try:
        load_checked(folder, overrides)
    except ConfigError as error:
        fail(EXIT_CONFIG, str(error))
    place = folder or user_folder()
    click.echo(f"good: the delivered settings{f' and {place}' if place else ''}")
    return 0


def edit(folder: Path | None, overrides: Sequence[str], name: str) -> int:
    """Have a file edited, and keep it where it would do; the exit code."""
    file = name if name.endswith(".yaml") else f"{name}.yaml"
    if file not in FILES:
        fail(2, f"{name} is no file of settings; one of {', '.join(f[:-5] for f in FILES)}")
    home = folder or user_folder(there=False)
    assert home is not None
    path = home / file
    editor = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    with tempfile.TemporaryDirectory() as scratch:
        trial = Path(scratch) / "kitetui"
        if home.is_dir():
            shutil.copytree(home, trial)
        else:
            trial.mkdir()
        draft = trial / file
        if not draft.exists():
            draft.write_text(f"# Only what differs from the delivered {file}; its keys and their "
                             f"sentences: kitetui config show\n")  # fmt: skip
        before = draft.read_text()
        while True:
            try:
                subprocess.run([*editor, str(draft)], check=True)
            except (OSError, subprocess.CalledProcessError) as error:
                fail(1, f"{editor[0]}: {getattr(error, 'strerror', '') or error}; set EDITOR")
            if draft.read_text() == before:
                click.echo("nothing was changed")
                return 0
            try:
                load_checked(trial, overrides)
                break
            except ConfigError as error:
                click.echo(f"kitetui: {clean(str(error).replace(str(trial), str(home)))}", err=True)
                if not click.confirm("It would not do. Edit again?", default=True):
                    fail(EXIT_CONFIG, "nothing was changed")
        home.mkdir(parents=True, exist_ok=True)
        replace_private(path.resolve(), draft.read_bytes())
    click.echo(f"{path} is kept. A running engine takes it with: systemctl reload kitetui, or "
               "kill -HUP of its process; else at its next start")  # fmt: skip
    return 0


def reference() -> int:
    """Print every key with its default and sentence, in Markdown; the exit code."""
    told = sentences()
    section = ""
    click.echo(
        "# Settings\n\nEvery key with what is delivered. `kitetui config show` tells what "
        "is in force, and from where; `kitetui config reference` prints this page."
    )
    for key, value in leaves(gather(default_folder())[0]):
        head = key.partition(".")[0]
        if head != section:
            section = head
            click.echo(f"\n## {head}\n\n| key | delivered | |\n|---|---|---|")
        words = told.get(key, "").replace("|", "\\|")
        click.echo(f"| `{key}` | `{_short(key, value).replace('|', chr(92) + '|')}` | {words} |")
    return 0


def differences(before: Any, after: Any) -> list[str]:
    """Keys that differ between two trees of settings, as `key: old -> new`."""
    old, new = dict(leaves(before)), dict(leaves(after))
    return [f"{key}: {_short(key, old.get(key, '-'))} -> {_short(key, new.get(key, '-'))}"
            for key in sorted(old.keys() | new.keys()) if old.get(key) != new.get(key)]  # fmt: skip


def leaves(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Values by their dotted keys; a list is a value."""
    if isinstance(tree, Mapping) and tree:
        for key, value in tree.items():
            yield from leaves(value, f"{path}.{key}" if path else str(key))
    else:
        yield path, tree


def _origin(key: str, origins: Mapping[str, str]) -> str:
    """The file or option that a key comes from."""
    while key:
        if key in origins:
            return origins[key]
        key = key.rpartition(".")[0]
    return "delivered"


def plain(key: str, value: Any) -> Any:
    """A value fit to be shown: addresses lose their passwords, hooks and feeds their paths."""
    if key == "webhook.url" and value:
        return origin_of(str(value))
    if key == "news.feeds" and isinstance(value, list):
        return [{**feed, "url": origin_of(str(feed.get("url", "")))} for feed in value
                if isinstance(feed, dict)]  # fmt: skip
    if isinstance(value, str):
        return redacted(value)
    return json.loads(redacted(json.dumps(value, default=str)))


def _short(key: str, value: Any) -> str:
    value = plain(key, value)
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= VALUE_MAX else f"{text[: VALUE_MAX - 1]}…"
