"""Which panes are shown and which one has the focus: numbers, letters, zoom, arrangements."""

from __future__ import annotations

from abc import abstractmethod

from textual import events, work
from textual.content import Content
from textual.geometry import Size
from textual.screen import ModalScreen
from textual.widgets import Static

from kitetui.actions.engine import EngineActions
from kitetui.keys import PANES, Key
from kitetui.layout import ALTERNATES, NARROW, PRESETS, host, layout, leaves
from kitetui.screen_memory import Remembered
from kitetui.widgets.footer import FooterBar
from kitetui.widgets.jump import JumpScreen
from kitetui.widgets.live_grid import LiveGrid
from kitetui.widgets.live_pane import LivePane
from kitetui.widgets.pane_grid import PaneGrid
from kitetui.widgets.tabs import TabStrip
from kitetui.widgets.watchlist import Watchlist


class ArrangeActions(EngineActions):
    """Keys that go to panes and arrange them."""

    keys: tuple[Key, ...]

    def __init__(self, *args: object) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self._terminal: Size | None = None
        self._active = PANES[0]
        self._preset = "trade"
        self._guests: dict[str, str] = {}
        self._zoomed = False
        self._frozen_all = False
        self._layout = layout(*NARROW, PRESETS[self._preset], {}, self._active, zoomed=False)

    def _arranged(self, left: Remembered) -> None:
        """Arrange as it was left."""
        self._preset, self._active = left.preset, left.active
        self._guests = dict(left.guests)

    def on_resize(self, event: events.Resize) -> None:
        """Another size may have room for other panes."""
        self._terminal = event.size
        self._arrange()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """A pane that gets the focus is the active one."""
        name = event.widget.id or ""
        if not self.screen_stack or event.widget is not self.focused:
            return  # the message comes late: all is over, or the focus has gone on
        if name in PANES and name != self._active:
            self._go_to(name)

    def _pane(self, name: str) -> LivePane:
        return self._base.query_one(f"#{name}", LivePane)

    def _go_to(self, name: str) -> None:
        """Make a pane the active one, in its own place or in another's."""
        self._active = name
        place = host(PRESETS[self._preset], name)
        if place != name:
            self._guests[place] = name
        else:
            self._guests.pop(name, None)
        self._arrange()

    def _arrange(self) -> None:
        """Choose the layout for the size: the preset's grid, two columns, one pane, a sentence."""
        columns, lines = self._terminal or self.size
        screen = self._base
        chosen = layout(columns, lines, PRESETS[self._preset], self._guests, self._active,
                        zoomed=self._zoomed)  # fmt: skip
        self._layout = chosen
        for name in PANES:
            self._pane(name).active = name == self._active
        if chosen.kind == "tiny":
            screen.query_one("#too-small", Static).update(Content(
                f"terminal too small: {columns}x{lines}, need {NARROW[0]}x{NARROW[1]}; "
                "the engine goes on"
            ))  # fmt: skip
        screen.set_class(chosen.kind == "tiny", "-tiny")
        screen.set_class(chosen.kind == "narrow", "-narrow")
        screen.query_one(PaneGrid).split(chosen.tree)
        screen.set_class(chosen.strip, "-strip")
        screen.query_one(TabStrip).show_tabs(
            self._active, self._snapshot.header.unacked if self._snapshot else 0
        )
        self._hint()

    def _hint(self) -> None:
        """Name the keys that are of use now."""
        replays = self._snapshot is not None and self._snapshot.header.source == "replay"
        self._base.query_one(FooterBar).show_keys(self.keys, self._active, replays=replays)

    def action_pane(self, name: str) -> None:
        """Go to a pane."""
        self._go_to(name)
        self._focus()
        self._soon()

    def _focus(self) -> None:
        """Give the active pane the focus now: of one that is hidden it would go elsewhere."""
        self._base.set_focus(self._pane(self._active), scroll_visible=False)

    def action_focus_next(self) -> None:
        """Go to the next pane, or in a dialog to what is next there."""
        self._go_on(1)

    def action_focus_previous(self) -> None:
        """Go to the previous pane, or in a dialog to what is before."""
        self._go_on(-1)

    def _go_on(self, by: int) -> None:
        """Among the panes that are shown; where that is one alone, among all."""
        if isinstance(self.screen, ModalScreen):
            self.screen.focus_next() if by > 0 else self.screen.focus_previous()
            return
        shown = [name for name in PANES if name in self._layout.panes]
        panes = shown if len(shown) > 1 else list(PANES)
        self.action_pane(panes[(panes.index(self._active) + by) % len(panes)])

    def action_view(self) -> None:
        """The next view of the instrument: its depth, its chart, its chain."""
        shown = [name for name in ALTERNATES if name in self._layout.panes]
        now = self._active if self._active in ALTERNATES else shown[0] if shown else ALTERNATES[-1]
        self.action_pane(ALTERNATES[(ALTERNATES.index(now) + 1) % len(ALTERNATES)])

    def action_preset(self, name: str = "") -> None:
        """An arrangement by name, or the next one."""
        names = list(PRESETS)
        self._preset = name or names[(names.index(self._preset) + 1) % len(names)]
        self._guests.clear()
        self._zoomed = False
        self._arrange()
        if self._layout.kind != "wide" or self._active not in self._layout.panes:
            main = PRESETS[self._preset].main
            shown = leaves(self._layout.tree)
            self._active = main if main in shown else shown[0]
            self._arrange()
        self._focus()
        self._say(f"{self._preset}: {PRESETS[self._preset].tells}", done=True)
        self._soon()

    @work
    async def action_jump(self) -> None:
        """Go to the pane whose letter is pressed."""
        boxes = {name: self._pane(name).region for name in PANES if name in self._layout.panes}
        chosen = await self.push_screen_wait(JumpScreen(boxes))
        if chosen:
            self.action_pane(chosen)

    def action_zoom(self) -> None:
        """Give the whole screen to the active pane, or take it back."""
        self._zoomed = not self._zoomed
        self._arrange()
        self._soon()

    def action_unzoom(self) -> None:
        """Leave the pane's filter, or zoom."""
        if self._pane(self._active).filtered:
            self._pane(self._active).filter("")
        elif self._zoomed:
            self.action_zoom()
        else:
            self._end_tour()

    @abstractmethod
    def _end_tour(self) -> bool:
        """End the tour of the first day; whether there was one."""

    def action_cursor(self, by: int) -> None:
        """Move the active pane's cursor; views of an instrument go to the next instrument."""
        pane = self._pane(self._active)
        if isinstance(pane, (LiveGrid, Watchlist)):
            pane.move(by)
        elif self._active in ALTERNATES:
            self._base.query_one(Watchlist).move(by)
        self._soon()

    def action_cursor_page(self, pages: int) -> None:
        """Move the active pane's cursor by pages."""
        pane = self._pane(self._active)
        if isinstance(pane, (LiveGrid, Watchlist)):
            self.action_cursor(pages * pane.page)

    def action_cursor_to(self, position: int) -> None:
        """Put the active pane's cursor on a row."""
        pane = self._pane(self._active)
        if isinstance(pane, (LiveGrid, Watchlist)):
            pane.move_to(position)
            self._soon()

    def action_freeze(self) -> None:
        """Hold the active pane still, or let it go on."""
        pane = self._pane(self._active)
        pane.freeze(not pane.frozen)
        self._soon()
        self.notify("frozen: space lets it go on" if pane.frozen else "live again", timeout=2,
                    markup=False)  # fmt: skip

    def action_compare(self) -> None:
        """Show the held pane as it is now, what differs marked, or as it was held."""
        self._say(self._pane(self._active).compare(), done=True)

    def action_freeze_all(self) -> None:
        """Hold all panes still, or let them go on."""
        self._frozen_all = not self._frozen_all
        for name in PANES:
            self._pane(name).freeze(self._frozen_all)
        self._soon()
