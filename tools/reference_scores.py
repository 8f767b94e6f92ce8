"""Makes the `reference` table of config/thresholds.yaml: score quantiles of each pattern.

Runs the detectors over simulated sessions (20 seeds, the day's history of 23 stocks and
futures) and, where FOLDERs with bar files are given (CSV: ts, open, high, low, close, volume),
over those too. Prints YAML: the scores at the 0th, 5th, ... 100th percentile.

    python tools/reference_scores.py [FOLDER...]
"""

from __future__ import annotations

import csv
import sys
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

import numpy as np

import kitetui.engine.patterns  # noqa: F401 - registers the families
from kitetui.config import load
from kitetui.engine.market.bars import FIELDS, ClosedBars
from kitetui.engine.market.instruments import Rows, unlisted
from kitetui.engine.market.timeframe import Timeframe
from kitetui.engine.market.warmup import PastBars, longer_bars
from kitetui.engine.patterns.registry import Trigger, View, registry
from kitetui.engine.patterns.score import score
from kitetui.exchange.listing import listing
from kitetui.exchange.paths import Day, Paths

SEEDS = 20
SESSIONS = 8
FIRST_DAY_S = 1_765_756_800  # a Monday, 00:00 UTC
SETTINGS = load()


def simulated() -> Iterator[PastBars]:
    """Minute bars of simulated sessions, one instrument at a time."""
    listed = listing(date(2025, 12, 15), 0)
    chosen = [at for at, item in enumerate(listed) if item.kind in ("EQ", "FUT")][:23]
    days = [Day(FIRST_DAY_S + d * 86_400 + 13_500, FIRST_DAY_S + d * 86_400 + 36_000)
            for d in range(SESSIONS)]  # fmt: skip
    for seed in range(SEEDS):
        paths = Paths(listed, days, days[-1].close_s - 60, seed)
        for at in chosen:
            bars = np.concatenate([paths.candles(at, d) for d in range(SESSIONS)], axis=1)
            yield past_bars(bars[0] // 60, bars[1:6])


def recorded(folder: Path) -> Iterator[PastBars]:
    """Minute bars of files."""
    for path in sorted(folder.glob("*.bars.csv")):
        if "5m" in path.name or path.name.startswith(("edge_", "planted")):
            continue
        with path.open() as file:
            lines = list(csv.DictReader(file))
        starts = np.array([int(datetime.fromisoformat(x["ts"]).timestamp()) // 60 for x in lines])
        columns = [[round(float(x[n]) * 100) for x in lines] for n in ("open", "high", "low",
                                                                      "close")]  # fmt: skip
        yield past_bars(starts, np.array([*columns, [int(float(x["volume"])) for x in lines]]))


def past_bars(starts: np.ndarray, columns: np.ndarray) -> PastBars:
    values = np.zeros((len(FIELDS), len(starts)), np.int64)
    values[:5] = columns
    days = (starts * 60 + 19_800) // 86_400
    opens = days * 1440 - 330 + 9 * 60 + 15
    return PastBars(minutes=1, starts=starts, values=values, opens=opens, closes=opens + 375,
                    past=0, today_open=0, upto=int(starts[-1]) + 1)  # fmt: skip


def firings(bars: PastBars, minutes: int, found: dict[tuple[str, str], list[float]]) -> None:
    rows = Rows(1)
    rows.add([unlisted(257)])
    frame = Timeframe(minutes, rows)
    names = [n for n in registry() if frame.name in SETTINGS.patterns[n].timeframes]
    triggers = {n: Trigger(n, SETTINGS.patterns[n], 1) for n in names}
    zero = np.array([0])
    for k, start in enumerate(bars.starts.tolist()):
        opened = bars.opens[k : k + 1]
        frame.commit(ClosedBars(start, zero, bars.values[:, k : k + 1]), opened)
        view = View(frame, start, zero, opened, np.array([False]), zero)
        for name in names:
            hits = registry()[name](view, SETTINGS.patterns[name])
            fires = triggers[name].fire(hits, frame.history.count[hits.rows])
            if len(hits.rows) and fires[0]:
                strength = score(hits.evidence, SETTINGS.patterns[name])
                found[name, frame.name].append(float(strength[0]))


def main() -> None:
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    sources = [simulated(), *(recorded(Path(folder)) for folder in sys.argv[1:])]
    for source in sources:
        for bars in source:
            firings(bars, 1, found)
            firings(longer_bars(bars, 5), 5, found)
    print("reference:")
    for name in sorted({name for name, _ in found}):
        print(f"  {name}:")
        for frame in ("1m", "5m"):
            scores = found.get((name, frame))
            if scores:
                marks = np.quantile(scores, np.linspace(0, 1, 21))
                print(f"    {frame}: [{', '.join(f'{m:.4f}' for m in marks)}]  # n={len(scores)}")


main()
