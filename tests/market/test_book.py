"""What a book says, and what changed between two of them."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kitetui.engine.market.book import (
    ASK_PULLED,
    ASK_QUEUE,
    ASK_STACKED,
    BID_PULLED,
    BID_QUEUE,
    BID_STACKED,
    OFI,
    BookFlow,
    changes,
    read_book,
)

Level = tuple[int, int]
NONE = np.array([0])


def book(bids: list[Level], asks: list[Level]) -> np.ndarray:
    """(price, quantity) levels, best first, as i64 (1, 10, 3)."""
    out = np.zeros((1, 10, 3), np.int64)
    for side, levels in ((0, bids), (5, asks)):
        for at, (price, quantity) in enumerate(levels):
            out[0, side + at] = quantity, price, 1
    return out


BIDS = [(100, 10), (99, 20), (98, 30), (97, 40), (96, 50)]
ASKS = [(101, 15), (102, 25), (103, 35), (104, 45), (105, 55)]


def flow(before: np.ndarray, after: np.ndarray, bought: int = 0, sold: int = 0) -> list[int]:
    return changes(before, after, np.array([bought]), np.array([sold]))[0].tolist()


def test_what_a_sound_book_says() -> None:
    now = read_book(book(BIDS, ASKS))
    assert now.spread[0] == 1 and now.mid[0] == 100.5
    assert now.microprice[0] == (101 * 10 + 100 * 15) / 25
    assert now.imbalance[0] == (150 - 175) / 325
    assert (now.largest_price[0], now.largest_quantity[0]) == (105, 55)


def test_undefined_is_undefined() -> None:
    for bids, asks in ((BIDS, []), ([], ASKS), ([], [])):
        now = read_book(book(bids, asks))
        assert np.isnan(now.spread[0]) and np.isnan(now.microprice[0])
    crossed = read_book(book([(102, 5)], [(101, 5)]))
    assert crossed.crossed[0] and np.isnan(crossed.spread[0])
    assert np.isnan(read_book(book([], [])).imbalance[0])


def test_a_level_that_loses_quantity_was_pulled_unless_it_traded() -> None:
    after = book([(100, 4), *BIDS[1:]], ASKS)
    found = flow(book(BIDS, ASKS), after)
    assert (found[BID_PULLED], found[BID_STACKED], found[BID_QUEUE], found[OFI]) == (6, 0, -6, -6)
    assert flow(book(BIDS, ASKS), after, sold=5)[BID_PULLED] == 1
    assert flow(book(BIDS, ASKS), after, sold=50)[BID_PULLED] == 0


def test_a_level_that_gains_quantity_was_stacked() -> None:
    found = flow(book(BIDS, ASKS), book(BIDS, [(101, 40), *ASKS[1:]]))
    assert (found[ASK_STACKED], found[ASK_PULLED], found[ASK_QUEUE], found[OFI]) == (25, 0, 25, -25)


def test_only_prices_that_both_books_reach_are_compared() -> None:
    """The bid rises by a tick: a level leaves the view at the far end, and was not pulled."""
    after = book([(101, 7), *BIDS[:4]], [(102, 25), (103, 35), (104, 45), (105, 55), (106, 65)])
    found = flow(book(BIDS, ASKS), after)
    assert (found[BID_STACKED], found[BID_PULLED]) == (7, 0)
    assert (found[ASK_STACKED], found[ASK_PULLED]) == (0, 15)
    # Cont, Kukanov and Stoikov: the better bid counts whole, and so does the ask that went away.
    assert found[OFI] == 7 + 15


def test_a_side_that_ends_early_is_known_beyond_its_last_level() -> None:
    found = flow(book(BIDS[:2], ASKS[:2]), book(BIDS[:3], ASKS[:3]))
    assert (found[BID_STACKED], found[ASK_STACKED]) == (30, 35)


levels = st.lists(st.tuples(st.integers(90, 99), st.integers(1, 99)), max_size=5,
                  unique_by=lambda x: x[0]).map(lambda x: sorted(x, reverse=True))  # fmt: skip


@given(levels, levels, st.integers(0, 50), st.integers(0, 50))
def test_added_less_removed_is_what_the_common_range_gained(
    before: list[Level], after: list[Level], bought: int, sold: int
) -> None:
    found = flow(book(before, []), book(after, []), 0, 0)
    worst = max((side[4][0] if len(side) == 5 else 0) for side in (before, after))
    gained = sum(q for p, q in after if p >= worst) - sum(q for p, q in before if p >= worst)
    assert found[BID_STACKED] - found[BID_PULLED] == gained
    assert min(found[BID_STACKED], found[BID_PULLED], found[ASK_STACKED], found[ASK_PULLED]) >= 0
    traded = flow(book(before, []), book(after, []), bought, sold)
    assert traded[BID_PULLED] == max(found[BID_PULLED] - sold, 0)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 30), st.integers(-9, 9)), max_size=40),
       st.integers(1, 40))  # fmt: skip
def test_sums_by_second_do_not_depend_on_the_batching(
    events: list[tuple[int, int, int]], size: int
) -> None:
    one, other = BookFlow(3), BookFlow(3)

    def add(flow: BookFlow, part: list[tuple[int, int, int]]) -> None:
        if part:
            rows, seconds, change = (np.array(c, np.int64) for c in zip(*part, strict=True))
            found = np.repeat(change[:, None], 7, axis=1)
            flow.add(rows, seconds, found, unique=len(set(rows.tolist())) == len(rows))

    add(one, events)
    for at in range(0, len(events), size):
        add(other, events[at : at + size])
    rows = np.arange(3)
    for now in (5, 30):
        np.testing.assert_array_equal(one.recent(rows, now), other.recent(rows, now))
    newest = [max((s for r, s, _ in events if r == row), default=0) for row in range(3)]
    for row in range(3):
        inside = [c for r, s, c in events if r == row and newest[row] - 5 < s <= newest[row]]
        assert one.recent(np.array([row]), newest[row])[0, 0] == sum(inside)
