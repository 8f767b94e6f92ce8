"""Dialogs: help, an alert in words, and the choice when leaving."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from kitetui.keys import KEYS, shown
from kitetui.widgets.safe_text import clean


class HelpScreen(ModalScreen[None]):
    """Every key with its sentence, from the one table."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q", "dismiss", show=False)
    ]

    def compose(self) -> ComposeResult:
        text = Text()
        text.append("Keys\n\n", "bold")
        for key in KEYS:
            text.append(f"  {shown(key):<12}", "bold")
            text.append(f"{key.help}\n")
        text.append("\n● waiting  ✓ acknowledged  ▲ up  ▼ down  ! stale  ~ uncertain volume\n")
        text.append("esc closes this", "dim")
        with Vertical(id="dialog", classes="help"):
            yield Static(text)


class ExplainScreen(ModalScreen[None]):
    """Lines of text: why an alert was raised, or why patterns are silent."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,e,s,q", "dismiss", show=False)]

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__()
        self._lines = lines

    def compose(self) -> ComposeResult:
        text = Text(no_wrap=True, overflow="ellipsis")
        first, *rest = (clean(line) for line in self._lines)
        text.append(f"{first}\n", "bold")
        for line in rest:
            text.append(f"{line}\n")
        text.append("\nesc closes this; arrows scroll", "dim")
        with VerticalScroll(id="dialog", classes="explain"):
            yield Static(text)


class QuitScreen(ModalScreen[str]):
    """Stop the engine, leave it running, or stay."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s,enter,ctrl+c", "choose('stop')", show=False),
        Binding("d", "choose('detach')", show=False),
        Binding("escape,c,q", "choose('')", show=False),
    ]

    def compose(self) -> ComposeResult:
        text = Text()
        text.append("Leave?\n\n", "bold")
        text.append("  s  ", "bold")
        text.append("stop the engine and quit\n")
        text.append("  d  ", "bold")
        text.append("detach: close the screen, the engine goes on in this terminal\n")
        text.append("  c  ", "bold")
        text.append("cancel\n")
        with Vertical(id="dialog"):
            yield Static(text)

    def action_choose(self, choice: str) -> None:
        """Answer the question."""
        self.dismiss(choice)
