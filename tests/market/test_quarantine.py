"""Absurd prices and times: refused and counted, believed once others agree."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from kitetui.config import load
from kitetui.engine.feed.batch import Flag, TickBatch
from kitetui.engine.market.instruments import Instrument, Rows
from kitetui.engine.market.quarantine import Quarantine, TickCounts
from tests.samples import full_tick

SETTINGS = load().normalise
STOCK, OPTION = 738561, 13_172_482


def quarantine() -> Quarantine:
    rows = Rows(2)
    rows.add([Instrument(token=STOCK, tradingsymbol="S", exchange="NSE", kind="EQ"),
              Instrument(token=OPTION, tradingsymbol="O", exchange="NFO", kind="CE")])  # fmt: skip
    return Quarantine(rows, SETTINGS, TickCounts())


def ticks(*prices: int, row: int = 0, close: int = 0) -> TickBatch:
    parts = [full_tick(ltp=p, close=close) for p in prices]
    out = TickBatch(len(parts))
    out.cols = np.concatenate([p.cols for p in parts], axis=1)
    out.depth = np.concatenate([p.depth for p in parts])
    out.length[:] = 184
    out.row = np.full(len(parts), row, np.int32)
    return out


def refused(found: Quarantine, batch: TickBatch) -> list[bool]:
    bad = found.look(batch, 0)
    return [False] * len(batch) if bad is None else bad.tolist()


def test_one_wild_price_is_refused_and_the_next_good_one_is_not() -> None:
    found = quarantine()
    batch = ticks(100_000, 900_000, 100_050)
    assert refused(found, batch) == [False, True, False]
    assert batch.flags[1] & Flag.REJECTED
    assert found._counts.reasons == {"absurd_price": 1}
    assert found.price[0] == 100_050


def test_a_price_that_three_in_a_row_agree_on_is_believed() -> None:
    found = quarantine()
    assert refused(found, ticks(100_000, 20_000, 20_100, 20_050, 20_000)) == [
        False, True, True, False, False]  # fmt: skip


def test_wild_prices_that_disagree_are_never_believed() -> None:
    assert refused(quarantine(), ticks(100_000, 900_000, 10_000, 900_000, 10_000)) == [
        False, True, True, True, True]  # fmt: skip


def test_the_first_price_of_a_day_is_held_against_the_close() -> None:
    assert refused(quarantine(), ticks(900_000, 100_100, close=100_000)) == [True, False]
    assert refused(quarantine(), ticks(900_000)) == [False], "nothing is known to hold it against"


def test_an_option_may_lose_almost_all_overnight_and_jump_near_zero() -> None:
    found = quarantine()
    assert refused(found, ticks(150, close=3625, row=1)) == [False]
    assert refused(found, ticks(5, 400, 10, row=1)) == [False] * 3
    assert refused(found, ticks(90_000, row=1)) == [True]


@given(st.lists(st.tuples(st.integers(0, 1), st.sampled_from([100, 140, 70, 300, 5, 2000, 90])),
                max_size=40), st.integers(1, 40))  # fmt: skip
@examples(max_examples=200, deadline=None)
def test_what_is_refused_does_not_depend_on_the_batching(
    prices: list[tuple[int, int]], size: int
) -> None:
    one, other = quarantine(), quarantine()

    def look(found: Quarantine, part: list[tuple[int, int]]) -> list[bool]:
        if not part:
            return []
        batch = ticks(*(p * 1000 for _, p in part), close=100_000)
        batch.row[:] = [r for r, _ in part]
        return refused(found, batch)

    whole = look(one, prices)
    parts = [b for at in range(0, len(prices), size) for b in look(other, prices[at : at + size])]
    assert whole == parts
    np.testing.assert_array_equal(one.price, other.price)


@pytest.mark.parametrize("ahead", [901, 90_000])
def test_a_time_far_ahead_waits_for_two_more(ahead: int) -> None:
    found = quarantine()
    now = 1_765_770_300
    batch = ticks(100_000, 100_000, 100_000, 100_000, 100_000)
    batch.exch_s[:] = [now, now + ahead, now + ahead, now + ahead + 1, now + ahead + 2]
    assert refused(found, batch) == [False, True, True, False, False]
    assert found._counts.reasons == {"time_ahead": 2}
