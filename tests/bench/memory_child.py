"""Run on its own: resident memory of the whole engine's code with 9,000 instruments.

Prints one JSON object: megabytes at the end, and growth over the last 10 M ticks. The gate is
closed: alerts fill a queue of their own up to its cap, and are not what is measured here.
"""

from __future__ import annotations

import gc
import json
from itertools import islice

import kitetui.engine.core  # noqa: F401 - all that an engine imports
from kitetui.engine.status import memory_mb
from tests.bench.engine_bench import warmed_pipeline
from tests.bench.load import SIZE, batches

SETTLED_TICKS = 3_000_000
TICKS = 10_000_000


def main() -> None:
    pipeline = warmed_pipeline("alerts.min_confidence=1.0")
    work = batches((SETTLED_TICKS + TICKS) // SIZE)
    for batch in islice(work, SETTLED_TICKS // SIZE):
        pipeline.apply(batch)
    gc.collect()
    before = memory_mb()
    for batch in work:
        pipeline.apply(batch)
    gc.collect()
    print(json.dumps({"mb": memory_mb(), "growth_mb": memory_mb() - before}))


main()
