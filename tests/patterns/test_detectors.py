"""Detectors against reference lists, and the laws of score and confidence."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kitetui.engine.patterns  # noqa: F401 - registers the families
from kitetui.config import Settings, load
from kitetui.engine.market.bars import CLOSE, HIGH, LOW, OPEN, VOLUME, ClosedBars
from kitetui.engine.market.instruments import Rows, unlisted
from kitetui.engine.market.timeframe import Timeframe
from kitetui.engine.patterns.registry import Trigger, View, registry
from kitetui.engine.patterns.score import confidence, score

Fired = set[tuple[int, int]]
OURS = Path(__file__).with_name("planted.csv")
SETTINGS = load()


def bars_of(path: Path) -> Iterator[tuple[int, list[int]]]:
    """(minute, o, h, l, c in paise, volume) of a bar file."""
    with path.open() as file:
        for line in csv.DictReader(file):
            minute = int(datetime.fromisoformat(line["ts"]).timestamp()) // 60
            prices = [round(float(line[n]) * 100) for n in ("open", "high", "low", "close")]
            yield minute, [*prices, int(float(line["volume"]))]


def fired(bars: list[tuple[int, list[int]]], minutes: int, settings: Settings) -> dict[str, Fired]:
    """What fires, as (bar number, side), by pattern."""
    rows = Rows(1)
    rows.add([unlisted(257)])
    frame = Timeframe(minutes, rows)
    names = list(registry())
    triggers = {n: Trigger(n, settings.patterns[n], 1) for n in names}
    out: dict[str, Fired] = {n: set() for n in names}
    zero = np.array([0])
    for number, (start, values) in enumerate(bars):
        column = np.zeros((12, 1), np.int64)
        column[[OPEN, HIGH, LOW, CLOSE, VOLUME], 0] = values
        frame.commit(ClosedBars(start, zero, column), zero)
        view = View(frame, start, zero, zero, np.array([False]), zero)
        for name in names:
            hits = registry()[name](view, settings.patterns[name])
            yes = triggers[name].fire(hits, frame.history.count[hits.rows])
            out[name] |= {(number, int(hits.side[k])) for k in np.flatnonzero(yes)}
    return out


def test_every_firing_of_the_reference_lists_and_no_other(shared: Path) -> None:
    golden = shared / "golden"
    expected: dict[tuple[str, str], Fired] = {}
    with (golden / "patterns_expected.csv").open() as file:
        for line in csv.DictReader(file):
            key = (line["series"], line["pattern"])
            expected.setdefault(key, set()).add((int(line["bar"]), int(line["direction"])))
    series = sorted({name for name, _ in expected})
    assert len(series) >= 12
    compared = 0
    for name in series:
        minutes = 5 if name.endswith("5m") else 1
        got = fired(list(bars_of(golden / f"{name}.bars.csv")), minutes, SETTINGS)
        for pattern in registry():
            assert got[pattern] == expected.get((name, pattern), set()), (name, pattern)
            compared += len(got[pattern])
    assert compared > 300


def planted() -> list[tuple[int, list[int]]]:
    """A quiet series of our own, with a break and a loud bar at known places."""
    rng = np.random.default_rng(11)
    out: list[tuple[int, list[int]]] = []
    price = 100_000
    for n in range(200):
        step = int(rng.integers(-3, 4)) * 5
        close = price + step
        volume = int(rng.integers(900, 1100))
        if n == 120:
            close, volume = price + 400, 9000
        high, low = max(price, close) + 5, min(price, close) - 5
        if n == 120:
            high = close
        out.append((1000 + n, [price, high, low, close, volume]))
        price = close if n != 120 else price
    return out


def test_a_planted_bar_fires_both_patterns_there() -> None:
    got = fired(planted(), 1, SETTINGS)
    assert (120, 1) in got["breakout"]
    assert got["volume_spike"] == {(120, 1)}


@pytest.mark.parametrize("cut", [61, 119, 120, 121, 150])
def test_the_future_never_changes_the_past(cut: int) -> None:
    whole = fired(planted(), 1, SETTINGS)
    part = fired(planted()[: cut + 1], 1, SETTINGS)
    for name, hits in whole.items():
        assert part[name] == {h for h in hits if h[0] <= cut}


def test_flat_and_silent_markets_fire_nothing() -> None:
    flat = [(1000 + n, [100, 100, 100, 100, 0]) for n in range(200)]
    assert fired(flat, 1, SETTINGS) == {"breakout": set(), "volume_spike": set()}


@pytest.mark.parametrize("name", sorted(SETTINGS.patterns))
@given(data=st.data())
def test_more_evidence_never_scores_less(name: str, data: st.DataObject) -> None:
    settings = SETTINGS.patterns[name]
    numbers = st.floats(-10, 20)
    low = {k: data.draw(numbers) for k in settings.ramps}
    raised = data.draw(st.sampled_from(sorted(settings.ramps)))
    high = {**low, raised: low[raised] + data.draw(st.floats(0, 10))}
    scores = [
        float(score({k: np.array([v]) for k, v in e.items()}, settings)[0]) for e in (low, high)
    ]
    assert 0 <= scores[0] <= scores[1] <= 1


@given(st.lists(st.floats(0.1, 1), min_size=3, max_size=40), st.floats(0, 1), st.floats(0, 1))
def test_confidence_is_a_rank(table: list[float], a: float, b: float) -> None:
    ranked = sorted(table)
    low, high = confidence(np.array([min(a, b), max(a, b)]), ranked).tolist()
    assert 0 <= low <= high <= 1


def test_ties_take_the_middle_rank() -> None:
    assert confidence(np.array([0.5]), [0.1, 0.5, 0.5, 0.5, 0.9])[0] == 0.5


@pytest.mark.parametrize(
    ("name", "frame"), [("volume_spike", "1m"), ("volume_spike", "5m"), ("breakout", "5m")]
)
def test_the_strongest_sixth_passes_the_gate_and_no_more(name: str, frame: str) -> None:
    table = SETTINGS.reference[name][frame]
    assert len(table) == 21 and table == sorted(table) and table[0] < table[-1]
    passing = float(np.interp(0.85, np.linspace(0, 1, 21), table))
    assert passing < 1
    assert confidence(np.array([passing + 1e-9, passing - 1e-3]), table)[0] >= 0.85
