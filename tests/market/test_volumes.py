"""Profiles and equal-volume buckets: the same for any order of batches, nothing lost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from scipy.signal import find_peaks

from kitetui.engine.market.bars import CLOSE, FIELDS, HIGH, LOW, VOLUME
from kitetui.engine.market.instruments import Instrument, Rows
from kitetui.engine.market.profile import Profile, composite, levels, peaks, spread_bars
from kitetui.engine.market.session_profiles import BINS, SessionProfiles
from kitetui.engine.market.vpin import BUCKETS_A_DAY, VolumeBuckets
from tests.samples import MONDAY_OPEN_S

Trade = tuple[int, int, int]


def rows(tick: float = 0.05) -> Rows:
    out = Rows(3)
    out.add([Instrument(token=t << 8 | 1, tradingsymbol=f"S{t}", exchange="NSE", tick_size=tick,
                        lot_size=1) for t in (1, 2, 3)])  # fmt: skip
    return out


trades = st.lists(
    st.tuples(st.integers(0, 2), st.integers(1, 80_000), st.integers(1, 1000)), max_size=60
)


def fill(store: SessionProfiles, part: list[Trade]) -> None:
    if part:
        row, price, shares = (np.array(c, np.int64) for c in zip(*part, strict=True))
        store.apply(row, np.full(len(row), MONDAY_OPEN_S), price * 5, shares)


@given(trades, st.integers(1, 60), st.integers(0, 60))
@examples(max_examples=150, deadline=None)
def test_a_profile_is_the_same_however_trades_are_batched(
    part: list[Trade], size: int, sized_at: int
) -> None:
    """Also where a session outgrows its bins, and where the first close comes late."""
    one, other = SessionProfiles(rows()), SessionProfiles(rows())
    sized = False
    for at in range(0, max(len(part), 1), size):
        if at >= sized_at and not sized:
            other.first_close(np.arange(3), np.full(3, 100_000))
            sized = True
        fill(other, part[at : at + size])
    other.first_close(np.arange(3), np.full(3, 100_000))
    fill(one, part)
    one.first_close(np.arange(3), np.full(3, 100_000))
    for row in range(3):
        mine = [(p, s) for r, p, s in part if r == row]
        profile, told = one.profile(row), other.profile(row)
        if not mine:
            assert profile is None and told is None
            continue
        assert profile is not None and told is not None
        np.testing.assert_array_equal(profile.volume, told.volume)
        assert (profile.low, profile.size) == (told.low, told.size)
        assert profile.volume.sum() == sum(s for _, s in mine), "no share is lost"
        assert len(profile.volume) <= BINS
        if max(p for p, _ in mine) - min(p for p, _ in mine) < BINS:
            assert profile.size == 0.2, "no bins are joined while there is room"


def test_an_instrument_without_a_tick_size_has_no_profile() -> None:
    store = SessionProfiles(rows(tick=0.0))
    fill(store, [(0, 1000, 10)])
    store.first_close(np.arange(3), np.full(3, 5000))
    assert store.profile(0) is None


def test_a_later_day_begins_anew() -> None:
    store = SessionProfiles(rows())
    fill(store, [(0, 20_000, 10)])
    store.first_close(np.arange(3), np.full(3, 100_000))
    store.apply(np.array([0]), np.array([MONDAY_OPEN_S + 86_400]), np.array([90_000]),
                np.array([7]))  # fmt: skip
    assert store.profile(0) is None, "its bins are not known before its first close"
    store.first_close(np.arange(3), np.full(3, 90_000))
    found = store.profile(0)
    assert found is not None and found.volume.sum() == 7
    store.apply(np.array([0]), np.array([MONDAY_OPEN_S]), np.array([100_000]), np.array([99]))
    again = store.profile(0)
    assert again is not None and again.volume.sum() == 7, "yesterday's trade is left out"


def test_minutes_before_our_first_trade_are_added_from_history() -> None:
    store = SessionProfiles(rows())
    minute = MONDAY_OPEN_S // 60
    bars = np.zeros((len(FIELDS), 3), np.int64)
    bars[[HIGH, LOW, CLOSE]] = 100_000
    bars[VOLUME] = [100, 200, 400]
    store.apply(np.array([0]), np.array([MONDAY_OPEN_S + 130]), np.array([100_000]),
                np.array([5]))  # fmt: skip
    store.seed(0, (MONDAY_OPEN_S + 19_800) // 86_400, minute + np.arange(3), bars)
    found = store.profile(0)
    assert found is not None and found.volume.sum() == 305, "the third minute is our own"


@given(st.lists(st.integers(0, 40), min_size=3, max_size=60), st.floats(0.5, 20))
@examples(max_examples=300, deadline=None)
def test_peaks_are_scipys(values: list[int], prominence: float) -> None:
    x = np.array(values, np.float64)
    assert peaks(x, prominence) == find_peaks(x, prominence=prominence)[0].tolist()


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=60))
def test_the_value_area_holds_seven_tenths_around_the_poc(volume: list[int]) -> None:
    profile = Profile(100.0, 0.5, np.array(volume, np.float64))
    found = levels(profile)
    if not any(volume):
        assert found is None
        return
    assert found is not None
    first, last = round((found.val - 100) / 0.5), round((found.vah - 100) / 0.5)
    assert sum(volume[first:last]) >= 0.7 * sum(volume)
    assert found.val <= found.poc < found.vah
    assert volume[round((found.poc - 100) / 0.5)] == max(volume)


def test_profiles_of_several_sessions_add_up() -> None:
    a = spread_bars(np.array([100]), np.array([104]), np.array([50]), 1)
    b = spread_bars(np.array([98]), np.array([101]), np.array([40]), 1)
    base, volume = composite([a, b, (0, np.zeros(0))])
    assert base == 98 and volume.tolist() == [10, 10, 20, 20, 10, 10, 10]
    assert composite([])[1].tolist() == []


flows = st.lists(
    st.tuples(st.integers(0, 1), st.integers(1, 400), st.sampled_from([-1, 0, 1])), max_size=80
)


@given(flows, st.integers(1, 80), st.integers(50, 9000))
@examples(max_examples=150, deadline=None)
def test_buckets_hold_equal_volume_however_trades_are_batched(
    part: list[Trade], size: int, usual: int
) -> None:
    one, other = VolumeBuckets(2), VolumeBuckets(2)
    for store in (one, other):
        store.set_size(0, usual)
        store.set_size(1, usual)

    def add(store: VolumeBuckets, some: list[Trade], first: int) -> None:
        if some:
            row, shares, side = (np.array(c, np.int64) for c in zip(*some, strict=True))
            at_s = MONDAY_OPEN_S + first + np.arange(len(row))
            unique = len(set(row.tolist())) == len(row)
            store.apply(row, at_s, np.full(len(row), 1000), shares, side, unique=unique)

    add(one, part, 0)
    for at in range(0, len(part), size):
        add(other, part[at : at + size], at)
    for row in (0, 1):
        assert one.last(row, 99) == other.last(row, 99)
        assert one.filled(row) == other.filled(row)
        volume = sum(s for r, s, _ in part if r == row)
        assert one.closed[row] == volume // (usual // BUCKETS_A_DAY)
        assert one.filled(row) * (usual // BUCKETS_A_DAY) == pytest.approx(
            volume % (usual // BUCKETS_A_DAY)
        )


def test_vpin_is_one_when_all_is_bought_and_undefined_before_fifty_buckets() -> None:
    store = VolumeBuckets(1)
    store.set_size(0, 5000)
    row = np.array([0])
    for n in range(BUCKETS_A_DAY):
        assert np.isnan(store.vpin(row)[0])
        store.apply(row, row + 1000 + n, row + 5, row + 100, row + 1, unique=True)
    assert store.vpin(row)[0] == 1.0
    for n in range(BUCKETS_A_DAY):
        store.apply(row, row + 2000 + n, row + 5, row + 100, row, unique=True)
    assert store.vpin(row)[0] == 0.0, "shares of unknown side count half to each"


def test_a_trade_of_a_million_buckets_takes_no_time() -> None:
    store = VolumeBuckets(1)
    store.set_size(0, 50)
    row = np.array([0])
    store.apply(row, row + 1000, row + 5, row + 4_000_000_000, row + 1, unique=True)
    assert store.closed[0] == 4_000_000_000 and store.vpin(row)[0] == 1.0


def test_without_a_past_session_there_are_no_buckets() -> None:
    store = VolumeBuckets(1)
    row = np.array([0])
    store.apply(row, row + 1000, row + 5, row + 100, row + 1, unique=True)
    assert store.last(0, 9) == [] and np.isnan(store.vpin(row)[0])
