"""The core: everything that lives on the engine's event loop, and the order it comes up in."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from hashlib import blake2b
from typing import Any

import msgspec

from kitetui.engine import commands
from kitetui.engine import snapshot as view
from kitetui.engine.alerts.alert import Priority
from kitetui.engine.clock import monotonic_ns, wall_ns
from kitetui.engine.day.backfill import Backfill
from kitetui.engine.day.ending import Ending
from kitetui.engine.day.fleet import Fleet
from kitetui.engine.day.following import Following
from kitetui.engine.day.opening import Opening, Past
from kitetui.engine.day.own_choices import SETTINGS, OwnChoices
from kitetui.engine.day.playing import Playing, Theatre
from kitetui.engine.day.recording import Recording
from kitetui.engine.day.restart import source_name
from kitetui.engine.day.tick_archiving import TickArchiving
from kitetui.engine.day.turn import day_over
from kitetui.engine.door.health_server import HealthServer
from kitetui.engine.door.redis_commands import RedisCommands
from kitetui.engine.door.sockets import Sockets
from kitetui.engine.feed.credentials import Credentials
from kitetui.engine.feed.news_source import NewsSource
from kitetui.engine.feed.records import Kind, RecordBatch
from kitetui.engine.feed.redis_source import RedisSource
from kitetui.engine.feed.replay import Replay, ReplaySource
from kitetui.engine.feed.sources import KiteSource
from kitetui.engine.flow.derived import Derived
from kitetui.engine.flow.intake import Intake
from kitetui.engine.flow.pipeline import Pipeline
from kitetui.engine.flow.session_clock import SessionClock
from kitetui.engine.flow.track_record import TrackRecord
from kitetui.engine.health.counters import Rate, Reservoir
from kitetui.engine.health.watchdog import Watchdog
from kitetui.engine.http import prepare as prepare_http
from kitetui.engine.memory import Memory, MemoryCapError
from kitetui.engine.obeying import Obeying
from kitetui.engine.outlets.books import Books
from kitetui.engine.outlets.box_recorder import BoxRecorder
from kitetui.engine.outlets.redis import RedisOutlet
from kitetui.engine.outlets.telling import notifier
from kitetui.engine.pulse import Pulse
from kitetui.engine.service import ServiceManager
from kitetui.engine.sinks.instrument_files import InstrumentFiles
from kitetui.engine.sinks.ledger import Ledger
from kitetui.engine.sinks.notify.notifier import Notifier
from kitetui.engine.sinks.store import SessionStore
from kitetui.engine.supervisor import Supervisor, where
from kitetui.engine.view.observe import Observer
from kitetui.engine.view.status import Vitals, status_document, unready
from kitetui.engine.watch import Watch
from kitetui.places import Places
from kitetui.settings import Settings

NS = 1_000_000_000
LAG_SAMPLES = 200
"""Ten seconds: the header tells how the loop does now."""
SHARE_NS = 100_000_000
CHOICES = (commands.AddRule, commands.RemoveRule, commands.Tune, commands.Untune)
"""What is kept for the next engine."""
EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
"""What a system says that has no more files or buffers: a viewer is not let in, nothing ends."""
NARROW_ROWS = 1000
"""Rows for universes that are not the whole market."""


class EnginePlan(msgspec.Struct, frozen=True, kw_only=True):
    """What an engine is started with, besides its settings.

    Attributes:
        credentials: asked at start and again when they expire; None for a replay.
        replay: what to play instead of connecting.
        linger: stay up when a replay has ended, for a screen to look at.
        simulated: the feed is a simulated exchange; the header says so.
        pinned: settings that were given for a replay: what was recorded does not change them.
    """

    places: Places
    credentials: Callable[[], Credentials] | None = None
    replay: Replay | None = None
    linger: bool = False
    simulated: bool = False
    pinned: frozenset[str] = frozenset()


class Core:
    """Everything that lives on the engine's loop."""

    def __init__(self, settings: Settings, plan: EnginePlan, on_alert: Callable[[], None],
                 manager: ServiceManager) -> None:  # fmt: skip
        self._settings = settings
        self._plan = plan
        self._on_alert = on_alert
        self.stopping = asyncio.Event()
        self.started = self.day_over = False
        self._supervisor = Supervisor(self.stopping.set, self._note)
        limit = settings.feed.max_connections * settings.feed.max_per_connection
        asked = settings.feed.instruments
        wide = asked == "all" or len(asked) > NARROW_ROWS
        capacity = (limit if wide else NARROW_ROWS) + settings.feed.spare_rows
        self.pipeline = Pipeline(settings, capacity)
        self.pipeline.tuning.pinned = plan.pinned
        self.observer = Observer(self.pipeline, SHARE_NS)
        self.redis = RedisOutlet(settings.redis, plan.places.redis, self.pipeline.market,
                                 settings.focus, self._note)  # fmt: skip
        self._watchdog = Watchdog(plan.places.hang)
        self.vitals = Vitals(
            started_ns=monotonic_ns(),
            simulated=plan.simulated,
            latency_ms=Reservoir(),
            loop_lag_ms=Reservoir(LAG_SAMPLES),
            rate=Rate(),
            redis=self.redis,
            watchdog=self._watchdog,
            supervisor=self._supervisor,
        )
        feed = settings.feed
        source = b"simulated" if plan.simulated else source_name(
            feed.url if feed.source == "kite" else self.redis.address)  # fmt: skip
        self._recording = Recording(settings, plan.places, source, self._note)
        self.intake = Intake(settings.batch, self.pipeline, self._recording.keep, self._taken,
                             self._supervisor.fail)  # fmt: skip
        self._reached_s = self._published_s = 0
        """How far a replay has come; and up to where it was published before it went back."""
        self._ending: Ending | None = None
        self._books: Books | None = None
        if plan.replay is None and not plan.simulated and settings.ledger.enabled:
            self._books = Books(plan.places, settings.ledger.sessions, self.pipeline,
                                lambda: self.vitals.restoring)  # fmt: skip
        self._record = TrackRecord(self.pipeline, self._ledger)
        self.vitals.track_record = self._record
        moves = plan.replay is None
        self._clock = SessionClock(self.pipeline, feed.speed_factor if moves else None)
        self._notifier: Notifier | None = None
        if self._books is not None:
            self._notifier = notifier(settings, plan.places, self.pipeline, self._clock, self._note)
        self.vitals.notifier = self._notifier
        self._choices: OwnChoices | None = None
        if plan.replay is None and not plan.simulated:
            self._choices = OwnChoices(plan.places, self.pipeline, self._note)
        desk = self._books.desk if self._books is not None else None
        self._obeying = Obeying(self.pipeline, self.intake, self._recording, self.redis, desk,
                                lambda: self.vitals.restoring)  # fmt: skip
        self._sockets = Sockets(plan.places.run, settings.attach.groups, self.snapshot, self.obey,
                                self.status, self._note)  # fmt: skip
        self.vitals.sockets = self._sockets
        self._health: HealthServer | None = None
        if settings.metrics.listen:
            self._health = HealthServer(settings.metrics.listen, self.status,
                                        lambda: unready(self.pipeline, self.vitals))  # fmt: skip
        watch = Watch(settings, self.pipeline, self.vitals, plan.places.state)
        self._pulse = Pulse(self.pipeline, self.intake, self.vitals, watch, self._clock)
        self._memory = Memory(settings.alerts.watch.memory_max_mb, self._supervisor.fail)
        self._manager = manager
        self._boxes = BoxRecorder(plan.places.black_boxes, settings.journal.black_box_mb,
                                 self._recording, self.pipeline, self.status)  # fmt: skip

    @property
    def _ledger(self) -> Ledger | None:
        return self._books.ledger if self._books is not None else None

    # ---- life ----------------------------------------------------------------------------

    async def start(self) -> None:
        """Bring everything up.

        Raises:
            RedisUnavailable, OSError, CredentialsError: what is missing.
        """
        asyncio.get_running_loop().set_exception_handler(self._uncaught)
        need, keep = self._supervisor.need, self._supervisor.keep
        (await self.redis.start()).add_done_callback(self._supervisor.ended)
        keep("redis", self.redis.watch)
        keep("redis server", partial(self.redis.keep_server, self._note))
        if self._plan.replay is None:
            self._begin_recording()
        if self._plan.replay is not None:
            need(self._source_of_replay(self._plan.replay))
        elif self._settings.feed.source == "redis":
            need(self._open_feed(self._source_of_redis()))
        else:
            need(self._open_feed(self._source_of_kite()))
        if self._plan.replay is None and self._settings.feed.speed_factor == 1.0:
            keep("turn of the day", self._turn_of_the_day)
        keep("publishing", partial(self._pulse.publish, self._record, lambda: self._is_news))
        keep("memory", self._memory.run)
        need(self._pulse.measure(self._watchdog))
        keep("ledger", self._record.run)
        if self._books is not None:
            keep("log", self._books.events.run)
        await self._sockets.start()
        if self._health is not None:
            await self._health.start()
        if self._notifier is not None:
            keep("notify", self._notifier.run)
        self._manager.tell("READY=1")
        need(self._manager.run(lambda: " ".join(self.vitals.state())))
        self.started = True

    def _source_of_replay(self, replay: Replay) -> Coroutine[Any, Any, None]:
        """What plays a recording."""
        source = ReplaySource(replay, self.intake, lambda: self.pipeline.session_s)
        self.vitals.replay = source
        playing = Playing(self._settings, replay, source, self.intake,
                          self._plan.places.keyframes, self._note)  # fmt: skip
        self._obeying.playing = playing
        return self._play(playing, replay)

    def _source_of_redis(self) -> Callable[[], Awaitable[None]]:
        """What takes the ticks that crawlers write to Redis."""
        self._open_store()
        fleet = Fleet(self._settings, self.intake)
        source = RedisSource(self._settings, self.redis.url, self.intake, fleet.announce,
                             fleet.token, self._recording.durable, self._note)  # fmt: skip
        self.vitals.source = source
        return source.run

    def _source_of_kite(self) -> Callable[[], Awaitable[None]]:
        """What subscribes at Kite, and follows what is to be subscribed."""
        credentials, places = self._plan.credentials, self._plan.places
        assert credentials is not None
        kite = KiteSource(self._settings.feed, credentials, self.intake, self._supervisor.ended)
        self.vitals.source = kite
        store = self._open_store()
        past = None
        if store is not None:
            past = Past(places.archive, store, self._ledger, lambda: self._record.known.hashes)
        files = InstrumentFiles(places.instruments) if not self._plan.simulated else None
        opening = Opening(self._settings, self.pipeline, self.intake, past, files)
        self.vitals.opening = opening
        following = Following(self.pipeline, self.intake, kite, opening, files,
                              self._settings.feed.mode)  # fmt: skip
        self._obeying.following = following
        self._supervisor.keep("following", following.run)
        return partial(self._run_feed, kite, credentials)

    async def _open_feed(self, run: Callable[[], Awaitable[None]]) -> None:
        """Today's earlier journals first, then the feed."""
        vitals = self.vitals
        need, keep = self._supervisor.need, self._supervisor.keep
        if vitals.restart is not None:
            known = self._books.events.known if self._books is not None else lambda: None
            await vitals.restart.play(
                self.pipeline, self.intake, self._before, self._to_keep(), known
            )
            self._clock.look()
            if self._ending is not None and vitals.restart.resumed:
                self._ending.resume()
            self._recording.applied = self._recording.applied or vitals.restart.last
            self.redis.restored(self.pipeline.desk)
            keep("checkpoint", partial(self._recording.keep_state, self.intake, self._settle,
                                       self._published, self._to_keep))  # fmt: skip
        left_out = await self._take_choices()
        vitals.restoring = False
        for text in left_out:
            self._note("desk", f"a threshold of before is left out: {text}")
        await asyncio.to_thread(self.pipeline.newsroom.prepare)
        await asyncio.to_thread(prepare_http)
        news = NewsSource(self._settings.news, self._settings.redis.channels["news"], self.intake,
                          self._note)  # fmt: skip
        keep("news", partial(news.run, self.redis.url))
        if self._settings.redis.commands:
            listener = RedisCommands(
                self._settings.redis.channels["commands"], self.obey, self._note
            )
            keep("commands", partial(listener.run, self.redis.url))
        if self._ending is not None:
            keep("archive", self._ending.run)
        keep("black box", self._boxes.run)
        need(self._pulse.timers())
        need(self._pulse.conditions())
        await run()

    async def _run_feed(self, kite: KiteSource, credentials: Callable[[], Credentials]) -> None:
        """The day's start, then what gaps hide; the connections keep themselves."""
        assert self.vitals.opening is not None
        await self.vitals.opening.run(kite, credentials)
        feed = self._settings.feed
        if feed.backfill_instruments:
            backfill = Backfill(feed, self.pipeline, self.intake, credentials)
            self._supervisor.keep("backfill", backfill.run)

    async def _take_choices(self) -> list[str]:
        """The user's rules and thresholds, from the settings and from before; why some of these
        do not do any more."""
        chosen: list[commands.Command] = [
            commands.AddRule(text, SETTINGS) for text in self._settings.alerts.rules
        ]
        if self._choices is not None:
            chosen += self._choices.from_before(wall_ns() / NS)
        results = [(command, await self._obeying.apply(command)) for command in chosen]
        if self._choices is not None:
            self._supervisor.keep("choices", self._choices.run)
        self._record.begin()
        return [result.text for command, result in results
                if isinstance(command, commands.Tune) and not result.done]  # fmt: skip

    def _held(self) -> dict[str, Any]:
        """All that the engine knows of the day, and that follows from its journals."""
        ended = self._ending.ended if self._ending is not None else None
        return {"pipeline": self.pipeline, "record": self._record.known, "ended": ended}

    def _to_keep(self) -> dict[str, Any]:
        """The same, and what is published of it: what a checkpoint keeps."""
        return {**self._held(), "redis": self.redis.kept}

    def _settle(self) -> None:
        """Have everything on the disk that followed so far: what a checkpoint holds is not played
        again.

        Raises:
            OSError: something of it is lacking there.
        """
        self._record.settle()
        if self._ending is not None:
            self._ending.settle()
        if self._books is not None and (why := self._books.unwritten):
            raise OSError(f"the desk's log lacks what could not be written: {why}")

    def _published(self) -> int:
        """Nothing is applied any more, and all that followed is on its way; the session second."""
        self._pulse.tell_fired(self._record, self._is_news)
        self.redis.keep()
        return self._still()

    def _still(self) -> int:
        """Nothing is applied any more; the session second, 0 while nothing trades."""
        self.pipeline.market.profiles.settle()
        now_s = self.pipeline.session_s
        return now_s if self.pipeline.market.trades_at(now_s) else 0

    def _before(self, _: RecordBatch, derived: Derived) -> None:
        """What became of a batch that an engine before this one took in."""
        self._keep(derived, before=True)
        self.redis.before(derived)

    def _keep(self, derived: Derived, *, before: bool = False) -> None:
        """What is kept of a batch; of one that an earlier engine had, all is there already."""
        self._clock.look()
        if self._books is not None:
            self._books.take(derived)  # first, then whom it concerns is told of it
        self._record.take(derived, before=before)
        if self._ending is not None:
            self._ending.take(derived)
        self._tell(derived)

    async def stop(self) -> None:
        """Take everything down, in order; nothing that was taken in is lost.

        Each step has its time, and none keeps the next from happening.
        """
        vitals = self.vitals
        await self._last("sockets", self._sockets.close(), 1.0)  # who looks on sees it end
        if vitals.source is not None:
            await self._last("feed", vitals.source.close(), 1.0)
        try:
            self.intake.finish()
        except Exception as error:  # noqa: BLE001 - the journal is closed whatever the bug was
            self._supervisor.fail(error)
        await self._supervisor.cancel()
        if self._health is not None:
            await self._last("health", self._health.close(), 1.0)
        if self._books is not None:
            self._shut("log", self._books.events.close)
        self._shut("journal", self._recording.close)
        if self.error is not None and not isinstance(self.error, MemoryCapError):
            await self._last("black box", self._boxes.write(f"crash {where(self.error)}"), 3.0)
        self._shut("ledger", self._record.close)
        self._pulse.tell_fired(self._record, self._is_news)
        if self._books is not None:
            self._shut("desk", self._books.desk.close)
        if self._ending is not None:
            self._shut("archive", self._ending.close)
        if self._notifier is not None:
            await self._last("notify", self._notifier.close(), 1.0)
        await self.redis.stop(self._last)
        self._shut("watchdog", self._watchdog.close)
        self._shut("commands", self._obeying.close)

    def _shut(self, what: str, close: Callable[[], None]) -> None:
        """Close something; a bug in it keeps nothing else from being closed."""
        try:
            close()
        except Exception as error:  # noqa: BLE001 - whatever it is, the rest is taken down
            self._note(what, f"does not close: {where(error)}")
            self._supervisor.fail(error)

    async def _last(self, what: str, work: Awaitable[Any], limit_s: float) -> None:
        """One step of stopping, within its time."""
        try:
            async with asyncio.timeout(limit_s):
                await work
        except TimeoutError:
            self._note(what, f"did not stop within {limit_s} s")
        except Exception as error:  # noqa: BLE001 - the other steps must happen
            self._note(what, f"failed while stopping: {type(error).__name__}")
            self._supervisor.fail(error)

    @property
    def error(self) -> BaseException | None:
        """What ended the engine, if something did."""
        return self._supervisor.error

    def _uncaught(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """A bug in a callback ends the engine too; what it kept stays readable."""
        error = context.get("exception")
        if isinstance(error, OSError) and error.errno in EXHAUSTED:  # the loop tries it again
            self._note("system", f"{error.strerror}: {context.get('message', '')}")
            return
        if error is None:
            loop.default_exception_handler(context)
            return
        self._supervisor.fail(error)

    def _open_store(self) -> SessionStore | None:
        """What outlives the session; a simulated one leaves nothing behind."""
        if self._plan.simulated or not self._settings.archive.enabled:
            return None
        places = self._plan.places
        store = SessionStore(places.store)
        ticks = TickArchiving(self._settings, places, self._note)
        self._ending = Ending(self._settings, self.pipeline, places.archive, store, ticks.over)
        self._supervisor.keep("tick archive", ticks.run)
        return store

    def _calibration(self) -> bytes:
        """A digest of what the files have: thresholds and references. What operators change while
        it runs is in the journal, at its place."""
        frozen = (self._settings.patterns, self._settings.reference)
        text = msgspec.json.encode(frozen, order="deterministic")
        return blake2b(text, digest_size=16).hexdigest().encode()

    def _begin_recording(self) -> None:
        """The journal, and first in it the hash of what is frozen."""
        self._recording.begin(restores=not self._plan.simulated)
        self.vitals.journal = self._recording.journal
        self.vitals.restart = self._recording.restart
        self.vitals.restoring = self._recording.restart is not None
        self._supervisor.need(self._recording.sync())
        self._supervisor.keep("tidying", self._recording.tidy)
        self.intake.put(Kind.CALIBRATION, self._calibration())

    # ---- what comes in -------------------------------------------------------------------

    def _taken(self, batch: RecordBatch, derived: Derived) -> None:
        """A batch was applied: it is kept, published, and answers those who wait for it."""
        self._keep(derived)
        self._recording.applied = batch.kept.place
        self._reached_s = max(self._reached_s, self.pipeline.session_s)
        if self._is_news:
            self.redis.take(derived, batch.kept)
        self._obeying.answer(batch, derived.results)
        if derived.runs and self._plan.replay is None:
            self.vitals.latency_ms.add((wall_ns() - batch.recv_ns[0]) / 1e6)
        if derived.alerts or derived.changed:
            self._alerted()
        for alert in derived.alerts:
            if alert.priority is Priority.P1:
                self._boxes.want(f"P1 {alert.symbol} {alert.pattern}")

    def _tell(self, derived: Derived) -> None:
        """Into the outbox; what is in it already, from before a restart, stays as it is."""
        if self._notifier is not None and derived.notices:
            self._notifier.take(derived.notices)

    async def obey(self, command: commands.Command) -> commands.Result:
        """A command is an input like any other: journalled, then applied in order."""
        result = await self._obeying.obey(command)
        if result.done and isinstance(command, CHOICES) and self._choices is not None:
            await self._choices.keep()  # before anybody is told that it is done
        return result

    def _alerted(self) -> None:
        """An alert came up or changed: whoever looks is told at once."""
        self._on_alert()
        self._sockets.nudge()

    def _note(self, source: str, text: str) -> None:
        self.pipeline.note(source, text)

    # ---- tasks ---------------------------------------------------------------------------

    async def _play(self, playing: Playing, replay: Replay) -> None:
        if await playing.open_hour(self._held()):
            self._clock.look()
        theatre = Theatre(self._held(), lambda: self.pipeline.session_s, self._settle_played,
                          self._went_back)  # fmt: skip
        await playing.run(theatre, looked_on=self._plan.linger)
        if replay.speed is None and not self._plan.linger:
            self.stopping.set()

    @property
    def _is_news(self) -> bool:
        """Whether what follows now is to be published: a replay that went back did so already."""
        return self._plan.replay is None or self.pipeline.session_s > self._published_s

    def _settle_played(self) -> None:
        """What followed so far is in what is held; nothing of it is under way."""
        self._record.settle()
        self._still()

    def _went_back(self) -> None:
        """What is shown is of an earlier second now."""
        self._published_s = self._reached_s
        self._record.went_back()
        self._clock.look(back=True)
        self._alerted()

    async def _turn_of_the_day(self) -> None:
        """End when a day begins."""
        await day_over(self._settings.feed.new_day_s, self._trades)
        self._note("calendar", "a day begins: everything is taken in anew")
        self.day_over = True
        self.stopping.set()

    def _trades(self) -> bool:
        """Whether anything that is watched trades now."""
        now_s = self.pipeline.session_s
        return bool(now_s) and self.pipeline.market.trades_at(now_s)

    def note_refused(self, why: str) -> None:
        """Settings were to be taken in with which nothing starts: those before are in force."""
        words = f"the settings stay as they were: {why}"
        self._note("config", words)
        if self._books is not None:
            self._books.events.at_once("config", words)

    def snapshot(self, wanted: view.View) -> view.Snapshot:
        """A picture for one view."""
        session_s = (self._clock.now_ns or self.pipeline.session_s * NS) / NS
        return self.observer.snapshot(wanted, self.vitals, session_s)

    def status(self) -> dict[str, Any]:
        """The status document."""
        return status_document(self.pipeline, self.vitals)
