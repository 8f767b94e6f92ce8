"""Many simulated days, each in a process of its own.

`python -m tests.simulation.seeds --count 1000` says what was found, and how to see one again; the
exit code is 1 where anything was.
"""

from __future__ import annotations

import argparse
import os
import pickle
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec

from tests.simulation.world import ONE_HOUR, WHOLE_DAY, World

LIMIT_S = 100
"""A day that takes longer hangs."""
FORKING = threading.Lock()


class Day(msgspec.Struct):
    """What a seed led to.

    Attributes:
        digest: of all that came in and followed.
    """

    seed: int
    events: list[str] = msgspec.field(default_factory=list)
    lives: int = 0
    ticks: int = 0
    alerts: int = 0
    digest: str = ""
    violations: list[str] = msgspec.field(default_factory=list)


def live(seed: int, opens: str) -> Day:
    """Live through a day; only for a process that ends afterwards: time and chance are replaced."""
    day = Day(seed)
    with tempfile.TemporaryDirectory(dir=_fast_folder()) as folder:
        try:
            world = World(Path(folder), seed, opens)
            day.events = [f"{e.kind} at {e.at_s:.1f} s for {e.for_s:.1f}" for e in world.events]
            world.run()
            world.check()
        except Exception:
            day.violations.append(traceback.format_exc(limit=-6))
        else:
            day.lives, day.digest = world.lives, world.digest
            day.ticks = world.core.pipeline.market.normaliser.counts.received
            day.alerts = len(world.core.pipeline.desk)
        day.violations += world.violations
    return day


def in_a_child(seed: int, opens: str) -> Day:
    """The same in a child, which ends without a goodbye: dead engines get no last word."""
    with FORKING:  # a sibling that had the writing end would have to be waited for
        reader, writer = os.pipe()
        child = os.fork()
        if child:
            os.close(writer)
    if not child:
        try:
            os.close(reader)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(LIMIT_S)
            with os.fdopen(writer, "wb") as out:
                pickle.dump(msgspec.to_builtins(live(seed, opens)), out)
        finally:
            os._exit(0)
    with os.fdopen(reader, "rb") as told:
        text = told.read()
    os.waitpid(child, 0)
    if not text:
        return Day(seed, violations=["the process died, or took too long"])
    return msgspec.convert(pickle.loads(text), Day)


def run(seeds: range, opens: str, say: Callable[[Day], Any] = lambda day: None) -> Iterator[Day]:
    """Days in order, as many at once as there are processors."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for day in pool.map(lambda seed: in_a_child(seed, opens), seeds):
            say(day)
            yield day


def command(day: Day, opens: str) -> str:
    """How to see a day again."""
    hour = " --hour" if opens == ONE_HOUR else ""
    return f"python -m tests.simulation.seeds --first {day.seed} --count 1{hour}"


def _fast_folder() -> str | None:
    return "/dev/shm" if os.path.isdir("/dev/shm") else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--hour", action="store_true", help="a session of one hour, not of a day")
    asked = parser.parse_args()
    opens = ONE_HOUR if asked.hour else WHOLE_DAY
    began = time.monotonic()
    ticks = lives = broken = count = 0
    for day in run(range(asked.first, asked.first + asked.count), opens):
        count, ticks, lives = count + 1, ticks + day.ticks, lives + day.lives
        if day.violations:
            broken += 1
            print(f"seed {day.seed}: {'; '.join(day.events)}")
            for words in day.violations[:10]:
                print(f"  {words}")
            print(f"  {command(day, opens)}", flush=True)
        elif asked.count == 1:
            print(msgspec.json.format(msgspec.json.encode(day), indent=2).decode())
        elif count % 50 == 0:
            print(f"{count} of {asked.count}", file=sys.stderr, flush=True)
    print(f"{count} sessions with {lives:,} engines and {ticks:,} ticks in "
          f"{time.monotonic() - began:.0f} s: {broken} broke an invariant")  # fmt: skip
    sys.exit(bool(broken))


if __name__ == "__main__":
    main()
