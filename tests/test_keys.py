"""The table of keys: other keys by id, what is refused, and the documentation made of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kitetui.app import KiteApp
from kitetui.keys import KEYS, SECTIONS, Key, bindings, remapped, shown
from kitetui.settings import Settings
from kitetui.tools.key_table import as_markdown, as_text
from kitetui.widgets.dialogs import HelpScreen
from tests.links import MarketLink, PictureLink

README = Path(__file__).parent.parent / "README.md"
DOCS = README.parent / "docs" / "keys.md"


def key(name: str, table: tuple[Key, ...] = KEYS) -> Key:
    return next(one for one in table if one.id == name)


def test_the_documentation_is_the_table() -> None:
    told = "run: kitetui keys --markdown > docs/keys.md"
    assert DOCS.read_text(encoding="utf-8") == as_markdown(), told


def test_the_readmes_keys_are_in_the_table() -> None:
    text = README.read_text(encoding="utf-8").partition("## What the keys do")[2]
    lines = text.partition("\n## ")[0].splitlines()
    told = {key for line in lines if line.startswith("| `")
            for key in re.findall(r"`([^`]+)`", line.split(" | ")[0])}  # fmt: skip
    known = {name for one in KEYS for name in shown(one).split(" ")}
    assert len(told) > 40 and told <= known, told - known


def test_every_key_has_a_section_a_sentence_and_one_id() -> None:
    assert len({one.id for one in KEYS}) == len(KEYS)
    for one in KEYS:
        assert one.id.split(".")[0] in SECTIONS and one.help and not one.help.endswith(".")
        assert shown(one) in as_text([one])


def test_other_keys_are_taken_as_typed_or_by_name() -> None:
    table = remapped({"alert.ack": "f2", "app.help": "?, f1", "app.quit": "!", "alert.bell": ""})
    assert key("alert.ack", table).keys == "f2"
    assert key("app.help", table).keys == "question_mark,f1"
    assert (
        key("app.quit", table).keys == "exclamation_mark" and shown(key("app.quit", table)) == "!"
    )
    assert key("alert.bell", table).keys == ""
    assert remapped({"alert.ack": "A", "alert.ack_all": "a"}), "two may change places"
    assert shown(key("alert.bell", remapped({"alert.bell": "~"}))) == "~"
    commas = dict.fromkeys(("depth.finer", "chart.shorter", "chain.sooner"), "")
    assert shown(key("alert.bell", remapped({"alert.bell": ",", **commas}))) == ","


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"alert.akc": "k"}, "alert.akc: there is no such action; near to it: alert.ack"),
        ({"alert.ack": "A"}, "alert.ack_all: A is taken by alert.ack"),
        ({"alert.ack": "enter"}, "enter is taken by"),
        ({"alert.ack": "nonsense"}, "alert.ack: 'nonsense' is no key"),
        ({"alert.ack": "ctrl+m"}, "alert.ack: ctrl+m: is the same as enter"),
        ({"alert.ack": "ctrl+b"}, "belongs to tmux"),
    ],
)
def test_what_does_not_do_is_refused_with_the_reason(changes: dict[str, str], words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        remapped(changes)


def test_no_chord_is_one_that_terminals_eat() -> None:
    names = {name for one in KEYS for name in one.keys.split(",")}
    assert not names & {f"ctrl+{c}" for c in "absqhijm"}
    assert not any(name.startswith(("alt+", "shift+")) and name != "shift+tab" for name in names)


def test_keys_of_one_pane_are_no_keys_of_the_screen() -> None:
    everywhere = {one.key for one in bindings()}
    for pane in {name for one in KEYS for name in one.where}:
        assert everywhere.isdisjoint(one.key for one in bindings(pane))


@pytest.mark.parametrize("one", KEYS, ids=lambda one: one.id)
async def test_every_key_of_the_table_does_what_it_names(
    settings: Settings, one: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its action is there, is reached from the pane that it belongs to, and ends well."""
    app = KiteApp(settings.screen, MarketLink())
    done: list[tuple[str, bool]] = []
    run = app.run_action

    async def watched(action: Any, *args: Any, **options: Any) -> bool:
        told = await run(action, *args, **options)
        done.append((action if isinstance(action, str) else action[1], told))
        return told

    monkeypatch.setattr(app, "run_action", watched)
    async with app.run_test(size=(200, 50)) as pilot:
        await pilot.pause(0.3)
        for name in one.keys.split(","):
            for pane in one.where or ("watchlist",):
                app.action_pane(pane)
                await pilot.pause(0.1)
                done.clear()
                await pilot.press(name)
                await pilot.pause(0.1)
                reached = [(action.removeprefix("app."), told) for action, told in done]
                assert (one.action.removeprefix("app."), True) in reached, (name, pane, done)
                while len(app.screen_stack) > 1:
                    app.pop_screen()
                await pilot.pause(0.05)


async def test_a_remapped_key_works_and_its_old_one_does_not(settings: Settings) -> None:
    changed = msgspec.structs.replace(settings.screen, keys={"app.help": "f1"})
    app = KiteApp(changed, PictureLink())
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("question_mark")
        assert not isinstance(app.screen, HelpScreen)
        await pilot.press("f1")
        await pilot.pause(0.2)
        assert isinstance(app.screen, HelpScreen)
        screen = app.screen
        await pilot.press("end")
        await pilot.pause(0.4)
        lines = [strip.text for strip in screen._compositor.render_strips()]
        assert any("f1" in line and "this help" in line for line in lines)
