"""Built sessions, each with one cause: which reading of volume fires, and on which side."""

from __future__ import annotations

import numpy as np
import pytest

from kitetui.config import load
from kitetui.engine.market.bars import FIELDS, ClosedBars
from kitetui.engine.market.instruments import Instrument
from kitetui.engine.market.market import Market
from kitetui.engine.patterns.firing import Detectors
from tests.samples import MONDAY_OPEN_S

NAMES = ("volume_profile_advanced", "hidden_accumulation")
SETTINGS = load()
OPEN = MONDAY_OPEN_S // 60
AROUND = 1000.0
"""Where yesterday traded most; its value area is a few rupees wide."""
POC = 999.4
"""As the profile of yesterday's bars has it."""

Bar = tuple[float, float, float, float, int]
Event = tuple[str, int, int]
"""Label, side, bar of today."""


def yesterday() -> list[Bar]:
    """75 bars around 1,000: most volume there, some a few rupees away."""
    rng = np.random.default_rng(5)
    out: list[Bar] = []
    close = AROUND
    for n in range(75):
        opened, close = close, AROUND + float(rng.integers(-4, 5)) * (0.5 if n % 3 else 1.5)
        high, low = max(opened, close) + 0.5, min(opened, close) - 0.5
        out.append((opened, high, low, close, 1000))
    return out


def held(price: float, n: int, volume: int = 1000, reach: float = 1.0) -> list[Bar]:
    """Bars that go up and down around a price."""
    return [
        (price, price + reach, price - reach, price + (0.5 if k % 2 else -0.5) * reach, volume)
        for k in range(n)
    ]


def fired(today: list[Bar]) -> list[Event]:
    """What fires today, after the session before it."""
    patterns = {name: SETTINGS.patterns[name] for name in NAMES}
    detectors = Detectors(patterns, 1)
    market = Market(SETTINGS, 1, detectors.followed)
    market.add_instruments([Instrument(token=1 << 8 | 1, tradingsymbol="T", exchange="NSE",
                                       tick_size=0.05, lot_size=1)])  # fmt: skip
    out: list[Event] = []
    for day, bars in ((OPEN, yesterday()), (OPEN + 1440, today)):
        for number, bar in enumerate(bars):
            values = np.zeros((len(FIELDS), 1), np.int64)
            values[:4, 0] = np.rint(np.array(bar[:4]) * 100)
            values[4] = bar[4]
            closed = ClosedBars(day + 5 * number, np.array([0]), values)
            for told in filter(None, market.take_bars(5, closed)):
                for found in detectors.look(market, told):
                    out += [(found.label(at), side, number if day > OPEN else -1)
                            for at, side in enumerate(found.hits.side.tolist())]  # fmt: skip
    return out


def of(kind: str, events: list[Event]) -> list[tuple[int, int]]:
    """Sides and bars of today of one label."""
    return [(side, bar) for label, side, bar in events if label.endswith(kind) and bar >= 0]


APPROACH: list[Bar] = [*held(1008, 14), (1005.0, 1005.5, 999.8, 1004.8, 1000)]


def test_yesterdays_poc_untouched_today_and_rejected_with_a_long_wick_is_a_naked_poc() -> None:
    assert of("naked_poc", fired(APPROACH)) == [(1, 14)]
    mirrored = [(2 * POC - o, 2 * POC - low, 2 * POC - high, 2 * POC - c, v)
                for o, high, low, c, v in APPROACH]  # fmt: skip
    assert of("naked_poc", fired(mirrored)) == [(-1, 14)]


def test_a_poc_that_was_traded_through_this_morning_is_not_naked() -> None:
    touched = [*held(999, 3), *APPROACH[3:]]
    assert of("naked_poc", fired(touched)) == []


def test_a_poc_reached_without_a_wick_was_not_rejected() -> None:
    through = [*held(1008, 14), (1005.0, 1005.2, 999.8, 1000.0, 1000)]
    assert of("naked_poc", fired(through)) == []


def test_a_poc_that_moves_an_atr_with_the_price_within_an_hour_has_migrated() -> None:
    climbs = [*held(1010, 12), *held(1016, 6, volume=4000)]
    (event, *_) = of("poc_migration", fired(climbs))
    assert event[0] == 1 and event[1] >= 12
    stays = held(1010, 18)
    assert of("poc_migration", fired(stays)) == []


def test_a_poc_that_comes_into_the_top_third_makes_a_p_and_into_the_bottom_third_a_b() -> None:
    wide = [*held(1004, 4), *held(1010, 6, volume=2000), *held(1016, 4)]
    assert of("shape", fired([*wide, *held(1016, 4, volume=8000)]))[0][0] == 1
    assert of("shape", fired([*wide, *held(1004, 4, volume=8000)]))[0][0] == -1
    assert of("shape", fired([*wide, *held(1010, 4)])) == []


TWO_CLUSTERS: list[Bar] = [
    (1008.0, 1008.0, 1003.0, 1007.8, 200), *held(1008, 8),
    (1008.5, 1019.0, 1008.5, 1018.5, 200), *held(1019, 8),
]  # fmt: skip
"""A tail, a thick place, a thin way up, another thick place."""
CROSSES: Bar = (1018.5, 1018.8, 1009.0, 1009.2, 4000)


def test_a_close_across_a_thin_place_on_volume_heads_for_the_thick_one_behind_it() -> None:
    assert of("lvn_traversal", fired([*TWO_CLUSTERS, CROSSES])) == [(-1, 18)]


def test_a_thin_place_crossed_without_volume_tells_nothing() -> None:
    assert of("lvn_traversal", fired([*TWO_CLUSTERS, (*CROSSES[:4], 900)])) == []


def test_an_extreme_that_traded_like_the_middle_is_unfinished_and_draws_the_price_back() -> None:
    # Every bar stops at the same high, so the top bin holds as much as any other.
    flat_top = [(1008.0, 1010.0, 1006.0, 1009.5, 2000)] * 14
    falls: list[Bar] = [(1009.5, 1009.6, 1006.5, 1007.0, 1000)]
    assert (1, 14) in of("poor_extreme", fired([*flat_top, *falls]))
    spiky = [(1008.0, 1010.0, 1006.0, 1009.5, 2000)] * 13 + [(1009.5, 1019.0, 1009.0, 1009.0, 50)]
    assert not [e for e in of("poor_extreme", fired([*spiky, *falls])) if e == (1, 14)]


def test_opened_above_the_value_area_and_twice_closed_inside_it_heads_for_its_lower_edge() -> None:
    returns = [*held(1012, 6), *held(1001, 12)]
    assert of("va_reentry", fired(returns)) == [(-1, 17)]
    inside = [*held(1001, 6), *held(1001, 12)]
    assert of("va_reentry", fired(inside)) == []


def absorbed(side: int, volume: int = 2500) -> list[Bar]:
    """Half an hour of loud bars that go nowhere, each closing at its buyers' (sellers') end."""
    end = AROUND + side * 0.9
    loud: list[Bar] = [(end, AROUND + 1, AROUND - 1, end, volume)] * 6
    return [*held(AROUND, 14), *loud]


@pytest.mark.parametrize("side", [1, -1])
def test_volume_that_moves_nothing_is_accumulation_or_distribution_by_where_the_bars_close(
    side: int,
) -> None:
    found = of("hidden_accumulation", fired(absorbed(side)))
    assert found and {one for one, _ in found} == {side}
    assert all(bar >= 14 for _, bar in found)


def test_quiet_volume_hides_nothing_and_a_price_that_moves_hides_nothing() -> None:
    assert of("hidden_accumulation", fired(absorbed(1, volume=1000))) == []
    ends = [AROUND + 3 * k for k in range(6)]
    runs = [*held(AROUND, 14), *[(end, end + 3.2, end - 0.2, end + 3, 2500) for end in ends]]
    assert of("hidden_accumulation", fired(runs)) == []
