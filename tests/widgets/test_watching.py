"""The watchlist on a real market: sorted, filtered, grouped, with a cursor that sticks."""

from __future__ import annotations

from typing import Any

import pytest
from textual import events
from textual.keys import _character_to_key
from textual.widgets import Input

from kitetui.app import KiteApp
from kitetui.engine.snapshot import SORTS, Watch, Watching
from kitetui.settings import Settings
from kitetui.widgets.filter_bar import FilterBar
from kitetui.widgets.watchlist import Watchlist
from tests.links import MarketLink, market
from tests.pilots import settle, until

OBSERVER = market()
NOW_S = OBSERVER.pipeline.session_s


def looked(watching: Watching, count: int = 200) -> tuple[Watch, ...]:
    order = OBSERVER._order.rows(watching)
    return OBSERVER.watch(order, 0, count, NOW_S)


@pytest.mark.parametrize(
    ("sort", "value"),
    [("price", lambda w: -w.ltp), ("change", lambda w: -w.change_pct), ("oi", lambda w: -w.oi),
     ("volume", lambda w: -w.volume), ("age", lambda w: -w.age_s), ("symbol", lambda w: w.symbol)],
)  # fmt: skip
def test_sorted_by_a_value_the_most_of_it_comes_first(sort: str, value: Any) -> None:
    rows = [w for w in looked(Watching(sort=sort)) if w.age_s >= 0 and w.change_pct is not None]
    assert len(rows) > 50
    assert [value(w) for w in rows] == sorted(value(w) for w in rows)
    back = [w for w in looked(Watching(sort=sort, reverse=True)) if w in rows]
    assert [value(w) for w in back] == sorted((value(w) for w in back), reverse=True)


def test_what_is_not_known_comes_last_either_way() -> None:
    for reverse in (False, True):
        seen = [w.age_s >= 0 for w in looked(Watching(sort="price", reverse=reverse))]
        assert seen == sorted(seen, reverse=True)


def test_every_sort_keeps_every_row() -> None:
    whole = {w.token for w in looked(Watching())}
    assert len(whole) == 90
    for sort in SORTS:
        assert {w.token for w in looked(Watching(sort=sort))} == whole


def test_groups_part_the_market() -> None:
    groups = dict(OBSERVER._order.groups())
    assert groups.pop("focus", 0) <= 90
    assert sum(groups.values()) == 90
    for name, count in groups.items():
        assert len(looked(Watching(group=name))) == count


@pytest.mark.parametrize("text", ["reliance", "NIFTY !bank", "fut nifty", "!", "nothing has that"])
def test_a_filter_looks_in_symbol_and_name(text: str) -> None:
    found = {w.token for w in looked(Watching(text=text))}
    words = text.upper().split()
    for instrument in OBSERVER.pipeline.market.rows.instruments:
        whole = f"{instrument.symbol} {instrument.name}".upper()
        wanted = all(
            (w.strip("!") in whole) != w.startswith("!") for w in words if w.strip("!")
        )  # fmt: skip
        assert (instrument.token in found) == wanted, instrument.symbol


@pytest.fixture
def app(settings: Settings) -> KiteApp:
    return KiteApp(settings.screen, MarketLink())


async def test_the_cursor_sticks_to_its_instrument_while_the_order_changes(app: KiteApp) -> None:
    async with app.run_test(size=(200, 50)) as pilot:
        await settle(pilot)
        pane = app.query_one(Watchlist)
        await pilot.press("1", "j", "j", "j")
        await settle(pilot)
        token = pane.token
        for _ in SORTS:
            await pilot.press("s")
            await settle(pilot)
            assert app.link.asked[-1].focus == token
            assert pane.top == 0, "who sorts looks at the top"
            at = [w.token for w in looked(pane.watching)].index(token)
            assert pane.cursor == at
        assert pane.watching == Watching()
        await pilot.press("s", "s", "s", "S")
        await settle(pilot)
        assert pane.watching == Watching(sort="change", reverse=True)
        assert "CHG% ▲" in str(pane.border_subtitle)


async def test_words_are_filtered_by_as_they_are_typed(app: KiteApp) -> None:
    async with app.run_test(size=(200, 50)) as pilot:
        await settle(pilot)
        pane = app.query_one(Watchlist)
        await pilot.press("1", "slash", *"reli")
        await settle(pilot)
        assert pane.total < 90 and all("RELI" in line for line in pane.plain[1:])
        assert "/reli" in str(pane.border_title)
        await pilot.press("q", "q")
        await settle(pilot)
        assert "matches nothing" in pane.plain[0]
        await pilot.press("backspace", "backspace", "enter")
        await settle(pilot)
        assert not app.query_one(FilterBar).display and app.focused is pane
        await pilot.press("j")
        await settle(pilot)
        assert "RELI" in pane.plain[pane.cursor - pane.top + 1]
        await pilot.press("escape")
        await settle(pilot)
        assert pane.total == 90 and pane.filtered == ""
        assert "▸" in "".join(pane.plain), "the instrument is still in sight"
        await pilot.press("slash", *"tcs", "escape")
        await settle(pilot)
        assert pane.total == 90


@pytest.mark.parametrize("opens", ["/", ":"])
async def test_keys_of_a_burst_are_typed_and_do_nothing_else(
    app: KiteApp, opens: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a paste brings them, or fingers on a slow link."""
    done: list[str] = []
    monkeypatch.setattr(KiteApp, "action_acknowledge", lambda self: done.append("ack"))
    async with app.run_test(size=(200, 50)) as pilot:
        await settle(pilot)
        await pilot.press("1")
        for character in f"{opens}a nif":
            app.post_message(events.Key(_character_to_key(character), character))
        await until(pilot, lambda: isinstance(app.focused, Input))
        line = app.focused
        assert isinstance(line, Input) and isinstance(line, FilterBar) == (opens == "/")
        await until(pilot, lambda: line.value == "a nif")
        assert not done


async def test_groups_come_one_after_the_other(app: KiteApp) -> None:
    async with app.run_test(size=(200, 50)) as pilot:
        await settle(pilot)
        pane = app.query_one(Watchlist)
        await pilot.press("1")
        seen = []
        for _ in range(len(OBSERVER._order.groups()) + 1):
            await pilot.press("c")
            await settle(pilot)
            seen.append((pane.watching.group, pane.total))
        assert seen == [*OBSERVER._order.groups(), ("", 90)]
