"""Option patterns on a real day of NIFTY chains, snapshot by snapshot: 29 August 2025, a Friday."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from kitetui.config import load
from kitetui.engine.calendar import ist
from kitetui.engine.feed.batch import FULL, TickBatch
from kitetui.engine.feed.records import Remembered
from kitetui.engine.market.instruments import Instrument
from kitetui.engine.market.market import Market
from kitetui.engine.patterns.firing import Detectors, Fired

NAMES = ("iv_crush_play_straddle", "range_bound_strangle", "market_maker_trap_detection",
         "premium_collection_strategy", "kow_signal_straddle")  # fmt: skip
SETTINGS = load()
LOT = 75
CALM = np.linspace(0.07, 0.13, 252).tolist()
"""Daily volatilities of a year around the day's own."""


class RealDay:
    """All snapshots of the day through the market and the five detectors.

    The recording has no underlying: a future is priced by put-call parity near the money.
    """

    def __init__(self, folder: Path, vix: list[float], future: bool = True,
                 upto_s: int = 1 << 40) -> None:  # fmt: skip
        table = pq.read_table(folder / "nifty_chain.parquet")
        self.columns = {name: table[name].to_numpy() for name in table.column_names
                        if name not in ("collected", "nse_time", "expiry")}  # fmt: skip
        self.expiry = np.array([f"{x:%Y-%m-%d}" for x in table["expiry"].to_pylist()])
        self.second = np.array([int(x.timestamp()) for x in table["collected"].to_pylist()])
        listed = [FUTURE] if future else []
        for expiry in np.unique(self.expiry).tolist():
            for strike in np.unique(self.columns["strike"]).tolist():
                for kind in ("CE", "PE"):
                    listed.append(Instrument(
                        token=(1000 + len(listed)) << 8 | 2, tradingsymbol=f"NIFTY{len(listed)}",
                        exchange="NFO", name="NIFTY", expiry=expiry, strike=float(strike),
                        kind=kind, tick_size=0.05, lot_size=LOT,
                    ))  # fmt: skip
        self.token = {(i.expiry, i.strike, i.kind): i.token for i in listed}
        self.detectors = Detectors({name: SETTINGS.patterns[name] for name in NAMES}, 1000)
        self.market = Market(SETTINGS, 1000, self.detectors.followed)
        self.market.add_instruments(listed)
        self.market.remember(Remembered([], {"INDIA VIX": vix}))
        self.fired: list[Fired] = []
        self.silence: Counter[tuple[str, str]] = Counter()
        seconds = np.unique(self.second)
        for number, second in enumerate(seconds[seconds < upto_s].tolist(), 1):
            self._snapshot(second, number, future)

    def _snapshot(self, second: int, number: int, future: bool) -> None:
        at = self.second == second
        of = {name: values[at] for name, values in self.columns.items()}
        expiry = self.expiry[at]
        rows: list[tuple[int, list[float]]] = []
        for kind, side in (("CE", "ce"), ("PE", "pe")):
            told = [
                of[f"{side}_{name}"]
                for name in ("ltp", "volume", "oi", "bid_price", "ask_price", "bid_qty", "ask_qty")
            ]
            rows += [
                (self.token[tuple(key)], line)
                for *key, line in zip(expiry.tolist(), of["strike"].astype(float).tolist(),
                                      [kind] * len(expiry), np.array(told).T.tolist(),
                                      strict=True)
                if line[0] > 0
            ]  # fmt: skip
        if future:
            price = forward(of, expiry)
            rows.append((FUTURE.token, [price, number, 100, price - 0.05, price + 0.05, 75, 75]))
        values = np.array([line for _, line in rows], np.float64)
        ticks = TickBatch(len(rows))
        ticks.length[:] = FULL
        ticks.token[:] = [token for token, _ in rows]
        raw = np.rint(values[:, 0] * 20).astype(np.int64) * 5
        for column in (ticks.ltp, ticks.open, ticks.high, ticks.low, ticks.close, ticks.atp):
            column[:] = raw
        ticks.volume[:] = values[:, 1].astype(np.int64) * LOT
        ticks.oi[:] = np.rint(values[:, 2] * LOT).astype(np.int64)
        ticks.ltt_s[:] = ticks.exch_s[:] = second
        ticks.depth[:, 0, 1] = np.rint(values[:, 3] * 100)
        ticks.depth[:, 5, 1] = np.rint(values[:, 4] * 100)
        ticks.depth[:, 0, 0], ticks.depth[:, 5, 0] = values[:, 5], values[:, 6]
        ticks.packets[:, :8] = np.frombuffer(
            (np.arange(len(rows)) + second * 1000).astype("<i8").tobytes(), np.uint8
        ).reshape(-1, 8)
        for told in filter(None, self.market.take(self.market.normalise(ticks))):
            self.fired += self.detectors.look(self.market, told)
            for (pattern, timeframe), silence in self.detectors.silence.items():
                if timeframe == told.frame.name:
                    for reason, count in silence.counts.items():
                        self.silence[pattern, reason] += count

    def events(self, upto_s: int) -> list[tuple[str, str, int, float, float]]:
        """Label, tag, first minute of the bar, score, entry of what fired before a second."""
        return [
            (fired.label(at), " ".join(fired.hits.tags[at]), fired.start, float(fired.score[at]),
             float(fired.entry[at]))
            for fired in self.fired for at in range(len(fired.hits)) if fired.start * 60 < upto_s
        ]  # fmt: skip

    def of(self, name: str) -> list[Fired]:
        return [fired for fired in self.fired if fired.detector.name == name]


FUTURE = Instrument(token=7 << 8 | 2, tradingsymbol="NIFTY25SEPFUT", exchange="NFO", name="NIFTY",
                    expiry="2025-09-30", kind="FUT", tick_size=0.05, lot_size=LOT)  # fmt: skip


def forward(of: dict[str, np.ndarray], expiry: np.ndarray) -> float:
    """By put-call parity where call and put of the nearest expiry cost about the same."""
    near = np.flatnonzero((expiry == min(expiry.tolist())) & (of["ce_bid_price"] > 0)
                          & (of["pe_bid_price"] > 0))  # fmt: skip
    call = (of["ce_bid_price"] + of["ce_ask_price"])[near] / 2
    put = (of["pe_bid_price"] + of["pe_ask_price"])[near] / 2
    at = int(np.argmin(np.abs(call - put)))
    return round(float(of["strike"][near][at] + call[at] - put[at]) * 20) / 20


@pytest.fixture(scope="module")
def folder(shared: Path) -> Path:
    return shared / "data" / "nse_option_chain_20250829"


@pytest.fixture(scope="module")
def day(folder: Path, shared: Path) -> RealDay:
    """With India VIX of the year before 2023's end as the past: the day was calmer than any."""
    with (shared / "data" / "india_vix_daily" / "india_vix_2012_2023.csv").open() as file:
        lines = list(csv.DictReader(file))
    name = next(key for key in lines[0] if key.lower().strip() == "close")
    return RealDay(folder, [float(line[name]) / 100 for line in lines[-252:]])


@pytest.fixture(scope="module")
def calm(folder: Path) -> RealDay:
    """With a past as calm as the day, so that its volatility is among the usual."""
    return RealDay(folder, CALM)


def test_a_straddle_is_sold_below_its_vwap_between_half_past_nine_and_three_and_twice_at_most(
    day: RealDay,
) -> None:
    sold: Counter[str] = Counter()
    for fired in day.of("kow_signal_straddle"):
        assert "09:30" <= f"{ist(fired.start * 60):%H:%M}" < "15:00"
        for at, tags in enumerate(fired.hits.tags):
            expiry, strike = tags[1].split()[1], float(fired.hits.evidence["strike"][at])
            sold[expiry] += 1
            last = (day.expiry == expiry) & (day.columns["strike"] == strike)
            last &= day.second < fired.start * 60 + 60
            snapshot = np.flatnonzero(last)[-1]
            premium = day.columns["ce_ltp"][snapshot] + day.columns["pe_ltp"][snapshot]
            assert fired.entry[at] == pytest.approx(premium)
            assert premium < fired.hits.evidence["vwap"][at]
    assert sold and max(sold.values()) <= 2


def test_a_price_that_peeped_over_the_wall_while_calls_were_written_is_trapped(
    day: RealDay,
) -> None:
    (fired,) = day.of("market_maker_trap_detection")
    assert fired.label(0) == "market_maker_trap_detection.wall"
    assert f"{ist(fired.start * 60):%H:%M}" == "14:45" and fired.hits.side.tolist() == [-1]
    wall = float(fired.hits.evidence["level"][0])
    closed_s = fired.start * 60 + 300
    near = day.expiry == min(day.expiry.tolist())
    now = near & (day.second == day.second[day.second < closed_s].max())
    assert day.columns["strike"][now][day.columns["ce_oi"][now].argmax()] == wall
    at_wall = near & (day.columns["strike"] == wall)
    before = at_wall & (day.second < closed_s - 900)
    written = day.columns["ce_oi"][at_wall & now][0] / day.columns["ce_oi"][before][-1]
    assert written > 1.05
    prices = [forward({n: v[day.second == s] for n, v in day.columns.items()},
                      day.expiry[day.second == s])
              for s in np.unique(day.second[(day.second >= closed_s - 900)
                                            & (day.second < closed_s)]).tolist()]  # fmt: skip
    assert wall < max(prices) < wall * 1.0015 and prices[-1] < wall


def test_on_a_friday_before_a_tuesdays_expiry_nothing_is_pinned(day: RealDay) -> None:
    labels = [
        f.label(at) for f in day.of("market_maker_trap_detection") for at in range(len(f.hits))
    ]
    assert "market_maker_trap_detection.pin" not in labels


def test_volatility_below_all_of_the_past_year_is_neither_dear_nor_usual(day: RealDay) -> None:
    for name in ("iv_crush_play_straddle", "range_bound_strangle", "premium_collection_strategy"):
        assert not day.of(name)


def test_a_term_structure_without_a_hump_is_no_crush_whatever_the_rank(calm: RealDay) -> None:
    assert not calm.of("iv_crush_play_straddle")
    front, following = (
        calm.market.chain_now("NIFTY", expiry) for expiry in sorted(set(calm.expiry.tolist()))[:2]
    )
    assert front is not None and following is not None
    assert front.atm_volatility < following.atm_volatility


def test_one_session_of_history_silences_what_needs_twenty(calm: RealDay) -> None:
    assert not calm.of("premium_collection_strategy")
    assert calm.silence["premium_collection_strategy", "fewer than 20 past sessions"] > 50


def test_a_strangle_is_sold_only_where_two_hours_stayed_within_half_a_days_move(
    calm: RealDay,
) -> None:
    for fired in calm.of("range_bound_strangle"):
        assert (fired.hits.evidence["narrow"] >= 0).all()
        assert (fired.hits.evidence["adx_below"] >= 0).all()
    waited = calm.silence["range_bound_strangle", "warming up"]
    assert waited >= 23 * 3, "two hours of five-minute bars, for each of three chains"


def test_a_chain_whose_underlying_is_not_watched_is_silent_and_says_so(folder: Path) -> None:
    alone = RealDay(folder, [], future=False)
    assert {fired.detector.name for fired in alone.fired} == {"kow_signal_straddle"}
    reason = "neither its future nor its share is watched"
    for name in NAMES[:4]:
        assert alone.silence[name, reason] > 0


def test_a_prefix_of_the_day_fires_as_the_whole_did(folder: Path, calm: RealDay) -> None:
    """Every hour of it: no pattern knows what comes."""
    nine_s = int(calm.second.min()) // 3600 * 3600
    for hour in range(1, 7):
        upto_s = nine_s + hour * 3600
        part = RealDay(folder, CALM, upto_s=upto_s)
        # What is not closed at the end of the prefix is not told yet.
        assert part.events(upto_s - 300) == calm.events(upto_s - 300), hour
    assert len({label for label, *_ in calm.events(upto_s)}) >= 2
