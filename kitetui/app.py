"""The Textual app: lays out panes and pumps snapshots into them. No domain logic."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import ModalScreen
from textual.widgets import Static

from kitetui.actions.alerts import AlertActions
from kitetui.actions.arranging import ArrangeActions
from kitetui.actions.finding import FindActions
from kitetui.actions.looks import LookActions
from kitetui.actions.palette import PaletteActions
from kitetui.actions.remembering import MemoryActions
from kitetui.actions.replay import ReplayActions
from kitetui.actions.streams import StreamActions
from kitetui.actions.taking import TakeActions
from kitetui.actions.touring import TourActions
from kitetui.actions.tuning import TuneActions
from kitetui.engine.snapshot import Header, Snapshot, View
from kitetui.keys import PANES, bindings, heading, keymap, remapped, shown
from kitetui.link import Link, answered
from kitetui.pace import Pace
from kitetui.screen_memory import ScreenMemory
from kitetui.settings import ScreenSettings
from kitetui.terminal import notify_desktop, write_queue
from kitetui.timings import Timing
from kitetui.widgets.alerts import AlertsPane, AlertStrip
from kitetui.widgets.banner import Banner
from kitetui.widgets.buckets import BucketsPane
from kitetui.widgets.chain import ChainPane
from kitetui.widgets.chart import ChartPane
from kitetui.widgets.depth import DepthPane
from kitetui.widgets.dialogs import HelpScreen, QuitScreen
from kitetui.widgets.events import EventsPane
from kitetui.widgets.filter_bar import FilterBar
from kitetui.widgets.footer import FooterBar
from kitetui.widgets.header import HeaderBar
from kitetui.widgets.hint_bar import HintBar
from kitetui.widgets.lag import LagPane
from kitetui.widgets.latency import LatencyPane
from kitetui.widgets.live_pane import LITE, LivePane
from kitetui.widgets.news import NewsPane
from kitetui.widgets.pane_grid import PaneGrid
from kitetui.widgets.safe_text import clean
from kitetui.widgets.scoreboard import ScoreboardPane
from kitetui.widgets.server import ServerPane
from kitetui.widgets.streams import StreamsPane
from kitetui.widgets.tabs import TabStrip
from kitetui.widgets.watchlist import Watchlist

BELL_S = 5.0
FILTERED_MAX = 500
"""Lines that are asked for where few of them may be shown."""
ALERTS_MAX = 200
"""More than a queue holds beside its urgent ones."""


class KiteApp(TourActions, AlertActions, TuneActions, StreamActions, ReplayActions, LookActions,
              FindActions, ArrangeActions, TakeActions, PaletteActions,
              MemoryActions):  # fmt: skip
    """The screen. Pulls a snapshot at its own pace; never pushed, never waited for.

    Returns `stop` or `detach` when it is left.

    Attributes:
        keys: the table of keys, as the settings have it; takes_mouse: whether it asks the terminal
            for the mouse.
    """

    CSS_PATH = "app.tcss"
    TITLE = "kitetui"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [*bindings()]

    def __init__(self, settings: ScreenSettings, link: Link,
                 folder: Path | None = None) -> None:  # fmt: skip
        """
        Args:
            folder: where it remembers how it was left, and saves into; None for nowhere.

        Raises:
            ValueError: the settings' keys do not do; names the action.
        """
        super().__init__(link)
        self.keys = remapped(settings.keys)
        self.set_keymap(keymap(self.keys))
        self.takes_mouse = settings.mouse
        self._bell_on = settings.bell
        self.animation_level = "none"
        self._settings = settings
        self._folder = folder
        self._memory = ScreenMemory(folder / "screen.json" if folder is not None else None)
        self._chosen_theme = ""
        self._toured = False
        self._snapshot: Snapshot | None = None
        self._bells: int | None = None
        self._rang_s = -BELL_S
        self._pumping = False
        self._again = False
        self._failed: set[str] = set()
        self._pace = Pace(settings.hz, settings.lite)
        self._asking, self._framing = Timing("asked to answered"), Timing("one frame")
        self._leave_asked = ""
        self._dress(settings)
        self._main_loop: asyncio.AbstractEventLoop | None = None
        self.frames = 0

    def compose(self) -> ComposeResult:
        yield HeaderBar(id="header")
        yield Banner(id="banner")
        yield TabStrip(id="tabs")
        with PaneGrid(id="grid"):
            yield Watchlist(id="watchlist")
            yield DepthPane(id="depth")
            yield BucketsPane(id="buckets")
            yield StreamsPane(id="streams")
            yield LagPane(id="lag")
            yield AlertsPane(id="alerts")
            yield EventsPane(id="events")
            yield ScoreboardPane(id="scoreboard")
            yield NewsPane(id="news")
            yield ServerPane(id="server")
            yield ChartPane(id="chart")
            yield ChainPane(id="chain")
            yield LatencyPane(id="latency")
        yield AlertStrip(id="strip")
        yield HintBar(id="hint")
        yield FooterBar(id="footer")
        yield FilterBar(id="filter")
        yield Static(id="too-small")

    def on_mount(self) -> None:
        self._main_loop = asyncio.get_running_loop()
        self.link.on_alert = self._alerted
        self._recall()
        self._spare_colours()
        self._arrange()
        for name in PANES:
            self._pane(name).title(heading(name))
        self._pane(self._active).focus()
        self._show_boot()
        self.set_interval(1 / self._settings.hz, self._pump)
        if self._leave_asked:
            self.exit(self._leave_asked)
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        """The first frame is there."""
        gc.enable()
        self.link.start()

    def leave_soon(self, choice: str) -> None:
        """Leave, asked from any thread."""
        self._leave_asked = choice
        if self._main_loop is not None:
            with contextlib.suppress(RuntimeError):  # it has left already
                self._main_loop.call_soon_threadsafe(self.exit, choice)

    def _alerted(self) -> None:
        """An alert came up, told on the engine's thread."""
        if self._main_loop is not None:
            self._main_loop.call_soon_threadsafe(self._soon)

    def on_live_pane_asks(self) -> None:
        """A pane shows something else."""
        self._soon()

    def on_live_pane_points(self, message: LivePane.Points) -> None:
        """A click says which pane is meant."""
        self.action_pane(message.pane)

    # ---- the pump ------------------------------------------------------------------------

    def _soon(self) -> None:
        """An alert or a key paints at once."""
        self.run_worker(self._pump(at_once=True), exclusive=False)

    async def _pump(self, *, at_once: bool = False) -> None:
        """One frame: ask for what is on screen, paint what differs; skip when behind."""
        queue, now_s = write_queue(self), asyncio.get_running_loop().time()
        if not self.is_running or not self._base.is_mounted:
            return
        if self._pumping:
            self._again |= at_once
            return
        if not self._pace.due(queue, now_s, at_once=at_once):
            return
        self._pumping = True
        clock = asyncio.get_running_loop().time
        try:
            asked = self.link.snapshot(self._view())
            if asked is None or self.link.error is not None:
                self._show_boot()
                return
            snapshot = await answered(asked)
        except ConnectionError:
            self._show_boot()
            return
        finally:
            self._pumping = False
        began = clock()
        self._asking.add(began - now_s)
        self._paint(snapshot, queue)
        self._framing.add(clock() - began)
        self._pace.painted(began, clock())
        self.frames += 1
        await self._go_back()
        self._remember()
        if self._again:
            self._again = False
            self._soon()

    def _view(self) -> View:
        watch = self._base.query_one(Watchlist)
        chart, chain = self._base.query_one(ChartPane), self._base.query_one(ChainPane)
        buckets = self._base.query_one(BucketsPane)
        return View(
            focus=watch.token,
            watch_from=watch.wanted[0],
            watch_count=watch.wanted[1],
            watching=watch.watching,
            buckets=self._rows("buckets"),
            alerts=ALERTS_MAX,
            volumes=buckets.display and buckets.kind != "time",
            chart=chart.wanted if chart.display else 0,
            chart_minutes=chart.minutes,
            chain=chain.display,
            expiry=chain.expiry,
            ingestion=self._pane("latency").display,
            events=self._rows("events"),
            news=self._rows("news"),
            board=self._rows("scoreboard") > 0,
        )

    def _rows(self, name: str) -> int:
        pane = self._pane(name)
        if not pane.display:
            return 0
        return FILTERED_MAX if pane.filtered else max(pane.size.height, 1)

    def _paint(self, snapshot: Snapshot, queue: int) -> None:
        first = self._snapshot is None
        self._snapshot = snapshot
        self.set_class(self._pace.lite, LITE)
        if first:
            self._hint()
        self._ring(snapshot.header)
        screen = self._base
        screen.query_one(HeaderBar).show_header(
            snapshot.header, role=self.link.role, frozen=self._frozen_all, queue=queue,
            hz=self._pace.hz, frame_ms=self._framing.tell_ms(),
        )  # fmt: skip
        latency = screen.query_one(LatencyPane)
        if latency.display:
            latency.own = (self._asking.stage(), self._framing.stage())
        freeze = next(key for key in self.keys if key.id == "pane.freeze_all")
        screen.query_one(Banner).show_header(
            snapshot.header, asyncio.get_running_loop().time(), frozen=self._frozen_all,
            key=shown(freeze),
        )  # fmt: skip
        for name in PANES:
            pane = screen.query_one(f"#{name}", LivePane)
            if pane.display or name == "watchlist":  # its cursor says what other panes show
                self._update(pane, snapshot)
        if screen.has_class("-narrow"):
            screen.query_one(AlertStrip).update_from(snapshot)
            screen.query_one(TabStrip).show_tabs(self._active, snapshot.header.unacked)

    def _update(self, pane: LivePane, snapshot: Snapshot) -> None:
        """Have a pane drawn; one that cannot be drawn says so, and the others go on."""
        try:
            pane.draw(snapshot)
        except Exception as error:  # noqa: BLE001 - a bug in one pane is not to take the screen away
            pane.fail(error)
            self._tell_of(str(pane.id), error)

    def _tell_of(self, name: str, error: Exception) -> None:
        """Keep where a pane went wrong, once."""
        if name not in self._failed:
            self._failed.add(name)
            self._saved(lambda out: (out.failure(name, error),),
                        f"the {name} pane cannot be drawn; see")  # fmt: skip

    def _ring(self, header: Header) -> None:
        """The bell, when somebody was told something since the last frame."""
        bells = header.bells
        known, self._bells = self._bells, bells
        now_s = asyncio.get_running_loop().time()
        if known is None or bells <= known or now_s - self._rang_s < BELL_S:
            return
        self._rang_s = now_s
        if self._bell_on:
            self.bell()
        if self._settings.desktop != "off":
            notify_desktop(self, self._settings.desktop, f"kitetui: {header.unacked} alerts wait")

    def _show_boot(self) -> None:
        """What is waited for; what is on screen stays, and is dimmed where the engine is gone."""
        header = self._base.query_one(HeaderBar)
        error = self.link.error
        boot = self.link.boot if error is None else f"engine stopped: {error}"
        header.show_boot(clean(boot), down=self.link.down)
        if self.link.down:
            for name in PANES:
                self._pane(name).dim()
        if error is not None:
            self.exit("stop")

    # ---- actions -------------------------------------------------------------------------

    def action_next_unacked(self) -> None:
        """Go to the next unacknowledged alert."""
        self.action_pane("alerts")
        self._base.query_one(AlertsPane).next_unacked()

    async def action_quit(self) -> None:
        """Textual's own way out asks as well."""
        self.action_ask_quit()

    def action_help(self) -> None:
        """Show the keys."""
        self.push_screen(HelpScreen(self.keys))

    def action_ask_quit(self) -> None:
        """Ask what to do with the engine; a second ctrl+c stops it. Attached: just leave."""
        if isinstance(self.screen, QuitScreen):
            self.screen.dismiss("stop")
            return
        if isinstance(self.screen, ModalScreen):
            self.screen.dismiss(None)
            return
        if not self.link.owns_engine:  # nothing ends with this screen
            self.exit("detach")
            return
        self.push_screen(QuitScreen(), self._leave)

    def _leave(self, choice: str | None) -> None:
        if choice:
            self.exit(choice)
