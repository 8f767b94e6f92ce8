"""Makes the `reference` table of config/thresholds.yaml: score quantiles of each pattern.

Runs the detectors over simulated minute bars (several seeds of the exchange's stocks and futures)
and, where FOLDERs with bar files are given (CSV: ts, open, high, low, close, volume),
over those too. Patterns that need ticks, books or chains are taken from whole simulated sessions.
Prints YAML: the scores at the 0th, 5th, ... 100th percentile.

    python -m tools.reference_scores [FOLDER...]
"""

from __future__ import annotations

import csv
import sys
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import date, datetime
from pathlib import Path

import numpy as np
from tests.patterns.simulated_day import simulated_day

from kitetui.config import load
from kitetui.engine.flow.pipeline import Pipeline
from kitetui.engine.market.bars import FIELDS, ClosedBars
from kitetui.engine.market.instruments import Instrument
from kitetui.engine.market.market import Market
from kitetui.engine.market.warmup import PastBars
from kitetui.engine.patterns.firing import Detectors
from kitetui.exchange.listing import listing
from kitetui.exchange.paths import Day, Paths

SEEDS = 12
SESSIONS = 12
INSTRUMENTS = 23
FIRST_DAY_S = 1_765_756_800  # a Monday, 00:00 UTC
SETTINGS = load()
DAYS = range(101, 113)
"""Seeds of the whole sessions."""
OF_TICKS = ("hidden_accumulation", "iv_crush_play_straddle", "range_bound_strangle",
            "market_maker_trap_detection", "premium_collection_strategy",
            "kow_signal_straddle")  # fmt: skip


def simulated() -> Iterator[list[PastBars]]:
    """Minute bars of simulated sessions, the instruments of one seed at a time."""
    listed = listing(date(2025, 12, 15), 0)
    chosen = [at for at, item in enumerate(listed) if item.kind in ("EQ", "FUT")][:INSTRUMENTS]
    days = [Day(FIRST_DAY_S + d * 86_400 + 13_500, FIRST_DAY_S + d * 86_400 + 36_000)
            for d in range(SESSIONS) if d % 7 < 5]  # fmt: skip
    for seed in range(SEEDS):
        paths = Paths(listed, days, days[-1].close_s - 60, seed)
        series = []
        for at in chosen:
            bars = np.concatenate([paths.candles(at, d) for d in range(len(days))], axis=1)
            series.append(past_bars(bars[0] // 60, bars[1:6]))
        yield series


def recorded(folder: Path) -> Iterator[list[PastBars]]:
    """Minute bars of files, one at a time."""
    for path in sorted(folder.glob("*.bars.csv")):
        if "5m" in path.name or path.name.startswith(("edge_", "planted")):
            continue
        with path.open() as file:
            lines = list(csv.DictReader(file))
        starts = np.array([int(datetime.fromisoformat(x["ts"]).timestamp()) // 60 for x in lines])
        columns = [[round(float(x[n]) * 100) for x in lines] for n in ("open", "high", "low",
                                                                      "close")]  # fmt: skip
        volume = [int(float(x["volume"])) for x in lines]
        yield [past_bars(starts, np.array([*columns, volume]))]


def past_bars(starts: np.ndarray, columns: np.ndarray) -> PastBars:
    values = np.zeros((len(FIELDS), len(starts)), np.int64)
    values[:5] = columns
    days = (starts * 60 + 19_800) // 86_400
    opens = days * 1440 - 330 + 9 * 60 + 15
    return PastBars(minutes=1, starts=starts, values=values, opens=opens, closes=opens + 375,
                    past=0, today_open=0, upto=int(starts[-1]) + 1)  # fmt: skip


def firings(series: list[PastBars], found: dict[tuple[str, str], list[float]]) -> None:
    """Scores of all that fires on minute bars of several instruments, all at once."""
    detectors = Detectors(SETTINGS.patterns, len(series))
    market = Market(SETTINGS, len(series), detectors.followed)
    market.add_instruments([
        Instrument(token=n << 8 | 1, tradingsymbol=f"S{n}", exchange="NSE", tick_size=0.05,
                   lot_size=1) for n in range(len(series))
    ])  # fmt: skip
    starts = np.unique(np.concatenate([bars.starts for bars in series]))
    for start in starts.tolist():
        at = [int(np.searchsorted(bars.starts, start)) for bars in series]
        rows = [n for n, k in enumerate(at)
                if k < len(series[n].starts) and series[n].starts[k] == start]  # fmt: skip
        values = np.stack([series[n].values[:, at[n]] for n in rows], axis=1)
        for told in filter(None, market.take_bars(1, ClosedBars(start, np.array(rows), values))):
            for fired in detectors.look(market, told):
                for at, strength in enumerate(fired.score.tolist()):
                    found[fired.label(at), fired.timeframe].append(strength)


def whole_session(seed: int) -> list[tuple[str, str, float]]:
    """Label, timeframe and score of all that fires in a simulated session and needs ticks."""
    pipeline = Pipeline(SETTINGS, 400)
    return [
        (followed.fired.label(at), followed.fired.timeframe, strength)
        for batch in simulated_day(seed)
        for followed in pipeline.apply(batch).fired
        if followed.fired.detector.name in OF_TICKS
        for at, strength in enumerate(followed.fired.score.tolist())
    ]


def main() -> None:
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    sources = [simulated(), *(recorded(Path(folder)) for folder in sys.argv[1:])]
    for source in sources:
        for done, series in enumerate(source, 1):
            firings(series, found)
            print(f"series {done}: {sum(map(len, found.values()))} firings", file=sys.stderr)
    for key in [key for key in found if key[0].split(".")[0] in OF_TICKS]:
        del found[key]
    with ProcessPoolExecutor() as pool:
        for seed, scores in zip(DAYS, pool.map(whole_session, DAYS), strict=True):
            for label, timeframe, strength in scores:
                found[label, timeframe].append(strength)
            print(f"session {seed}: {len(scores)} firings", file=sys.stderr)
    print("reference:")
    for name in sorted({name for name, _ in found}):
        print(f"  {name}:")
        for frame in ("1m", "5m"):
            scores = found.get((name, frame))
            if scores:
                marks = np.quantile(scores, np.linspace(0, 1, 21))
                print(f"    # {len(scores)} firings")
                print(f"    {frame}: [{', '.join(f'{m:.4f}' for m in marks)}]")


main()
