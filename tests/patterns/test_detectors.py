"""Detectors against reference lists, and the laws of score and confidence."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kitetui.engine.patterns  # noqa: F401 - registers the families
from kitetui.config import Settings, load
from kitetui.engine.market.bars import CLOSE, FIELDS, HIGH, LOW, OPEN, VOLUME, ClosedBars
from kitetui.engine.market.instruments import Instrument
from kitetui.engine.market.market import Market
from kitetui.engine.market.timeframe import timeframe_name
from kitetui.engine.patterns.firing import SAME_EVENT, Detectors
from kitetui.engine.patterns.registry import registry
from kitetui.engine.patterns.score import confidence, score

Fired = set[tuple[int, int]]
OURS = Path(__file__).with_name("planted.csv")
SETTINGS = load()
AS_THE_REFERENCE = load(overrides=["thresholds.volume_price_divergence.params.by_time_of_day=0"])
SYMBOL = Instrument(token=257, tradingsymbol="TEST", exchange="NSE", tick_size=0.05, lot_size=1)
OURS_OF = {
    "volume_spike": ["volume_spike"],
    "volume_breakout": ["volume_breakout"],
    "volume_price_divergence": ["volume_price_divergence"],
    "upside_momentum": ["upside_momentum"],
    "downside_momentum": ["downside_momentum"],
    "breakout": ["breakout"],
    "reversal": ["reversal"],
    "ict_momentum": ["ict_momentum"],
    "ict_liquidity_pools.previous_day": ["ict_liquidity_sweep_pdh", "ict_liquidity_sweep_pdl"],
    "volume_profile_breakout": ["volume_profile_breakout"],
}
"""Our patterns, and the reference lists that each must match."""


def bars_of(path: Path) -> Iterator[tuple[int, list[int]]]:
    """(minute, o, h, l, c in paise, volume) of a bar file."""
    with path.open() as file:
        for line in csv.DictReader(file):
            minute = int(datetime.fromisoformat(line["ts"]).timestamp()) // 60
            prices = [round(float(line[n]) * 100) for n in ("open", "high", "low", "close")]
            yield minute, [*prices, int(float(line["volume"]))]


def fired(bars: list[tuple[int, list[int]]], minutes: int, settings: Settings) -> dict[str, Fired]:
    """What fires on bars of one length, as (bar number, side), by pattern and kind."""
    timeframe = timeframe_name(minutes)
    on_this = {
        name: msgspec.structs.replace(pattern, timeframes=[timeframe])
        for name, pattern in settings.patterns.items()
    }
    detectors = Detectors(on_this, 1)
    market = Market(settings, 1, detectors.followed)
    market.add_instruments([SYMBOL])
    out: dict[str, Fired] = {
        known.label(kind): set()
        for known in registry().values()
        for kind in range(len(known.kinds))
    }
    for start, values in bars:
        column = np.zeros((len(FIELDS), 1), np.int64)
        column[[OPEN, HIGH, LOW, CLOSE, VOLUME], 0] = values
        for told in market.take_bars(minutes, ClosedBars(start, np.array([0]), column)):
            # No opening minute: the reference lists do not spare a session's first bar.
            told.opened = np.zeros_like(told.opened)
            for found in detectors.look(market, told):
                for at in range(len(found.hits)):
                    event = (int(found.bar[at]), int(found.hits.side[at]))
                    out[found.label(at)].add(event)
                    for merged in set(found.hits.tags[at]) & set(SAME_EVENT):
                        out[merged].add(event)
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
        got = fired(list(bars_of(golden / f"{name}.bars.csv")), minutes, AS_THE_REFERENCE)
        for pattern, ours in OURS_OF.items():
            wanted = {firing for theirs in ours for firing in expected.pop((name, theirs), set())}
            assert got[pattern] == wanted, (name, pattern)
            compared += len(wanted)
    assert compared == 1282 and not expected


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


def test_a_planted_bar_fires_its_patterns_there() -> None:
    got = fired(planted(), 1, SETTINGS)
    assert (120, 1) in got["breakout"] and (120, 1) in got["volume_breakout"]
    assert got["volume_spike"] == {(120, 1)}


@pytest.mark.parametrize("cut", [61, 119, 120, 121, 150])
def test_the_future_never_changes_the_past(cut: int) -> None:
    whole = fired(planted(), 1, SETTINGS)
    part = fired(planted()[: cut + 1], 1, SETTINGS)
    for name, hits in whole.items():
        assert part[name] == {h for h in hits if h[0] <= cut}


def test_flat_and_silent_markets_fire_nothing() -> None:
    flat = [(1000 + n, [100, 100, 100, 100, 0]) for n in range(200)]
    assert not any(fired(flat, 1, SETTINGS).values())


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
