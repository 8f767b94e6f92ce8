"""A socket at a path that is its owner's alone from its first moment."""

from __future__ import annotations

import os
import socket
from pathlib import Path

OWNER_ONLY = 0o600


def bound(path: Path) -> socket.socket:
    """A socket at a path where nothing is yet; it does not listen.

    Linux gives the file the mode of the socket. Elsewhere the process's mask does, which is that of
    every file that other threads make meanwhile.

    Raises:
        OSError: it cannot be made there.
    """
    made = socket.socket(socket.AF_UNIX)
    try:
        try:
            os.fchmod(made.fileno(), OWNER_ONLY)
        except OSError:
            mask = os.umask(0o777 & ~OWNER_ONLY)
            try:
                made.bind(str(path))
            finally:
                os.umask(mask)
        else:
            made.bind(str(path))
    except OSError:
        made.close()
        raise
    return made
