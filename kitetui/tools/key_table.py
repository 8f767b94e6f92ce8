"""`kitetui keys`: the table of keys as the settings have it, as text or as the documentation."""

from __future__ import annotations

from collections.abc import Sequence

import click

from kitetui.cli.options import EXIT_CONFIG, fail
from kitetui.keys import KEYS, SECTIONS, Key, remapped, shown
from kitetui.settings import Settings

ABOUT = """# Keys

Written by `kitetui keys --markdown`. Any action takes other keys in `kitetui.yaml`, by its id:

```yaml
screen:
  keys:
    alert.ack: "f2"          # instead of a
    app.quit: "Q, f10"       # several
    alert.bell: ""           # none
```

A key is written as it is typed (`?`, `G`) or by its name (`ctrl+p`, `pagedown`). An action that
there is not, two actions on one key, and keys that never arrive are refused at the start.
"""


def print_keys(settings: Settings, *, markdown: bool) -> int:
    """Print the table; the exit code."""
    try:
        table = remapped(settings.screen.keys)
    except ValueError as error:
        fail(EXIT_CONFIG, f"screen.keys: {error}")
    click.echo(as_markdown(table) if markdown else as_text(table), nl=False)
    return 0


def as_text(table: Sequence[Key]) -> str:
    """Id, keys, sentence and panes, a line each."""
    rows = [(key.id, shown(key) or "–", _sentence(key)) for key in table]
    wide = [max(len(row[at]) for row in rows) for at in (0, 1)]
    return "".join(f"{row[0]:<{wide[0]}}  {row[1]:<{wide[1]}}  {row[2]}\n" for row in rows)


def as_markdown(table: Sequence[Key] = KEYS) -> str:
    """The documentation of the keys."""
    out = [ABOUT]
    for section, name in SECTIONS.items():
        out.append(f"\n## {name}\n\n| Key | Does | Id |\n|---|---|---|\n")
        for key in table:
            if key.id.startswith(f"{section}."):
                keys = " ".join(f"`{one}`" for one in shown(key).split())
                out.append(f"| {keys} | {_sentence(key)} | `{key.id}` |\n")
    return "".join(out)


def _sentence(key: Key) -> str:
    return f"{key.help} (in {', '.join(key.where)})" if key.where else key.help
