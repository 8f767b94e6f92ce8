"""The way of a tick: input records to bars, signals and alerts. A function of its inputs alone.

For any partition of the same records into batches the results are identical.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec
import numpy as np

from kitetui.engine import commands
from kitetui.engine.alerts.alerting import Alerting
from kitetui.engine.alerts.conditions import Condition
from kitetui.engine.alerts.newsroom import Newsroom
from kitetui.engine.commands import Result
from kitetui.engine.feed import session, wire
from kitetui.engine.feed.news import Headline
from kitetui.engine.feed.records import (
    HistoryAnswer,
    Kind,
    LinkEvent,
    RecordBatch,
    Remembered,
    Subscribed,
)
from kitetui.engine.flow.derived import Derived, Event
from kitetui.engine.flow.measuring import Measuring
from kitetui.engine.flow.raising import Raising
from kitetui.engine.flow.tuning import Tuning
from kitetui.engine.market.bars import ClosedBars
from kitetui.engine.market.gaps import Gaps
from kitetui.engine.market.instruments import (
    Instrument,
    InstrumentError,
    read_table,
    unlisted,
)
from kitetui.engine.market.market import FrameBars, Market
from kitetui.engine.patterns.calibration import Calibrations, Past
from kitetui.engine.patterns.firing import Detectors
from kitetui.settings import Settings

NS = 1_000_000_000
TIMER = struct.Struct("<q")
EVENTS_KEPT = 1000
UNREADABLE = (msgspec.DecodeError, InstrumentError, struct.error, ValueError, OverflowError,
              RecursionError)  # fmt: skip
"""What reading a damaged record may raise: it is counted, and the rest goes on."""


class FeedCounts(msgspec.Struct):
    """What came in over the wire."""

    frames: int = 0
    heartbeats: int = 0
    bad_frames: int = 0
    inflated: int = 0
    unreadable_records: int = 0
    rejected_packets: int = 0
    trailing_bytes: int = 0
    rejected: dict[str, int] = msgspec.field(default_factory=dict)
    text_types: dict[str, int] = msgspec.field(default_factory=dict)


class Pipeline:
    """All derived state, from the first record on."""

    def __init__(self, settings: Settings, capacity: int) -> None:
        self.settings = settings
        self.tuning = Tuning(settings)
        self.detectors = Detectors(settings.patterns, capacity)
        self.market = Market(settings, capacity, self.detectors.followed)
        self.calibrations = Calibrations(settings.reference)
        self.alerting = Alerting(settings.alerts)
        self.gate, self.desk = self.alerting.gate, self.alerting.desk
        self.newsroom = Newsroom(settings.news, self.market.rows)
        self.raising = Raising(settings, self.market, self.calibrations, self.newsroom,
                               self.alerting)  # fmt: skip
        self.measuring = Measuring(self.market)
        self.candidates, self.outcomes = self.raising.candidates, self.raising.outcomes
        self.risk = self.raising.risk
        self.counts = FeedCounts()
        self.gaps = Gaps(self.market.rows, self.market.normaliser.inside_session)
        self.events: deque[Event] = deque(maxlen=EVENTS_KEPT)
        self.links: dict[int, LinkEvent] = {}
        self.batches = 0
        self.bars_closed = 0
        self.announced: list[int] = []
        self._subscribed: list[int] = []
        self.modes: dict[int, str] = {}
        """Of tokens that were asked for in another mode than the usual one."""
        self._table: dict[int, Instrument] = {}
        self._handlers: dict[int, Callable[[bytes, int, Derived], Iterator[None] | None]] = {
            Kind.TEXT: self._text,
            Kind.LINK: self._link,
            Kind.TIMER: self._timer,
            Kind.COMMAND: self._command,
            Kind.INSTRUMENTS: self._instruments,
            Kind.SUBSCRIBE: self._subscribe,
            Kind.HISTORY: self._history,
            Kind.REMEMBERED: self._remembered,
            Kind.NEWS: self._news,
            Kind.CONDITION: self._condition,
        }

    @property
    def session_s(self) -> int:
        """Session time in seconds."""
        return self.market.session_s

    def apply(self, records: RecordBatch) -> Derived:
        """Take a batch of records in; any run of frames is decoded in one stroke."""
        out = Derived()
        deque(self.steps(records, out), maxlen=0)
        return out

    def steps(self, records: RecordBatch, out: Derived) -> Iterator[None]:
        """The same in steps, for a caller with other things to do in between.

        `out` is complete, and another batch may be begun, once the last step is taken.
        """
        self.batches += 1
        self._tune()  # a checkpoint may have brought other thresholds
        kinds = records.kind
        at = 0
        while at < len(kinds):
            if kinds[at] == Kind.FRAME:
                stop = records.frames_from(at)
                yield from self._frames(records.payload[at:stop], records.recv_ns[at:stop], out)
                at = stop
                continue
            handler = self._handlers.get(kinds[at])
            if handler is not None:
                try:
                    steps = handler(records.payload[at], records.recv_ns[at], out)
                except UNREADABLE as error:
                    self.counts.unreadable_records += 1
                    self.note("journal", f"a record could not be read: {error}")
                    steps = None
                # Outside: a bug in what follows is none of the record's.
                yield from steps or ()
            at += 1
        self._told(out)

    @property
    def subscribed(self) -> list[int]:
        """Tokens that the feed was asked for last."""
        return self._subscribed

    def note(self, source: str, text: str) -> None:
        """Add a line to the events."""
        self.events.append(Event(self.session_s, source, text))

    def _frames(self, frames: list[bytes], recv_ns: list[int], out: Derived) -> Iterator[None]:
        decoded = wire.decode(frames, recv_ns)
        counts = self.counts
        counts.frames += decoded.frames
        counts.heartbeats += decoded.heartbeats
        counts.bad_frames += decoded.bad_frames
        counts.inflated += decoded.inflated
        counts.trailing_bytes += decoded.trailing_bytes
        for reason, packets in decoded.rejected.items():
            counts.rejected_packets += packets
            counts.rejected[reason] = counts.rejected.get(reason, 0) + packets
        if not len(decoded.batch):
            return
        unknown = len(self.market.rows.unknown_segments)
        unscheduled = self.market.normaliser.unscheduled
        known = len(unscheduled.found)
        clean = self.market.normalise(decoded.batch)
        if len(unscheduled.found) > known:
            self.note("calendar", "an unscheduled session: "
                      "trades come on a day that config/calendar.yaml has closed")  # fmt: skip
        if len(self.market.rows.unknown_segments) > unknown:
            self._warn_segments()
        yield from self._bars(self.market.take(clean), out)
        for silence in clean.silences:
            self.note("feed", f"gap of {silence.seconds} s")
        self.gaps.see(clean)
        run = clean.whole()
        self.measuring.see(run)
        out.runs.append(run)

    def _warn_segments(self) -> None:
        for segment in sorted(self.market.rows.unknown_segments):
            self.note(
                "feed",
                f"unknown segment {segment}: prices are divided by "
                f"{wire.DEFAULT_DIVISOR}; set feed.divisors",
            )

    def _text(self, payload: bytes, _: int, out: Derived) -> None:
        frame = session.read_text(payload)
        self.counts.text_types[frame.type] = self.counts.text_types.get(frame.type, 0) + 1
        if frame.type in ("error", "message"):
            self.note("kite", f"{frame.type}: {frame.text}")

    def _link(self, payload: bytes, _: int, out: Derived) -> None:
        event = msgspec.json.decode(payload, type=LinkEvent)
        before = self.links.get(event.connection)
        self.links[event.connection] = event
        self.note(f"ws{event.connection}", f"{event.state} {event.reason}".strip())
        tokens = self._subscribed[event.first_row : event.first_row + event.rows]
        rows = self.market.rows.find(np.array(tokens, np.int64))
        rows = rows[rows >= 0]
        normaliser = self.market.normaliser
        if event.state == session.LinkState.LIVE:
            normaliser.connection_live(rows)
            self.gaps.back(event.connection, self.session_s, len(rows))
        elif before is not None and before.state == session.LinkState.LIVE:
            told_s = int(normaliser.last_seen_s[rows].max(initial=0))
            self.gaps.lost(event.connection, told_s or self.session_s)

    def _timer(self, payload: bytes, _: int, out: Derived) -> Iterator[None]:
        (session_ns,) = TIMER.unpack(payload)
        return self._time(session_ns, out)

    def _time(self, session_ns: int, out: Derived) -> Iterator[None]:
        yield from self._bars(self.market.timer(session_ns), out)
        if session_ns > 0:
            at_s = self.alerting.reach(session_ns // NS)
            if len(self.alerting.rules):
                self.alerting.look(at_s, self.measuring.measure)
                self.measuring.looked()
                self.measuring.watch(self.alerting.rules.symbols())
            self.alerting.tick(at_s)

    def _now_s(self, recv_ns: int) -> int:
        """Session second for what an operator or the engine itself says; ours before any."""
        return self.alerting.reach(self.session_s) or recv_ns // NS

    def _condition(self, payload: bytes, recv_ns: int, out: Derived) -> None:
        at_s = self._now_s(recv_ns)
        for condition in msgspec.json.decode(payload, type=list[Condition]):
            self.alerting.condition(condition, at_s)
        self.alerting.tick(at_s)

    def _command(self, payload: bytes, recv_ns: int, out: Derived) -> None:
        """Each command has one result, also one that cannot be read."""
        try:
            result = self._obeyed(payload, recv_ns)
        except UNREADABLE as error:
            out.results.append(Result(False, f"the command cannot be read: {error}"))
            raise
        out.results.append(result)
        self.note("desk", result.text)

    def _obeyed(self, payload: bytes, recv_ns: int) -> Result:
        command = commands.decode(payload)
        at_s = self._now_s(recv_ns)
        if isinstance(command, commands.AddRule):
            result = self.alerting.add_rule(command, at_s)
            self.measuring.watch(self.alerting.rules.symbols())
        elif isinstance(command, commands.RemoveRule):
            result = self.alerting.remove_rule(command.rule_id)
        elif isinstance(command, commands.Tune | commands.Untune):
            before = self.tuning.patterns
            result = self.tuning.obey(command, at_s)
            self._tune()
            for name, settings in self.tuning.patterns.items():
                if settings != before[name]:  # it may be able to look now
                    self.detectors.failed.pop(name, None)
        elif isinstance(command, commands.LiftBlock):
            lifted = self.risk.lift()
            self.raising.tell_drawdown(at_s)
            words = "plans are made again" if lifted else "plans are not blocked"
            result = Result(lifted, words)
        elif isinstance(command, commands.RedisAction):
            result = Result(True, f"{command.actor}: redis {command.words}")  # done by the core
        elif isinstance(command, commands.FeedCommand):
            if isinstance(command, commands.SetMode):  # what fuller packets tell first is the past
                named = set(command.symbols)
                self._join([i.token for i in self.market.rows.instruments
                            if not named or i.symbol in named])  # fmt: skip
            result = Result(True, f"{command.actor}: {command.words}")  # done by the core
        elif isinstance(command, commands.Play):
            result = Result(False, "only a replay is played")
        else:
            result = self.alerting.obey(command, recv_ns, at_s)
        return result

    def _tune(self) -> None:
        """Have everything go by the thresholds in force."""
        self.tuning.renew()
        self.detectors.tune(self.tuning.patterns)
        self.alerting.tune(self.tuning.alerts)

    def _instruments(self, payload: bytes, _: int, out: Derived) -> None:
        self._table.update(read_table(payload))

    def _subscribe(self, payload: bytes, _: int, out: Derived) -> None:
        asked = msgspec.json.decode(payload, type=Subscribed)
        before = set(self._subscribed)
        joined = [t for t in asked.tokens if t not in before] if before else []
        self._subscribed, self.modes = asked.tokens, asked.others
        known = set(self.announced)
        fresh = [t for t in dict.fromkeys(asked.tokens) if t not in known]
        refused = self.market.add_instruments([self._table.get(t) or unlisted(t) for t in fresh])
        self.announced.extend(fresh)
        if refused:
            self.note("feed", f"{refused} instruments found no row; raise feed.spare_rows")
        self._join(joined)
        self._warn_segments()

    def _join(self, tokens: Sequence[int]) -> None:
        """Instruments that are sent from now on, while others are sent already."""
        rows = self.market.rows.find(np.array(tokens, np.int64))
        self.market.normaliser.join(rows[rows >= 0])

    def _history(self, payload: bytes, _: int, out: Derived) -> None:
        answer = msgspec.msgpack.decode(payload, type=HistoryAnswer)
        if not answer.gap:
            out.mended += self.market.learn(answer)
            return
        row, told = self.market.mend(answer, answer.gap)
        if row >= 0:
            self.gaps.told(row, *answer.gap)
        out.mended += told

    def _news(self, payload: bytes, recv_ns: int, out: Derived) -> None:
        headlines = msgspec.json.decode(payload, type=list[Headline])
        out.news += self.newsroom.take(headlines, self.session_s or recv_ns // NS)

    def _remembered(self, payload: bytes, _: int, out: Derived) -> None:
        told = msgspec.msgpack.decode(payload, type=Remembered)
        self.market.remember(told)
        for past in told.firings:
            resolved = tuple(zip(past.resolved, past.hit, strict=True))
            self.calibrations.tell(past.pattern, past.timeframe, past.asset_class,
                                   Past(tuple(past.scores), resolved))  # fmt: skip

    def take_bars(self, minutes: int, bars: ClosedBars) -> Derived:
        """Bars of a file instead of ticks: the same indicators, detectors and alerts follow."""
        out = Derived()
        deque(self._bars(self.market.take_bars(minutes, bars), out), maxlen=0)
        self._told(out)
        return out

    def _told(self, out: Derived) -> None:
        """What came of alerts by now."""
        told = self.alerting.drain()
        out.alerts += told.raised
        out.changed += told.changed
        out.transitions += told.transitions
        out.notices += told.notices
        out.departures += told.departures
        for alert in told.raised:
            words = (alert.symbol, alert.pattern, alert.timeframe, alert.direction)
            self.note("alert", " ".join(word for word in words if word and word != "none"))
        for text in told.notes:
            self.note("desk", text)

    def _bars(self, closed: Iterable[FrameBars | None], out: Derived) -> Iterator[None]:
        """Bars closed: the detectors look at them, at the very point where it happens."""
        for told in closed:
            yield
            if told is None:
                continue
            self.bars_closed += len(told.bars.rows)
            out.bars.append((told.frame.name, told.bars))
            self.raising.settle(told, out)
            failed = len(self.detectors.failed)
            firings = yield from self.detectors.steps(self.market, told)
            if len(self.detectors.failed) > failed:
                for name, why in list(self.detectors.failed.items())[failed:]:
                    self.note(
                        "pattern", f"{name} is off: it cannot look with its parameters: {why}"
                    )
            for fired in firings:
                self.raising.raise_from(fired, told.frame.minutes, out)
                yield
            self.alerting.tell(self.alerting.reach((told.bars.start + told.frame.minutes) * 60))


def timer_payload(session_ns: int) -> bytes:
    """A TIMER record's payload."""
    return TIMER.pack(session_ns)
