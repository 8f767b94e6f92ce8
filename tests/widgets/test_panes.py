"""Panes, line by line, without a terminal: text, styles, and which lines are repainted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from textual.app import App, ComposeResult

from kitetui.engine import snapshot as view
from kitetui.engine.health.server import ServerStats
from kitetui.engine.snapshot import Alert, Level
from kitetui.widgets.alerts import AlertsPane, AlertStrip
from kitetui.widgets.buckets import BucketsPane
from kitetui.widgets.depth import DepthPane
from kitetui.widgets.events import EventsPane
from kitetui.widgets.header import HeaderBar
from kitetui.widgets.lag import LagPane
from kitetui.widgets.live_grid import SETTLE_S, Column, LiveGrid, Row
from kitetui.widgets.live_pane import ASCII, LivePane
from kitetui.widgets.palette import stale_styles, themes
from kitetui.widgets.scoreboard import ScoreboardPane
from kitetui.widgets.server import ServerPane
from kitetui.widgets.streams import StreamsPane
from kitetui.widgets.watchlist import Watchlist
from tests.widgets import views
from tests.widgets.states import picture


class Stage(App[None]):
    """One pane on an empty screen."""

    def __init__(self, pane: LivePane) -> None:
        super().__init__()
        self.pane = pane
        for theme in themes():
            self.register_theme(theme)
        self.theme = "kite-cb"

    def compose(self) -> ComposeResult:
        yield self.pane


@asynccontextmanager
async def staged(pane: Any, columns: int = 78, lines: int = 20) -> AsyncIterator[Any]:
    pane.styles.width, pane.styles.height = columns, lines
    async with Stage(pane).run_test(size=(columns, lines)) as pilot:
        await pilot.pause()
        yield pane


def text(pane: LivePane) -> str:
    return "\n".join(pane.plain)


async def test_render_line_gives_the_text_in_the_style_of_its_meaning() -> None:
    async with staged(DepthPane()) as pane:
        pane.update_from(views.snapshot())
        lines = [pane.render_line(y) for y in range(20)]
        ask = next(line for line in lines if "1,412.50" in line.text)
        bid = next(line for line in lines if "1,411.60" in line.text)
        assert "#f79b4b" in str([s.style for s in ask if "1,412.50" in s.text])
        assert "#6cb6ff" in str([s.style for s in bid if "1,411.60" in s.text])
        assert all(line.cell_length == 78 for line in lines)


async def test_asks_stand_above_bids_best_prices_next_to_the_spread() -> None:
    async with staged(DepthPane()) as pane:
        pane.update_from(views.snapshot())
        at = {p: text(pane).index(p) for p in ("1,412.50", "1,412.10", "spread", "1,412.00",
                                               "1,411.60")}  # fmt: skip
        assert sorted(at, key=at.__getitem__)[0] == "1,412.10"  # the headline price
        body = text(pane).split("PRICE")[1]
        order = ["1,412.50", "1,412.20", "spread", "1,412.00", "1,411.60"]
        assert [body.index(p) for p in order] == sorted(body.index(p) for p in order)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"bids": (), "asks": (), "mode": "quote"}, "no depth: mode=quote"),
        ({"is_index": True, "bids": (), "asks": ()}, "an index has no book"),
        ({"asks": (Level(0.0, 0, 0),) * 5}, "no asks: upper circuit?"),
        ({"asks": (Level(1411.0, 5, 1),) * 5}, "CROSSED BOOK"),
    ],
)
async def test_a_book_that_is_not_there_says_why(changes: dict[str, Any], words: str) -> None:
    async with staged(DepthPane()) as pane:
        pane.update_from(views.snapshot(depth=views.depth(**changes)))
        assert words in text(pane)


@pytest.mark.parametrize(("columns", "sums"), [(50, False), (57, False), (66, True), (90, True)])
async def test_a_narrow_book_leaves_its_sums_out_rather_than_cut_them(
    columns: int, sums: bool
) -> None:
    async with staged(DepthPane(), columns) as pane:
        pane.update_from(views.snapshot())
        drawn = [pane.render_line(y).text for y in range(1, 13)]
        assert ("cum" in drawn[0]) is sums
        assert not any("…" in line for line in drawn)


async def test_stale_data_is_kept_dimmed_and_aged() -> None:
    async with staged(DepthPane()) as pane:
        pane.update_from(views.snapshot(depth=views.depth(stale=True, age_s=42.0)))
        assert pane.stale
        assert "40s" in str(pane.border_subtitle)
        assert "1,412.10" in text(pane)
        dimmed = set(stale_styles(pane.app.theme).values())
        assert all(s.style in dimmed for s in pane.render_line(0))


async def test_buckets_show_both_sides_and_mark_what_is_uncertain() -> None:
    async with staged(BucketsPane(), 68) as pane:
        pane.update_from(views.snapshot())
        assert "50.0K" in text(pane) and "30.0K" in text(pane) and "+12.0K" in text(pane)
        assert text(pane).count("▸") == 1
        assert text(pane).count("~") == 1
        pane.update_from(views.snapshot(depth=views.depth(is_index=True), buckets=()))
        assert "an index has no volume" in text(pane)


async def test_unknown_rates_and_lags_are_question_marks_never_zero() -> None:
    async with staged(LagPane(), 68) as pane:
        pane.update_from(views.snapshot())
        archiver = next(line for line in pane.plain if "archiver" in line)
        assert "?" in archiver and "STALL" in archiver
        assert "7 entries lost" in str(pane.border_title) + str(pane.border_subtitle)
    async with staged(StreamsPane(), 68) as pane:
        pane.update_from(views.snapshot())
        assert "?" in next(line for line in pane.plain if "alerts:system" in line)
        assert "96" in next(line for line in pane.plain if "processed" in line)


async def test_groups_in_trouble_have_the_first_places() -> None:
    told = (("a", "OK", 0), ("b", "WARN", 0), ("c", "OK", 9), ("d", "STOP", 0), ("e", "OK", 0),
            ("f", "STALL", 0), ("g", "REWIND", 0))  # fmt: skip
    first = views.snapshot().groups[0]
    groups = tuple(msgspec.structs.replace(first, name=f"of-{name}", state=state, lost=lost)
                   for name, state, lost in told)  # fmt: skip
    async with staged(LagPane(), 68) as pane:
        pane.update_from(views.snapshot(groups=groups))
        shown = [line.split("of-")[1][0] for line in pane.plain if "of-" in line]
        assert "".join(shown) == "dfgbcae"
        pane.move_to(4)
        better = tuple(msgspec.structs.replace(g, state="OK", lost=0) for g in groups)
        pane.update_from(views.snapshot(groups=better))
        assert pane.selected is not None and pane.selected.name == "of-c"


async def test_alerts_tell_state_by_glyph_and_keep_the_cursor_on_its_alert() -> None:
    async with staged(AlertsPane(), 130) as pane:
        pane.focus()
        first, second = views.alert(0), views.alert(1)
        pane.update_from(views.snapshot(alerts=(first, second)))
        pane.move(1)
        assert pane.selected.alert_id == second.alert_id
        pane.update_from(views.snapshot(alerts=(views.alert(5), first, second)))
        assert pane.selected.alert_id == second.alert_id
        assert text(pane).count("●") == 2 and "1 new: g" in str(pane.border_title)
        pane.move_to(0)
        pane.update_from(views.snapshot(alerts=(views.alert(5), first, second)))
        assert text(pane).count("●") == 3 and "new" not in str(pane.border_title)
        assert pane.cursor_key == views.alert(5).alert_id
        pane.update_from(views.snapshot(alerts=()))
        assert "all clear" in text(pane)


async def test_who_looks_elsewhere_sees_the_newest_alerts_and_what_the_keys_mean() -> None:
    async with staged(AlertsPane(), 130, 8) as pane:
        pane.app.set_focus(None)
        while pane.has_focus:
            await asyncio.sleep(0)
        old = tuple(views.alert(n) for n in range(10, 13))
        pane.update_from(views.snapshot(alerts=old))
        assert pane.selected == old[0]
        pane.update_from(views.snapshot(alerts=(views.alert(9), *old)))
        assert pane.selected == old[0] and "▸● P3" in pane.plain[2], "it is in sight and stays"
        many = tuple(views.alert(n) for n in range(10)) + old
        pane.update_from(views.snapshot(alerts=many))
        assert "SYM0 " in pane.plain[1] and "▸● P3" in pane.plain[1] and "▸" not in pane.plain[2]
        assert pane.selected is None, "it came there by itself, just now"
        await asyncio.sleep(SETTLE_S)
        pane.update_from(views.snapshot(alerts=many))
        assert pane.selected == many[0]


async def test_a_flood_has_a_banner_and_its_volume_a_trend() -> None:
    flood = view.Flood(active=True, since_s=int(views.NOW_S) - 60, pending=7, held=31, told=10,
                       minutes=((1, 3, 2, 1), (2, 900, 40, 9)))  # fmt: skip
    for pane, columns in ((AlertsPane(), 130), (AlertStrip(), 80)):
        async with staged(pane, columns, 12):
            pane.update_from(views.snapshot(flood=flood))
            assert "FLOOD since 09:44:00: 7 wait for the next digest, 31 held" in text(pane)
            volume = "900 offered, 40 raised, 9 told   today 10"
            assert (volume in text(pane)) == isinstance(pane, AlertsPane)


@pytest.mark.parametrize(
    ("changes", "glyph", "words"),
    [({"state": "returned", "reason": "target"}, "○", "over: target"),
     ({"state": "shelved", "shelved_until_s": int(views.NOW_S)}, "◐", "shelved until 09:45:00"),
     ({"state": "acked", "acked_by": "ops"}, "✓", "acknowledged by ops"),
     ({"state": "suppressed", "reason": "the feed is down"}, "◌", "the feed is down"),
     ({"origin": "system", "priority": 1, "message": "no connection"}, "●", "no connection"),
     ({"p_hit": 0.61, "p_outcomes": 212, "calibrated": True, "count": 77}, "●", "61% 212")],
)  # fmt: skip
async def test_each_state_has_a_glyph_and_words(
    changes: dict[str, Any], glyph: str, words: str
) -> None:
    plain = msgspec.to_builtins(views.alert(0)) | changes
    async with staged(AlertsPane(), 150) as pane:
        pane.update_from(views.snapshot(alerts=(msgspec.convert(plain, Alert),)))
        line = pane.plain[1]
        assert line.startswith(glyph) and words in line
        assert ("77" in line) == ("count" in changes)


async def test_the_strip_counts_what_it_cannot_show() -> None:
    async with staged(AlertStrip(), 80, 3) as pane:
        pane.update_from(views.snapshot(alerts=tuple(views.alert(n) for n in range(15))))
        assert pane.plain[2].endswith("+12 more") and len(pane.plain[2]) <= 80
        assert len(pane.plain) == 3


async def test_hostile_text_is_drawn_as_text() -> None:
    evil = "\x1b]0;x\x07[@click=app.quit]X[/]\u202e"
    async with staged(AlertsPane(), 130) as pane:
        pane.update_from(views.snapshot(alerts=(views.alert(0, symbol=evil),)))
        drawn = "".join(pane.render_line(y).text for y in range(20))
        assert "\x1b" not in drawn and "\u202e" not in drawn
        assert "[@click=app.qu" in drawn
    async with staged(DepthPane()) as pane:
        pane.update_from(views.snapshot(depth=views.depth(symbol=evil)))
        assert "\x1b" not in str(pane.border_title)


@pytest.mark.parametrize("columns", [80, 110, 200])
async def test_a_long_reason_hides_neither_the_clock_nor_what_waits(columns: int) -> None:
    reason = "the access token has expired; run kitetui login " * 3
    async with staged(HeaderBar(), columns, 1) as header:
        header.show_header(views.header(state="AUTH_EXPIRED", reason=reason, unacked=3), role="rw",
                           frozen=True, queue=0, hz=4, frame_ms=6.0)  # fmt: skip
        line = text(header)
        assert "AUTH_EXPIRED" in line and "3 unacked" in line and "FROZEN" in line
        assert "the access" in line and ":" in line


async def test_grounds_and_sections_of_the_header_stand_apart() -> None:
    async with staged(HeaderBar(), 200, 1) as header:
        header.show_header(views.header(), role="rw", frozen=True, queue=0, hz=4, frame_ms=6.0)
        assert "❚❚ FROZEN  NSE OPEN" in text(header)
        assert all(style == "" for words, style in header._lines[0] if not words.strip())
        nothing = picture("empty", views.snapshot()).header
        header.show_header(nothing, role="rw", frozen=False, queue=0, hz=4, frame_ms=6.0)
        assert "all clear │ sub 0 0/s" in text(header)
        assert "│ redis ○ connecting lag –" in text(header), "it is passing, and nothing waits"


@pytest.mark.parametrize("columns", [46, 58, 78])
async def test_a_side_without_offers_is_named_whole_in_a_narrow_book(columns: int) -> None:
    async with staged(DepthPane(), columns) as pane:
        pane.update_from(picture("circuit", views.snapshot()))
        assert "upper circuit? " in text(pane)
        assert ("no asks: " in text(pane)) == (columns > 60)


@pytest.mark.parametrize("columns", [46, 57, 78, 110])
@pytest.mark.parametrize("ladder", [False, True])
async def test_millions_of_shares_and_six_digits_of_rupees_keep_their_columns(
    columns: int, ladder: bool
) -> None:
    many = (812_345, 12_345_678, 9_876_543, 1_000_000, 7)
    bids = tuple(Level(150_000.0 - n, many[n], 12_345) for n in range(5))
    asks = tuple(Level(150_001.0 + n, many[n], 3) for n in range(5))
    book = views.depth(bids=bids, asks=asks, ltp=150_000.0, tick_size=1.0)
    async with staged(DepthPane(), columns, 30) as pane:
        pane.ladder.on = ladder
        pane.update_from(views.snapshot(depth=book))
        priced = [line for line in pane.plain if line.count("│") == 2]
        assert len(priced) >= 10
        assert len({tuple(at for at, glyph in enumerate(line) if glyph == "│")
                    for line in priced}) == 1  # fmt: skip
        assert all(len(line.rstrip()) <= columns for line in priced)
        assert any("12.3M" in line for line in priced)


async def test_a_spread_is_whole_or_not_there() -> None:
    wide = views.depth(bids=(Level(500.05, 1, 1),) * 5, asks=(Level(1734.6, 1, 1),) * 5)
    for columns in range(40, 90):
        async with staged(DepthPane(), columns) as pane:
            pane.update_from(views.snapshot(depth=wide))
            assert "1,234.55 " in text(pane), columns


async def test_what_is_cut_in_ascii_is_no_figure() -> None:
    async with staged(Numbers(), 12) as grid:
        grid.app.add_class(ASCII)
        grid.show([((" c 24,499.95", ""), (" more", ""))])
        assert grid.render_line(0).text == " c 24,499.9~"


async def test_an_option_that_is_cut_keeps_its_strike_and_its_side() -> None:
    names = ("BANKNIFTY25DEC52500CE", "BANKNIFTY25DEC52500PE", "HDFCBANK25DEC1000CE")
    alerts = tuple(views.alert(n, symbol=name) for n, name in enumerate(names))
    async with staged(AlertsPane(), 76) as pane:
        pane.update_from(views.snapshot(alerts=alerts))
        assert all(line[10:].split()[0].endswith(name[-7:])
                   for line, name in zip(pane.plain[1:], names, strict=False))  # fmt: skip
    async with staged(AlertStrip(), 80, 3) as strip:
        strip.update_from(views.snapshot(alerts=alerts))
        assert all(name[-7:] in line for line, name in zip(strip.plain, names, strict=True))


async def test_an_alert_that_comes_under_the_cursor_by_itself_is_not_yet_meant() -> None:
    first, other = views.alert(1), views.alert(2)
    async with staged(AlertsPane(), 100) as pane:
        pane.update_from(views.snapshot(alerts=()))
        pane.update_from(views.snapshot(alerts=(first,)))
        assert pane.selected is None, "the first of the day"
    async with staged(AlertsPane(), 100) as pane:
        pane.update_from(views.snapshot(alerts=(first,)))
        assert pane.selected == first, "it was there when the pane was"
        pane.update_from(views.snapshot(alerts=(other,)))
        assert pane.selected is None, "the one that was meant has left in the same moment"
        pane.update_from(views.snapshot(alerts=()))
        pane.slipped_s -= 10.0
        pane.update_from(views.snapshot(alerts=(first,)))
        assert pane.selected is None, "the queue was empty a moment ago"
        pane.slipped_s -= 10.0
        assert pane.selected == first
        pane.focus()
        pane.update_from(views.snapshot(alerts=(first,)))
        pane.update_from(views.snapshot(alerts=(other, first)))
        pane.move_to(0)
        pane.update_from(views.snapshot(alerts=(other, first)))
        assert pane.selected is None and pane.cursor_key == other.alert_id


@pytest.mark.parametrize("columns", [80, 120, 200])
async def test_whatever_is_wrong_the_header_tells_what_waits_for_somebody(columns: int) -> None:
    lost = picture("lost", views.snapshot()).header
    async with staged(HeaderBar(), columns, 1) as header:
        header.show_header(lost, role="rw", frozen=False, queue=0, hz=4, frame_ms=6.0)
        assert "1 P1, 3 unacked" in text(header)


async def test_the_header_says_simulated_and_what_is_wrong() -> None:
    async with staged(HeaderBar(), 200, 1) as pane:
        pane.show_header(views.header(), role="rw", frozen=False, queue=0, hz=4, frame_ms=6.0)
        assert "SIMULATED" in text(pane) and "1 unacked" in text(pane) and "lag 312" in text(pane)
        bad = views.header(simulated=False, state="AUTH_EXPIRED", reason="403: log in again",
                           redis_state="down", unacked=0, journal="No space left")  # fmt: skip
        pane.show_header(bad, role="rw", frozen=True, queue=0, hz=4, frame_ms=6.0)
        for words in ("KITE", "AUTH_EXPIRED", "403: log in again", "redis ■ down", "FROZEN",
                      "journal ■ No space left", "all clear"):  # fmt: skip
            assert words in text(pane)


async def test_the_watchlist_draws_only_its_window_and_marks_stale_rows() -> None:
    async with staged(Watchlist(), 60, 8) as pane:
        pane.update_from(views.snapshot())
        assert len(pane.plain) == 8
        pane.move(15)
        assert pane.top == 15 - pane.page + 1
        pane.move_to(-1)
        assert pane.cursor == 19


async def test_events_are_lines() -> None:
    async with staged(EventsPane()) as pane:
        pane.update_from(views.snapshot())
        assert "ws0" in text(pane)


async def test_what_is_cut_at_the_edge_says_so() -> None:
    async with staged(EventsPane(), 30, 4) as pane:
        inside = pane.size.width
        whole, long = "x" * inside, "y" * (inside + 1)
        pane.show([((whole, ""),), ((whole + "  ", "dim"),), ((long, "warn"),), (("日" * 40, ""),)])
        drawn = [pane.render_line(y) for y in range(4)]
        assert [d.text for d in drawn[:2]] == [whole, whole], "space may be cut"
        assert drawn[2].text == "y" * (inside - 1) + "…"
        assert drawn[3].text.endswith("…")
        assert {d.cell_length for d in drawn} == {inside}
        pane.app.add_class(ASCII)
        pane._strips.clear()
        assert pane.render_line(2).text == "y" * (inside - 1) + "~"


async def test_the_row_that_is_chosen_has_one_ground_from_edge_to_edge() -> None:
    async with staged(Numbers()) as pane:
        pane.focus()
        pane.show_rows([Row(n, ((str(n), "dim"), ("█", "bid-bar"))) for n in (1, 2)])
        await asyncio.sleep(0)
        chosen = pane.render_line(1)
        grounds = {s.style.bgcolor.name for s in chosen if s.style}
        assert chosen.cell_length == pane.size.width and grounds == {"#323741"}
        assert {s.style.bgcolor.name for s in pane.render_line(2) if s.style} == {"#10141c"}


class Numbers(LiveGrid):
    columns = (Column("A", 6), Column("B", 6))


async def test_only_lines_that_differ_are_repainted() -> None:
    async with staged(Numbers(), 20, 12) as grid:
        painted: list[Any] = []
        refresh = grid.refresh
        grid.refresh = lambda *regions, **kw: (painted.append(regions), refresh(*regions, **kw))[1]
        rows = [Row(n, ((str(n), ""), ("x", ""))) for n in range(8)]
        grid.show_rows(rows)
        assert {r.y for r in painted[-1]} >= set(range(1, 9))
        painted.clear()
        grid.show_rows(list(rows))
        assert painted == []
        rows[3] = Row(3, (("99", ""), ("x", "")))
        grid.show_rows(rows)
        assert [r.y for r in painted[-1]] == [4]


async def test_a_frozen_pane_holds_still_and_catches_up() -> None:
    async with staged(Numbers(), 20, 12) as grid:
        grid.show_rows([Row(1, (("old", ""), ("x", "")))])
        grid.freeze(True)
        grid.show_rows([Row(1, (("new", ""), ("x", "")))])
        assert "old" in text(grid)
        grid.freeze(False)
        assert "new" in text(grid)


async def test_a_rate_stands_beside_its_interval_and_its_null_and_a_claim_is_rare() -> None:
    board = (
        views.board_line(),
        views.board_line(
            pattern="volume_profile_advanced.poor_high", n=0, rate=float("nan"), claim=False
        ),
    )
    async with staged(ScoreboardPane(), columns=140) as pane:
        pane.update_from(views.snapshot(board=board))
        head, first, second, *_ = pane.plain
        assert head.split()[:7] == ["PATTERN", "TF", "OF", "N", "NULL", "HIT", "95"]
        assert first.split()[:7] == ["breakout", "5m", "equ", "212", "40%", "46%", "39%-53%"]
        assert "yes" in first and "1.15*" in first
        assert "volume_pro.poor_high" in second and "–" in second and "nan" not in second
    async with staged(ScoreboardPane(), columns=62) as pane:
        pane.update_from(views.snapshot(board=board))
        assert "R NET" in pane.plain[0] and "SKILL" not in pane.plain[0]
    for columns in (40, 45, 50, 54, 58):
        async with staged(ScoreboardPane(), columns=columns) as pane:
            pane.update_from(views.snapshot(board=board))
            assert "NULL" in pane.plain[0] or "HIT" not in pane.plain[0]
            assert "…" not in str(pane.border_subtitle)
    async with staged(ScoreboardPane(), columns=62) as pane:
        pane.update_from(views.snapshot(board=()))
        assert "no outcome yet" in text(pane)


async def test_the_redis_pane_tells_what_is_written_and_how_the_server_does() -> None:
    stats = views.snapshot().servers[0].stats
    tight = view.Server("unix:///r", msgspec.structs.replace(
        stats, policy="allkeys-lru", used_mb=500.0, evicted=3, persistence="snapshots FAIL",
        full_in_s=60.0), "", 2)  # fmt: skip
    away = view.Server("redis://desk", ServerStats(), "Connection refused\x1b[31m")
    async with staged(ServerPane(), 70) as pane:
        pane.update_from(views.snapshot())
        for words in ("lean ● ok", "written 10,000", "120 MB of 512 MB", "noeviction",
                      "+300 MB/h  full in 78m", "4,100 ops/s", "append-only file", "0:12  4:300",
                      "12.5 ms SCAN 0 COUNT"):  # fmt: skip
            assert words in text(pane), (words, text(pane))
        pane.update_from(views.snapshot(servers=(tight, away), publication=view.Publication(
            "full", "full", "OOM", 5, 9_000, 3, 40, 0, 1.0, 2.0, 4.5,
            ("not allowed: XADD alerts",))))  # fmt: skip
        for words in ("full ■ full OOM", "waiting 9,000", "3 DROPPED", "40 written again",
                      "symbols 4.5 s behind", "■ not allowed: XADD alerts", "allkeys-lru",
                      "3 keys evicted", "snapshots FAIL", "2 streams not ours",
                      "■ Connection refused"):  # fmt: skip
            assert words in text(pane), (words, text(pane))


async def test_streams_show_growth_time_to_the_cap_and_what_is_foreign() -> None:
    streams = (
        view.Stream("ticks:packed", 100, 1_000, 10.0, 1, 4, (1.0, 5.0, 10.0), 90.0, 12.0),
        view.Stream("somebody", 7, 0, 0.0, 0, 4, ours=False),
        view.Stream("flow:*", 0, 0, None, 0, 8, count=9_000, family=True),
        view.Stream("alerts:system", 0, 100, None, 0, 6, error="WRONGTYPE"),
    )  # fmt: skip
    async with staged(StreamsPane(), 120) as pane:
        pane.update_from(views.snapshot(streams=streams))
        assert "ticks:packed" in text(pane) and "▁▄█" in text(pane) and "90s" in text(pane)
        assert "? somebody" in text(pane) and "flow:* x9,000" in text(pane)
        assert "■ wrong" in text(pane) and "alerts:system: WRONGTYPE" in str(pane.border_subtitle)
        assert pane.selected == streams[0]
