"""Dialogs: help, and the choice when leaving."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from kitetui.keys import KEYS, shown


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
