"""Run in a process of its own: the official ticker on a given URL; ticks as JSON lines."""

import json
import sys
import threading
import time
from datetime import UTC, datetime

from kiteconnect import KiteTicker


def plain(value):
    """Naive UTC times as epoch seconds."""
    if isinstance(value, datetime):
        return int(value.replace(tzinfo=UTC).timestamp())
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [plain(v) for v in value]
    return value


def main() -> None:
    url, count = sys.argv[1], int(sys.argv[2])
    tokens = [int(t) for t in sys.argv[3:]]
    ticker = KiteTicker("demo", "demo", root=url)
    got = []
    last = [time.monotonic()]

    def on_connect(ws, response):
        ws.subscribe(tokens)
        ws.set_mode(ws.MODE_FULL, tokens)

    def on_ticks(ws, ticks):
        if ticks:
            got.extend(ticks)
            last[0] = time.monotonic()

    ticker.on_connect, ticker.on_ticks = on_connect, on_ticks
    ticker.connect(threaded=True)
    end = time.monotonic() + 60
    while time.monotonic() < end and not (len(got) >= count and time.monotonic() - last[0] > 1.5):
        threading.Event().wait(0.1)
        if got and time.monotonic() - last[0] > 6:
            break
    for tick in got:
        print(json.dumps(plain(tick)))
    sys.stdout.flush()
    import os

    os._exit(0)


main()
