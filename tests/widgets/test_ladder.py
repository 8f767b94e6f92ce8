"""The ladder of prices: nothing of the book is lost, and rows stay where they are."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from kitetui.engine.snapshot import Depth, Level
from kitetui.widgets.ladder import GROUPINGS, Ladder
from tests.widgets import views

TICKS = st.lists(st.integers(1, 400), min_size=0, max_size=5, unique=True)


def book(bids: list[int], asks: list[int], tick: float, last: int) -> Depth:
    def levels(places: list[int]) -> tuple[Level, ...]:
        known = [Level(round(2000 * tick + at * tick, 6), at + 1, 1) for at in places]
        return (*known, *[Level(0.0, 0, 0)] * (5 - len(known)))

    return views.depth(bids=levels(bids), asks=levels(asks), tick_size=tick,
                       ltp=round((2000 + last) * tick, 6))  # fmt: skip


@given(TICKS, TICKS, st.sampled_from([0.05, 0.1, 1.0]), st.integers(1, 400),
       st.sampled_from(GROUPINGS), st.integers(3, 41).map(lambda n: n | 1))  # fmt: skip
def test_every_share_of_the_book_is_on_a_row_or_beyond(
    bids: list[int], asks: list[int], tick: float, last: int, grouping: int, count: int
) -> None:
    ladder, d = Ladder(), book(bids, asks, tick, last)
    ladder.grouping = grouping
    rungs, above, below = ladder.look(d, count)
    shown = sum(side.quantity for rung in rungs for side in (rung.bid, rung.ask) if side)
    step = ladder.step(d)
    assert shown + above + below == sum(x.quantity for x in (*d.bids, *d.asks))
    lowest = round(d.ltp / step) + count // 2 - count + 1
    assert len(rungs) == count + min(lowest - 1, 0), "no price is below nothing"
    assert sum(rung.last for rung in rungs) == (round(d.ltp / step) > 0)
    assert all(rung.price > 0 for rung in rungs)
    gaps = {round((a.price - b.price) / step, 6) for a, b in pairwise(rungs)}
    assert gaps == {1.0}


def test_rows_stay_while_the_price_is_in_the_middle_and_move_when_it_leaves() -> None:
    ladder = Ladder()
    first = [rung.price for rung in ladder.look(book([], [], 0.05, 100), 21).rows]
    for near in (98, 101, 103):
        assert [rung.price for rung in ladder.look(book([], [], 0.05, near), 21).rows] == first
    assert [rung.price for rung in ladder.look(book([], [], 0.05, 104), 21).rows] != first
    ladder.look(book([], [], 0.05, 106), 21)
    ladder.recentre()
    assert ladder.look(book([], [], 0.05, 106), 21).rows[10].last


def test_grouping_puts_bids_down_and_asks_up_so_that_they_never_cross() -> None:
    ladder, d = Ladder(), book([99, 98, 97], [101, 102, 103], 0.05, 100)
    ladder.coarser(3)
    assert ladder.grouping == 10
    rungs = [rung for rung in ladder.look(d, 11).rows if rung.bid or rung.ask]
    assert [(rung.bid is not None, rung.ask is not None) for rung in rungs] == [
        (False, True), (True, False)
    ]  # fmt: skip
    assert rungs[0].ask.quantity == 102 + 103 + 104 and rungs[1].bid.quantity == 100 + 99 + 98
    for _ in range(20):
        ladder.coarser(1)
    assert ladder.grouping == GROUPINGS[-1]
    for _ in range(20):
        ladder.coarser(-1)
    assert ladder.grouping == 1


def test_sums_grow_away_from_the_middle() -> None:
    rungs = Ladder().look(book([99, 98, 97], [101, 102, 103], 0.05, 100), 11).rows
    assert [r.bid_total for r in rungs if r.bid] == [100, 199, 297]
    assert [r.ask_total for r in rungs if r.ask] == [309, 205, 102]
