"""Dialogs: help, an alert in words, and the choice when leaving."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import ClassVar

from rich.console import Group
from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from kitetui.keys import SECTIONS, Key, shown
from kitetui.widgets.live_pane import ASCII
from kitetui.widgets.plain_glyphs import plain
from kitetui.widgets.safe_text import clean

FRAME, LEAST = 8, 20
"""Cells that border, air and scrollbar take of a dialog, and that its lines have at least."""


class HelpScreen(ModalScreen[None]):
    """Every key with its sentence, from the one table."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q", "dismiss", show=False)
    ]

    def __init__(self, table: Sequence[Key]) -> None:
        super().__init__()
        self._table = table

    def compose(self) -> ComposeResult:
        keys = Table.grid(padding=(0, 2))
        for section, name in SECTIONS.items():
            keys.add_row("", Text(name, "bold"))
            for key in self._table:
                if key.id.startswith(f"{section}.") and key.keys:
                    keys.add_row(Text(self._drawn(shown(key)), "bold"), _sentence(key))
        glyphs = ("\n● waiting  ○ over  ✓ acknowledged  ◐ shelved  ◌ suppressed\n"
                  "▲ up  ▼ down  ! stale  ~ uncertain, or too few outcomes\n")  # fmt: skip
        foot = Text(self._drawn(glyphs))
        foot.append("esc closes this; arrows scroll", "dim")
        with VerticalScroll(id="dialog", classes="help"):
            yield Static(Group(keys, foot))

    def _drawn(self, text: str) -> str:
        return plain(text) if self.app.has_class(ASCII) else text


def _sentence(key: Key) -> Text:
    """What a key does, and in which panes."""
    text = Text(key.help)
    if key.where:
        text.append(f"  in {', '.join(key.where)}", "dim")
    return text


class ExplainScreen(ModalScreen[None]):
    """Lines of text: why an alert was raised, or why patterns are silent."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,e,s,q", "dismiss", show=False)]

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__()
        self._lines = lines

    def compose(self) -> ComposeResult:
        first, *rest = (self._hung(clean(line)) for line in self._lines)
        text = Text()
        text.append(f"{first}\n", "bold")
        text.append("".join(f"{line}\n" for line in rest))
        text.append("\nesc closes this; arrows scroll", "dim")
        with VerticalScroll(id="dialog", classes="explain"):
            yield Static(text)

    def _hung(self, line: str) -> str:
        """A line, broken where there is no room for it, its rest further in: a price that is cut
        would be another price."""
        room = max(self.app.size.width * 9 // 10 - FRAME, LEAST)
        indent = " " * (len(line) - len(line.lstrip()) + 2)
        if len(line) <= room:
            return line
        return "\n".join(wrap(line, room, subsequent_indent=indent, break_on_hyphens=False))


class ChoiceScreen(ModalScreen[str]):
    """A question with a few answers, each with its key; '' is none of them."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "answer('')", show=False)]

    def __init__(self, question: str, answers: Sequence[tuple[str, str, str]]) -> None:
        """`answers`: key, what it answers, and its sentence."""
        super().__init__()
        self._question = question
        self._answers = answers
        for key, answer, _ in answers:  # not by `on_key`: keys typed ahead go to who had the focus
            self._bindings.bind(key, f"answer({answer!r})", show=False)

    def compose(self) -> ComposeResult:
        text = Text()
        text.append(f"{clean(self._question)}\n\n", "bold")
        for key, _, sentence in self._answers:
            text.append(f"  {key}  ", "bold")
            text.append(f"{sentence}\n")
        with Vertical(id="dialog"):
            yield Static(text)

    def action_answer(self, answer: str) -> None:
        """Answer the question."""
        self.dismiss(answer)


class PromptScreen(ModalScreen[str | None]):
    """A line to be typed; '' where it is left, None where whatever asks is to be left as well."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", show=False)]

    def __init__(self, question: str, example: str, grammar: str) -> None:
        super().__init__()
        self._question, self._example, self._grammar = question, example, grammar

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog", classes="prompt"):
            yield Static(Text(self._question, "bold"))
            yield Input(placeholder=self._example, id="search", max_length=300)
            yield Static(Text(self._grammar, "dim"))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value)

    def action_leave(self) -> None:
        """Type nothing."""
        self.dismiss("")


class ListScreen(ModalScreen[None]):
    """Lines of text; what is typed leaves only those that hold it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
    ]

    def __init__(self, title: str, lines: Sequence[str]) -> None:
        super().__init__()
        self._title = title
        self._lines = [clean(line) for line in lines]

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog", classes="list"):
            yield Static(Text(clean(self._title), "bold"))
            yield Input(placeholder="type to search; esc closes this", id="search")
            with VerticalScroll(id="lines"):
                yield Static(self._found(""), id="found")

    def on_input_changed(self, event: Input.Changed) -> None:
        self.query_one("#found", Static).update(self._found(event.value))

    def action_page(self, pages: int) -> None:
        """Scroll by pages."""
        scroll = self.query_one("#lines", VerticalScroll)
        scroll.scroll_relative(y=pages * scroll.size.height, animate=False)

    def _found(self, wanted: str) -> Text:
        lines = [line for line in self._lines if wanted.lower() in line.lower()]
        text = "\n".join(lines) or f"none of {len(self._lines)} lines holds that"
        return Text(text)


class QuitScreen(ChoiceScreen):
    """Stop the engine, leave it running, or stay."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "answer('stop')", show=False)]

    def __init__(self) -> None:
        super().__init__("Leave?", (
            ("s", "stop", "stop the engine and quit"),
            ("d", "detach", "detach: close the screen, the engine goes on in this terminal"),
            ("c", "", "cancel"),
        ))  # fmt: skip
