"""A private file: one that only its owner reads, and that is no link."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

_CREATES = {"wb": os.O_TRUNC, "xb": os.O_EXCL, "ab": os.O_APPEND}


def open_private(path: Path, mode: str) -> BinaryIO:
    """A file to write to, as `open` with wb, xb or ab: what it makes is its owner's alone.

    Raises:
        OSError: it cannot be written, or it is a link.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | _CREATES[mode]
    return os.fdopen(os.open(path, flags, 0o600), "ab" if mode == "ab" else "wb")


def read_private(path: Path, most: int) -> bytes:
    """The first `most` bytes.

    Raises:
        FileNotFoundError: there is none.
        OSError: it is a link, others can read it, or it is somebody else's; `strerror` says what
            to do.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    with os.fdopen(handle, "rb") as file:
        found = os.fstat(handle)
        if stat.S_IMODE(found.st_mode) & 0o077 or found.st_uid != os.geteuid():
            raise PermissionError(errno.EACCES, f"others can read it; run: chmod 600 {path}",
                                  str(path))  # fmt: skip
        return file.read(most)


def replace_private(path: Path, data: bytes) -> None:
    """Write a file anew, whole or not at all, whatever happens to the machine meanwhile.

    Raises:
        OSError: it cannot be written.
    """
    fresh = path.with_name(f"{path.name}.fresh")
    fresh.unlink(missing_ok=True)
    write_private(fresh, data)
    with fresh.open("rb") as file:
        os.fsync(file.fileno())
    fresh.replace(path)


def write_private(path: Path, data: bytes) -> None:
    """Write a file anew.

    Raises:
        OSError: it cannot be written, or it is a link.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(data)
