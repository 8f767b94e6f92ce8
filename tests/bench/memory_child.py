"""Run on its own: resident memory of the whole engine's code with 9,000 instruments.

Prints one JSON object: megabytes at the end, and growth over 10 M ticks: the slope of the line
through many samples (Theil and Sen's), since one sample alone is off by megabytes. The gate is
closed: alerts fill a queue of their own up to its cap, and are not what is measured here.
"""

from __future__ import annotations

import gc
import json
from itertools import combinations, islice

import numpy as np

import kitetui.engine.core  # noqa: F401 - all that an engine imports
from kitetui.engine.memory import memory_mb
from tests.bench.engine_bench import warmed_pipeline
from tests.bench.load import SIZE, batches

SETTLED_TICKS = 3_000_000
TICKS = 10_000_000
SAMPLES = 40


def main() -> None:
    pipeline = warmed_pipeline("alerts.min_confidence=1.0")
    work = batches((SETTLED_TICKS + TICKS) // SIZE)
    for batch in islice(work, SETTLED_TICKS // SIZE):
        pipeline.apply(batch)
    samples = []
    for _ in range(SAMPLES):
        for batch in islice(work, TICKS // SIZE // SAMPLES):
            pipeline.apply(batch)
        gc.collect()
        samples.append(memory_mb())
    slope = np.median([(b - a) / (j - i) for (i, a), (j, b) in combinations(enumerate(samples), 2)])
    told = {"mb": samples[-1], "growth_mb": float(slope) * SAMPLES, "samples": samples}
    print(json.dumps(told))


main()
