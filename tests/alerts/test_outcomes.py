"""Following firings bar by bar gives what walking the whole series gives; all are accounted for."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from kitetui.config import load
from kitetui.engine.alerts.barriers import Entries, Outcome, walk
from kitetui.engine.alerts.outcomes import OutcomeDesk, Resolved
from kitetui.engine.market.bars import CLOSE, FIELDS, HIGH, LOW, OPEN, ClosedBars
from kitetui.engine.patterns.firing import Fired
from kitetui.engine.patterns.registry import Hits, registry

PATTERN = load().patterns["breakout"]
DIVISOR = np.full(8, 100)


def fired(rows: list[int], sides: list[int], entries: list[float], start: int,
          legs: int = -1) -> Fired:  # fmt: skip
    """Firings with a target of 3 and a stop of 2 rupees."""
    n = len(rows)
    nan, none, ones = np.full(n, np.nan), np.zeros(n, np.int64), np.ones(n)
    row, side = np.array(rows, np.int64), np.array(sides, np.int64)
    hits = Hits(row, side, {}, none, ones, nan, nan, nan, np.full((n, 2), legs), none - 1,
                [()] * n)  # fmt: skip
    return Fired(registry()["breakout"], PATTERN, "5m", start, hits, ones / 2, none,
                 np.array(entries, np.float64), ones, ones * 3, ones * 2, none)  # fmt: skip


def bars(start: int, rows: list[int], prices: np.ndarray) -> ClosedBars:
    values = np.zeros((len(FIELDS), len(rows)), np.int64)
    values[[OPEN, HIGH, LOW, CLOSE]] = np.rint(prices * 100)
    return ClosedBars(start, np.array(rows), values)


def series(rng: np.random.Generator, n: int) -> np.ndarray:
    """f64 (4, n), whole rupees."""
    close = 100.0 + np.cumsum(rng.integers(-2, 3, n))
    open_ = np.append(100.0, close[:-1]) + rng.integers(-1, 2, n)
    reach = rng.integers(0, 2, (2, n))
    return np.array([open_, np.maximum(open_, close) + reach[0],
                     np.minimum(open_, close) - reach[1], close])  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(5, 40))
def test_bar_by_bar_is_as_good_as_all_at_once(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    rows = 5
    prices = np.stack([series(rng, n) for _ in range(rows)], axis=1)  # (4, rows, n)
    there = rng.uniform(size=(rows, n)) < 0.8
    until = int(rng.integers(n // 2, n + 1)) * 5
    desk = OutcomeDesk()
    waiting: dict[int, tuple[int, int, int]] = {}
    ended = {}
    for at in range(n):
        present = np.flatnonzero(there[:, at]).tolist()
        if not present:
            continue
        closed = bars(at * 5, present, prices[:, present, at])
        found = desk.take(5, closed, DIVISOR, np.zeros(len(present), np.int64))
        if found is not None:
            for k, number in enumerate(found.number.tolist()):
                ended[number] = (int(found.outcome[k]), float(found.exit[k]), int(found.bars[k]))
        if (at + 1) * 5 < until:
            chosen = [row for row in present if rng.uniform() < 0.3]
            sides = rng.choice([-1, 1], len(chosen)).tolist()
            entries = prices[3, chosen, at].tolist()
            numbers = desk.follow(5, fired(chosen, sides, entries, at * 5),
                                  np.full(len(chosen), until))  # fmt: skip
            for row, side, number in zip(chosen, sides, numbers.tolist(), strict=True):
                waiting[number] = (row, side, at)
    assert desk.followed == len(waiting) == desk.settled + len(desk)
    for number, (outcome, exit_price, count) in ended.items():
        row, side, at = waiting[number]
        own = np.flatnonzero(there[row])
        place = int(np.searchsorted(own, at))
        last = int(np.searchsorted(own * 5, until)) - 1
        entry = prices[3, row, at]
        expected = walk(
            Entries(np.array([side]), np.array([entry]), np.array([3.0]), np.array([2.0])),
            np.array([place]), prices[:, row, own], np.array([PATTERN.horizon_bars]),
            np.array([last]),
        )  # fmt: skip
        assert (outcome, exit_price, count) == (
            expected.outcome[0], expected.exit[0], expected.bars[0],
        )  # fmt: skip


def flat(start: int, price: float, row: int = 0) -> ClosedBars:
    return bars(start, [row], np.full((4, 1), price))


def test_a_session_that_ends_settles_what_is_open_even_without_a_bar_of_its_own() -> None:
    desk = OutcomeDesk()
    desk.follow(5, fired([0], [1], [100.0], 0), np.array([30]))
    assert desk.take(5, flat(5, 101.0), DIVISOR, np.zeros(1, np.int64)) is None
    found = desk.take(5, flat(60, 500.0, row=3), DIVISOR, np.zeros(1, np.int64))
    assert found is not None and found.outcome.tolist() == [Outcome.TIMEOUT]
    assert found.exit.tolist() == [101.0] and found.r.tolist() == [0.5] and len(desk) == 0


def test_a_bar_in_doubt_on_the_way_makes_it_unresolvable() -> None:
    desk = OutcomeDesk()
    desk.follow(5, fired([0, 1], [1, 1], [100.0, 100.0], 0), np.array([300, 300]))
    doubtful = bars(5, [0, 1], np.full((4, 2), 104.0))
    found = desk.take(5, doubtful, DIVISOR, np.array([1, 0]))
    assert found is not None
    assert found.outcome.tolist() == [Outcome.UNRESOLVABLE, Outcome.TARGET]


def test_what_has_no_side_is_not_followed() -> None:
    desk = OutcomeDesk()
    assert desk.follow(5, fired([0], [0], [100.0], 0), np.array([300])).tolist() == [-1]
    assert desk.followed == 0 and len(desk) == 0


def sold_at_100(desk: OutcomeDesk, costs: list[float], until: int = 300,
                doubtful: int = 0) -> Resolved | None:  # fmt: skip
    """A straddle sold for 100 in the bar 0-4, target 97, stop 102, and what buying it back costs
    minute by minute; a minute of the underlying may be marked doubtful."""
    shut = np.full((4, 1), 100.0)
    desk.follow(5, fired([0], [-1], [100.0], 0, legs=4), np.array([until]))
    for minute, cost in enumerate(costs, 5):
        flags = np.array([minute == doubtful], np.int64)
        closed = bars(minute, [0], shut)
        found = desk.minute(closed, flags, lambda legs, cost=cost: np.full(len(legs), cost))
        again = desk.minute(closed, flags, lambda legs: np.full(len(legs), 1e9))
        assert again is None
        if found is not None:
            return found
    return None


def test_sold_premium_is_followed_by_what_it_costs_to_buy_back() -> None:
    won = sold_at_100(OutcomeDesk(), [100.5, np.nan, 98.0, 96.5])
    assert won is not None and won.outcome.tolist() == [Outcome.TARGET]
    assert won.exit.tolist() == [96.5] and won.r.tolist() == [1.75] and won.at_s == 9 * 60
    assert won.bars.tolist() == [1] and won.worst_r.tolist() == [0.25]
    lost = sold_at_100(OutcomeDesk(), [101.0] * 6 + [102.0])
    assert lost is not None and lost.outcome.tolist() == [Outcome.STOP]
    assert lost.bars.tolist() == [2]
    over = sold_at_100(OutcomeDesk(), [99.0] * 9, until=12)
    assert over is not None and over.outcome.tolist() == [Outcome.TIMEOUT]
    assert over.r.tolist() == [0.5] and over.at_s == 12 * 60


def test_premium_that_nobody_offers_any_more_is_timed_out_at_the_last_price() -> None:
    desk = OutcomeDesk()
    told = sold_at_100(desk, [99.0, *[np.nan] * 40], until=20)
    assert told is not None and told.exit.tolist() == [99.0] and len(desk) == 0


def test_a_gap_of_the_underlying_makes_what_was_sold_unresolvable() -> None:
    told = sold_at_100(OutcomeDesk(), [99.0, 99.0, 96.0], doubtful=6)
    assert told is not None and told.outcome.tolist() == [Outcome.UNRESOLVABLE]
