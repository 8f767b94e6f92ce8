"""Outcomes by the triple barrier, and their statistics, against reference files and by hand."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kitetui.engine.alerts.barriers import Entries, Outcome, Settled, walk
from kitetui.engine.alerts.statistics import (
    block_bootstrap,
    calibration,
    max_drawdown,
    profit_factor,
)
from kitetui.engine.patterns.intervals import wilson

NAMES = {"target": Outcome.TARGET, "stop": Outcome.STOP, "timeout": Outcome.TIMEOUT,
         "stop_ambiguous": Outcome.STOP_AMBIGUOUS}  # fmt: skip


def lines(path: Path) -> dict[str, list[str]]:
    with path.open() as file:
        rows = list(csv.DictReader(file))
    return {name: [row[name] for row in rows] for name in rows[0]}


class Reference:
    """The reference series with its entries."""

    def __init__(self, folder: Path) -> None:
        bars, alerts = lines(folder / "validator.bars.csv"), lines(folder / "validator.alerts.csv")
        self.prices = np.array([bars[n] for n in ("open", "high", "low", "close")], np.float64)
        self.day = np.unique([ts[:10] for ts in bars["ts"]], return_inverse=True)[1]
        self.last = np.array([np.flatnonzero(self.day == d)[-1] for d in self.day])
        self.bar = np.array(alerts["bar"], np.int64)
        self.horizon = np.array(alerts["horizon_bars"], np.int64)
        self.confidence = np.array(alerts["confidence"], np.float64)
        self.entries = Entries(
            np.array(alerts["side"], np.int64),
            *(np.array(alerts[n], np.float64) for n in ("entry", "target_dist", "stop_dist")),
        )
        self.expected = lines(folder / "validator.outcomes.csv")
        self.metrics: dict[str, Any] = json.loads((folder / "validator.metrics.json").read_text())

    def settled(self) -> Settled:
        return walk(self.entries, self.bar, self.prices, self.horizon, self.last[self.bar])


@pytest.fixture
def reference(shared: Path) -> Reference:
    return Reference(shared / "golden")


def test_every_outcome_of_the_reference(reference: Reference) -> None:
    found = reference.settled()
    assert found.outcome.tolist() == [NAMES[name] for name in reference.expected["outcome"]]
    assert (reference.bar + found.bars).tolist() == list(map(int, reference.expected["exit_bar"]))
    stop = reference.entries.stop
    for ours, name in ((found.exit, "exit_price"), (found.r(reference.entries), "r_multiple"),
                       (found.best / stop, "mfe_r"), (found.worst / stop, "mae_r")):  # fmt: skip
        theirs = np.array(reference.expected[name], np.float64)
        assert np.abs(ours - theirs).max() < 1e-9, name


def test_every_metric_of_the_reference(reference: Reference) -> None:
    found, metrics = reference.settled(), reference.metrics
    hit, r = found.outcome == Outcome.TARGET, found.r(reference.entries)
    told = calibration(reference.confidence, hit)
    assert told is not None
    ours = {
        "precision": hit.mean(),
        "expectancy_r": r.mean(),
        "profit_factor": profit_factor(r),
        "brier": told.brier,
        "brier_base_rate": told.base,
        "brier_skill": told.skill,
        "log_loss": told.log_loss,
        "ece10": told.ece,
        "reliability10": told.reliability,
    }
    for name, value in ours.items():
        assert value == pytest.approx(metrics[name], abs=1e-12), name
    assert wilson(int(hit.sum()), len(hit)) == pytest.approx(metrics["wilson95"], abs=1e-12)


def test_the_reference_null_by_its_own_rule(reference: Reference) -> None:
    """Every fifth bar from the 20th, 1.5 and 1 ATR in whole ticks, at least one."""
    prices = reference.prices
    before = np.append(np.nan, prices[3, :-1])
    ranged = np.fmax(prices[1], before) - np.fmin(prices[2], before)
    atr = np.full(len(ranged), np.nan)
    atr[14] = ranged[1:15].mean()
    for at in range(15, len(ranged)):
        atr[at] = (13 * atr[at - 1] + ranged[at]) / 14
    bars = np.arange(20, len(atr) - 1, 5)
    target, stop = (np.maximum(np.round(x * atr[bars] / 0.05), 1) * 0.05 for x in (1.5, 1.0))
    for key, expected in reference.metrics["null_every5th_bar"].items():
        side, horizon = (int(part) for part in key.split("/"))
        entries = Entries(np.full(len(bars), side), prices[3, bars], target, stop)
        last = reference.last[bars]
        found = walk(entries, bars, prices, np.full(len(bars), horizon), last)
        assert len(bars) == expected["n"]
        assert int((found.outcome == Outcome.TARGET).sum()) == expected["target"], key


def one(side: int, *bars: tuple[float, float, float, float], horizon: int = 3) -> Settled:
    """An entry at 100 with a target of 3 and a stop of 2."""
    prices = np.array([(100.0,) * 4, *bars]).T
    entries = Entries(np.array([side]), np.array([100.0]), np.array([3.0]), np.array([2.0]))
    return walk(entries, np.array([0]), prices, np.array([horizon]), np.array([len(bars)]))


@pytest.mark.parametrize(
    ("side", "bars", "outcome", "exit_price"),
    [
        (1, [(100, 103, 99, 101)], Outcome.TARGET, 103),
        (-1, [(100, 101, 97, 99)], Outcome.TARGET, 97),
        (1, [(100, 101, 98, 99)], Outcome.STOP, 98),
        (1, [(100, 104, 97, 100)], Outcome.STOP_AMBIGUOUS, 98),
        (1, [(96, 97, 95, 96)], Outcome.STOP, 96),
        (1, [(105, 106, 104, 105)], Outcome.TARGET, 105),
        (1, [(105, 106, 90, 95)], Outcome.TARGET, 105),
        (1, [(97, 104, 96, 103)], Outcome.STOP, 97),
        (1, [(100, 101, 99, 100)] * 3 + [(100, 110, 100, 110)], Outcome.TIMEOUT, 100),
        (1, [(100, 102, 99, 101)], Outcome.TIMEOUT, 101),
    ],
)
def test_one_entry_by_hand(side: int, bars: list[Any], outcome: Outcome, exit_price: float) -> None:
    found = one(side, *bars)
    assert Outcome(int(found.outcome[0])) is outcome
    assert found.exit[0] == exit_price


def test_the_farthest_ways_and_when() -> None:
    found = one(1, (100, 102, 99, 100), (100, 101, 98.5, 99), (99, 102.5, 99, 102))
    assert (found.best[0], found.best_bar[0]) == (2.5, 3)
    assert (found.worst[0], found.worst_bar[0]) == (1.5, 2)


@given(st.data())
def test_what_comes_after_the_end_changes_nothing(data: st.DataObject) -> None:
    """And the mirrored series ends the mirrored way."""
    steps = data.draw(st.lists(st.integers(-3, 3), min_size=6, max_size=30))
    close = 100.0 + np.cumsum(steps)
    open_ = np.append(100.0, close[:-1])
    prices = np.array([open_, np.maximum(open_, close) + 1, np.minimum(open_, close) - 1, close])
    entries = Entries(np.array([1]), close[:1], np.array([3.0]), np.array([2.0]))
    bar, horizon, last = np.array([0]), np.array([4]), np.array([len(close) - 1])
    whole = walk(entries, bar, prices, horizon, last)
    cut = int(whole.bars[0]) + 1
    part = walk(entries, bar, prices[:, :cut], horizon, np.array([cut - 1]))
    for name in ("bars", "exit", "best", "worst"):
        assert getattr(part, name) == getattr(whole, name)
    mirrored = 200 - prices[[0, 2, 1, 3]]
    other = Entries(np.array([-1]), 200 - close[:1], entries.target, entries.stop)
    turned = walk(other, bar, mirrored, horizon, last)
    assert turned.outcome == whole.outcome and turned.exit == pytest.approx(200 - whole.exit)


def test_intervals_and_falls() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    assert max_drawdown(np.array([1.0, -2.0, 1.0, -3.0, 5.0])) == 4.0
    r = np.array([1.0, -1.0] * 20)
    low, high = block_bootstrap(r, np.arange(40) // 2)
    assert low == high == 0.0  # every block sums to nothing
    low, high = block_bootstrap(r, np.arange(40))
    assert low < 0 < high
    assert np.isnan(block_bootstrap(r, np.zeros(40, np.int64))).all()
