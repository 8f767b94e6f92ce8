"""Every number against its reference output: indicators, structure, profiles, options."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from kitetui.engine.market.bars import CLOSE, HIGH, LOW, OPEN, VOLUME
from kitetui.engine.market.black76 import OK, REASONS, greeks, implied_volatility, price
from kitetui.engine.market.indicators import ATR, EMA5, EMA20, EMA50, RSI, VWAP, VWAP_SD
from kitetui.engine.market.options import Chain, open_interest, parity_forward
from kitetui.engine.market.profile import Profile, bin_size, levels, spread_bars
from kitetui.engine.market.session_profiles import SessionProfiles
from kitetui.engine.market.straddle import Straddles
from kitetui.engine.market.structure import FairValueGaps, Swings, pools
from kitetui.engine.market.volume import MinuteOfDayVolume
from kitetui.engine.patterns.straddle import StraddleRules, StraddleTrader
from tests.golden.series import SYMBOL, ZERO, Bars, play, read_bars, read_csv

STRUCTURED = ("eq_trend", "eq_range", "fut_index", "eq_trend_5m", "eq_range_5m", "fut_index_5m",
              "real_nifty_index", "real_reliance", "real_sbin")  # fmt: skip
EDGES = ("edge_first_14_bars", "edge_flat", "edge_halt_45min", "edge_limit_up_lock",
         "edge_monotone_up", "edge_one_tick_bounce", "edge_overnight_gap_up5", "edge_zerovol",
         "edge_zerovol_middle")  # fmt: skip
SERIES = (*STRUCTURED, *EDGES, "edge_single_bar", "planted")
GAPPED = (*STRUCTURED, *EDGES)
PROFILED = ("eq_trend", "eq_range", "fut_index", "real_reliance", "real_sbin", *EDGES)


@pytest.fixture(scope="session")
def golden(shared: Path) -> Path:
    return shared / "golden"


def number(text: str) -> float:
    return float(text) if text else math.nan


def close_enough(ours: float, theirs: float, absolute: float, relative: float = 0.0) -> bool:
    if math.isnan(theirs) or math.isnan(ours):
        return math.isnan(theirs) and math.isnan(ours)
    return abs(ours - theirs) <= absolute + relative * abs(theirs)


@pytest.mark.parametrize("name", SERIES)
def test_indicators(name: str, golden: Path) -> None:
    bars = read_bars(golden / f"{name}.bars.csv")
    wanted = read_csv(golden / f"{name}.indicators.csv")
    minutes = 5 if name.endswith("5m") else 1
    usual = MinuteOfDayVolume(1, 405)
    slots = (bars.starts - bars.opens) // minutes
    past: list[int] = []
    assert len(wanted) == len(bars.starts)
    for at, frame in play(bars, minutes):
        values, line = frame.indicators.values(ZERO)[:, 0], wanted[at]
        for column, ours in (("ema5", EMA5), ("ema20", EMA20), ("ema50", EMA50), ("atr14", ATR)):
            assert close_enough(values[ours], number(line[column]), 1e-9), (at, column)
        if line["rsi14_degenerate"] == "0":
            assert close_enough(values[RSI], number(line["rsi14"]), 1e-9), at
        else:
            assert math.isnan(values[RSI]), "undefined is undefined, not 0 or 50"
        assert close_enough(values[VWAP], number(line["vwap_session"]), 0, 1e-12), at
        if line["vwap_sd"]:
            # The reference takes the difference of two squares: some digits of it are rounding.
            variance = number(line["vwap_sd"]) ** 2
            assert abs(values[VWAP_SD] ** 2 - variance) <= 1e-14 * values[VWAP] ** 2, at
        if at >= 20:
            ratio = float(frame.volume_ratio(ZERO, int(bars.starts[at]), np.array([0])).ratio[0])
            assert close_enough(ratio, number(line["vol_ratio20"]), 1e-9, 1e-12), at
        if at >= 60:
            ours = float(frame.volume_z(ZERO)[0])
            assert close_enough(ours, number(line["logvol_robust_z60"]), 1e-9), at
        if at and bars.opens[at] != bars.opens[at - 1]:
            past = [k for k in range(at) if bars.opens[k] in np.unique(bars.opens[:at])[-20:]]
            usual.learn(0, slots[past], bars.values[VOLUME, past])
        mean = float(usual.usual(ZERO, slots[at : at + 1], 1)[0])
        assert close_enough(mean, number(line["tod_mean_prev_sessions"]), 1e-9, 1e-12), at
        sessions = int(usual.sessions(ZERO, slots[at : at + 1])[0])
        assert sessions == int(line["tod_sessions"] or 0), at


def swings_of(bars: Bars, length: int, upto: int) -> tuple[list[tuple[str, ...]], Swings]:
    """The event log of a series, and the swings it ends with."""
    found = Swings(1, length, depth=512)
    log = []
    for at in range(3 * length - 1, upto):
        window = slice(at - 2 * length + 1, at + 1)
        before = [c[-1:].tolist() for c in found.last(0, 1)]
        events = found.advance(ZERO, np.array([at]), bars.values[HIGH, window][None],
                               bars.values[LOW, window][None])  # fmt: skip
        if not len(events.rows):
            continue
        if events.replaced[0]:
            log.append((at, "drop", before[0][0], before[1][0], before[2][0]))
        log.append((at, "add", at - length, int(events.side[0]), int(events.level[0])))
    return log, found


@pytest.mark.parametrize("length", [3, 5])
@pytest.mark.parametrize("name", STRUCTURED)
def test_swings_are_known_when_the_reference_knew_them(
    name: str, length: int, golden: Path
) -> None:
    found = list(golden.glob(f"{name}.*swings_L{length}_causal_events.csv"))
    bars = read_bars(golden / f"{name}.bars.csv")
    upto = 450 if "first450" in found[0].name else len(bars.starts)
    log, _ = swings_of(bars, length, upto)
    wanted = [
        (int(float(x["known_at_bar"])), x["action"], int(float(x["pivot_bar"])),
         int(float(x["dir"])), round(float(x["level"]) * 100))
        for x in read_csv(found[0])
    ]  # fmt: skip
    assert log == wanted
    assert len(log) > 20


@pytest.mark.parametrize("name", GAPPED)
def test_fair_value_gaps(name: str, golden: Path) -> None:
    found = [p for p in golden.glob(f"{name}.*fvg.csv") if p.name.startswith(f"{name}.")]
    bars = read_bars(golden / f"{name}.bars.csv")
    upto = 450 if "first450" in found[0].name else len(bars.starts)
    gaps = FairValueGaps(1, depth=1024)
    for at in range(2, upto):
        window = slice(at - 2, at + 1)
        gaps.advance(ZERO, np.array([at]), *(bars.values[f, window][None]
                                            for f in (OPEN, HIGH, LOW, CLOSE)))  # fmt: skip
    wanted = [
        (int(float(x["bar"])), int(float(x["FVG"])), round(float(x["Top"]) * 100),
         round(float(x["Bottom"]) * 100), int(number(x["MitigatedIndex"] or "0")) or -1)
        for x in read_csv(found[0])
    ]  # fmt: skip
    assert [tuple(column) for column in gaps.last(0, 1024)[:5].T.tolist()] == wanted


@pytest.mark.parametrize("name", STRUCTURED)
def test_liquidity(name: str, golden: Path) -> None:
    found = list(golden.glob(f"{name}.*liquidity_L5_abs_tol.csv"))
    bars = read_bars(golden / f"{name}.bars.csv")
    upto = 450 if "first450" in found[0].name else len(bars.starts)
    lines = read_csv(found[0])
    _, swings = swings_of(bars, 5, upto)
    listed = [(bar, side, level / 100) for bar, side, level in
              zip(*(c.tolist() for c in swings.last(0, 512)), strict=True)]  # fmt: skip
    if not lines:
        return
    high, low = (bars.values[f, :upto] / 100 for f in (HIGH, LOW))
    ours = pools(listed, high.tolist(), low.tolist(), float(lines[0]["tol_abs"]))
    assert len(ours) == len(lines)
    for pool, line in zip(ours, lines, strict=True):
        assert (pool.first, pool.side, pool.last) == tuple(
            int(float(line[c])) for c in ("bar", "Liquidity", "End"))  # fmt: skip
        assert pool.level == pytest.approx(float(line["Level"]), rel=1e-6)
        swept = line["Swept"]
        assert pool.swept == (int(float(swept)) if swept and float(swept) else -1)


@pytest.mark.parametrize("name", PROFILED)
def test_volume_profile(name: str, golden: Path) -> None:
    path = golden / f"{name}.vp.json"
    wanted = {entry["source"]: entry for entry in json.loads(path.read_text())}
    bars = read_bars(golden / f"{name}.bars.csv")
    last = bars.opens == bars.opens[-1]
    values = bars.values[:, last]
    size = bin_size(values[CLOSE, 0] / 100, 0.05)
    entry = wanted["bars_uniform"]
    assert size == pytest.approx(entry["row"], abs=1e-9)
    base, volume = spread_bars(values[LOW], values[HIGH], values[VOLUME], round(size * 100))
    profile = Profile(base * size, size, volume)
    if entry["poc"] is None:
        assert levels(profile) is None
        return
    check_profile(profile, entry)
    rows = read_csv(golden / f"{name}.vp_rows_bars.csv")
    lows = [round(profile.low + k * size, 4) for k in range(len(volume))]
    theirs = {round(float(x["row_low"]), 4): float(x["volume"]) for x in rows}
    for at, shares in zip(lows, volume, strict=True):
        assert shares == pytest.approx(theirs.get(at, 0.0), rel=1e-9, abs=1e-9)

    store = one_row_profiles(int(values[CLOSE, 0]))
    for tick in read_csv(golden / f"{name}.vp_ticks.csv"):
        store.apply(ZERO, np.array([DAY_S]), np.array([round(float(tick["price"]) * 100)]),
                    np.array([int(float(tick["dvol"]))]))  # fmt: skip
    by_ticks = store.profile(0)
    assert by_ticks is not None
    check_profile(by_ticks, wanted["ticks"])


DAY_S = 1_765_770_300


def one_row_profiles(first_close: int) -> SessionProfiles:
    from kitetui.engine.market.instruments import Rows

    rows = Rows(1)
    rows.add([SYMBOL])
    store = SessionProfiles(rows)
    store.apply(ZERO, np.array([DAY_S]), np.array([first_close]), np.array([0]))
    store.first_close(ZERO, np.array([first_close]))
    return store


def check_profile(profile: Profile, entry: dict[str, object]) -> None:
    found = levels(profile)
    assert found is not None
    assert profile.volume.sum() == pytest.approx(entry["total"], rel=1e-9)
    for ours, key in ((found.poc, "poc"), (found.vah, "vah"), (found.val, "val")):
        assert round(ours, 4) == pytest.approx(entry[key], abs=1e-4), key
    assert [round(x, 4) for x in found.hvn] == pytest.approx(entry["hvn_rows"], abs=1e-4)
    assert [round(x, 4) for x in found.lvn] == pytest.approx(entry["lvn_rows"], abs=1e-4)


def test_implied_volatility_and_greeks(golden: Path) -> None:
    lines = read_csv(golden / "iv_black76_table.csv")

    def column(name: str) -> np.ndarray:
        return np.array([number(line[name]) for line in lines])

    forward, strike, years = column("F"), column("K"), column("t_years")
    call = np.array([line["flag"] == "c" for line in lines])
    exact = implied_volatility(forward, strike, years, 0.065, column("price_exact"), call)
    wanted = column("iv_from_exact")
    known = np.isfinite(wanted)
    assert known.sum() > 250
    np.testing.assert_allclose(exact.volatility[known], wanted[known], rtol=1e-8)

    quoted = implied_volatility(forward, strike, years, 0.065, column("price_tick"), call,
                                tick=0.05, max_points=1.0)  # fmt: skip
    fine = np.array([line["status"] == "ok" for line in lines])
    assert (quoted.reason[fine] == OK).all()
    np.testing.assert_allclose(quoted.volatility[fine], column("iv_from_tick")[fine], rtol=1e-8)
    assert np.isnan(quoted.volatility[~fine]).all()
    for line, reason in zip(lines, quoted.reason.tolist(), strict=True):
        if line["status"] != "ok":
            assert REASONS[reason], line["status"]

    true = column("sigma_true")
    ours = greeks(forward, strike, years, 0.065, true, call)
    for values, name in ((ours.delta, "delta"), (ours.gamma, "gamma"),
                         (ours.theta, "theta_per_day"), (ours.vega, "vega_per_pct")):  # fmt: skip
        theirs = column(name)
        told = np.isfinite(theirs)
        np.testing.assert_allclose(values[told], theirs[told], rtol=1e-9, atol=1e-12)
    values, theirs = price(forward, strike, years, 0.065, true, call), column("price_exact")
    told = np.isfinite(theirs)
    np.testing.assert_allclose(values[told], theirs[told], rtol=1e-9, atol=1e-9)


def test_open_interest_of_chains(golden: Path) -> None:
    lines = read_csv(golden / "chain_oi.csv")
    cases = json.loads((golden / "chain_oi_expected.json").read_text())
    assert len(cases) > 3
    for case in cases:
        chosen = [x for x in lines if int(x["case"]) == case["case"]]
        strikes = np.array([float(x["strike"]) for x in chosen])
        call, put = (np.array([int(float(x[c])) for x in chosen]) for c in ("ce_oi", "pe_oi"))
        ours = open_interest(strikes, call, put, case["spot"])
        if case["max_pain"] is None:
            assert math.isnan(ours.max_pain)
            continue
        assert ours.max_pain == case["max_pain"]
        assert ours.pain == case["pain_at_max_pain"]
        assert ours.pcr == pytest.approx(case["pcr_oi"], rel=1e-12)
        assert ours.call_wall == case["call_wall"]
        assert ours.put_wall == case["put_wall"]
        assert ours.top_strike == case["top1_strike"]
        assert ours.top_share == pytest.approx(case["top1_share"], rel=1e-12)


def test_a_real_days_chain(golden: Path, shared: Path) -> None:
    import pyarrow.parquet as pq

    wanted = read_csv(golden / "real_nifty_chain_summary.csv")
    data = pq.read_table(
        shared / "data" / "nse_option_chain_20250829" / "nifty_chain.parquet"
    ).to_pandas()
    data = data[data["expiry"] == data["expiry"].min()]
    snapshots = list(data.groupby("collected"))
    assert len(snapshots) == len(wanted) > 300
    for (_, chain), line in zip(snapshots, wanted, strict=True):
        chain = chain.sort_values("strike")
        strikes = chain["strike"].to_numpy(np.float64)
        middles = []
        for side in ("ce", "pe"):
            bid, ask = (chain[f"{side}_{c}_price"].to_numpy(np.float64) for c in ("bid", "ask"))
            middles.append(np.where((bid > 0) & (ask > 0), (bid + ask) / 2, np.nan))
        forward = parity_forward(strikes, *middles, years=0.01, rate=0.0)
        assert forward == pytest.approx(float(line["F_parity"]), abs=0.011)
        oi = [np.nan_to_num(chain[f"{s}_oi"].to_numpy(np.float64)) for s in ("ce", "pe")]
        ours = open_interest(strikes, *oi, spot=math.nan)
        assert ours.max_pain == float(line["max_pain"])
        assert ours.pcr == pytest.approx(float(line["pcr"]), rel=1e-9)
        assert ours.top_share == pytest.approx(float(line["top1_share"]), rel=1e-9)
        assert (ours.call_wall, ours.put_wall) == (
            float(line["call_wall"]), float(line["put_wall"]))  # fmt: skip


def test_straddle_premium_and_its_vwap(golden: Path) -> None:
    legs = read_csv(golden / "straddle_legs.csv")
    wanted = read_csv(golden / "straddle_expected.csv")
    chain = Chain("T", "2025-03-06", np.array([float(legs[0]["strike"])]), ZERO, ZERO, -1, 0.05)
    series = Straddles(chain)
    trader, events = StraddleTrader(StraddleRules()), 0
    for leg, line in zip(legs, wanted, strict=True):
        day = int(leg["ts"][8:10])
        series.minute(day, np.array([float(leg["ce_close"])]), np.array([float(leg["pe_close"])]),
                      np.array([float(leg["ce_volume"]) + float(leg["pe_volume"])]))  # fmt: skip
        now = series.now()
        assert now.premium[0] == pytest.approx(float(line["premium"]), rel=1e-12)
        assert close_enough(float(now.vwap[0]), number(line["premium_vwap"]), 0, 1e-12)
        assert int(now.below[0]) == int(line["run_below"]), leg["ts"]
        assert int(now.above[0]) == int(line["run_above"]), leg["ts"]
        minute = int(leg["ts"][11:13]) * 60 + int(leg["ts"][14:16])
        event = trader.close(int(now.below[0]), int(now.above[0]), minute - 555, 930 - minute)
        assert (event or "") == line["event"], leg["ts"]
        events += event is not None
    assert events == 14
