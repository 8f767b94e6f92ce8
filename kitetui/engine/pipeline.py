"""The way of a tick: input records to bars, signals and alerts. A function of its inputs alone.

For any partition of the same records into batches the results are identical.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable, Iterable

import msgspec
import numpy as np

from kitetui.config import Settings
from kitetui.engine import commands
from kitetui.engine.alerts.alert import Alert, alert_id
from kitetui.engine.alerts.desk import Desk
from kitetui.engine.alerts.gate import Gate
from kitetui.engine.calendar import SEGMENTS, Calendar, ist_day
from kitetui.engine.commands import Result
from kitetui.engine.feed import session, wire
from kitetui.engine.feed.batch import I64, Flag
from kitetui.engine.feed.records import (
    HistoryAnswer,
    Kind,
    LinkEvent,
    RecordBatch,
    Subscribed,
)
from kitetui.engine.market.bars import CLOSE, FLAGS, ClosedBars, Closing, LongerBars, MinuteBars
from kitetui.engine.market.instruments import (
    Instrument,
    InstrumentError,
    Rows,
    read_table,
    unlisted,
)
from kitetui.engine.market.normalise import Clean, Gap, Normaliser
from kitetui.engine.market.timeframe import Timeframe
from kitetui.engine.market.warmup import longer_bars, minute_bars, segment_of
from kitetui.engine.patterns.registry import Trigger, View, registry
from kitetui.engine.patterns.score import UNKNOWN_TABLE, confidence, score

NS = 1_000_000_000
TIMER = struct.Struct("<q")
EVENTS_KEPT = 1000
UNREADABLE = (msgspec.DecodeError, InstrumentError, struct.error, ValueError, OverflowError,
              RecursionError)  # fmt: skip
"""What reading a damaged record may raise: it is counted, and the rest goes on."""


class Event(msgspec.Struct, frozen=True):
    """Something a person may want to know, at a session second."""

    at_s: int
    source: str
    text: str


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


class Derived(msgspec.Struct):
    """What one batch of records led to.

    Attributes:
        runs: normalised ticks, in order.
        bars: bars that closed, as (timeframe name, bars).
        alerts: alerts raised; changed: alerts that a command changed.
        results: what became of each command.
    """

    runs: list[Clean]
    bars: list[tuple[str, ClosedBars]]
    alerts: list[Alert]
    changed: list[Alert]
    results: list[Result]


class Book:
    """The last packet of every row, for views: depth and the values that only packets carry."""

    def __init__(self, capacity: int) -> None:
        self.depth: I64 = np.zeros((capacity, 10, 3), np.int64)
        self.cols: I64 = np.zeros((18, capacity), np.int64)
        self.length = np.zeros(capacity, np.uint8)
        self.changed: I64 = np.zeros(capacity, np.int64)

    def keep(self, clean: Clean, batch_number: int) -> None:
        """Remember the last usable packet of each row."""
        ticks = clean.ticks
        usable = np.flatnonzero((ticks.flags & (Flag.REJECTED | Flag.STALE)) == 0)
        rows = ticks.row[usable]
        # Repeated indices take the last value, which is the newest packet of the row.
        self.depth[rows] = ticks.depth[usable]
        self.cols[:, rows] = ticks.cols[:, usable]
        self.length[rows] = ticks.length[usable]
        self.changed[rows] = batch_number


class Pipeline:
    """All derived state, from the first record on."""

    def __init__(self, settings: Settings, capacity: int) -> None:
        self.settings = settings
        self.calendar = Calendar(settings.calendar)
        self.rows = Rows(capacity, {**wire.DIVISORS, **settings.feed.divisors})
        self.normaliser = Normaliser(self.rows, self.calendar, settings.feed.gap_after_s)
        self.minutes = MinuteBars(self.rows)
        self.longer = LongerBars(5, self.rows)
        self.frames = {1: Timeframe(1, self.rows), 5: Timeframe(5, self.rows)}
        self.gate = Gate(settings.alerts.min_confidence)
        self.desk = Desk(settings.alerts.queue_cap, settings.alerts.undo_s)
        self.book = Book(capacity)
        self.counts = FeedCounts()
        self.gaps: deque[Gap] = deque(maxlen=EVENTS_KEPT)
        self.events: deque[Event] = deque(maxlen=EVENTS_KEPT)
        self.links: dict[int, LinkEvent] = {}
        self.batches = 0
        self.bars_closed = 0
        self.announced: list[int] = []
        self.warmed: set[int] = set()
        self._table: dict[int, Instrument] = {}
        self._triggers = {
            (name, frame.name): Trigger(name, settings.patterns[name], capacity)
            for name in registry()
            if name in settings.patterns and settings.patterns[name].enabled
            for frame in self.frames.values()
            if frame.name in settings.patterns[name].timeframes
        }
        self._handlers: dict[int, Callable[[bytes, int, Derived], None]] = {
            Kind.TEXT: self._text,
            Kind.LINK: self._link,
            Kind.TIMER: self._timer,
            Kind.COMMAND: self._command,
            Kind.INSTRUMENTS: self._instruments,
            Kind.SUBSCRIBE: self._subscribe,
            Kind.HISTORY: self._history,
        }

    @property
    def session_s(self) -> int:
        """Session time in seconds: the last TIMER, or the newest packet if that is later."""
        return max(self.normaliser.session_ns // NS, self.normaliser.newest_s)

    def apply(self, records: RecordBatch) -> Derived:
        """Take a batch of records in; any run of frames is decoded in one stroke."""
        out = Derived([], [], [], [], [])
        self.batches += 1
        kinds = records.kind
        at = 0
        while at < len(kinds):
            if kinds[at] == Kind.FRAME:
                stop = at + 1
                while stop < len(kinds) and kinds[stop] == Kind.FRAME:
                    stop += 1
                self._frames_in(records.payload[at:stop], records.recv_ns[at:stop], out)
                at = stop
                continue
            handler = self._handlers.get(kinds[at])
            if handler is not None:
                try:
                    handler(records.payload[at], records.recv_ns[at], out)
                except UNREADABLE as error:
                    self.counts.unreadable_records += 1
                    self.note("journal", f"a record could not be read: {error}")
            at += 1
        return out

    def note(self, source: str, text: str) -> None:
        """Add a line to the events."""
        self.events.append(Event(self.session_s, source, text))

    def _frames_in(self, frames: list[bytes], recv_ns: list[int], out: Derived) -> None:
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
        unknown = len(self.rows.unknown_segments)
        clean = self.normaliser.apply(decoded.batch)
        if len(self.rows.unknown_segments) > unknown:
            self._warn_segments()
        self.book.keep(clean, self.batches)
        self._closings(self.minutes.apply(clean), out)
        for gap in clean.gaps:
            self.gaps.append(gap)
            self.note("feed", f"gap of {gap.seconds} s")
        out.runs.append(clean)

    def _warn_segments(self) -> None:
        for segment in sorted(self.rows.unknown_segments):
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
        self.links[event.connection] = event
        self.note(f"ws{event.connection}", f"{event.state} {event.reason}".strip())
        if event.state == session.LinkState.LIVE:
            self.normaliser.connection_live(event.first_row, event.rows)

    def _timer(self, payload: bytes, _: int, out: Derived) -> None:
        (session_ns,) = TIMER.unpack(payload)
        self.normaliser.session_ns = max(self.normaliser.session_ns, session_ns)
        self._closings(self.minutes.timer(session_ns // NS), out)

    def _command(self, payload: bytes, recv_ns: int, out: Derived) -> None:
        try:
            command = commands.decode(payload)
        except (msgspec.DecodeError, RecursionError) as error:
            out.results.append(Result(False, f"the command cannot be read: {error}"))
            raise ValueError(str(error)) from None
        result = self.desk.obey(command, recv_ns)
        out.results.append(result)
        self.note("desk", result.text)
        if result.done and (alert := self.desk.get(result.alert_id)) is not None:
            out.changed.append(alert)

    def _instruments(self, payload: bytes, _: int, out: Derived) -> None:
        self._table.update(read_table(payload))

    def _subscribe(self, payload: bytes, _: int, out: Derived) -> None:
        asked = msgspec.json.decode(payload, type=Subscribed)
        known = set(self.announced)
        fresh = [t for t in dict.fromkeys(asked.tokens) if t not in known]
        refused = self.rows.add([self._table.get(t) or unlisted(t) for t in fresh])
        self.announced.extend(fresh)
        if refused:
            self.note("feed", f"{refused} instruments found no row; raise feed.spare_rows")
        self._warn_segments()

    def _history(self, payload: bytes, _: int, out: Derived) -> None:
        answer = msgspec.msgpack.decode(payload, type=HistoryAnswer)
        row = int(self.rows.find(np.array([answer.token], np.int64))[0])
        if row < 0:
            return
        upto = self.session_s // 60 if self.session_s else 1 << 40
        segment = segment_of(int(self.rows.hours[row]))
        today = ist_day(self.session_s) if self.session_s else 1 << 40
        minutes = minute_bars(answer, segment, self.calendar, upto, today)
        for length, bars in ((1, minutes), (5, longer_bars(minutes, 5))):
            self.frames[length].learn(row, bars)
        self.warmed.add(row)

    def anchor(self, minute: int, rows: I64) -> I64:
        """The minute at which the rows' session of a minute's day opened: i64 (n,)."""
        opens = self.calendar.open_minutes(ist_day(minute * 60))
        return np.array(opens, np.int64)[self.rows.hours[rows]]

    def _closings(self, closings: Iterable[Closing], out: Derived) -> None:
        for closing in closings:
            for bars in closing.minutes:
                for longer in self.longer.close(bars.start):
                    self._bars_closed(5, longer, out)
                self.longer.fold(bars, self.anchor(bars.start, bars.rows))
                self._bars_closed(1, bars, out)
            for longer in self.longer.close(closing.upto):
                self._bars_closed(5, longer, out)

    def _bars_closed(self, minutes: int, bars: ClosedBars, out: Derived) -> None:
        frame = self.frames[minutes]
        bars = frame.commit(bars)
        if not len(bars.rows):
            return
        self.bars_closed += len(bars.rows)
        out.bars.append((frame.name, bars))
        hours = self.rows.hours[bars.rows]
        view = View(
            frame,
            bars.start,
            bars.rows,
            self.anchor(bars.start, bars.rows),
            hours == SEGMENTS.index("index"),
            bars.values[FLAGS],
        )
        for (name, timeframe), trigger in self._triggers.items():
            if timeframe == frame.name:
                self._detect(name, view, trigger, out)

    def _detect(self, name: str, view: View, trigger: Trigger, out: Derived) -> None:
        settings = self.settings.patterns[name]
        hits = registry()[name](view, settings)
        if not len(hits.rows):
            return
        fires = trigger.fire(hits, view.timeframe.history.count[hits.rows])
        scores = score(hits.evidence, settings)
        table = self.settings.reference.get(name, {}).get(view.timeframe.name) or UNKNOWN_TABLE
        ranks = confidence(scores, table)
        doubtful = dict(zip(view.rows.tolist(), (view.flags != 0).tolist(), strict=True))
        for at in np.flatnonzero(fires).tolist():
            row = int(hits.rows[at])
            alert = self._alert(
                name,
                view,
                row,
                int(hits.side[at]),
                float(scores[at]),
                float(ranks[at]),
                hits.tags[at],
                {k: float(v[at]) for k, v in hits.evidence.items()},
            )
            if self.gate.admit(alert, doubtful=doubtful[row]):
                self.desk.raise_alert(alert)
                out.alerts.append(alert)
                self.note("alert", f"{alert.symbol} {name} {alert.timeframe} {alert.direction}")

    def _alert(
        self, name: str, view: View, row: int, side: int, strength: float, rank: float,
        tags: tuple[str, ...], evidence: dict[str, float],
    ) -> Alert:  # fmt: skip
        symbol = self.rows.instruments[row].symbol
        bar_s = view.start * 60
        frame = view.timeframe
        close = frame.history.window(CLOSE, np.array([row]), 1)[0, 0]
        return Alert(
            alert_id=alert_id(symbol, name, frame.name, side, bar_s),
            symbol=symbol,
            token=int(self.rows.token[row]),
            pattern=name,
            timeframe=frame.name,
            side=side,
            bar_s=bar_s,
            at_s=bar_s + frame.minutes * 60,
            price=self.rows.price(row, close),
            score=strength,
            confidence=rank,
            evidence=evidence,
            tags=tags,
        )


def timer_payload(session_ns: int) -> bytes:
    """A TIMER record's payload."""
    return TIMER.pack(session_ns)
