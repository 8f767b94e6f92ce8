"""From a key to the row that shows it: an acknowledgement through a real engine and its log."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import threading
from concurrent.futures import Future
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from kitetui.app import KiteApp
from kitetui.config import load
from kitetui.engine import snapshot as view
from kitetui.engine.alerts.desk import Desk
from kitetui.engine.alerts.operators import Operators
from kitetui.engine.commands import Command, Result
from kitetui.engine.sinks.desk_log import DeskLog
from kitetui.link import LocalLink
from kitetui.widgets.alerts import AlertsPane
from tests.widgets import views

ROUNDS = 150


class LoggedDesk(LocalLink):
    """A desk on a loop of its own thread, whose every change is on the disk before it answers."""

    def __init__(self, folder: Path) -> None:
        super().__init__(None)  # type: ignore[arg-type]
        self.settings = load().alerts
        self.desk = Desk(self.settings)
        self.operators = Operators(self.settings, self.desk)
        self.log = DeskLog(folder, 2)
        self.ready = True
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        for n in range(12):
            self.desk.raise_alert(views.alert(n))

    def start(self) -> None:
        """It runs."""

    def snapshot(self, wanted: view.View) -> Future[view.Snapshot]:
        async def answer() -> view.Snapshot:
            return views.snapshot(
                alerts=tuple(self.desk.newest(wanted.alerts)), watch=(),
                header=views.header(unacked=self.desk.unacked, alerts=len(self.desk)),
            )  # fmt: skip

        return asyncio.run_coroutine_threadsafe(answer(), self.loop)

    def command(self, command: Command) -> Future[Result]:
        async def answer() -> Result:
            result = self.operators.obey(command, 1_000_000_000, int(views.NOW_S))
            transitions, _ = self.desk.drain()
            self.log.write([], transitions, [], 0)
            return result

        return asyncio.run_coroutine_threadsafe(answer(), self.loop)


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        app = KiteApp(load().screen, LoggedDesk(Path(folder)))
        took: list[float] = []
        async with app.run_test(size=(200, 50)) as pilot:
            await pilot.pause(0.5)
            await pilot.press("6")
            pane = app.query_one(AlertsPane)
            for round_ in range(ROUNDS):
                key = "u" if round_ % 2 else "a"
                before, began = list(pane.plain), perf_counter()
                app.simulate_key(key)
                while list(pane.plain) == before:
                    await asyncio.sleep(0)
                took.append(perf_counter() - began)
                await asyncio.sleep(0.02)
        print(float(np.quantile(took, 0.5)), float(np.quantile(took, 0.99)))


def run() -> Any:
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())


if __name__ == "__main__":
    run()
