"""Volume patterns on real ticks: a day of full depth, and days with a day before them.

What fired is checked against the raw tables: trades by the quote rule, volume at price by a plain
histogram. 2025-12-15 has depth but no day before it; the ticks of 2021 have days, but no depth.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq
import pytest

from kitetui.config import load
from kitetui.engine.calendar import IST_OFFSET_S
from kitetui.engine.feed.journal_reader import JournalReader
from kitetui.engine.flow.pipeline import Pipeline
from kitetui.engine.market.bars import FIELDS, ClosedBars
from kitetui.engine.market.instruments import Instrument
from kitetui.engine.market.market import Market
from kitetui.engine.market.profile import Profile, bin_size, levels
from kitetui.engine.market.session_profiles import BINS
from kitetui.engine.patterns.firing import Detectors, Fired
from kitetui.tools.importer import import_ticks

SETTINGS = load()
HIDDEN, ADVANCED = "hidden_accumulation", "volume_profile_advanced"
TICK = 0.05
STOCKS = ("HDFCBANK", "INFY", "RELIANCE", "SBIN", "TATAMOTORS")


class Event(NamedTuple):
    """One firing. `at`: time of day of the bar's start, HH:MM; `target`: rupees."""

    label: str
    symbol: str
    side: int
    day: int
    at: str
    target: float
    evidence: dict[str, float]


def event(fired: Fired, at: int, symbol: str) -> Event:
    local = fired.start + IST_OFFSET_S // 60
    side = int(fired.hits.side[at])
    evidence = {name: float(values[at]) for name, values in fired.hits.evidence.items()}
    return Event(fired.label(at), symbol, side, local // 1440,
                 f"{local % 1440 // 60:02}:{local % 60:02}",
                 float(fired.entry[at] + side * fired.target[at]), evidence)  # fmt: skip


class Raw:
    """One instrument's day as recorded: f64 and i64 columns by name, `minute` of the IST day."""

    def __init__(self, path: Path, time: str, price: str, volume: str) -> None:
        table = pq.read_table(path)
        self.columns = {name: table[name].to_numpy() for name in table.column_names}
        seconds = self.columns[time].astype("datetime64[s]").astype(np.int64) + IST_OFFSET_S
        self.day = int(seconds[0]) // 86_400
        self.minute = seconds % 86_400 // 60
        self.price = self.columns[price]
        total = np.maximum.accumulate(self.columns[volume])
        self.traded = np.diff(total, prepend=total[0])

    def between(self, start: str, end: str) -> Any:
        return (self.minute >= minute(start)) & (self.minute < minute(end))

    def upto(self, end: str) -> Any:
        return self.minute < minute(end)

    def profile(self, until: Any) -> Profile:
        """Volume by price of some of its trades."""
        price, traded = self.price[until], self.traded[until]
        size = bin_size(float(price[0]), TICK)
        while (price.max() - price.min()) / size > BINS:
            size *= 2
        number = np.floor(price / size + 1e-6).astype(np.int64)
        return Profile(float(number.min()) * size, size,
                       np.bincount(number - number.min(), weights=traded))  # fmt: skip

    def poc(self, end: str) -> float:
        profile = self.profile(self.upto(end))
        return profile.low + profile.size * int(profile.volume.argmax())

    def bar(self, start: str) -> tuple[float, float, float, float]:
        """Open, high, low, close of five minutes."""
        price = self.price[self.between(start, later(start, 5))]
        return float(price[0]), float(price.max()), float(price.min()), float(price[-1])


def minute(of: str) -> int:
    hours, minutes = of.split(":")
    return int(hours) * 60 + int(minutes)


def later(of: str, minutes: int) -> str:
    return f"{(minute(of) + minutes) // 60:02}:{(minute(of) + minutes) % 60:02}"


def played(journal: Path, upto: str = "16:00") -> list[Event]:
    """What fires on the depth day, or on its beginning."""
    pipeline = Pipeline(SETTINGS, 64)
    out: list[Event] = []
    for batch in JournalReader(journal):
        if (batch.recv_ns[0] // 60_000_000_000 + IST_OFFSET_S // 60) % 1440 >= minute(upto):
            break
        for told in pipeline.apply(batch).fired:
            for at, row in enumerate(told.fired.hits.rows.tolist()):
                symbol = pipeline.market.rows.instruments[row].symbol
                out.append(event(told.fired, at, symbol))
    return out


@pytest.fixture(scope="module")
def folder(shared: Path) -> Path:
    return shared / "data" / "upstox_depth_20251215"


@pytest.fixture(scope="module")
def journal(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("depth") / "day.arrows"
    assert import_ticks(folder, target, None, SETTINGS) == 0
    return target


@pytest.fixture(scope="module")
def depth_day(journal: Path) -> list[Event]:
    return played(journal)


@pytest.fixture(scope="module")
def raw(folder: Path) -> dict[str, Raw]:
    return {path.stem.split("__")[1]: Raw(path, "ltt", "ltp", "vtt")
            for path in folder.glob("*.parquet")}  # fmt: skip


def of(label: str, events: list[Event]) -> list[Event]:
    return [one for one in events if one.label == label]


def test_of_all_loud_half_hours_only_the_one_whose_flow_was_absorbed_by_a_leaning_book_fires(
    depth_day: list[Event], raw: dict[str, Raw]
) -> None:
    """All 336 half-hours asked of the raw trades and quotes: 85 are loud, one is absorbed.

    Buyers of the 60000 call took a third more than sellers for half an hour, into offers that
    held three fifths of the book, and made no high: distribution.
    """
    fired = [(one.symbol, later(one.at, 5), one.side) for one in of(HIDDEN, depth_day)]
    asked = [(symbol, *hidden(day, end)) for symbol, day in raw.items()
             for end in (later("11:35", 5 * n) for n in range(48))]  # fmt: skip
    loud = [one for one in asked if one[2]]
    assert len(asked) == 336 and len(loud) == 85
    assert fired == [(symbol, end, side) for symbol, end, _, side in asked if side]
    assert [side for *_, side in fired] == [-1]


def hidden(day: Raw, end: str) -> tuple[str, bool, int]:
    """The end, whether its half-hour was loud, and 1 for accumulation, -1 for distribution."""
    start, middle = later(end, -30), later(end, -15)
    half, before = day.between(start, end), day.between(later(start, -90), start)
    traded, usual = day.traded[half].sum(), day.traded[before].sum() / 3
    if traded < 1.3 * usual:
        return end, False, 0
    bid, ask = np.roll(day.columns["bp1"], 1), np.roll(day.columns["ap1"], 1)
    sign = np.where(day.price >= ask, 1, np.where(day.price <= bid, -1, 0))
    bought = (sign * day.traded)[half].sum() / traded
    size = {side: sum(day.columns[f"{side}q{n}"][half] for n in range(1, 6)) for side in "ba"}
    side = -1 if bought > 0 else 1
    resting = size["a" if side < 0 else "b"]
    total = size["a"] + size["b"]
    leaning = (resting[total > 0] / total[total > 0]).mean()
    first, second = (day.price[day.between(a, b)] for a, b in ((start, middle), (middle, end)))
    holds = (second.max() <= first.max() + TICK if side < 0
             else second.min() >= first.min() - TICK)  # fmt: skip
    ranges = [np.ptp(day.price[day.between(later(end, -at - 5), later(end, -at))])
              for at in range(0, 70, 5)]  # fmt: skip
    drift = abs(second[-1] - first[0]) / (np.mean(ranges) * np.sqrt(6))
    found = abs(bought) >= 0.1 and leaning >= 0.55 and holds and drift <= 0.5
    return end, True, side if found else 0


def test_each_poc_that_migrated_lies_an_hours_atr_from_where_it_was_on_the_side_of_the_price(
    depth_day: list[Event], raw: dict[str, Raw]
) -> None:
    found = of(f"{ADVANCED}.poc_migration", depth_day)
    assert len(found) >= 3
    for one in found:
        day, end = raw[one.symbol], later(one.at, 5)
        now, before = day.poc(end), day.poc(later(end, -60))
        size = day.profile(day.upto(end)).size
        assert now == pytest.approx(one.evidence["level"], abs=size + 1e-6), one
        assert np.sign(now - before) == one.side
        last, first = (day.price[day.upto(t)][-1] for t in (end, later(end, -60)))
        assert np.sign(last - first) == one.side


def test_each_lopsided_profile_has_its_poc_in_the_third_it_came_into(
    depth_day: list[Event], raw: dict[str, Raw]
) -> None:
    found = of(f"{ADVANCED}.shape", depth_day)
    assert {one.side for one in found} == {-1, 1}
    for one in found:
        day, end = raw[one.symbol], later(one.at, 5)
        whole = day.profile(day.upto(end))
        before, now = (((poc - whole.low) / whole.size + 0.5) / len(whole.volume)
                       for poc in (day.poc(one.at), day.poc(end)))  # fmt: skip
        if one.side > 0:
            assert now >= 0.66 > before, one
        else:
            assert now <= 0.34 < before, one


def test_each_close_across_a_thin_place_crossed_prices_that_traded_less_than_half_the_mean(
    depth_day: list[Event], raw: dict[str, Raw]
) -> None:
    found = of(f"{ADVANCED}.lvn_traversal", depth_day)
    assert {one.side for one in found} == {-1, 1}
    for one in found:
        day, end = raw[one.symbol], later(one.at, 5)
        (*_, before), (*_, now) = day.bar(later(one.at, -5)), day.bar(one.at)
        low, high = sorted((before, now))
        assert low < one.evidence["level"] < high and np.sign(now - before) == one.side
        profile = day.profile(day.upto(end))
        number = round((one.evidence["level"] - profile.low) / profile.size)
        around = profile.volume[max(number - 1, 0) : number + 2]
        assert around.min() < 0.5 * profile.volume.mean(), one
        assert (one.target - now) * one.side > 0


def test_a_high_that_traded_like_the_middle_draws_the_price_back_to_it(
    depth_day: list[Event], raw: dict[str, Raw]
) -> None:
    (one,) = of(f"{ADVANCED}.poor_extreme", depth_day)
    day = raw[one.symbol]
    until = day.upto(later(one.at, 5))
    profile = day.profile(until)
    assert one.side == 1 and profile.volume[-1] > 0.5 * profile.volume.mean()
    assert one.target == pytest.approx(day.price[until].max(), abs=profile.size + 1e-6)
    assert day.bar(one.at)[3] < one.target


def test_a_first_day_has_no_yesterday_to_have_a_naked_poc_or_a_value_area(
    depth_day: list[Event],
) -> None:
    assert not of(f"{ADVANCED}.naked_poc", depth_day)
    assert not of(f"{ADVANCED}.va_reentry", depth_day)


@pytest.mark.parametrize("upto", ["11:03", "14:42", "15:22"])
def test_a_prefix_of_the_depth_day_fires_as_the_whole_did(
    upto: str, journal: Path, depth_day: list[Event]
) -> None:
    part = played(journal, upto)
    assert part == depth_day[: len(part)]
    closed = [one for one in depth_day if minute(one.at) + 5 < minute(upto)]
    assert len(part) >= len(closed)


class Days(NamedTuple):
    """One share's days of 2021, and what fired on them."""

    raw: list[Raw]
    events: list[Event]

    def around(self, one: Event) -> tuple[Raw, Raw]:
        """The day of a firing and the one before it."""
        at = [day.day for day in self.raw].index(one.day)
        return self.raw[at - 1], self.raw[at]


@pytest.fixture(scope="module")
def shares(shared: Path) -> list[Days]:
    return [year_2021(shared / "data" / "nse_ltp_vol_ticks_2021", name) for name in STOCKS]


def year_2021(folder: Path, name: str) -> Days:
    """Its ticks as minute bars through the market, day after day."""
    detectors = Detectors({ADVANCED: SETTINGS.patterns[ADVANCED]}, 1)
    market = Market(SETTINGS, 1, detectors.followed)
    market.add_instruments([Instrument(token=1 << 8 | 1, tradingsymbol=name, exchange="NSE",
                                       tick_size=TICK, lot_size=1)])  # fmt: skip
    days = [Raw(path, "ts", "ltp", "volume") for path in sorted(folder.glob(f"*_{name}.parquet"))]
    out: list[Event] = []
    for day in days:
        midnight = day.day * 1440 - IST_OFFSET_S // 60
        for one in np.unique(day.minute).tolist():
            price = np.rint(day.price[day.minute == one] * 100)
            values = np.zeros((len(FIELDS), 1), np.int64)
            values[:5, 0] = (price[0], price.max(), price.min(), price[-1],
                             day.traded[day.minute == one].sum())  # fmt: skip
            closed = ClosedBars(midnight + one, np.array([0]), values)
            for told in filter(None, market.take_bars(1, closed)):
                for fired in detectors.look(market, told):
                    out += [event(fired, at, name) for at in range(len(fired.hits))]
    return Days(days, out)


def found_in(shares: list[Days], kind: str) -> list[tuple[Event, Raw, Raw]]:
    return [(one, *share.around(one)) for share in shares
            for one in of(f"{ADVANCED}.{kind}", share.events)]  # fmt: skip


def test_each_naked_poc_was_yesterdays_busiest_price_untraded_today_and_left_with_a_wick(
    shares: list[Days],
) -> None:
    found = found_in(shares, "naked_poc")
    assert found
    for one, yesterday, today in found:
        profile = yesterday.profile(yesterday.minute >= 0)
        level = one.evidence["level"]
        assert yesterday.poc("24:00") == pytest.approx(level, abs=2 * profile.size)
        so_far = today.price[today.upto(one.at)]
        assert (so_far.min() > level) if one.side > 0 else (so_far.max() < level)
        opened, high, low, close = today.bar(one.at)
        wick = min(opened, close) - low if one.side > 0 else high - max(opened, close)
        assert wick >= 0.5 * (high - low) - 1e-6


def test_each_return_into_yesterdays_value_opened_outside_of_it_and_closed_inside_twice(
    shares: list[Days],
) -> None:
    found = found_in(shares, "va_reentry")
    assert {one.side for one, *_ in found} == {-1, 1}
    for one, yesterday, today in found:
        area = levels(yesterday.profile(yesterday.minute >= 0))
        assert area is not None
        opened, slack = float(today.price[0]), 4 * bin_size(today.price[0], TICK)
        assert opened > area.vah - slack if one.side < 0 else opened < area.val + slack
        edge = area.val if one.side < 0 else area.vah
        assert one.target == pytest.approx(edge, abs=slack)
        closes = [today.bar(later(one.at, -back))[3] for back in (0, 30)]
        assert all(area.val - slack <= close <= area.vah + slack for close in closes)


def test_most_five_minutes_of_real_days_tell_nothing_of_the_profile(shares: list[Days]) -> None:
    counts = Counter(one.label for share in shares for one in share.events)
    looks = sum(len(share.raw) for share in shares) * 75
    assert counts and max(counts.values()) < 0.05 * looks
