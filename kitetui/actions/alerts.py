"""The alert desk by keys: acknowledge, shelve, explain, list, watch for."""

from __future__ import annotations

from textual import work

from kitetui.actions.engine import EngineActions
from kitetui.engine.commands import (
    Acknowledge,
    AcknowledgeMany,
    AddRule,
    Shelve,
    Undo,
    Unshelve,
)
from kitetui.engine.snapshot import Alert, View
from kitetui.widgets.alerts import AlertsPane, AlertStrip
from kitetui.widgets.dialogs import ChoiceScreen, ExplainScreen, ListScreen, PromptScreen
from kitetui.widgets.safe_text import clean


class AlertActions(EngineActions):
    """Keys of the alert desk."""

    _bell_on: bool

    @property
    def _alert(self) -> Alert | None:
        """The alert that keys mean: under the cursor, or the strip's; None where neither shows."""
        if "alerts" in self._layout.panes:
            return self._base.query_one(AlertsPane).selected
        return self._base.query_one(AlertStrip).first if self._layout.strip else None

    def _none(self, words: str) -> None:
        """Say that there is no alert, or why none is meant."""
        pane, strip = self._base.query_one(AlertsPane), self._base.query_one(AlertStrip)
        shown = "alerts" in self._layout.panes
        if shown and pane.comparing:
            words = (
                f"the queue is compared with what was held: {pane.key('pane.compare')} goes back"
            )
        elif pane.rows and not pane.settled if shown else strip.moved:
            words = "the list just moved: look, and press again"
        self._say(words, done=False)

    async def action_silence(self) -> None:
        """Say what keeps patterns from firing."""
        snapshot = await self._picture(View(silence=True))
        if snapshot is not None:
            self.push_screen(ExplainScreen(("Silent because", "", *snapshot.silences)))

    async def action_explain(self) -> None:
        """Say why the alert under the cursor was raised."""
        alert = self._alert
        if alert is None:
            self._none("no alert to explain")
            return
        snapshot = await self._picture(View(explain=alert.alert_id))
        if snapshot is not None and snapshot.explained:
            self.push_screen(ExplainScreen(snapshot.explained))
        else:
            self._say(f"{alert.symbol} {alert.pattern} has left the queue", done=False)

    async def action_acknowledge(self) -> None:
        """Acknowledge what is marked, or the alert under the cursor, as it was painted."""
        pane = self._base.query_one(AlertsPane)
        shown = "alerts" in self._layout.panes and not pane.comparing
        marked = pane.chosen if shown else []
        if marked:
            if await self._send(AcknowledgeMany(tuple(one.seen for one in marked), self._actor)):
                pane.marked -= {one.alert_id for one in marked}  # others may have been marked since
            return
        alert = self._alert
        if alert is None:
            self._none("nothing to acknowledge")
            return
        await self._send(Acknowledge(*alert.seen, self._actor))

    @work
    async def action_acknowledge_all(self) -> None:
        """Acknowledge the alerts that are on the screen, as they were painted, once confirmed."""
        pane = self._base.query_one(AlertsPane)
        alerts = pane.on_screen if "alerts" in self._layout.panes else []
        if not alerts:
            self._none("nothing on the screen to acknowledge")
            return
        seen = tuple(alert.seen for alert in alerts)
        noun = "alert" if len(seen) == 1 else "alerts"
        if await self.push_screen_wait(ChoiceScreen(
            f"Acknowledge the {len(seen)} {noun} on the screen?",
            (("y", "yes", "acknowledge them as they are shown"), ("n", "", "no")),
        )):  # fmt: skip
            await self._send(AcknowledgeMany(seen, self._actor))

    @work
    async def action_shelve(self) -> None:
        """Put the alert under the cursor aside for a while."""
        alert = self._alert
        if alert is None:
            self._none("no alert to shelve")
            return
        chosen = await self.push_screen_wait(ChoiceScreen(
            f"Shelve {clean(alert.symbol)} {clean(alert.pattern)}?",
            (("1", "15", "for 15 minutes"), ("2", "60", "for an hour"),
             ("3", "0", "for the session"), ("c", "", "cancel")),
        ))  # fmt: skip
        if chosen:
            await self._send(Shelve(*alert.seen, int(chosen), self._actor))

    async def action_unshelve(self) -> None:
        """Take the alert under the cursor from its shelf."""
        alert = self._alert
        if alert is None:
            self._none("no alert to take from a shelf")
            return
        await self._send(Unshelve(alert.alert_id, self._actor))

    async def action_history(self) -> None:
        """List the day's alerts."""
        snapshot = await self._picture(View(history=True))
        if snapshot is not None:
            self.push_screen(ListScreen("Alerts of the day, newest first", snapshot.listed))

    async def action_actors(self) -> None:
        """List what raises the most."""
        snapshot = await self._picture(View(actors=True))
        if snapshot is not None:
            self.push_screen(ListScreen("Bad actors: candidates, share, who", snapshot.listed))

    @work
    async def action_watch_for(self) -> None:
        """Ask for a rule of the user's own, and give it to the engine."""
        text = await self.push_screen_wait(PromptScreen(
            "Watch for", "NIFTY 50 > 24500 once P1",
            "SYMBOL [FIELD [TIMEFRAME]] > or < VALUE [once minute bar close] [P1 P2 P3] "
            "[until HH:MM] [note WORDS]",
        ))  # fmt: skip
        if text and text.strip():
            await self._send(AddRule(text, self._actor))

    def action_switch_bell(self) -> None:
        """Switch the bell."""
        self._bell_on = not self._bell_on
        self._say("the bell is on" if self._bell_on else "the bell is off", done=True)

    async def action_undo(self) -> None:
        """Take the last acknowledgement back."""
        await self._send(Undo(self._actor))
