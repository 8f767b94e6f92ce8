"""`kitetui ssh-setup`: what an account needs so that people look in over SSH, printed."""

from __future__ import annotations

import base64
import binascii
import re
import shlex
import struct
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from kitetui.cli.options import fail
from kitetui.widgets.safe_text import clean

KEY_MAX_BYTES = 16_384
NAME_MAX = 32
_SSHD = """\
# For sshd (/etc/ssh/sshd_config.d/kitetui.conf), so that this account is good for nothing else;
# then: sshd -t && systemctl reload ssh
#   Match User {user}
#       DisableForwarding yes
#       PermitUserRC no
#       PasswordAuthentication no
#       KbdInteractiveAuthentication no
#       ClientAliveInterval 15
#       ClientAliveCountMax 3
"""
_HOW = """\
# From elsewhere:
#   ssh -t {user}@HOST                       the screen; leaving it changes nothing here
#   ssh -tC {user}@HOST                      compressed: a slow link
#   ssh {user}@HOST status --json            one of: {words}
"""


class BadKey(Exception):
    """A file that is no public key; says what it is."""


def print_setup(view: Sequence[Path], operate: Sequence[Path], options: Sequence[str],
                user: str, words: Sequence[str]) -> int:  # fmt: skip
    """Print lines for authorized_keys and sshd_config; the exit code.

    Args:
        view, operate: public keys of those who look, and of those who may acknowledge as well.
        options: which engine, as `attach` takes it; words: what may be asked without a screen.
    """
    lines = []
    for files, look_only in ((view, True), (operate, False)):
        for path in files:
            try:
                key, name = read_key(path)
            except BadKey as error:
                fail(2, str(error))
            lines.append(line(key, name, options, look_only=look_only))
    click.echo(f"# Into ~{user}/.ssh/authorized_keys (mode 0600), a line for each person's key.")
    if lines:
        click.echo("\n".join(lines))
    else:
        for option, look_only in (("--view", True), ("--operate", False)):
            sample = line("ssh-ed25519 AAAA...", "NAME", options, look_only=look_only)
            click.echo(f"# {option} KEY.pub prints: {sample}")
    click.echo()
    click.echo(_SSHD.format(user=user))
    click.echo(_HOW.format(user=user, words=", ".join(words)), nl=False)
    return 0


def line(key: str, name: str, options: Sequence[str], *, look_only: bool) -> str:
    """A line of authorized_keys: the key opens the screen and nothing else."""
    command = [program(), "attach", "--ssh", *(["--ro"] if look_only else []), "--as", name]
    text = shlex.join([*command, *options]).replace("\\", "\\\\").replace('"', '\\"')
    return f'restrict,pty,command="{text}" {key}'


def program() -> str:
    """How this kitetui is called by its whole path."""
    beside = Path(sys.executable).with_name("kitetui")
    return str(beside if beside.exists() else Path(sys.argv[0]).absolute())


def read_key(path: Path) -> tuple[str, str]:
    """A public key without its comment, and a name made of that.

    Raises:
        BadKey: it is none.
    """
    try:
        text = path.read_bytes()[:KEY_MAX_BYTES].decode("utf-8", "replace").strip()
    except OSError as error:
        raise BadKey(f"{path}: cannot be read: {error.strerror}") from None
    if "PRIVATE KEY" in text:
        raise BadKey(f"{path}: is a private key, which stays where it is; give {path.name}.pub")
    kind, _, rest = text.partition(" ")
    blob, _, comment = rest.strip().partition(" ")
    try:
        raw = base64.b64decode(blob, validate=True)
        (length,) = struct.unpack_from(">I", raw)
        named = raw[4 : 4 + length].decode("ascii")
    except (binascii.Error, struct.error, ValueError):
        named = ""
    if not named or named != kind or "\n" in text:
        raise BadKey(f"{path}: expected one line with a public key, such as "
                     f"ssh-ed25519 AAAA... name; found {clean(text[:40])!r}")  # fmt: skip
    name = re.sub(r"[^A-Za-z0-9._-]", "_", comment or path.stem)[:NAME_MAX].lstrip("-")
    return f"{kind} {blob}", name or "somebody"
