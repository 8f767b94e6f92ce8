"""Laws of every pattern on bars: it fires, mostly stays silent, and its numbers mean something."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from itertools import pairwise

import msgspec
import numpy as np
import pytest

from kitetui.config import load
from kitetui.engine.market.bars import FIELDS, ClosedBars
from kitetui.engine.market.instruments import Instrument
from kitetui.engine.market.market import Market
from kitetui.engine.patterns.calibration import Calibrations
from kitetui.engine.patterns.firing import Detectors
from kitetui.engine.patterns.registry import registry
from kitetui.exchange.listing import listing
from kitetui.exchange.paths import Day, Paths

SETTINGS = load()
INSTRUMENTS, SESSIONS = 10, 9
FIRST_DAY_S = 1_765_756_800  # a Monday, 00:00 UTC
OPEN_S, CLOSE_S = 13_500, 36_000
EVERY = [
    (known.label(kind), "chains" in known.needs)
    for known in registry().values()
    for kind in range(len(known.kinds))
]
LABELS = [label for label, of_chains in EVERY if not of_chains]
"""Those that minute bars make fire; tests/patterns/test_simulated_day.py has the others."""


class Found(msgspec.Struct):
    """What one label's firings were."""

    scores: list[float] = msgspec.field(default_factory=list)
    ranks: list[float] = msgspec.field(default_factory=list)
    sides: set[int] = msgspec.field(default_factory=set)
    at: set[tuple[int, int]] = msgspec.field(default_factory=set)


@pytest.fixture(scope="module")
def found() -> dict[str, Found]:
    """Everything that fires on two weeks of ten simulated instruments."""
    listed = listing(date(2025, 12, 15), 0)
    chosen = [at for at, item in enumerate(listed) if item.kind in ("EQ", "FUT")][:INSTRUMENTS]
    starts = [FIRST_DAY_S + d * 86_400 for d in range(12) if d % 7 < 5][:SESSIONS]
    days = [Day(s + OPEN_S, s + CLOSE_S) for s in starts]
    paths = Paths(listed, days, days[-1].close_s - 60, seed=4)
    candles = np.stack([
        np.concatenate([paths.candles(at, d) for d in range(len(days))], axis=1) for at in chosen
    ])  # fmt: skip
    detectors = Detectors(SETTINGS.patterns, INSTRUMENTS)
    market = Market(SETTINGS, INSTRUMENTS, detectors.followed)
    market.add_instruments([
        Instrument(token=(n + 1) << 8 | 1, tradingsymbol=f"S{n}", exchange="NSE", tick_size=0.05,
                   lot_size=1) for n in range(INSTRUMENTS)
    ])  # fmt: skip
    calibrations = Calibrations(SETTINGS.reference)
    out: dict[str, Found] = defaultdict(Found)
    rows = np.arange(INSTRUMENTS)
    for at in range(candles.shape[2]):
        values = np.zeros((len(FIELDS), INSTRUMENTS), np.int64)
        values[:5] = candles[:, 1:6, at].T
        start = int(candles[0, 0, at]) // 60
        for told in filter(None, market.take_bars(1, ClosedBars(start, rows, values))):
            for fired in detectors.look(market, told):
                for k in range(len(fired.hits)):
                    label, score = fired.label(k), fired.score[k : k + 1]
                    one = out[label]
                    one.scores.append(float(score[0]))
                    known = calibrations.of(label, fired.timeframe, "equity")
                    one.ranks.append(float(known.confidence(score)[0]))
                    one.sides.add(int(fired.hits.side[k]))
                    one.at.add((fired.start, int(fired.hits.rows[k])))
                    assert fired.target[k] > 0 and fired.stop[k] > 0
    return out


@pytest.mark.parametrize("label", LABELS)
def test_it_fires_but_mostly_stays_silent(label: str, found: dict[str, Found]) -> None:
    looks = SESSIONS * 75 * INSTRUMENTS
    assert 0 < len(found[label].at) < looks * 0.15


@pytest.mark.parametrize("label", LABELS)
def test_its_score_and_confidence_lie_between_0_and_1_and_vary(
    label: str, found: dict[str, Found]
) -> None:
    one = found[label]
    for numbers in (one.scores, one.ranks):
        assert all(0 <= x <= 1 for x in numbers)
        assert len(set(numbers)) > 1 or len(numbers) == 1


@pytest.mark.parametrize("label", [label for label, _ in EVERY])
def test_its_reference_lets_the_strongest_pass_the_gate(label: str) -> None:
    """The score of the 91st percentile passes, that of the 79th does not."""
    for timeframe, table in SETTINGS.reference[label].items():
        known = Calibrations(SETTINGS.reference).of(label, timeframe, "equity")
        strong, weak = np.interp([0.91, 0.79], np.linspace(0, 1, 21), table)
        ranks = known.confidence(np.array([strong, weak])).tolist()
        assert ranks[0] >= SETTINGS.alerts.min_confidence > ranks[1], timeframe


@pytest.mark.parametrize("label", [label for label, _ in EVERY])
def test_its_score_is_no_constant_over_what_its_reference_was_made_from(label: str) -> None:
    for timeframe, table in SETTINGS.reference[label].items():
        assert all(0 <= one <= other <= 1 for one, other in pairwise(table)), timeframe
        assert table[-1] - table[0] > 0.1, timeframe


@pytest.mark.parametrize("label", LABELS)
def test_it_takes_either_side_where_it_has_one(label: str, found: dict[str, Found]) -> None:
    one_sided = {"upside_momentum": {1}, "downside_momentum": {-1}, "ict_killzone": {0}}
    sides = found[label].sides
    assert sides <= one_sided.get(label, {-1, 0, 1} if label == "volume_spike" else {-1, 1})
    if label in one_sided or len(found[label].at) < 20:
        return
    assert {-1, 1} <= sides
