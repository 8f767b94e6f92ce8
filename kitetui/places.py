"""Places: where an engine keeps what it writes."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import msgspec

from kitetui.config import ConfigError

_UNIX_SOCKET_PATH_MAX = 107


class Places(msgspec.Struct, frozen=True):
    """Where an engine keeps what it writes."""

    state: Path
    profile: str
    run: Path

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
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def hang(self) -> Path:
        return self.state / "hang.txt"

    @property
    def rules(self) -> Path:
        return self.state / "rules.json"

    @property
    def thresholds(self) -> Path:
        return self.state / "thresholds.json"

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

    @property
    def secret(self) -> Path:
        return self.state / "api_secret"

    @property
    def instruments(self) -> Path:
        return self.state / "instruments"


def places(state: Path | None, profile: str, run: Path | None = None) -> Places:
    """The state folder of a profile, made with mode 0700.

    Args:
        run: where the sockets are; None is the folder that a service manager gives, or one in
            the state folder.

    Raises:
        ConfigError: the folder cannot be made, or its sockets' paths would be too long.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,32}", profile):
        raise ConfigError(f"--profile {profile!r}: expected 1 to 32 letters, digits, - or _")
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    root = state or Path(base) / "kitetui"
    home = (root if profile == "default" else root / profile).absolute()
    if run is None and (given := os.environ.get("RUNTIME_DIRECTORY")):  # by systemd
        run = Path(given)
    found = Places(home, profile, (run or home / "run").absolute())
    for option, path in (
        ("--state", found.redis / "valkey.sock"),
        ("--run", found.run / "rw.sock"),
    ):
        if len(os.fsencode(path)) > _UNIX_SOCKET_PATH_MAX:
            raise ConfigError(
                f"{option} {path.parent}: its socket's path would be over "
                f"{_UNIX_SOCKET_PATH_MAX} bytes; choose a shorter folder"
            )
    _make(found.state, "--state")
    for folder in (
        found.journals,
        found.archive,
        found.ledger,
        found.desk,
        found.redis,
    ):
        _make(folder, "--state", may_lead_elsewhere=True)  # such as journals on another disk
    _make(found.run, "--run")
    return found


def _make(folder: Path, option: str, *, may_lead_elsewhere: bool = False) -> None:
    """A folder of ours, made where it is lacking.

    Raises:
        ConfigError: it cannot be made, is a link, or others can change what is in it.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat() if may_lead_elsewhere else folder.lstat()
    except FileExistsError:
        raise ConfigError(f"{option} {folder}: is there and is no folder") from None
    except OSError as error:
        raise ConfigError(f"{option} {folder}: cannot be made: {error.strerror}") from None
    if stat.S_ISLNK(found.st_mode):
        raise ConfigError(f"{option} {folder}: is a link; give the folder that it leads to")
    if stat.S_IMODE(found.st_mode) & 0o022:
        raise ConfigError(f"{option} {folder}: others can change what is in it; "
                          f"run: chmod go-w {folder}")  # fmt: skip


def private(path: str, flags: int) -> int:
    """An opener for `open`: what is made is readable by its owner alone."""
    return os.open(path, flags, 0o600)
