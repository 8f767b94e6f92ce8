"""Screens that look at an engine, each at its own instrument, without drawing.

Usage: python -m tests.bench.viewers_child FOLDER COUNT HZ. Ends with its input.
"""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

from kitetui.engine.snapshot import View
from kitetui.remote_link import RemoteLink


def view(number: int) -> View:
    """What a 200x50 screen asks for."""
    return View(watch_from=number, watch_count=30, buckets=10, alerts=200, events=12)


def main() -> None:
    folder, count, hz = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    links = [RemoteLink(folder) for _ in range(count)]
    for link in links:
        link.start()
    done = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), done.set()), daemon=True).start()
    due = time.monotonic()
    while not done.is_set():
        for number, link in enumerate(links):
            link.snapshot(view(number))
            due += 1 / hz / count
            time.sleep(max(due - time.monotonic(), 0))
    for link in links:
        link.stop()


main()
