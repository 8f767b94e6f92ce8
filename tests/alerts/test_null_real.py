"""On half a year of real NIFTY minutes, alerts with a random side do as well as their null says."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from kitetui.config import load
from kitetui.engine.alerts.barriers import Entries, Outcome, walk
from kitetui.engine.alerts.null import MatchedNull
from kitetui.engine.flow.pipeline import Pipeline
from kitetui.engine.market.bars import CLOSE, HIGH, LOW, OPEN, ClosedBars
from kitetui.engine.market.indicators import ATR_BEFORE
from kitetui.engine.market.instruments import Instrument
from kitetui.engine.patterns.intervals import wilson
from kitetui.tools.bar_files import read_bar_file

PATTERNS = ("breakout", "ict_momentum", "reversal")
ONLY = load(overrides=[f"thresholds.{name}.enabled={str(name in PATTERNS).lower()}"
                       for name in load().patterns])  # fmt: skip
TARGET, STOP, HORIZON = 1.5, 1.0, 12
INDEX = 1 << 8 | 9
ROW = np.array([0])


class Half:
    """Five-minute bars of half a year, and where three patterns fired."""

    def __init__(self, path: Path) -> None:
        (file,) = read_bar_file(path, 100, 1, True)
        pipeline = Pipeline(ONLY, 1)
        market = pipeline.market
        market.add_instruments([Instrument(token=INDEX, tradingsymbol="NIFTY", exchange="NSE",
                                           tick_size=0.05, lot_size=1, hours="index")])  # fmt: skip
        hours = np.array([[int(x[0]) for x in market.session_minutes(start, ROW)]
                          for start in file.starts.tolist()])  # fmt: skip
        inside = (file.starts >= hours[:, 0]) & (file.starts < hours[:, 1])
        minutes, hours, values = file.starts[inside], hours[inside], file.values[:, inside]
        five = hours[:, 0] + (minutes - hours[:, 0]) // 5 * 5
        cuts = np.append(np.flatnonzero(np.append(True, np.diff(five) != 0)), len(five))
        atr, prices, fired = [], [], []
        for first, upto in pairwise(cuts.tolist()):
            bar = values[:, first : first + 1].copy()
            bar[HIGH], bar[LOW] = values[HIGH, first:upto].max(), values[LOW, first:upto].min()
            bar[CLOSE] = values[CLOSE, upto - 1]
            told = pipeline.take_bars(5, ClosedBars(int(five[first]), ROW, bar))
            atr.append(float(market.frames[5].indicators.value(ATR_BEFORE, ROW)[0]))
            prices.append(bar[[OPEN, HIGH, LOW, CLOSE], 0] / 100)
            fired += [f.fired.start for f in told.fired for _ in range(len(f.fired.hits))]
        starts = five[cuts[:-1]]
        opens, closes = hours[cuts[:-1]].T
        self.start, self.atr = starts, np.array(atr)
        self.prices = np.array(prices).T
        allowed = self.start < closes - ONLY.outcomes.force_close_min
        number = np.arange(len(starts))
        self.last = np.array([number[allowed & (opens == day)].max() for day in opens])
        self.null = MatchedNull(self.prices, self.atr, self.start - opens, self.last, 0.05)
        usable = (self.atr > 0) & (self.last > number)
        self.usable = np.flatnonzero(usable)
        self.fired = np.intersect1d(np.searchsorted(self.start, fired), self.usable)

    def random_sides(self, bars: np.ndarray, seed: int) -> tuple[int, float]:
        """Hits of entries at bars with random sides, and what their nulls say on average."""
        side = np.random.default_rng(seed).choice([-1, 1], len(bars))
        atr = self.atr[bars]
        target, stop = np.maximum(TARGET * atr, 0.05), np.maximum(STOP * atr, 0.05)
        entries = Entries(side, self.prices[3, bars], target, stop)
        found = walk(entries, bars, self.prices, np.full(len(bars), HORIZON), self.last[bars])
        rates = [self.null.rate(b, s, t, x, HORIZON) for b, s, t, x in zip(
            bars.tolist(), side.tolist(), target.tolist(), stop.tolist(), strict=True)]  # fmt: skip
        return int(np.count_nonzero(found.outcome == Outcome.TARGET)), float(np.mean(rates))


@pytest.fixture(scope="module")
def half(shared: Path) -> Half:
    path = shared / "data" / "index_1min_2019_2021" / "NIFTY.parquet"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    return Half(path)


def test_at_any_time(half: Half) -> None:
    bars = np.sort(np.random.default_rng(1).choice(half.usable, 3000, replace=False))
    hits, null = half.random_sides(bars, 2)
    low, high = wilson(hits, len(bars))
    assert low <= null <= high and 0.25 < null < 0.45


def test_at_the_times_when_patterns_fired(half: Half) -> None:
    assert len(half.fired) > 600
    hits, null = half.random_sides(half.fired, 3)
    low, high = wilson(hits, len(half.fired))
    assert low <= null <= high, "a random side must not beat its own null"
