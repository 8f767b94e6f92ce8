"""Detectors against reference lists, and the laws of score and confidence."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kitetui.engine.patterns  # noqa: F401 - registers the families
from kitetui.config import load
from kitetui.engine.market.bars import CLOSE, FIELDS, HIGH, LOW, OPEN, VOLUME, ClosedBars
from kitetui.engine.market.instruments import Instrument
from kitetui.engine.market.market import Market
from kitetui.engine.market.timeframe import timeframe_name
from kitetui.engine.patterns.firing import SAME_EVENT, Detectors
from kitetui.engine.patterns.registry import registry
from kitetui.engine.patterns.score import confidence, score
from kitetui.settings import Settings

Fired = set[tuple[int, int]]
Series = list[tuple[int, list[int]]]
OURS = Path(__file__).with_name("planted.csv")
SETTINGS = load()
AS_THE_REFERENCE = load(overrides=["thresholds.volume_price_divergence.params.by_time_of_day=0"])
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


def fired(bars: Series, minutes: int, settings: Settings) -> dict[str, Fired]:
    """What fires on bars of one length, as (bar number, side), by pattern and kind."""
    return fired_together([bars], minutes, settings)[0]


def fired_together(all_of: list[Series], minutes: int, settings: Settings) -> (
        list[dict[str, Fired]]):  # fmt: skip
    """The same for several instruments of one market."""
    timeframe = timeframe_name(minutes)
    on_this = {
        name: msgspec.structs.replace(pattern, timeframes=[timeframe])
        for name, pattern in settings.patterns.items()
    }
    detectors = Detectors(on_this, len(all_of))
    market = Market(settings, len(all_of), detectors.followed)
    market.add_instruments([
        Instrument(token=(n + 1) << 8 | 1, tradingsymbol=f"T{n}", exchange="NSE", tick_size=0.05,
                   lot_size=1) for n in range(len(all_of))
    ])  # fmt: skip
    labels = [d.label(kind) for d in registry().values() for kind in range(len(d.kinds))]
    out: list[dict[str, Fired]] = [{label: set() for label in labels} for _ in all_of]
    by_start: dict[int, list[tuple[int, list[int]]]] = {}
    for row, bars in enumerate(all_of):
        for start, values in bars:
            by_start.setdefault(start, []).append((row, values))
    for start, closed in sorted(by_start.items()):
        column = np.zeros((len(FIELDS), len(closed)), np.int64)
        column[[OPEN, HIGH, LOW, CLOSE, VOLUME]] = np.array([values for _, values in closed]).T
        rows = np.array([row for row, _ in closed])
        for told in filter(None, market.take_bars(minutes, ClosedBars(start, rows, column))):
            # No opening minute: the reference lists do not spare a session's first bar.
            told.opened = np.zeros_like(told.opened)
            for found in detectors.look(market, told):
                for at, row in enumerate(found.hits.rows.tolist()):
                    event = (int(found.bar[at]), int(found.hits.side[at]))
                    out[row][found.label(at)].add(event)
                    for merged in set(found.hits.tags[at]) & set(SAME_EVENT):
                        out[row][merged].add(event)
    return out


REFERENCE = {
    "edge_halt_45min": 2, "edge_overnight_gap_up5": 9, "eq_range": 210, "eq_range_5m": 35,
    "eq_trend": 231, "eq_trend_5m": 33, "fut_index": 202, "fut_index_5m": 26, "planted": 50,
    "real_nifty_index": 75, "real_reliance": 219, "real_sbin": 190,
}  # fmt: skip
"""The reference series, and how many firings each has in all lists together."""


@cache
def reference(golden: Path, share: int) -> dict[str, dict[str, Fired]]:
    """What fires on the first 1/share of every reference series."""
    out = {}
    for minutes in (1, 5):
        names = [name for name in REFERENCE if name.endswith("5m") == (minutes == 5)]
        series = [list(bars_of(golden / f"{name}.bars.csv")) for name in names]
        parts = [bars[: len(bars) // share] for bars in series]
        out |= dict(zip(names, fired_together(parts, minutes, AS_THE_REFERENCE), strict=True))
    return out


def test_no_reference_list_is_left_out(shared: Path) -> None:
    with (shared / "golden" / "patterns_expected.csv").open() as file:
        told = Counter(line["series"] for line in csv.DictReader(file))
    assert dict(told) == REFERENCE


@pytest.mark.parametrize("name", REFERENCE)
def test_every_firing_of_the_reference_lists_and_no_other(name: str, shared: Path) -> None:
    golden = shared / "golden"
    expected: dict[str, Fired] = {}
    with (golden / "patterns_expected.csv").open() as file:
        for line in csv.DictReader(file):
            if line["series"] == name:
                event = (int(line["bar"]), int(line["direction"]))
                expected.setdefault(line["pattern"], set()).add(event)
    got = reference(golden, 1)[name]
    for pattern, theirs in OURS_OF.items():
        wanted = {event for of in theirs for event in expected.pop(of, set())}
        assert got[pattern] == wanted, pattern
    assert not expected


@pytest.mark.parametrize("name", REFERENCE)
def test_a_prefix_of_a_reference_series_fires_as_the_whole_does(name: str, shared: Path) -> None:
    """Every pattern, bar by bar: what comes later changes nothing."""
    golden = shared / "golden"
    cut = len(list(bars_of(golden / f"{name}.bars.csv"))) // 3
    part = reference(golden, 3)[name]
    for pattern, events in reference(golden, 1)[name].items():
        assert part[pattern] == {event for event in events if event[0] < cut}, pattern


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
