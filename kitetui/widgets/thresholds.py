"""Thresholds: one is found by typing and chosen, to be changed while the engine runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from kitetui.engine.snapshot import Threshold
from kitetui.sentences import sentence
from kitetui.widgets.numbers import short_pattern
from kitetui.widgets.safe_text import clean, fit

UNDO = "undo"
"""What is answered to have one's own last change taken back; no key is called so."""
OF_WIDTH, NAME_WIDTH, VALUE_WIDTH, FILES_WIDTH = 18, 23, 9, 24
WIDE = 120
"""Columns from which on there is room for sentences."""
_HEAD = f"{'OF':<{OF_WIDTH}} {'THRESHOLD':<{NAME_WIDTH}} {'NOW':>{VALUE_WIDTH}} FILES"


class ThresholdsScreen(ModalScreen[str]):
    """Every threshold; answers the chosen one's key, `UNDO`, or ''."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", show=False),
        Binding("up", "move(-1)", show=False),
        Binding("down", "move(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
    ]

    def __init__(self, known: Sequence[Threshold], wanted: str = "") -> None:
        """`known`: those that were changed first; `wanted`: what is typed already."""
        super().__init__()
        self._known = known
        self._wanted = wanted

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog", classes="list"):
            yield Static(Text("Thresholds; enter changes one, in force with the next bar", "bold"))
            yield Input(self._wanted, placeholder="type to search; esc closes this", id="search")
            yield Static(Text(_HEAD, "dim"))
            yield OptionList(*self._options(self._wanted), id="found")

    def on_mount(self) -> None:
        found = self.query_one("#found", OptionList)
        found.can_focus = False
        self._first()

    def on_input_changed(self, event: Input.Changed) -> None:
        found = self.query_one("#found", OptionList)
        found.clear_options()
        found.add_options(self._options(event.value))
        self._first()

    def on_input_submitted(self) -> None:
        option = self.query_one("#found", OptionList).highlighted_option
        if option is not None and option.id is not None:
            self.dismiss(option.id)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option.id or "")

    def _first(self) -> None:
        """Highlight the first threshold: an answer that changes something is never the first."""
        found = self.query_one("#found", OptionList)
        undo = bool(found.options) and found.options[0].id == UNDO
        found.highlighted = int(undo)

    def action_move(self, rows: int) -> None:
        """The line below or above."""
        found = self.query_one("#found", OptionList)
        (found.action_cursor_down if rows > 0 else found.action_cursor_up)()

    def action_page(self, pages: int) -> None:
        """A page down or up."""
        found = self.query_one("#found", OptionList)
        if pages > 0:
            found.action_page_down()  # type: ignore[no-untyped-call]
        else:
            found.action_page_up()  # type: ignore[no-untyped-call]

    def action_leave(self) -> None:
        """Choose none."""
        self.dismiss("")

    def _options(self, wanted: str) -> list[Option]:
        words = wanted.lower().split()
        found = [one for one in self._known if all(word in one.key for word in words)]
        wide = self.app.size.width >= WIDE
        options = [Option(_line(one, wide), one.key) for one in found]
        if not words and any(one.actor for one in self._known):
            options.insert(0, Option("take your last change back", UNDO))
        none = f"none of {len(self._known)} thresholds is called so"
        return options or [Option(none, disabled=True)]


def _line(one: Threshold, wide: bool) -> Text:
    """Whose threshold it is, its name, its value, that of the files where it is another, and what
    is told of it."""
    *section, of, name = _parts(one.key)
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(fit(short_pattern(of, OF_WIDTH) if section else of, OF_WIDTH), "dim")
    text.append(f" {fit(name, NAME_WIDTH)}")
    text.append(f" {clean(one.value):>{VALUE_WIDTH}}", "bold" if one.actor else "")
    files = f" {clean(one.of_files)}, by {clean(one.actor)}" if one.actor else ""
    text.append(fit(files, FILES_WIDTH) + sentence(one.key) if wide else files, "dim")
    return text


def _parts(key: str) -> list[str]:
    """`thresholds.PATTERN.NAME` or `alerts.NAME`; it is not said that a name is a parameter."""
    return key.replace(".params.", ".").replace(".ramps.", ".ramp ").split(".")
