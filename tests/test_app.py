"""The app by its keys: layouts, focus, acknowledging what was seen, leaving."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from textual import events
from textual.widgets import Static

from kitetui.app import KiteApp
from kitetui.engine.commands import Command, Result
from kitetui.engine.snapshot import Snapshot
from kitetui.keys import KEYS, NUMBERED, PANES
from kitetui.layout import PRESETS, leaves
from kitetui.settings import Settings
from kitetui.widgets.alerts import AlertsPane
from kitetui.widgets.depth import DepthPane
from kitetui.widgets.dialogs import (
    ChoiceScreen,
    ExplainScreen,
    HelpScreen,
    ListScreen,
    QuitScreen,
)
from kitetui.widgets.watchlist import Watchlist
from tests.links import DeskLink
from tests.pilots import settle, until
from tests.widgets import views


@pytest.fixture
def app(settings: Settings) -> KiteApp:
    return KiteApp(settings.screen, DeskLink())


def shown(app: KiteApp) -> set[str]:
    return {name for name in PANES if app.query_one(f"#{name}").display}


WHOLE = set(leaves(PRESETS["trade"].wide))
"""What a large screen shows at first."""


@pytest.mark.parametrize(
    ("size", "visible"),
    [((200, 50), WHOLE), ((120, 36), {"watchlist", "depth", "alerts"}),
     ((80, 24), {"watchlist"})],
)  # fmt: skip
async def test_the_layout_follows_the_size(
    app: KiteApp, size: tuple[int, int], visible: set[str]
) -> None:
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        assert shown(app) == visible
        assert app.screen.has_class("-narrow") == (size == (80, 24))


async def test_a_terminal_that_is_too_small_gets_a_sentence_and_recovers(app: KiteApp) -> None:
    async with app.run_test(size=(60, 20)) as pilot:
        await settle(pilot)
        assert app.screen.has_class("-tiny")
        assert "need 80x24" in str(app.query_one("#too-small").render())
        await pilot.resize_terminal(200, 50)
        await settle(pilot)
        assert shown(app) == WHOLE


async def test_number_keys_and_tab_go_to_panes(app: KiteApp) -> None:
    async with app.run_test(size=(200, 50)) as pilot:
        await settle(pilot)
        for number, name in enumerate(PANES[:NUMBERED], 1):
            await pilot.press(str(number % 10))
            assert app.focused is not None and app.focused.id == name
        await pilot.press("1", "tab")
        assert app.focused.id == PANES[1]
        await pilot.press("shift+tab", "shift+tab")
        assert app.focused.id == "server", "of those that are shown"


async def test_on_a_small_screen_tab_goes_through_all_panes(app: KiteApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        for name in (*PANES[1:], PANES[0]):
            await pilot.press("tab")
            assert app.focused is not None and app.focused.id == name
            assert shown(app) == {name}


async def test_on_a_small_screen_a_number_shows_the_pane(app: KiteApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("6")
        await settle(pilot)
        assert shown(app) == {"alerts"}


async def test_zoom_gives_one_pane_the_screen_and_takes_it_back(app: KiteApp) -> None:
    async with app.run_test(size=(200, 50)) as pilot:
        await pilot.press("3", "z")
        await settle(pilot)
        assert shown(app) == {"buckets"}
        await pilot.press("escape")
        await settle(pilot)
        assert shown(app) == WHOLE


async def test_acknowledging_names_the_alert_that_was_painted(app: KiteApp) -> None:
    link: DeskLink = app.link  # type: ignore[assignment]
    async with app.run_test(size=(200, 50)) as pilot:
        await settle(pilot)
        await pilot.press("6", "down")
        chosen = app.query_one(AlertsPane).selected
        assert chosen is not None
        link.desk.raise_alert(views.alert(9))  # a newer one arrives between sight and key
        await pilot.press("a")
        await settle(pilot)
        acked = link.desk.get(chosen.alert_id)
        assert acked is not None and acked.state == "acked"
        assert link.desk.unacked == 3
        await pilot.press("u")
        await settle(pilot)
        assert link.desk.unacked == 4
        assert link.desk.get(chosen.alert_id).revision == 3  # type: ignore[union-attr]


async def test_an_alert_that_changed_meanwhile_is_not_acknowledged(app: KiteApp) -> None:
    link: DeskLink = app.link  # type: ignore[assignment]
    async with app.run_test(size=(200, 50)) as pilot:
        await settle(pilot)
        await pilot.press("6", "F")
        await settle(pilot)
        seen = app.query_one(AlertsPane).selected
        assert seen is not None
        link.desk.raise_alert(views.alert(0, revision=5))
        await pilot.press("a")
        await settle(pilot)
        assert link.desk.get(seen.alert_id).state == "unacked"  # type: ignore[union-attr]


async def test_all_on_the_screen_are_acknowledged_once_confirmed_and_taken_back(
    app: KiteApp,
) -> None:
    link: DeskLink = app.link  # type: ignore[assignment]
    async with app.run_test(size=(200, 50)) as pilot:
        await settle(pilot)
        await pilot.press("6", "A")
        await settle(pilot)
        assert isinstance(app.screen, ChoiceScreen)
        await pilot.press("n")
        await settle(pilot)
        assert link.desk.unacked == 3
        await pilot.press("A")
        await settle(pilot)
        link.desk.raise_alert(views.alert(9))  # what is not on the screen is not acknowledged
        await pilot.press("y")
        await settle(pilot)
        assert link.desk.unacked == 1
        await pilot.press("u")
        await settle(pilot)
        assert link.desk.unacked == 4


@pytest.mark.parametrize(("key", "minutes"), [("1", 15), ("2", 60), ("3", 375)])
async def test_an_alert_is_shelved_for_a_while_and_taken_down(
    app: KiteApp, key: str, minutes: int
) -> None:
    link: DeskLink = app.link  # type: ignore[assignment]
    async with app.run_test(size=(200, 50)) as pilot:
        await settle(pilot)
        await pilot.press("6", "x")
        await settle(pilot)
        await pilot.press("escape", "x")
        await settle(pilot)
        await pilot.press(key)
        await settle(pilot)
        (shelved,) = [a for a in link.desk if a.state == "shelved"]
        assert shelved.shelved_until_s == int(views.NOW_S) + minutes * 60
        assert link.desk.unacked == 2
        await pilot.press("X")
        await settle(pilot)
        assert link.desk.unacked == 3


async def test_a_rule_of_ones_own_is_typed_and_given_to_the_engine(
    app: KiteApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Command] = []

    def command(asked: Command) -> Future[Result]:
        given.append(asked)
        out: Future[Result] = Future()
        out.set_result(Result(True, "watches"))
        return out

    monkeypatch.setattr(app.link, "command", command)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("W")
        await settle(pilot)
        await pilot.press(*"TCS", "space", ">", "space", *"3100", "enter")
        await settle(pilot)
        await pilot.press("W")
        await settle(pilot)
        await pilot.press("q", "escape")
        await settle(pilot)
    assert [rule.text for rule in given] == ["TCS > 3100"]  # type: ignore[union-attr]


async def test_lists_are_searched_by_typing(app: KiteApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await pilot.press("H")
        await settle(pilot)
        assert isinstance(app.screen, ListScreen)
        found = app.screen.query_one("#found", Static)
        assert "RELIANCE" in str(found.render()) and "TCS" in str(found.render())
        await pilot.press("t", "c", "s")
        await settle(pilot)
        assert str(found.render()) == "10:00:00 P3 TCS breakout"
        await pilot.press("q", "q")
        await settle(pilot)
        assert "none of 2 lines" in str(found.render())
        await pilot.press("escape", "B")
        await settle(pilot)
        assert isinstance(app.screen, ListScreen)
        await pilot.press("ctrl+c")
        await settle(pilot)
        assert not isinstance(app.screen, ListScreen)


async def test_the_bell_rings_when_somebody_was_told_at_most_every_five_seconds(
    app: KiteApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    link: DeskLink = app.link  # type: ignore[assignment]
    rung: list[int] = []
    monkeypatch.setattr(app, "bell", lambda: rung.append(1))
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        assert not rung, "what was told before the screen came up is no news"
        for bells in (1, 2, 3):
            link.bells = bells
            await settle(pilot)
        assert len(rung) == 1
        await pilot.press("b")
        app._rang_s = -10.0
        link.bells = 4
        await settle(pilot)
        assert len(rung) == 1


async def test_next_goes_to_the_next_unacknowledged_alert(app: KiteApp) -> None:
    async with app.run_test(size=(200, 50)) as pilot:
        await settle(pilot)
        await pilot.press("n")
        first = app.query_one(AlertsPane).selected
        await pilot.press("n")
        second = app.query_one(AlertsPane).selected
        assert app.focused is not None and app.focused.id == "alerts"
        assert first is not None and second is not None and first != second


async def test_moving_in_the_watchlist_changes_the_focused_instrument(app: KiteApp) -> None:
    link: DeskLink = app.link  # type: ignore[assignment]
    async with app.run_test(size=(200, 50)) as pilot:
        await settle(pilot)
        await pilot.press("1", "j", "j", "down")
        await settle(pilot)
        assert app.query_one(Watchlist).cursor == 3
        assert link.asked[-1].focus == 4
        await pilot.press("k", "up")
        assert app.query_one(Watchlist).cursor == 1
        await pilot.press("G")
        assert app.query_one(Watchlist).cursor == 19
        await pilot.press("g", "pagedown", "pageup")
        assert app.query_one(Watchlist).cursor == 0


async def test_freeze_holds_one_pane_and_f_all(app: KiteApp) -> None:
    async with app.run_test(size=(200, 50)) as pilot:
        await settle(pilot)
        await pilot.press("2", "space")
        assert app.query_one("#depth").frozen  # type: ignore[attr-defined]
        assert not app.query_one("#buckets").frozen  # type: ignore[attr-defined]
        await pilot.press("space", "F")
        assert all(app.query_one(f"#{name}").frozen for name in PANES)  # type: ignore[attr-defined]
        await settle(pilot)
        assert "FROZEN" in "".join(app.query_one("#header").plain)  # type: ignore[attr-defined]


async def test_panes_that_share_a_place_show_the_one_last_gone_to(app: KiteApp) -> None:
    async with app.run_test(size=(200, 50)) as pilot:
        await pilot.press("8")
        await settle(pilot)
        assert shown(app) == WHOLE - {"events"} | {"scoreboard"} and app.link.asked[-1].board
        await pilot.press("1")
        await settle(pilot)
        assert shown(app) == WHOLE - {"events"} | {"scoreboard"}
        await pilot.press("9")
        await settle(pilot)
        assert shown(app) == WHOLE - {"events"} | {"news"} and app.link.asked[-1].news
        await pilot.press("7")
        await settle(pilot)
        assert shown(app) == WHOLE and not app.link.asked[-1].board


async def test_help_shows_every_key_on_the_smallest_screen_by_scrolling(app: KiteApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("question_mark")
        await settle(pilot)
        assert isinstance(app.screen, HelpScreen)
        seen: list[str] = []
        for _ in range(5):
            seen += [strip.text for strip in app.screen._compositor.render_strips()]
            await pilot.press("pagedown")
            await pilot.pause(0.4)
        text = "\n".join(seen)
        assert [key.help for key in KEYS if key.help[:40] not in text] == []
        await pilot.press("escape")
        assert not isinstance(app.screen, HelpScreen)


async def test_e_says_why_in_plain_text_whatever_it_holds(app: KiteApp) -> None:
    async with app.run_test(size=(200, 50)) as pilot:
        await settle(pilot)
        await pilot.press("6", "e")
        await settle(pilot)
        assert isinstance(app.screen, ExplainScreen)
        text = str(app.screen.query_one("Static").render())
        assert "SYM0 [b]in words[/b]" in text and "\x1b" not in text
        assert views.alert(0).alert_id in [view.explain for view in app.link.asked]
        await pilot.press("e")
        assert not isinstance(app.screen, ExplainScreen)


async def test_s_says_why_patterns_are_silent(app: KiteApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("i")
        await settle(pilot)
        assert isinstance(app.screen, ExplainScreen)
        assert "no VWAP 2" in str(app.screen.query_one("Static").render())
        await pilot.press("escape")
        assert not isinstance(app.screen, ExplainScreen)


@pytest.mark.parametrize(("keys", "result"), [(["s"], "stop"), (["d"], "detach")])
async def test_quit_asks_what_to_do_with_the_engine(
    app: KiteApp, keys: list[str], result: str
) -> None:
    async with app.run_test(size=(200, 50)) as pilot:
        await pilot.press("q", "c")
        assert not isinstance(app.screen, QuitScreen)
        await pilot.press("q", *keys)
        await pilot.pause()
    assert app.return_value == result


async def test_q_twice_changes_nothing(app: KiteApp) -> None:
    async with app.run_test(size=(200, 50)) as pilot:
        await pilot.press("q", "q")
        await settle(pilot)
        assert not isinstance(app.screen, QuitScreen) and app.return_value is None
        await pilot.press("question_mark", "q")
        await settle(pilot)
        assert not isinstance(app.screen, (HelpScreen, QuitScreen))


async def test_what_is_not_on_the_screen_is_not_acknowledged(app: KiteApp) -> None:
    link: DeskLink = app.link  # type: ignore[assignment]
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("6")
        await settle(pilot)
        await pilot.resize_terminal(60, 20)
        await pilot.press("a")
        await settle(pilot)
        assert link.desk.unacked == 3
        await pilot.resize_terminal(80, 24)
        await pilot.press("2")
        await settle(pilot)
        await pilot.resize_terminal(200, 50)
        await pilot.press("z", "a")
        await settle(pilot)
        assert link.desk.unacked == 3


async def test_the_cursor_keeps_its_instrument_where_the_watchlist_has_no_room(
    app: KiteApp,
) -> None:
    link: DeskLink = app.link  # type: ignore[assignment]
    async with app.run_test(size=(200, 50)) as pilot:
        await settle(pilot)
        await pilot.press("1", *["j"] * 12)
        await settle(pilot)
        focus = link.asked[-1].focus
        assert focus == 13
        await pilot.press("2")
        await pilot.resize_terminal(80, 24)
        await settle(pilot)
        assert link.asked[-1].focus == focus
        await pilot.press("j", "j")
        await settle(pilot)
        await settle(pilot)
        assert link.asked[-1].focus == focus + 2


async def test_an_engine_that_ends_before_it_answers_is_no_end_of_the_screen(
    app: KiteApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    link: DeskLink = app.link  # type: ignore[assignment]
    async with app.run_test(size=(200, 50)) as pilot:
        await settle(pilot)

        def gone(*_: Any) -> Future[Any]:
            out: Future[Any] = Future()
            out.cancel()
            return out

        asked = len(link.asked)
        with monkeypatch.context() as patch:
            patch.setattr(link, "snapshot", gone)
            patch.setattr(link, "command", gone)
            await pilot.press("6", "a")
            await pilot.pause(0.3)
        await settle(pilot)
        assert len(link.asked) > asked and link.desk.unacked == 3


async def test_ctrl_c_twice_stops(app: KiteApp) -> None:
    async with app.run_test(size=(200, 50)) as pilot:
        await pilot.press("ctrl+c", "ctrl+c")
        await pilot.pause()
    assert app.return_value == "stop"


async def test_marked_alerts_are_acknowledged_together(app: KiteApp) -> None:
    link: DeskLink = app.link  # type: ignore[assignment]
    async with app.run_test(size=(200, 50)) as pilot:
        await settle(pilot)
        await pilot.press("6", "m", "m")
        await settle(pilot)
        pane = app.query_one(AlertsPane)
        assert len(pane.marked) == 2 and "".join(pane.plain).count("◆") == 2
        assert "2 marked" in str(pane.border_title)
        await pilot.press("k", "k", "m")
        await settle(pilot)
        assert len(pane.marked) == 1, "a mark is taken back by the same key"
        await pilot.press("k", "m", "a")
        await settle(pilot)
        assert link.desk.unacked == 1 and pane.marked == set()
        await pilot.press("u")
        await settle(pilot)
        assert link.desk.unacked == 3


async def test_a_pane_that_cannot_be_drawn_says_so_and_the_others_go_on(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Any, snapshot: Snapshot) -> None:
        raise ZeroDivisionError("no \x1b[31mdivision")

    monkeypatch.setattr(DepthPane, "update_from", broken)
    app = KiteApp(settings.screen, DeskLink(), tmp_path)
    async with app.run_test(size=(200, 50)) as pilot:
        await settle(pilot)
        drawn = "\n".join(strip.text for strip in app.screen._compositor.render_strips())
        assert "this pane cannot be drawn" in drawn and "ZeroDivisionError: no" in drawn
        assert "in broken" in drawn and "SYM3" in drawn and "\x1b" not in drawn
        made = app.frames
        monkeypatch.undo()
        await settle(pilot)
        assert app.frames > made and "spread" in "".join(app.query_one(DepthPane).plain)
    told = (tmp_path / "taken" / "failed-depth.txt").read_text()
    assert "ZeroDivisionError" in told and "Traceback" in told


async def test_an_answer_typed_before_its_question_is_there_counts(settings: Settings) -> None:
    app = KiteApp(settings.screen, DeskLink())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        for key in "qs":  # both are there before the dialog is
            app.post_message(events.Key(key, key))
        await until(pilot, lambda: app.return_value is not None)
    assert app.return_value == "stop"
