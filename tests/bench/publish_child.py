"""An engine between a feed and a Redis server, for some seconds; what it wrote, as JSON.

Usage: python -m tests.bench.publish_child STATE URL INSTRUMENTS SECONDS KEY=VALUE...
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from kitetui.config import load
from kitetui.engine.feed.credentials import Credentials
from kitetui.engine.health.counters import Reservoir
from kitetui.engine.runtime import Engine, EnginePlan
from kitetui.places import places
from kitetui.secret import Secret

SETTLE_S = 6.0
"""From the first tick on, until the rate is steady and what start-up held back is written."""


def main() -> None:
    state, url, instruments, seconds = (
        sys.argv[1],
        sys.argv[2],
        int(sys.argv[3]),
        float(sys.argv[4]),
    )
    tokens = [(n << 8) | 1 for n in range(1, instruments + 1)]
    folder = Path(state) / "config"
    folder.mkdir(parents=True)
    (folder / "kitetui.yaml").write_text(
        f"feed:\n  instruments: {json.dumps(tokens)}\n  url: {url}\n"
        "  rest_url: http://127.0.0.1:9\n  warmup_sessions: 0\n"
    )
    found = Credentials("key", Secret("token"))
    engine = Engine(load(folder, sys.argv[5:]), EnginePlan(
        places=places(Path(state), "default"), credentials=lambda: found))  # fmt: skip
    engine.start()
    engine.wait_ready(30)
    core = engine._core
    assert core is not None
    publisher = core.redis.publisher
    while not publisher.published:
        time.sleep(0.05)
    time.sleep(SETTLE_S)
    publisher.latency_ms = Reservoir(1 << 17)
    core.vitals.loop_lag_ms = Reservoir(1 << 16)
    began, before = time.perf_counter(), publisher.published
    most = 0
    while time.perf_counter() - began < seconds:
        time.sleep(0.25)
        most = max(most, publisher.spooled)
    took, after = time.perf_counter() - began, publisher.published
    status = engine.status()
    print(json.dumps({
        "per_s": (after - before) / took, "most_spooled": most, "spooled": publisher.spooled,
        "p50_ms": publisher.latency_ms.quantile(0.5), "p99_ms": publisher.latency_ms.quantile(0.99),
        "loop_p99_ms": core.vitals.loop_lag_ms.quantile(0.99), "behind_s": publisher.behind_s,
        "errors": status["redis"]["errors"], "passed_over": publisher.backlog.passed_over,
        "memory_mb": status["memory_mb"], "state": publisher.state,
    }))  # fmt: skip
    engine.stop()


main()
