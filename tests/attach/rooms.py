"""An engine's sockets in this process, with a market that stands still behind them."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from kitetui.engine.commands import Command, Result
from kitetui.engine.door.sockets import Sockets
from tests.links import MarketLink


class Room:
    """What viewers meet; it keeps what it was asked to do."""

    def __init__(self, folder: Path, groups: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.link = MarketLink()
        self.obeyed: list[Command] = []
        self.notes: list[str] = []
        self.sockets = Sockets(
            folder, groups or {"ro": "", "rw": ""}, lambda view: self.link.snapshot(view).result(),
            self._obey, lambda: {"state": "LIVE"}, lambda source, text: self.notes.append(text),
        )  # fmt: skip

    async def _obey(self, command: Command) -> Result:
        self.obeyed.append(command)
        return Result(True, f"done for {command.actor}")


@contextlib.asynccontextmanager
async def room(folder: Path, groups: dict[str, str] | None = None) -> AsyncIterator[Room]:
    """A room that is open."""
    made = Room(folder, groups)
    await made.sockets.start()
    try:
        yield made
    finally:
        await made.sockets.close()


@contextlib.contextmanager
def short_folder(mode: int = 0o700) -> Iterator[Path]:
    """A folder whose sockets' paths are short, and that others may enter where `mode` says so."""
    folder = Path(tempfile.mkdtemp(prefix="kt"))
    folder.chmod(mode)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
