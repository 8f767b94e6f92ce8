"""An engine that acknowledges its first alert, says so, and is then killed by its parent."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

from kitetui.config import load
from kitetui.engine.commands import Acknowledge
from kitetui.engine.feed import credentials
from kitetui.engine.runtime import Engine, EnginePlan
from kitetui.engine.snapshot import View
from kitetui.places import places


def main() -> None:
    settings = load(overrides=sys.argv[1:])
    where = places(None, "default")
    engine = Engine(settings, EnginePlan(places=where, credentials=lambda: found))
    found = credentials.read(Path("/nonexistent"))
    engine.start()
    engine.wait_ready(20)
    alerts = ()
    deadline = time.monotonic() + 60
    while not alerts and time.monotonic() < deadline:
        alerts = engine.snapshot(View(alerts=10)).result(5).alerts
        time.sleep(0.05)
    (alert, *_) = alerts
    command = Acknowledge(*alert.seen, "ops")
    result = engine.command(command).result(5)
    print(json.dumps({"alert_id": alert.alert_id, "done": result.done, "text": result.text}),
          flush=True)  # fmt: skip
    os.kill(os.getpid(), signal.SIGKILL)


main()
