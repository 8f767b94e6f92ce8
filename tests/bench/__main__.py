"""`make bench`: ours beside its peer, in one run, as a table and as bench.json."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.bench import (
    alert_bench,
    engine_bench,
    journal_bench,
    redis_bench,
    screen_bench,
    viewers_bench,
    wire_bench,
)
from tests.bench.measure import Result

SUITES: tuple[Callable[[], Iterator[Result]], ...] = (
    wire_bench.run,
    engine_bench.run,
    alert_bench.run,
    journal_bench.run,
    redis_bench.run,
    screen_bench.run,
    viewers_bench.run,
)


def main() -> None:
    wanted = sys.argv[1:]
    results: list[Result] = []
    print(f"{'work':58}{'ours':>12}{'peer':>12}{'ratio':>8}{'target':>14}  holds")
    for suite in SUITES:
        if wanted and not any(w in suite.__module__ for w in wanted):
            continue
        for result in suite():
            results.append(result)
            print(result.line(), flush=True)
    Path("bench.json").write_text(json.dumps([r.as_dict() for r in results], indent=1))
    missed = [r.work for r in results if r.holds is False]
    if missed:
        print("not met: " + "; ".join(missed))


main()
