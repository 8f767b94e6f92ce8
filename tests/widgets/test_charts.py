"""Chart, option chain and latencies, drawn from a real market."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kitetui.app import KiteApp
from kitetui.engine import snapshot as view
from kitetui.engine.snapshot import Ingestion, Mark, Stage, View
from kitetui.settings import Settings
from kitetui.widgets.candles import column, scale
from kitetui.widgets.chain import ChainPane
from kitetui.widgets.chart import ChartPane
from kitetui.widgets.latency import LatencyPane
from kitetui.widgets.watchlist import Watchlist
from tests.links import MarketLink, market
from tests.widgets import views
from tests.widgets.test_panes import staged, text

OBSERVER = market()
P = OBSERVER.pipeline
NOW_S = P.session_s


def row_of(symbol: str) -> int:
    return [i.symbol for i in P.market.rows.instruments].index(symbol)


def pictured(symbol: str, **wanted: Any) -> view.Snapshot:
    token = int(P.market.rows.token[row_of(symbol)])
    looked = OBSERVER.market(View(focus=token, **wanted), NOW_S)
    return msgspec.structs.replace(views.snapshot(), **looked)


PRICES = st.floats(100, 200)


@given(st.lists(PRICES, min_size=4, max_size=4), st.integers(3, 40))
def test_a_candle_reaches_from_its_low_to_its_high_and_its_body_lies_in_it(
    prices: list[float], rows: int
) -> None:
    low, *_, high = sorted(prices)
    open_, close = prices[0], prices[-1]
    on = scale(100, 200, rows)
    drawn = column(open_, high, low, close, on, rows)
    reach = [at for at, glyph in enumerate(drawn) if glyph != " "]
    assert reach == list(range(on.row(high), on.row(low) + 1))
    body = [at for at, glyph in enumerate(drawn) if glyph not in " │╵╷"]
    assert {on.row(open_), on.row(close)} <= set(body)
    assert ("║" in drawn) == (close < open_), "a fall is told by more than colour"


def test_the_chart_has_the_bars_the_engine_has_and_vwap_of_the_session() -> None:
    row = row_of("RELIANCE")
    chart = OBSERVER.charts.of(row, 1, 30)
    assert chart is not None and len(chart.candles) == 30 and chart.forming
    forming = len(OBSERVER.reader.forming(row, 1))
    starts, bars = P.market.frames[1].history.last(row, 30 - forming)
    assert [c.start_s for c in chart.candles[:-forming]] == (starts * 60).tolist()
    assert [c.volume for c in chart.candles[:-forming]] == bars[4].tolist()
    whole = OBSERVER.charts.of(row, 1, 400)
    assert whole is not None
    day = [c for c in whole.candles if c.start_s // 86_400 == NOW_S // 86_400]
    assert day[-1].vwap is not None
    assert min(c.low for c in day) <= day[-1].vwap <= max(c.high for c in day)
    told = OBSERVER.reader.numbers(row, 1).vwap
    known = day[-forming].vwap
    assert told is not None and known is not None
    assert abs(known - told) < 1e-6, "the depth pane's own"
    spent = volume = 0.0
    for candle, bar in zip(day, P.market.frames[1].history.last(row, len(day) - forming)[1].T,
                           strict=False):  # fmt: skip
        spent, volume = spent + (bar[1] + bar[2] + bar[3]) / 300 * bar[4], volume + bar[4]
        assert candle.vwap is not None and abs(candle.vwap - spent / volume) < 1e-6
    assert OBSERVER.charts.of(row, 7, 30) is None


async def test_a_chart_shows_price_volume_levels_times_and_alerts() -> None:
    snapshot = pictured("RELIANCE", chart=50, chart_minutes=1)
    assert snapshot.chart is not None
    at_s = snapshot.chart.candles[-10].start_s
    marked = msgspec.structs.replace(snapshot.chart, marks=(Mark(at_s, 1, "P2", "breakout"),))
    async with staged(ChartPane(), 70, 30) as pane:
        pane.update_from(msgspec.structs.replace(snapshot, chart=marked))
        drawn = text(pane)
        for words in ("o ", "vol ", "•", "┃", "║", "◂", ":"):
            assert words in drawn, words
        low, high = (f(getattr(c, name) for c in marked.candles)
                     for f, name in ((min, "low"), (max, "high")))  # fmt: skip
        for name in ("poc", "vah", "val"):
            assert (name in drawn) == (low <= getattr(marked, name) <= high), name
        assert len(pane.plain) == 30 and max(map(len, pane.plain)) <= 70
        alerts = pane.plain[-5]
        assert alerts.index("▲") == len(marked.candles) - 10
        pane.update_from(views.snapshot(chart=None))
        assert "no bar yet" in text(pane)


async def test_the_chain_lists_strikes_with_both_sides_and_marks_the_money() -> None:
    snapshot = pictured("NIFTY 50", chain=True)
    chain = snapshot.chain
    assert chain is not None and chain.name == "NIFTY" and len(chain.strikes) > 10
    assert chain.money == min((s.price for s in chain.strikes),
                              key=lambda strike: abs(strike - chain.forward))  # fmt: skip
    async with staged(ChainPane(), 110, 40) as pane:
        pane.update_from(snapshot)
        drawn = text(pane)
        assert all(f"{strike.price:,.0f}" in drawn for strike in chain.strikes)
        assert drawn.count("▸") == 1 and "max pain" in drawn and "pcr" in drawn
        assert pane.selected == next(s.call for s in chain.strikes if s.price == chain.money)
        pane.action_side(True)
        assert pane.selected == next(s.put for s in chain.strikes if s.price == chain.money)
    async with staged(ChainPane(), 62, 40) as pane:
        pane.update_from(snapshot)
        assert "STRIKE" in pane.plain[0] and "CALL" in pane.plain[0] and "PUT" in pane.plain[0]
        pane.update_from(pictured("SBIN", chain=True))
        assert "no options of this instrument" in text(pane)
    async with staged(ChainPane(), 30, 40) as pane:
        pane.update_from(pictured("SBIN", chain=True))
        assert " ".join(line.strip() for line in pane.plain[1:]) == pane.empty_text, "in full"


async def test_who_comes_back_to_a_chain_finds_the_money_in_the_middle() -> None:
    snapshot = pictured("NIFTY 50", chain=True)
    assert snapshot.chain is not None
    async with staged(ChainPane(), 110, 12) as pane:
        for picture in (snapshot, pictured("SBIN", chain=True), snapshot):
            pane.update_from(picture)
        assert pane.cursor_key == snapshot.chain.money
        assert any("▸" in line for line in pane.plain)


async def test_what_is_chosen_of_the_chain_stays_in_the_middle_in_another_size() -> None:
    snapshot = pictured("NIFTY 50", chain=True)
    assert snapshot.chain is not None
    async with staged(ChainPane(), 110, 14) as pane:
        pane.focus()
        for lines in (14, 30, 10):
            pane.styles.height = lines
            await asyncio.sleep(0.05)
            pane.update_from(snapshot)
            pane.update_from(snapshot)
            strikes = pane.plain[1 : 1 + pane.page]
            shown = [n for n, line in enumerate(strikes) if "▸" in line]
            if lines < len(snapshot.chain.strikes):
                assert abs(shown[0] - pane.page // 2) <= 1, (lines, strikes)


def test_a_chain_s_figures_are_the_packets() -> None:
    chain = pictured("BANKNIFTY25DECFUT", chain=True).chain
    future = pictured("NIFTY25DECFUT", chain=True).chain
    assert future is not None and future.name == "NIFTY" and chain != future
    for strike in future.strikes:
        for side in filter(None, (strike.call, strike.put)):
            row = int((P.market.rows.token[: P.market.rows.count] == side.token).nonzero()[0][0])
            depth = OBSERVER.depth(row, NOW_S)
            if depth is None:
                assert side.last is None
            else:
                assert (side.last, side.oi, side.volume) == (depth.ltp, depth.oi, depth.volume)


async def test_latencies_have_quantiles_a_histogram_counters_and_gaps() -> None:
    stage = Stage("received to derived", 4.0, 20.0, 400.0, 900.0, (0, 5, 60, 20, 10, 4, 1, 0, 0, 0))
    told = Ingestion((stage,), (("frames", 1_000), ("rejected", 3)),
                     ("09:20:00 31 s silence: 4 of 90 instruments traded",))  # fmt: skip
    async with staged(LatencyPane(), 70, 34) as pane:
        pane.own = (Stage("one frame", 3.0, 4.0, 5.0, 9.0, ()),)
        pane.update_from(views.snapshot(ingestion=told))
        for words in ("received to derived", "400.0", "900.0 !", "≤ 5 ", " 60%", "one frame",
                      "rejected 3", "31 s silence", "connection 0 ● LIVE"):  # fmt: skip
            assert words in text(pane), (words, text(pane))
        pane.update_from(views.snapshot())
        assert "nothing came in yet" in text(pane)


@pytest.fixture
def app(settings: Settings) -> KiteApp:
    return KiteApp(settings.screen, MarketLink())


async def test_from_the_chain_an_option_is_gone_to(app: KiteApp) -> None:
    async with app.run_test(size=(200, 50)) as pilot:
        await pilot.pause(0.4)
        await pilot.press("v", "v")  # from nothing to the depth's next views
        await pilot.pause(0.4)
        chain = app.query_one(ChainPane)
        assert chain.display and app.focused is chain
        await pilot.press("j", "right", "enter")
        await pilot.pause(0.6)
        chosen = app.query_one(Watchlist).token
        symbol = {int(t): i.symbol for t, i in zip(
            P.market.rows.token, P.market.rows.instruments, strict=False)}[chosen]  # fmt: skip
        assert symbol.startswith("NIFTY") and symbol.endswith("PE")
        assert "▸" in "".join(app.query_one(Watchlist).plain), "it is in sight"
        await pilot.press("full_stop")
        await pilot.pause(0.3)
        assert app.link.asked[-1].expiry == 1


async def test_the_chart_s_timeframe_and_the_ladder_s_grouping_have_keys(app: KiteApp) -> None:
    async with app.run_test(size=(200, 50)) as pilot:
        await pilot.pause(0.4)
        await pilot.press("v")
        await pilot.pause(0.3)
        assert app.focused is app.query_one(ChartPane)
        for key, minutes in (("full_stop", 3), ("full_stop", 5), ("comma", 3), ("comma", 1)):
            await pilot.press(key)
            await pilot.pause(0.2)
            assert app.link.asked[-1].chart_minutes == minutes
        depth: Any = app.query_one("#depth")
        await pilot.press("2", "L")
        assert depth.ladder.on
        await pilot.press("full_stop", "full_stop")
        assert depth.ladder.grouping == 5
        await pilot.press("comma", "c", "L")
        assert depth.ladder.grouping == 2 and not depth.ladder.on


async def test_volume_is_shown_by_time_by_equal_buckets_and_by_price(app: KiteApp) -> None:
    async with app.run_test(size=(200, 50)) as pilot:
        await pilot.pause(0.4)
        await pilot.press("1", "j", "j", "j", "3")
        await pilot.pause(0.4)
        pane: Any = app.query_one("#buckets")
        assert "poc" in text(pane), "the developing profile stands below"
        row = row_of("RELIANCE")
        told = OBSERVER.charts.volumes(row)
        await pilot.press("L")
        await pilot.pause(0.4)
        assert "by volume" in str(pane.border_title) and "a bucket" in str(pane.border_subtitle)
        newest = P.market.buckets.last(row, 1)
        assert (told.buckets[0].buy, told.buckets[0].sell) == (newest[0].buy, newest[0].sell)
        assert sum(one.buy + one.sell for one in told.buckets) == told.size * len(told.buckets)
        assert f"{told.buckets[0].number} " in pane.plain[1]
        await pilot.press("L")
        await pilot.pause(0.4)
        profile = P.market.profiles.profile(row)
        assert profile is not None
        assert sum(one.volume for one in told.prices) == int(profile.volume.astype(int).sum())
        assert "poc" in text(pane) and "a line" in str(pane.border_subtitle)
        assert len(pane.rows) <= pane.page, "all prices have room"
        await pilot.press("L")
        await pilot.pause(0.3)
        assert "5 min" in str(pane.border_subtitle)
