"""The track record: every firing and its outcome into the ledger, and the scoreboard of them."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from hashlib import blake2b

import msgspec

from kitetui.engine.alerts.alert import Alert
from kitetui.engine.alerts.barriers import Outcome
from kitetui.engine.alerts.gate import Exit
from kitetui.engine.alerts.line import Line
from kitetui.engine.alerts.outcomes import Resolved
from kitetui.engine.alerts.scoreboard import Key, Scoreboard, Waiting
from kitetui.engine.calendar import ist_day
from kitetui.engine.clock import monotonic_ns, sleep
from kitetui.engine.feed.records import PastFirings
from kitetui.engine.flow.derived import Derived, Followed
from kitetui.engine.flow.pipeline import Pipeline
from kitetui.engine.market.timeframe import DEPTHS, timeframe_name
from kitetui.engine.sinks.ledger import Entry, Kept, Ledger, Settlement
from kitetui.settings import PatternSettings

LOOK_S = 0.5
BOARD_NS = 5_000_000_000
RETRY_S = 10.0
MOST_WAITING = 4096
"""Batches with firings or outcomes that may wait to be written."""
SESSIONS = 60
"""Past sessions that calibrations and the board are made of."""
_MINUTES = {timeframe_name(minutes): minutes for minutes in DEPTHS}


def parameter_hash(patterns: dict[str, PatternSettings]) -> str:
    """Eight digits that change with any parameter of any pattern."""
    told = msgspec.json.encode(patterns, order="sorted")
    return blake2b(told, digest_size=4).hexdigest()


def pattern_hashes(patterns: dict[str, PatternSettings]) -> dict[str, str]:
    """The same of each pattern alone: what fired under other parameters is another's past."""
    return {name: parameter_hash({name: settings}) for name, settings in patterns.items()}


class Known(msgspec.Struct):
    """What a record knows of the day.

    Attributes:
        ids: alert id and time of firings whose outcome is to come, by their number.
        seeded: whether the board has what past sessions left.
        hashes: of the parameters that were in force when the day began: what fired under others
            is another's past.
    """

    ids: dict[int, tuple[str, int]]
    board: Scoreboard
    seeded: bool
    hashes: list[str] = []


class Told(msgspec.Struct):
    """What was written of a batch; `before`: an engine before this one took it in as well."""

    entries: list[Entry]
    settled: list[Settlement]
    before: bool


class TrackRecord:
    """Keeps what fired and what became of it; the work is done on a thread that may wait.

    Attributes:
        known: what a checkpoint keeps; right once `settle` was called.
        lines: the scoreboard, as it stood a few seconds ago.
        fresh: what was written last, for who publishes it.
        lost: batches that found no room while the ledger could not be written.
    """

    def __init__(self, pipeline: Pipeline, ledger: Ledger | None) -> None:
        """Without a ledger nothing is kept, and the board begins empty."""
        self._pipeline = pipeline
        self._ledger = ledger
        self._parameters: dict[str, tuple[PatternSettings, str]] = {}
        """The settings that a pattern fired by last, and their hash."""
        self._waiting: deque[tuple[Derived, bool]] = deque()
        self._working = threading.Lock()
        self.known = Known({}, Scoreboard(), seeded=ledger is None)
        self._made_ns = 0
        self._changed = False
        self.lines: tuple[Line, ...] = ()
        self.fresh: deque[Told] = deque(maxlen=MOST_WAITING)
        self.lost = 0

    def begin(self) -> None:
        """The day's thresholds are in force: its past is what fired under them, all day long."""
        if not self.known.hashes:
            patterns = self._pipeline.tuning.patterns
            self.known.hashes = sorted(set(pattern_hashes(patterns).values()))

    def take(self, derived: Derived, *, before: bool = False) -> None:
        """Note what a batch led to; `before`: for an engine before this one too."""
        if not derived.fired and not derived.resolved:
            return
        if len(self._waiting) < MOST_WAITING:
            told = Derived(alerts=derived.alerts, fired=derived.fired, resolved=derived.resolved)
            self._waiting.append((told, before))
            return
        if not self.lost:
            self._pipeline.note("ledger", "cannot keep up: firings are left out of the record")
        self.lost += 1

    def settle(self) -> None:
        """Keep what is waiting now; blocking, for a moment.

        Raises:
            OSError: the ledger cannot be written.
        """
        self._work()

    def went_back(self) -> None:
        """What is known is of an earlier moment: the board is made anew."""
        self._changed, self._made_ns = True, 0

    async def run(self) -> None:
        """Keep what is waiting, for ever."""
        while True:
            await sleep(LOOK_S)
            try:
                await asyncio.to_thread(self._work)
            except OSError as error:
                self._pipeline.note("ledger", f"{error.strerror or error}; trying again")
                await sleep(RETRY_S)

    def close(self) -> None:
        """Keep what is still waiting and let the file go."""
        try:
            self._work()
        except OSError as error:
            self._pipeline.note("ledger", error.strerror or str(error))
        if self._ledger is not None:
            self._ledger.close()

    def _work(self) -> None:
        """Keep what is waiting. A thread that was left behind when stopping ends first."""
        with self._working:
            self._keep()

    def _keep(self) -> None:
        while self._waiting:
            derived, before = self._waiting[0]
            if not self.known.seeded:
                self._seed(derived)
            told = {alert.alert_id: alert for alert in derived.alerts}
            entries = [entry for f in derived.fired for entry in self._entries(f, told)]
            settled = [s for resolved in derived.resolved for s in self._settlements(resolved)]
            if self._ledger is not None:
                self._ledger.write(entries, settled)
            self.fresh.append(Told(entries, settled, before))
            self._waiting.popleft()
            self._count(derived, entries)
            self._changed = True
        if (self._changed or not self.lines) and monotonic_ns() - self._made_ns > BOARD_NS:
            self.lines = tuple(self.known.board.lines())
            self._made_ns, self._changed = monotonic_ns(), False

    def _seed(self, derived: Derived) -> None:
        """Put what past sessions left into the board."""
        assert self._ledger is not None
        seconds = [f.fired.start * 60 for f in derived.fired] + [r.at_s for r in derived.resolved]
        self.begin()  # a record without an engine begins by itself
        for kept in self._ledger.kept(ist_day(seconds[0]), SESSIONS, set(self.known.hashes)):
            if kept.outcome:
                self.known.board.add(
                    _waiting(kept), Outcome[kept.outcome.upper()], kept.r, kept.bars
                )
        self.known.seeded = True

    def _entries(self, followed: Followed, told: dict[str, Alert]) -> Iterable[Entry]:
        fired = followed.fired
        minutes = _MINUTES[fired.timeframe]
        rows = self._pipeline.market.rows
        costs = self._pipeline.settings.outcomes.costs_pct
        for at, (rank, way, number) in enumerate(
            zip(followed.rank.tolist(), followed.exit.tolist(), followed.number.tolist(),
                strict=True)
        ):  # fmt: skip
            alert = self._pipeline.candidates.alert(fired, at, minutes, rank)
            alert = told.get(alert.alert_id, alert)
            asset_class = rows.instruments[int(fired.hits.rows[at])].asset_class
            of = "options" if fired.hits.legs[at, 0] >= 0 else asset_class
            stop = float(fired.stop[at])
            if number >= 0:
                self.known.ids[number] = alert.alert_id, alert.at_s
            yield Entry(alert, asset_class, Exit(way).name.lower(), number >= 0,
                        float(fired.target[at]) / stop, costs[of] / 100 * alert.price / stop,
                        self._parameter_hash(alert.family, fired.settings))  # fmt: skip

    def _parameter_hash(self, name: str, settings: PatternSettings) -> str:
        known = self._parameters.get(name)
        if known is None or known[0] is not settings:
            known = self._parameters[name] = settings, parameter_hash({name: settings})
        return known[1]

    def _settlements(self, resolved: Resolved) -> Iterable[Settlement]:
        columns = (resolved.exit, resolved.r, resolved.best_r, resolved.best_bar,
                   resolved.worst_r, resolved.worst_bar)  # fmt: skip
        for at, number in enumerate(resolved.number.tolist()):
            if number in self.known.ids:
                price, r, best_r, best_bar, worst_r, worst_bar = (c[at].item() for c in columns)
                alert_id, fired_s = self.known.ids[number]
                yield Settlement(
                    fired_s, alert_id, Outcome(int(resolved.outcome[at])).name.lower(),
                    int(resolved.bars[at]), resolved.at_s, price, r, best_r, best_bar, worst_r,
                    worst_bar,
                )  # fmt: skip

    def _count(self, derived: Derived, entries: Sequence[Entry]) -> None:
        """Put what was written into the board."""
        numbers = [n for f in derived.fired for n in f.number.tolist()]
        for number, entry in zip(numbers, entries, strict=True):
            a = entry.alert
            if number >= 0 and a.null_rate is not None and a.p_hit is not None:
                self.known.board.expect(number, Waiting(
                    (a.pattern, a.timeframe, entry.asset_class), a.token, a.at_s, a.null_rate,
                    a.p_hit, entry.barrier, entry.cost_r,
                ))  # fmt: skip
        for resolved in derived.resolved:
            self.known.board.take(resolved)
            for number in resolved.number.tolist():
                self.known.ids.pop(number, None)


def past_firings(kept: Iterable[Kept]) -> list[PastFirings]:
    """What calibrations are made of, from the ledger's lines, oldest first."""
    by_key: dict[Key, PastFirings] = {}
    for line in kept:
        key = line.pattern, line.timeframe, line.asset_class
        past = by_key.setdefault(key, PastFirings(*key, [], [], []))
        if line.exit != Exit.DATA_QUALITY.name.lower():
            past.scores.append(line.score)
        if line.outcome and line.outcome != Outcome.UNRESOLVABLE.name.lower():
            past.resolved.append(line.score)
            past.hit.append(line.outcome == Outcome.TARGET.name.lower())
    return list(by_key.values())


def _waiting(kept: Kept) -> Waiting:
    key = kept.pattern, kept.timeframe, kept.asset_class
    return Waiting(key, kept.token, kept.at_s, kept.null_rate, kept.chance, kept.barrier,
                   kept.cost_r)  # fmt: skip
