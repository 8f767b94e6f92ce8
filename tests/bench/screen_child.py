"""Run on a terminal of its own: a six-pane screen at 10 Hz with a share of its cells changing.

Prints one JSON line on file descriptor 3: frames, CPU seconds a frame.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from concurrent.futures import Future
from typing import Any, ClassVar

import msgspec
from textual.app import App, ComposeResult
from textual.containers import Grid
from textual.widgets import DataTable

from kitetui.app import KiteApp
from kitetui.config import load
from kitetui.engine import snapshot as view
from kitetui.link import LocalLink
from tests.widgets import views

KIND, SHARE, SECONDS = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
RNG = random.Random(1)


class MovingLink(LocalLink):
    """Snapshots in which a share of all cells differs from the one before."""

    def __init__(self) -> None:
        super().__init__(None)  # type: ignore[arg-type]
        self.ready = True
        base = views.snapshot()
        self._watch = [msgspec.structs.replace(base.watch[n % 20], token=n + 1) for n in range(60)]
        self._buckets = [msgspec.structs.replace(base.buckets[0], start_s=300 * n)
                         for n in range(12)]  # fmt: skip
        self._streams = [view.Stream(f"stream:{n}", 1000 * n, 50_000, 10.0, 1) for n in range(12)]
        self._groups = [view.Group("s", f"group-{n}", n, False, 1.0, 2, 0.1, 1, 5.0, None, "OK")
                        for n in range(6)]  # fmt: skip
        self._alerts = [views.alert(n) for n in range(12)]
        self._base = base

    def start(self) -> None:
        """Nothing to start."""

    def snapshot(self, wanted: view.View) -> Future[view.Snapshot]:
        self._move()
        out: Future[view.Snapshot] = Future()
        watch = tuple(self._watch[wanted.watch_from : wanted.watch_from + wanted.watch_count])
        out.set_result(msgspec.structs.replace(
            self._base, watch=watch, watch_total=60, watch_from=wanted.watch_from,
            depth=self._depth(), buckets=tuple(self._buckets), streams=tuple(self._streams),
            groups=tuple(self._groups), alerts=tuple(self._alerts),
        ))  # fmt: skip
        return out

    def _move(self) -> None:
        new = msgspec.structs.replace
        for at in self._chosen(self._watch):
            row = self._watch[at]
            self._watch[at] = new(row, ltp=row.ltp + RNG.randint(-9, 9) / 10,
                                  volume=row.volume + RNG.randint(1, 900))  # fmt: skip
        if KIND == "lite":  # the first row tells when the picture was made
            self._watch[0] = new(self._watch[0], ltp=round(time.monotonic(), 2))
        for at in self._chosen(self._buckets):
            b = self._buckets[at]
            self._buckets[at] = new(b, volume=b.volume + RNG.randint(1, 900))
        for at in self._chosen(self._streams):
            s = self._streams[at]
            self._streams[at] = new(s, length=s.length + RNG.randint(1, 90))
        for at in self._chosen(self._groups):
            g = self._groups[at]
            self._groups[at] = new(g, lag=RNG.randint(0, 900))
        for at in self._chosen(self._alerts):
            a = self._alerts[at]
            self._alerts[at] = new(a, price=a.price + RNG.randint(-9, 9) / 10)

    def _depth(self) -> view.Depth:
        depth = self._base.depth
        assert depth is not None
        asks = list(depth.asks)
        for at in self._chosen(asks):
            asks[at] = view.Level(asks[at].price, RNG.randint(1, 5000), RNG.randint(1, 40))
        if SHARE:
            self._base = msgspec.structs.replace(
                self._base, depth=msgspec.structs.replace(depth, asks=tuple(asks))
            )
        return self._base.depth or depth

    @staticmethod
    def _chosen(rows: list[Any]) -> list[int]:
        """Rows of seven cells: one changes when any of its cells does."""
        return [at for at in range(len(rows)) if RNG.random() < 1 - (1 - SHARE) ** 7]


class Tables(App[None]):
    """The peer: six DataTables of 20 rows and 7 columns, cells updated one by one."""

    CSS = "Grid { grid-size: 3 2; } DataTable { border: round white; }"
    BINDINGS: ClassVar[list[Any]] = []

    def compose(self) -> ComposeResult:
        with Grid():
            for n in range(6):
                yield DataTable(id=f"t{n}")

    def on_mount(self) -> None:
        self.frames = 0
        for table in self.query(DataTable):
            for column in range(7):
                table.add_column(f"col{column}", key=str(column), width=8)
            for row in range(20):
                table.add_row(*["0"] * 7, key=str(row))
        self.set_interval(0.1, self.tick)

    def tick(self) -> None:
        self.frames += 1
        for table in self.query(DataTable):
            for row in range(20):
                for column in range(7):
                    if RNG.random() < SHARE:
                        table.update_cell(str(row), str(column), f"{RNG.randint(0, 99999)}")


def main() -> None:
    marks: list[tuple[float, int]] = []

    def mark() -> None:
        marks.append((time.process_time(), app.frames))

    if KIND in ("ours", "lite"):
        lite = ["screen.lite=always"] if KIND == "lite" else ["screen.hz=10"]
        settings = load(overrides=lite).screen
        app: Any = KiteApp(settings, MovingLink())
    else:
        app = Tables()

    async def drive() -> None:
        import asyncio

        await asyncio.sleep(2)
        mark()
        os.write(3, b"begin\n")
        await asyncio.sleep(SECONDS)
        mark()
        os.write(3, b"end\n")
        await asyncio.sleep(0.2)
        app.exit()

    app.call_later(lambda: app.run_worker(drive()))
    app.run(mouse=False)
    (cpu0, frames0), (cpu1, frames1) = marks
    frames = max(frames1 - frames0, 1)
    os.write(3, json.dumps({"frames": frames, "cpu_ms": (cpu1 - cpu0) * 1e3 / frames}).encode())


main()
