"""The way of a tick: input records to bars, signals and alerts. A function of its inputs alone.

For any partition of the same records into batches the results are identical.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable, Mapping

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
from kitetui.engine.feed.batch import COLUMNS, I64
from kitetui.engine.feed.records import (
    HistoryAnswer,
    Kind,
    LinkEvent,
    RecordBatch,
    Subscribed,
)
from kitetui.engine.market.bars import (
    CLOSE,
    FLAGS,
    VOLUME,
    ClosedBars,
    Closing,
    LongerBars,
    MinuteBars,
)
from kitetui.engine.market.book import BookFlow
from kitetui.engine.market.instruments import (
    Instrument,
    InstrumentError,
    Rows,
    read_table,
    unlisted,
)
from kitetui.engine.market.normalise import Clean, Gap, Normaliser, Run
from kitetui.engine.market.profile import SessionProfiles
from kitetui.engine.market.timeframe import DAY, DEPTHS, Timeframe, warm_up
from kitetui.engine.market.vpin import VolumeBuckets
from kitetui.engine.market.warmup import PastBars, longer_bars, minute_bars, segment_of
from kitetui.engine.patterns.registry import Trigger, View, registry
from kitetui.engine.patterns.score import UNKNOWN_TABLE, confidence, score

NS = 1_000_000_000
TIMER = struct.Struct("<q")
EVENTS_KEPT = 1000
BUILT_FROM: Mapping[int, tuple[int, ...]] = {1: (3, 5), 3: (), 5: (15,), 15: (DAY,), DAY: ()}
"""Bars of one length, in minutes, and the longer ones that are made of them."""
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

    runs: list[Run]
    bars: list[tuple[str, ClosedBars]]
    alerts: list[Alert]
    changed: list[Alert]
    results: list[Result]


class LastPacket:
    """The last packet of every row, for views: the values that only packets carry.

    Attributes:
        cols: i64 (rows, 18); length: u8 (rows,).
    """

    def __init__(self, capacity: int) -> None:
        self.cols: I64 = np.zeros((capacity, len(COLUMNS)), np.int64)
        self.length = np.zeros(capacity, np.uint8)

    def keep(self, clean: Clean) -> None:
        """Remember the last packet of each row."""
        ticks, rows = clean.ticks, clean.by.row
        # Repeated indices take the last value, which is the newest packet of the row.
        self.cols[rows] = ticks.cols.T
        self.length[rows] = ticks.length


class Pipeline:
    """All derived state, from the first record on."""

    def __init__(self, settings: Settings, capacity: int) -> None:
        self.settings = settings
        self.calendar = Calendar(settings.calendar)
        self.rows = Rows(capacity, {**wire.DIVISORS, **settings.feed.divisors})
        self.normaliser = Normaliser(
            self.rows, self.calendar, settings.feed.gap_after_s, settings.normalise
        )
        self.minutes = MinuteBars(self.rows)
        self.longer = {minutes: LongerBars(minutes, self.rows) for minutes in DEPTHS if minutes > 1}
        self.frames = {minutes: Timeframe(minutes, self.rows) for minutes in DEPTHS}
        self.gate = Gate(settings.alerts.min_confidence)
        self.desk = Desk(settings.alerts.queue_cap, settings.alerts.undo_s)
        self.packets = LastPacket(capacity)
        self.flow = BookFlow(capacity)
        self.profiles = SessionProfiles(self.rows)
        self.buckets = VolumeBuckets(capacity)
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
        self._stages(clean, out)
        for gap in clean.gaps:
            self.gaps.append(gap)
            self.note("feed", f"gap of {gap.seconds} s")
        out.runs.append(clean.whole())

    def _stages(self, clean: Clean, out: Derived) -> None:
        """Bars, profiles, buckets and books, part by part: a closing sees what came before it."""
        if not len(clean.ticks):
            return
        trades = self.minutes.read(clean)
        flow = self.flow.read(clean, trades)
        unique = clean.by.unique
        for step in self.minutes.apply(clean, trades):
            if isinstance(step, Closing):
                self._closing(step, out)
                continue
            row, second = clean.by.row[step], clean.exch_s[step]
            self.flow.add(row, second, flow[step], unique=unique)
            folds = clean.folds[step] & (clean.increment[step] > 0)
            if not folds.any():
                continue
            row, at_s, ltp, shares, side = (
                values[step][folds]
                for values in (clean.by.row, clean.at_s, clean.ticks.ltp, clean.increment,
                               trades.side)
            )  # fmt: skip
            self.profiles.apply(row, at_s, ltp, shares)
            self.buckets.apply(row, at_s, ltp, shares, side, unique=unique)
        self.packets.keep(clean)

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
        for closing in self.minutes.timer(session_ns // NS):
            self._closing(closing, out)

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
        past = {length: longer_bars(minutes, length) for length in self.longer}
        warm_up(self.frames, {row: {1: minutes, **past}}, self.rows.divisor)
        self._learn_volumes(row, today, minutes, past[DAY])
        self.warmed.add(row)

    def _learn_volumes(self, row: int, today: int, minutes: PastBars, days: PastBars) -> None:
        """What history tells of a row's profile and of its usual day."""
        now = slice(minutes.past, None)
        self.profiles.seed(row, today, minutes.starts[now], minutes.values[:, now])
        usual = days.values[VOLUME, : days.past]
        if len(usual):
            self.buckets.set_size(row, int(usual.mean()))

    def session_minutes(self, minute: int, rows: I64) -> tuple[I64, I64]:
        """First minute of the rows' session on a minute's day, and the one after its last.

        i64 (n,) each; zeros where it is closed.
        """
        hours = self.rows.hours[rows]
        opens, closes = self.calendar.session_minutes(ist_day(minute * 60))
        return np.array(opens, np.int64)[hours], np.array(closes, np.int64)[hours]

    def _closing(self, closing: Closing, out: Derived) -> None:
        for bars in closing.minutes:
            self._closed(1, bars, out)
        for minutes in self.longer:
            self._close(minutes, closing.upto, out)

    def _close(self, minutes: int, upto: int, out: Derived) -> None:
        for bars in self.longer[minutes].close(upto):
            self._closed(minutes, bars, out)

    def _closed(self, minutes: int, bars: ClosedBars, out: Derived) -> None:
        """Bars of one length closed: they go into the longer ones, indicators and detectors."""
        opened, closes = self.session_minutes(bars.start, bars.rows)
        for longer in BUILT_FROM[minutes]:
            self._close(longer, bars.start, out)
            self.longer[longer].fold(bars, opened, closes)
        frame = self.frames[minutes]
        fresh = frame.commit(bars, opened)
        if not len(fresh.rows):
            return
        if fresh is not bars:
            opened, _ = self.session_minutes(fresh.start, fresh.rows)
        self.bars_closed += len(fresh.rows)
        out.bars.append((frame.name, fresh))
        if minutes == 1:
            self.profiles.first_close(fresh.rows, fresh.values[CLOSE])
        hours = self.rows.hours[fresh.rows]
        index = hours == SEGMENTS.index("index")
        view = View(frame, fresh.start, fresh.rows, opened, index, fresh.values[FLAGS])
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
