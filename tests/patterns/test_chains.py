"""Patterns of option chains, on chains built for the purpose: what fires, and why not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import pytest

from kitetui.config import load
from kitetui.engine.feed.batch import FULL, TickBatch
from kitetui.engine.feed.records import Remembered
from kitetui.engine.market.bars import FIELDS
from kitetui.engine.market.black76 import price
from kitetui.engine.market.instruments import Instrument
from kitetui.engine.market.market import Market
from kitetui.engine.market.timeframe import DAY
from kitetui.engine.patterns.firing import Detectors, Fired
from kitetui.settings import Settings
from tests.samples import MONDAY_OPEN_S

STRIKES = np.arange(24_000.0, 25_001.0, 100.0)
K = len(STRIKES)
NEAR, FAR = "2025-12-16", "2025-12-23"
MONDAY = date(2025, 12, 15)
SPOT = 24_500.0
OPTIONS = ("iv_crush_play_straddle", "range_bound_strangle", "market_maker_trap_detection",
           "premium_collection_strategy", "kow_signal_straddle")  # fmt: skip


def instruments(expiries: tuple[str, ...]) -> list[Instrument]:
    out = [Instrument(token=2, tradingsymbol="NIFTYFUT", exchange="NFO", name="NIFTY",
                      expiry=expiries[0], kind="FUT", tick_size=0.05, lot_size=75)]  # fmt: skip
    for number, expiry in enumerate(expiries):
        for kind in ("CE", "PE"):
            out += [
                Instrument(
                    token=(1 + len(out) + at) << 8 | 2,
                    tradingsymbol=f"NIFTY{number}{int(s)}{kind}", exchange="NFO",
                    name="NIFTY", expiry=expiry, strike=s, kind=kind, tick_size=0.05,
                    lot_size=75,
                )
                for at, s in enumerate(STRIKES)
            ]  # fmt: skip
    return out


class ChainDay:
    """A future and one or two chains, quoted minute by minute."""

    def __init__(self, name: str, *, expiries: tuple[str, ...] = (NEAR, FAR), past_days: int = 100,
                 open_s: int = MONDAY_OPEN_S, **overrides: float) -> None:  # fmt: skip
        self.settings: Settings = load(
            overrides=[f"thresholds.{name}.params.{k}={v}" for k, v in overrides.items()]
        )
        self.name, self.open_s = name, open_s
        self.detectors = Detectors({name: self.settings.patterns[name]}, 200)
        self.market = Market(self.settings, 200, self.detectors.followed)
        self.listed = instruments(expiries)
        self.expires_s = [
            MONDAY_OPEN_S + (date.fromisoformat(e) - MONDAY).days * 86_400 + 375 * 60
            for e in expiries
        ]
        self.market.add_instruments(self.listed)
        days = np.linspace(0.10, 0.16, past_days).tolist()
        self.market.remember(Remembered([], {"NIFTY": days}))
        self.volume = 0
        self.fired: list[tuple[int, Fired]] = []
        self.oi = np.full((len(expiries), 2, K), 1000, np.int64)
        self.skipped: set[int] = set()

    def minute(self, number: int, *, forward: float = SPOT, vol: tuple[float, ...] = (0.13, 0.13),
               spread: float = 0.1) -> None:  # fmt: skip
        """One packet of every instrument, 50 s into a minute of the session."""
        second = self.open_s + number * 60 + 50
        values = [forward]
        for at in range(len(self.oi)):
            years = max(self.expires_s[at] - second, 60) / (365 * 86_400)
            for call in (True, False):
                values += price(np.full(K, forward), STRIKES, np.full(K, years), 0.065,
                                np.full(K, vol[at]), np.full(K, call)).tolist()  # fmt: skip
        raw = np.maximum(np.rint(np.array(values) * 20).astype(np.int64) * 5, 5)
        self.volume += 500
        ticks = TickBatch(len(raw))
        ticks.length[:] = FULL
        ticks.token[:] = [i.token for i in self.listed]
        for column in (ticks.ltp, ticks.open, ticks.high, ticks.low, ticks.close, ticks.atp):
            column[:] = raw
        ticks.volume[:] = self.volume
        ticks.ltt_s[:] = ticks.exch_s[:] = second
        ticks.oi[1:] = self.oi.reshape(-1)
        half = round(spread * 50)
        for level in range(5):
            ticks.depth[:, level, 1] = np.maximum(raw - half - 5 * level, 5)
            ticks.depth[:, 5 + level, 1] = raw + half + 5 * level
        ticks.depth[:, :, 0], ticks.depth[:, :, 2] = 500, 3
        ticks.packets[:, :8] = np.frombuffer(np.arange(len(raw)).astype("<i8").tobytes(),
                                             np.uint8).reshape(-1, 8)  # fmt: skip
        ticks.packets[:, 8:16] = np.frombuffer(np.int64(number).tobytes(), np.uint8)
        if self.skipped:
            ticks = ticks.take(np.array([at for at in range(len(raw)) if at not in self.skipped]))
        for told in filter(None, self.market.take(self.market.normalise(ticks))):
            self.fired += [(number, found) for found in self.detectors.look(self.market, told)]

    def silence(self) -> dict[str, int]:
        timeframe = self.settings.patterns[self.name].timeframes[0]
        return dict(self.detectors.silence[self.name, timeframe].counts)

    def evidence(self, name: str) -> list[float]:
        return [value for _, found in self.fired for value in found.hits.evidence[name].tolist()]


def test_a_straddle_is_sold_when_its_premium_closes_below_its_vwap_and_again_once_at_most() -> None:
    day = ChainDay("kow_signal_straddle", expiries=(NEAR,))
    for n in range(200):
        day.minute(n, vol=(0.13 - 0.0002 * n,))
    assert len(day.fired) == 1, "sold once, and it stays below"
    number, found = day.fired[0]
    assert 15 <= number <= 20, "not before 15 minutes after the open"
    assert found.entry[0] > 0 and found.hits.side.tolist() == [-1]
    assert found.target[0] == pytest.approx(found.entry[0] * 0.5, abs=0.06)
    assert day.evidence("strike") == [SPOT]
    assert (found.hits.legs >= 0).all()


def test_a_straddle_whose_premium_rises_is_not_sold() -> None:
    day = ChainDay("kow_signal_straddle", expiries=(NEAR,))
    for n in range(120):
        day.minute(n, vol=(0.13 + 0.0005 * n,))
    assert not day.fired


def test_a_straddle_is_not_sold_more_than_twice_a_session() -> None:
    day = ChainDay("kow_signal_straddle", expiries=(NEAR,), dead_band=0)
    for n in range(330):
        day.minute(n, vol=(0.13 + 0.01 * np.sin(n / 6),))
    assert len(day.fired) == 2
    assert day.silence()["entered often enough today"] == 1


def crush(day: ChainDay, *, minutes: int = 130, far: float = 0.15,
          change: Callable[[ChainDay, int], Any] | None = None) -> None:  # fmt: skip
    """Volatility rises for an hour far above the next expiry's, then falls minute by minute."""
    for n in range(minutes):
        near = 0.20 + 0.0005 * min(n, 60) - 0.0008 * max(n - 60, 0)
        if change is not None:
            change(day, n)
        day.minute(n, vol=(near, far), forward=SPOT + 0.5 * (n % 2))


def test_dear_volatility_that_falls_from_its_high_with_a_quiet_price_is_sold() -> None:
    day = ChainDay("iv_crush_play_straddle")
    crush(day)
    assert day.fired and day.fired[0][0] > 60
    assert day.evidence("percentile")[0] == 100 and day.evidence("term_ratio")[0] > 1.1
    _, found = day.fired[0]
    assert found.target[0] == pytest.approx(0.15 * found.entry[0], abs=0.06)
    assert found.stop[0] == pytest.approx(0.12 * found.entry[0], abs=0.06)


def test_no_crush_without_a_hump_over_the_next_expiry() -> None:
    day = ChainDay("iv_crush_play_straddle")
    crush(day, far=0.22)
    assert not day.fired


@pytest.mark.parametrize(
    ("kwargs", "reason"),
    [
        ({"expiries": (NEAR,)}, "no second expiry"),
        ({"past_days": 20}, "too few daily volatilities"),
    ],
)
def test_no_crush_where_something_is_not_known(kwargs: dict[str, Any], reason: str) -> None:
    day = ChainDay("iv_crush_play_straddle", **kwargs)
    crush(day)
    assert not day.fired
    assert day.silence()[reason] == 1


def test_no_crush_where_the_legs_are_quoted_too_wide() -> None:
    day = ChainDay("iv_crush_play_straddle", max_spread=0.0001)
    for n in range(130):
        near = 0.20 + 0.0005 * min(n, 60) - 0.0008 * max(n - 60, 0)
        day.minute(n, vol=(near, 0.15), spread=2.0)
    assert not day.fired
    assert day.silence()["wide quotes"] == 1


def test_an_event_ahead_blocks_the_crush() -> None:
    day = ChainDay("iv_crush_play_straddle")
    at_s = MONDAY_OPEN_S + 300 * 60
    day.market.calendar._events = [(at_s, type("E", (), {"what": "a speech", "names": ["NIFTY"]}))]
    crush(day)
    assert not day.fired
    assert day.silence()["a speech is ahead"] == 1


def test_a_narrow_range_without_a_trend_sells_strikes_outside_of_it() -> None:
    day = ChainDay("range_bound_strangle", min_percentile=0, max_percentile=100)
    rng = np.random.default_rng(3)
    for n in range(300):
        day.minute(n, forward=SPOT + rng.uniform(-10, 10), vol=(0.148, 0.148))
    assert day.fired
    _, found = day.fired[0]
    assert found.hits.evidence["call_strike"][0] > SPOT + 10
    assert found.hits.evidence["put_strike"][0] < SPOT - 10
    assert found.hits.side[0] == -1 and found.hits.legs[0, 0] != found.hits.legs[0, 1]


def test_a_wide_range_sells_no_strangle() -> None:
    day = ChainDay("range_bound_strangle", min_percentile=0, max_percentile=100)
    for n in range(300):
        day.minute(n, forward=SPOT + 150 * np.sin(n / 20), vol=(0.13, 0.13))
    assert not day.fired


def pinned(day: ChainDay, forward: float) -> None:
    day.oi[0, :, 5] = 9000  # the strike of 24,500
    for n in range(240, 330):
        day.minute(n, forward=forward)


def test_on_expiry_day_a_price_at_max_pain_with_one_dominant_strike_is_pinned() -> None:
    day = ChainDay("market_maker_trap_detection", expiries=(NEAR,), open_s=MONDAY_OPEN_S + 86_400)
    pinned(day, SPOT + 20)
    assert day.fired and day.fired[0][1].label(0) == "market_maker_trap_detection.pin"
    assert day.evidence("level")[0] == SPOT
    _, found = day.fired[0]
    assert found.hits.side[0] == 0 and found.hits.evidence["nearness"][0] == pytest.approx(0.6)


def test_a_price_a_strike_away_is_not_pinned_nor_any_on_the_day_before() -> None:
    away = ChainDay("market_maker_trap_detection", expiries=(NEAR,), open_s=MONDAY_OPEN_S + 86_400)
    pinned(away, SPOT + 80)
    before = ChainDay("market_maker_trap_detection", expiries=(NEAR,))
    pinned(before, SPOT + 20)
    assert not away.fired and not before.fired


def test_a_price_that_peeps_over_a_growing_call_wall_and_comes_back_is_trapped() -> None:
    day = ChainDay("market_maker_trap_detection", expiries=(NEAR,))
    day.oi[0, 0, 7] = 20_000  # calls of 24,700
    for n in range(60):
        day.oi[0, 0, 7] += 100
        forward = 24_670.0 + (45 if n in (46, 47) else 0)
        day.minute(n, forward=forward)
    assert day.fired and day.fired[0][1].label(0) == "market_maker_trap_detection.wall"
    _, found = day.fired[0]
    assert found.hits.side[0] == -1 and found.hits.evidence["level"][0] == 24_700


def test_no_open_interest_no_trap() -> None:
    day = ChainDay("market_maker_trap_detection", expiries=(NEAR,))
    day.oi[:] = 0
    for n in range(30):
        day.minute(n)
    assert not day.fired
    assert day.silence()["no open interest"] == 1


def test_premium_is_collected_where_volatility_is_far_above_what_was_realised() -> None:
    day = ChainDay("premium_collection_strategy", expiries=("2025-12-19",))
    give_quiet_days(day)
    rng = np.random.default_rng(5)
    friday = range(-3 * 1440, -3 * 1440 + 375)  # fifteen-minute bars for ADX
    for n in (*friday, *range(120)):
        day.minute(n, forward=SPOT + rng.uniform(-10, 10), vol=(0.16,))
    assert day.fired
    assert day.evidence("dear")[0] > 1.2 and day.evidence("theta_share")[0] >= 0.03
    assert "overnight" in day.fired[0][1].hits.tags[0]


def test_premium_is_not_collected_without_twenty_sessions() -> None:
    day = ChainDay("premium_collection_strategy", expiries=("2025-12-19",))
    for n in range(300):
        day.minute(n, vol=(0.16,))
    assert not day.fired
    assert day.silence()["fewer than 20 past sessions"] == 1


def give_quiet_days(day: ChainDay) -> None:
    """Daily bars of the future that moved 0.3 % a day."""
    n = 22
    values = np.zeros((len(FIELDS), n), np.int64)
    values[:4] = np.rint(SPOT * 100 * (1 + 0.003 * (np.arange(n) % 2))).astype(np.int64)
    starts = MONDAY_OPEN_S // 60 - 1440 * np.arange(n + 3, 3, -1)
    day.market.frames[DAY].history.replace(0, starts, values)


@pytest.mark.parametrize("name", OPTIONS)
def test_a_chain_with_a_leg_missing_is_no_crash(name: str) -> None:
    day = ChainDay(name, expiries=(NEAR,))
    day.skipped = set(range(1, 1 + K))  # no call ever trades
    for n in range(60):
        day.minute(n)
    assert not day.fired
