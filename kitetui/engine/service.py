"""What a service manager is told, if one asks: ready, alive, stopping (systemd's notify protocol).

It is told by the engine's own loop: a loop that stands says nothing, and is started again.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, MutableMapping

from kitetui.engine.clock import sleep

TELL_S = 5.0
STATUS_MAX = 200


class ServiceManager:
    """Tells the manager of this process; without one nothing happens."""

    def __init__(self, environ: MutableMapping[str, str] = os.environ) -> None:
        """What names the manager is taken out of the environment: children are not the service."""
        self._address = environ.pop("NOTIFY_SOCKET", "")
        wanted_us = environ.pop("WATCHDOG_USEC", "")
        process = environ.pop("WATCHDOG_PID", "")
        asked = wanted_us.isdecimal() and process in ("", str(os.getpid()))
        self.watchdog_s = int(wanted_us) / 1e6 if asked else 0.0

    def tell(self, *words: str) -> None:
        """Send assignments such as `READY=1`."""
        if self._address[:1] not in ("/", "@"):
            return
        name = self._address if self._address[0] == "/" else f"\0{self._address[1:]}"
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as plug:
            plug.setblocking(False)
            plug.sendto("\n".join(words).encode(), name)

    async def run(self, status: Callable[[], str]) -> None:
        """Say that the loop goes on, and what it is at, for ever."""
        wait_s = min(self.watchdog_s / 3, TELL_S) if self.watchdog_s else TELL_S
        while self._address:
            line = " ".join(status().split())[:STATUS_MAX]
            self.tell("WATCHDOG=1", f"STATUS={line}")
            await sleep(wait_s)
