"""The pulse: what an engine does by the clock, whatever comes in."""

from __future__ import annotations

from collections.abc import Callable

from kitetui.engine.calendar import ist
from kitetui.engine.clock import monotonic_ns, sleep
from kitetui.engine.feed.records import Kind
from kitetui.engine.flow.intake import Intake
from kitetui.engine.flow.pipeline import Pipeline, timer_payload
from kitetui.engine.flow.session_clock import SessionClock
from kitetui.engine.flow.track_record import TrackRecord
from kitetui.engine.health.watchdog import Watchdog
from kitetui.engine.view.status import Vitals, health, metrics
from kitetui.engine.watch import Watch, encode

NS = 1_000_000_000
LAG_SAMPLE_S = 0.05
TIMER_S = WATCH_S = RECORD_S = 1.0
VITALS_EVERY = 5


class Pulse:
    """Tasks that run for ever: each is the engine's to keep."""

    def __init__(self, pipeline: Pipeline, intake: Intake, vitals: Vitals, watch: Watch,
                 clock: SessionClock) -> None:  # fmt: skip
        self._pipeline = pipeline
        self._intake = intake
        self._vitals = vitals
        self._watch = watch
        self._clock = clock

    async def timers(self) -> None:
        """One TIMER record a second: session time, moved on between packets by our clock."""
        while True:
            await sleep(TIMER_S)
            self._intake.put(Kind.TIMER, timer_payload(self._clock.now_ns))

    async def conditions(self) -> None:
        """The engine's own conditions, as a record where any has changed."""
        while True:
            await sleep(WATCH_S)
            if changed := self._watch.look():
                self._intake.put(Kind.CONDITION, encode(changed))

    async def measure(self, watchdog: Watchdog) -> None:
        """Loop lag and rates."""
        watchdog.beat()  # how long the start took is no stall
        next_rate_ns = 0
        while True:
            before_ns = monotonic_ns()
            await sleep(LAG_SAMPLE_S)
            now_ns = monotonic_ns()
            lag_ms = (now_ns - before_ns) / 1e6 - LAG_SAMPLE_S * 1000
            self._vitals.loop_lag_ms.add(lag_ms)
            self._watch.stalled(lag_ms / 1000)
            for stall in watchdog.beat():
                self._pipeline.note("loop", f"stood for {stall.seconds:.2f} s in {stall.where}")
            if now_ns >= next_rate_ns:
                next_rate_ns = now_ns + NS
                received = self._pipeline.market.normaliser.counts.received
                self._vitals.rate.update(received, now_ns)
                self._vitals.redis.paced(self._vitals.rate.per_s)

    def tell_fired(self, record: TrackRecord, is_news: bool) -> None:
        """What fired, to whom it is published; `is_news`: it was not published before."""
        while record.fresh:
            told = record.fresh.popleft()
            if is_news:
                self._vitals.redis.fired(told)

    async def publish(self, record: TrackRecord, is_news: Callable[[], bool]) -> None:
        """What fired, the scoreboard, and how the engine does, to whom it is published.

        Args:
            is_news: whether what follows now was not published before.
        """
        redis, looks = self._vitals.redis, 0
        while True:
            await sleep(RECORD_S)
            self.tell_fired(record, is_news())
            looks += 1
            if looks % VITALS_EVERY == 0:
                redis.vitals(metrics(self._pipeline, self._vitals),
                             health(self._pipeline, self._vitals))  # fmt: skip
                redis.scoreboard(record.lines, f"{ist(self._clock.now_ns / NS):%Y-%m-%d}")
