"""Finding: lines that hold words, and panes by letter."""

from __future__ import annotations

from textual import events, on
from textual.widgets import Input

from kitetui.actions.engine import EngineActions
from kitetui.widgets.chain import ChainPane
from kitetui.widgets.filter_bar import FilterBar
from kitetui.widgets.footer import FooterBar
from kitetui.widgets.live_pane import LivePane
from kitetui.widgets.watchlist import Watchlist


class FindActions(EngineActions):
    """Keys that look for something on the screen."""

    _filtering: LivePane | None = None

    @property
    def _pane_now(self) -> LivePane:
        return self._base.query_one(f"#{self._active}", LivePane)

    def action_filter(self) -> None:
        """Show only lines of the active pane that hold what is typed."""
        pane = self._pane_now
        if not pane.filters:
            self._say(f"{self._active} has no lines to choose from", done=False)
            return
        self._base.query_one(FooterBar).display = False
        self._filtering = pane
        self._base.query_one(FilterBar).open(pane.filtered)

    def on_key(self, event: events.Key) -> None:
        """A key that was on its way while a line to type on opened belongs to that line.

        Textual gives a key to whoever has the focus when it comes. A line keeps what it is given,
        so what comes by here was given to a pane, and would do there what a trader did not mean.
        """
        line = self.focused if isinstance(self.focused, Input) else None
        if self.focused is None and self.screen.is_modal:
            line = next(iter(self.screen.query(Input)), None)
        if line is not None and event.is_printable:
            event.prevent_default()
            line.post_message(events.Key(event.key, event.character))

    def action_focus_option(self) -> None:
        """Go to the option that is chosen in the chain."""
        chosen = self._base.query_one(ChainPane).selected
        if chosen is None:
            self._say("no option is watched there", done=False)
            return
        self._base.query_one(ChainPane).expiry = 0  # it has one of its own
        self.go_to_instrument(chosen.token)

    def go_to_instrument(self, token: int) -> None:
        """Put the watchlist's cursor on an instrument."""
        self._base.query_one(Watchlist).focus_on(token)

    @on(Input.Changed, "#filter")
    def _typed(self, event: Input.Changed) -> None:
        if self._filtering is not None:
            self._filtering.filter(event.value)

    @on(Input.Submitted, "#filter")
    def _keep_filter(self) -> None:
        self._close_filter()

    @on(FilterBar.Left)
    def _clear_filter(self) -> None:
        if self._filtering is not None:
            self._filtering.filter("")
        self._close_filter()

    @on(events.DescendantBlur, "#filter")
    def _leave_filter(self) -> None:
        """The focus went elsewhere: what was typed stays, the bar does not."""
        self._base.query_one(FilterBar).display = False
        self._base.query_one(FooterBar).display = True

    def _close_filter(self) -> None:
        self._leave_filter()
        if self._filtering is not None:
            self._base.set_focus(self._filtering, scroll_visible=False)
            self._filtering = None
