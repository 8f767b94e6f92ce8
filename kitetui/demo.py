"""The demo: a simulated exchange in a process of its own, and settings that point at it."""

from __future__ import annotations

import json
import select
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from kitetui.engine.feed.credentials import Credentials
from kitetui.secret import Secret

DEMO_SPEED = 10
DEMO_SYMBOL = "RELIANCE"
HELLO_TIMEOUT_S = 20.0


class DemoError(Exception):
    """The simulated exchange did not come up."""


class DemoExchange:
    """Starts `kitetui exchange`; it ends when this process does, however that happens."""

    def __init__(self, speed: str, extra: tuple[str, ...] = ()) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "kitetui", "exchange", "--port", "0", "--rest-port", "0",
             "--speed", speed, "--plant", DEMO_SYMBOL, "--stop-on-eof", *extra],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            start_new_session=True,
        )  # fmt: skip

    def hello(self) -> dict[str, Any]:
        """Where it listens; waits until it does.

        Raises:
            DemoError: it ended instead; says why.
        """
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], HELLO_TIMEOUT_S)
        if not ready:
            raise DemoError(f"the simulated exchange said nothing for {HELLO_TIMEOUT_S:.0f} s")
        line = self._process.stdout.readline()
        if not line:
            assert self._process.stderr is not None
            said = self._process.stderr.read().decode("utf-8", "replace").strip().splitlines()
            raise DemoError(f"the simulated exchange ended at start: {(said or ['?'])[-1][:200]}")
        hello: dict[str, Any] = json.loads(line)
        return hello

    def stop(self) -> None:
        """End it and wait until it is gone."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(timeout=3)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(timeout=3)
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()


class DemoConsumer:
    """A consumer group of its own on the processed stream, so that there is lag to watch.

    It reads in bursts and pauses now and then, as a strategy on a busy desk would.
    """

    GROUP = "demo-strategy"
    BURST = 4000
    EVERY_S = 0.5
    PAUSE_EACH, PAUSE_S = 40, 6.0

    def __init__(self, socket_path: Path, stream: str, db: int) -> None:
        self._path = socket_path
        self._stream = stream
        self._db = db
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="demo-consumer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop reading."""
        self._stop.set()
        self._thread.join(2)

    def _run(self) -> None:
        from redis import Redis
        from redis.backoff import NoBackoff
        from redis.exceptions import RedisError
        from redis.retry import Retry

        turn = 0
        client = None
        while not self._stop.wait(self.EVERY_S):
            try:
                if client is None:
                    # The server stops before we do: trying again would keep the end waiting.
                    client = Redis(unix_socket_path=str(self._path), db=self._db,
                                   retry=Retry(NoBackoff(), 0))  # fmt: skip
                    client.xgroup_create(self._stream, self.GROUP, id="$", mkstream=True)
                turn += 1
                if turn % self.PAUSE_EACH == 0:
                    self._stop.wait(self.PAUSE_S)
                self._read(client)
            except RedisError as error:
                if "BUSYGROUP" not in str(error):
                    client = None
            except OSError:
                client = None
        if client is not None:
            client.close()

    def _read(self, client: Any) -> None:
        """Take what is new and acknowledge it, without looking at the entries."""
        reply = client.xreadgroup(self.GROUP, "one", {self._stream: ">"}, count=self.BURST)
        for _, entries in reply or ():
            client.xack(self._stream, self.GROUP, *[entry_id for entry_id, _ in entries])


def demo_credentials(hello: dict[str, Any]) -> Credentials:
    """What the simulated exchange accepts: no secret, it is the same for everybody."""
    return Credentials(str(hello["api_key"]), Secret("demo"))
