"""A first time: one hint after the other, each done by doing it."""

from __future__ import annotations

from typing import Any

from kitetui.actions.engine import EngineActions
from kitetui.keys import Key, key_of, shown
from kitetui.widgets.hint_bar import HintBar

STEPS = (
    ("cursor.down", "chooses an instrument, and every pane follows it"),
    ("pane.view", "shows its chart, then its option chain, then its depth again"),
    ("alert.next", "goes to the next alert that waits"),
    ("alert.explain", "says why it was raised, each value beside its threshold"),
    ("alert.ack", "acknowledges it; {undo} takes that back"),
    ("pane.filter", "finds lines: type a part of a symbol"),
    ("pane.preset", "arranges the screen for another purpose"),
    ("app.palette", "finds every action and every symbol by name"),
    ("app.help", "shows all keys"),
)
"""What to do, by the key's id, and what that does."""


class TourActions(EngineActions):
    """Shows what is of use next until all of it was done once, or nobody wants to know."""

    keys: tuple[Key, ...]
    _toured: bool

    def _tour(self) -> None:
        """Show the next hint, or none."""
        bar = self._base.query_one(HintBar)
        left = [] if self._toured else STEPS[self._step :]
        if not left:
            self._toured = True
            self._base.set_class(False, "-hint")
            return
        name, does = left[0]
        key = next(one for one in self.keys if one.id == name)
        self._base.set_class(True, "-hint")
        told = does.format(undo=key_of(self.keys, "alert.undo"))
        bar.hint(f"{len(STEPS) - len(left) + 1} of {len(STEPS)}", shown(key), told)

    _step = 0

    async def run_action(self, action: Any, *args: Any, **options: Any) -> bool:
        """Do what a key says; what a hint asked for is followed by the next one."""
        done = await super().run_action(action, *args, **options)
        if not self._toured and done and self.is_running:
            name = STEPS[self._step][0] if self._step < len(STEPS) else ""
            wanted = next((one.action for one in self.keys if one.id == name), "")
            if action == wanted:
                self._step += 1
                self._tour()
        return done

    def _end_tour(self) -> bool:
        """End it; whether there was one."""
        if self._toured:
            return False
        self._toured = True
        self._tour()
        return True
