"""Places: where an engine keeps what it writes."""

from __future__ import annotations

import os
import re
from pathlib import Path

import msgspec

from kitetui.config import ConfigError

_UNIX_SOCKET_PATH_MAX = 107


class Places(msgspec.Struct, frozen=True):
    """Where an engine keeps what it writes."""

    state: Path
    profile: str

    @property
    def journals(self) -> Path:
        return self.state / "journals"

    @property
    def checkpoint(self) -> Path:
        return self.state / "checkpoint.bin"

    @property
    def black_boxes(self) -> Path:
        return self.state / "black-boxes"

    @property
    def keyframes(self) -> Path:
        return self.state / "keyframes"

    @property
    def archive(self) -> Path:
        return self.state / "archive"

    @property
    def ledger(self) -> Path:
        return self.state / "ledger"

    @property
    def desk(self) -> Path:
        return self.state / "desk"

    @property
    def run(self) -> Path:
        return self.state / "run"

    @property
    def hang(self) -> Path:
        return self.state / "hang.txt"

    @property
    def rules(self) -> Path:
        return self.state / "rules.json"

    @property
    def outbox(self) -> Path:
        return self.state / "outbox.sqlite"

    @property
    def store(self) -> Path:
        return self.state / "store.sqlite"

    @property
    def redis(self) -> Path:
        return self.state / "redis"

    @property
    def credentials(self) -> Path:
        return self.state / "credentials.json"


def places(state: Path | None, profile: str) -> Places:
    """The state folder of a profile, made with mode 0700.

    Raises:
        ConfigError: the folder cannot be made, or its sockets' paths would be too long.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,32}", profile):
        raise ConfigError(f"--profile {profile!r}: expected 1 to 32 letters, digits, - or _")
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    root = state or Path(base) / "kitetui"
    found = Places((root if profile == "default" else root / profile).absolute(), profile)
    if len(os.fsencode(found.redis / "valkey.sock")) > _UNIX_SOCKET_PATH_MAX:
        raise ConfigError(
            f"--state {root}: its socket's path would be over "
            f"{_UNIX_SOCKET_PATH_MAX} bytes; choose a shorter folder"
        )
    for folder in (
        found.state,
        found.journals,
        found.archive,
        found.ledger,
        found.desk,
        found.run,
        found.redis,
    ):
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"--state {folder}: cannot be made: {error.strerror}") from None
    return found


def private(path: str, flags: int) -> int:
    """An opener for `open`: what is made is readable by its owner alone."""
    return os.open(path, flags, 0o600)
