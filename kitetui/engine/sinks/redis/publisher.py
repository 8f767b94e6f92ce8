"""The publisher: what the engine found out, to one Redis server, whatever that server does."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence

import hiredis
import numpy as np

from kitetui.engine.alerts.alert import Alert, AlertOutcome
from kitetui.engine.arrow import pc
from kitetui.engine.clock import monotonic_ns, sleep, wall_ns
from kitetui.engine.feed.journal_reader import JournalError
from kitetui.engine.feed.records import Kept
from kitetui.engine.health.counters import Reservoir
from kitetui.engine.market.instruments import Rows
from kitetui.engine.market.normalise import Run
from kitetui.engine.redis_py import load, redis
from kitetui.engine.replies import NEVER
from kitetui.engine.sinks.redis.backlog import Backlog, Block
from kitetui.engine.sinks.redis.documents import NS_A_MS, Documents
from kitetui.engine.sinks.redis.ids import StreamIds
from kitetui.engine.sinks.redis.keys import Names
from kitetui.engine.sinks.redis.link import Flush, Link
from kitetui.engine.sinks.redis.notice_queue import FRESH_NS, NoticeQueue
from kitetui.engine.sinks.redis.notices import LOGS, Notice, Notices
from kitetui.engine.sinks.redis.outgoing import Stores
from kitetui.engine.sinks.redis.refusals import AUTH_WORDS, AnotherWriter, Refusals
from kitetui.engine.sinks.redis.resp import command, select
from kitetui.engine.sinks.redis.resume import Found, find
from kitetui.engine.sinks.redis.rows.columns import RowSource
from kitetui.engine.sinks.redis.rows.flow import RowFlow
from kitetui.engine.sinks.redis.tick_entries import TickEntries
from kitetui.redis_contract import KEYS, Profile
from kitetui.settings import RedisSettings

NS = 1_000_000_000
BREAKER_AFTER = 3
PROBE_S = 30.0
LOADING_S = 0.5
ANEW_S = 0.1
IDLE_S = 0.05
TICKS_NS = 4_000_000
"""Time for the ticks of a flush: others need the loop too."""
UNDER_WAY = 3
"""Flushes under way: the next one is made while the server works on the one before."""
ROWS_UNDER_WAY = 1
"""Rows wait while so many are, lest the next ticks wait behind them; not where they are late."""
TRIM_NS = 60 * NS

NOT_A_SERVER = (hiredis.HiredisError, OSError, TimeoutError, EOFError, ValueError, TypeError,
                LookupError, AttributeError, AssertionError)  # fmt: skip
"""What a server that is away, or is no Redis at all, may lead to besides redis-py's own."""


def _load() -> None:
    """Have what writing needs; blocking."""
    load()
    _ = pc.cast


class EncodingError(Exception):
    """A command could not be made: a bug of ours or of the templates, never the server's."""


class Publisher:
    """Takes what happened without waiting; a task of its own writes it.

    Attributes:
        state: `connecting`, `ok`, `down`, `auth`, `loading`, `full`, `paused`; `reason` in words.
        policy: what the server does when its memory is full; '' where it does not say.
        refusals: writes that it refused.
        refilled: ticks stored again by a server that had lost them.
        latency_ms: from a tick's receipt to the server's reply.
    """

    def __init__(self, settings: RedisSettings, url: str, rows: Rows, source: RowSource,
                 note: Callable[[str, str], None], producer: str,
                 focus: Iterable[str] = ()) -> None:  # fmt: skip
        self._settings = settings
        self._url = url
        self._note = note
        self.names = Names(settings)
        documents = Documents(rows)
        self.ticks = TickEntries(settings, rows, self.names, documents, producer,
                                 wall_ns() // NS)  # fmt: skip
        self.notices = Notices(settings, self.names, producer)
        self._wake = asyncio.Event()
        self._rows = RowFlow(settings, rows, self.names, documents, source, focus,
                             self._wake.set)  # fmt: skip
        self._rows_turn = False
        self.backlog = Backlog(rows, settings.spool_bytes)
        self._ids = StreamIds()
        self._stored: dict[str, int] = {}
        self._queue = NoticeQueue(settings, self.names)
        self._own = {self.names.key(name) for name in (*self.ticks.streams, *LOGS)}
        self._link: Link | None = None
        self._unsure: list[Flush] = []
        """Answered flushes with refusals that leave it open what was written."""
        self._unsent: Flush | None = None
        self._doubt: tuple[int, tuple[int, int]] | None = None
        """The first tick of which it is not known whether it was written, and the id before it."""
        self._run_id = ""
        self._told_of = ""
        self._anew = False
        self._connected_ns = 0
        self._begins: dict[str, int] = {}
        """The last tick before each stream's profile was switched on: those are not for it."""
        self._wanted: Profile = self.ticks.profile
        self.paused = False
        self._closing = False
        self._failures = 0
        self._acked = -1
        self._trimmed_ns = 0
        self.state = "connecting"
        self.reason = ""
        self.server = ""
        self.policy = ""
        self.refusals = Refusals(note)
        self.refilled = 0
        self.latency_ms = Reservoir()

    # ---- what others see -----------------------------------------------------------------

    @property
    def published(self) -> int:
        """Ticks that are or were in the streams."""
        return self.backlog.written

    @property
    def spooled(self) -> int:
        """Ticks waiting to be written."""
        return self.backlog.waiting

    @property
    def dropped(self) -> int:
        """Ticks that found no room and no journal to wait in."""
        return self.backlog.lost

    @property
    def round_trip_ms(self) -> float:
        """How long the newest flush took."""
        return self._link.round_trip_ms if self._link is not None else 0.0

    @property
    def behind_s(self) -> float:
        """How long the row that waits longest has not been written, beyond what is meant."""
        oldest_ns = self._rows.oldest_ns()
        waits_s = (monotonic_ns() - oldest_ns) / NS if oldest_ns else 0.0
        return max(waits_s - self._settings.conflate_ms / 1000, 0.0)

    # ---- what comes in -------------------------------------------------------------------

    def take(self, runs: Sequence[Run], kept: Kept, raised: Iterable[Alert],
             changed: Iterable[Alert], wall_ms: int,
             outcomes: Iterable[AlertOutcome] = ()) -> None:  # fmt: skip
        """Queue what a batch led to; `kept`: what a journal has of it."""
        runs = [run for run in runs if len(run.ticks)]
        if runs and self.ticks.streams:
            now_ns = monotonic_ns()
            self._rows.take(runs, now_ns)
            self.backlog.take(runs, kept, now_ns, self.ticks.reach)
            self._wake.set()
        for alert in raised:
            self.put(self.notices.raised(alert, wall_ms))
        for alert in changed:
            self.put(self.notices.alert(alert))
        for outcome in outcomes:
            self.put(self.notices.outcome(outcome, wall_ms))

    def put(self, notice: Notice) -> None:
        """Queue a notice."""
        self._queue.put(notice)
        self._wake.set()

    def again(self, notices: Iterable[Notice]) -> None:
        """Queue what an engine before this one may have written; what the server has of it is not
        written again."""
        for notice in notices:
            self._queue.again(notice)
        self._wake.set()

    def keep(self) -> bytes:
        """What the next engine is to know of the notices."""
        return self._queue.keep()

    def go_on(self, kept: bytes) -> None:
        """Know what an engine before this one knew of its notices; before any was taken."""
        self._queue.go_on(kept)
        self._wake.set()

    def pause(self, on: bool) -> None:
        """Write nothing, or go on; what happens meanwhile waits as if the server were away."""
        self.paused = on
        self._wake.set()

    def switch(self, profile: Profile) -> None:
        """Another profile, from the next tick on."""
        self._wanted = profile
        self._wake.set()

    def close(self) -> None:
        """Write what is queued, then end `run`; at the first failure it ends at once."""
        self._closing = True
        self._wake.set()

    async def disconnect(self) -> None:
        """Let the connection go; what was under way counts as not written."""
        unsure, self._unsure = self._unsure, []
        if self._link is not None:
            link, self._link = self._link, None
            left = await link.close()
            for flush in link.answered():
                if flush.refusals or unsure:
                    unsure.append(flush)
                else:
                    self._done(flush)
            unsure += left
        if self._unsent is not None:
            unsure.append(self._unsent)
            self._unsent = None
        self._rows.drop()
        for flush in reversed(unsure):
            self._doubt = flush.ticks or self._doubt
            flush.give_back()

    # ---- writing -------------------------------------------------------------------------

    async def run(self) -> None:
        """Write until `close`; never raises for anything the server does."""
        await asyncio.to_thread(_load)  # the loop is not to wait for an import
        while not self._closing or self._unwritten():
            try:
                if self.paused and not self._closing:
                    await self._pause()
                    continue
                if self._queue.unsure:
                    await self._settle()
                if self._link is None:
                    await self._connect()
                if self._wanted != self.ticks.profile:
                    await self._switch()
                    continue
                await self._step()
            except redis.AuthenticationError as error:
                await self._failed("auth", PROBE_S, error)
            except redis.BusyLoadingError as error:
                await self._failed("loading", LOADING_S, error)
            except AnotherWriter as error:
                self._note("redis", str(error))
                self._anew = True
                await self.disconnect()
                await sleep(ANEW_S)
            except (redis.RedisError, *NOT_A_SERVER) as error:
                await self._failed(*self._diagnosis(str(error)), error)
            if self._closing and self._failures:
                break

    async def _pause(self) -> None:
        """Nothing is written until it goes on."""
        await self._settle()
        self._became("paused", "by an operator")
        await self._idle()

    async def _settle(self) -> None:
        """Wait for the answers to what is under way, then let the connection go."""
        if self._link is not None:
            await self._link.room(1)
            self._finish(self._link.answered())
            await self.disconnect()

    async def _switch(self) -> None:
        """What was taken so far goes out by the old profile, what follows by the other one."""
        until = self.backlog.next_seq
        while self.backlog.first_seq < until:
            await self._step()
        await self._settle()
        self.ticks.profile = self._wanted
        self._begins = dict.fromkeys(self.ticks.streams, self.backlog.next_seq - 1)
        self._own = {self.names.key(name) for name in (*self.ticks.streams, *LOGS)}

    def _unwritten(self) -> bool:
        """Whether anything is left to write."""
        under_way = self._link is not None and self._link.under_way > 0
        return bool(self.backlog or self._queue or under_way or self._rows)

    async def _step(self) -> None:
        """One flush, made and sent; the answers of those before."""
        link = self._link
        assert link is not None
        flush = await self._compose(link.under_way)
        if flush.commands or flush.message_count:
            self._unsent = flush
            await link.room(UNDER_WAY if not self._failures else 1)
            self._unsent = None
            flush.publish(monotonic_ns() - FRESH_NS)
            if flush.commands:
                link.send(flush)
            await sleep(0)
        else:
            await self._idle()
            link.check()
        self._finish(link.answered())

    async def _idle(self) -> None:
        """Until there is something to do, or for a while."""
        self._wake.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(IDLE_S):
                await self._wake.wait()

    async def _compose(self, under_way: int) -> Flush:
        """Entries, and in turn the oldest waiting blocks or some of the rows that are due."""
        flush = Flush()
        out, shouts = Stores(), Stores()
        try:
            self._begin_rows()
            if self._rows_turn or not self.backlog:
                late = self._rows.late(monotonic_ns())
                if late or under_way < ROWS_UNDER_WAY:
                    self._rows.add(flush, out, shouts, late)
            if not out:
                await self._add_ticks(flush, out, shouts)
            self._rows_turn = bool(flush.done)
            self._queue.add(flush, out)
            self._add_trims(out)
        except BaseException as error:
            flush.give_back()
            if isinstance(error, Exception) and not isinstance(error, JournalError):
                raise EncodingError(f"{type(error).__name__}: {error}") from error
            raise
        self._queue.add_shouts(flush, shouts)
        for store, told in out.items():
            flush.parts += [select(self.names.db(store)), *told.parts]
            flush.commands += 1 + told.count
        for told in shouts.values():
            flush.messages += told.parts
            flush.message_count += told.count
        return flush

    async def _add_ticks(self, flush: Flush, out: Stores, shouts: Stores) -> None:
        end_ns = monotonic_ns() + TICKS_NS
        while (block := self.backlog.next()) is not None:
            flush.undo.append(lambda block=block: self.backlog.back(block))  # type: ignore[misc]
            runs = block.runs
            if runs is None:
                try:
                    runs = await asyncio.to_thread(self.backlog.load, block)
                except JournalError as error:
                    self._note("redis", f"ticks are missing in the streams: {error}")
                    flush.undo.pop()
                    self.backlog.lost += block.count
                    continue
            self._write(flush, block, runs, out, shouts)
            if flush.ticks is None and block.before is not None:
                flush.ticks = block.seq, block.before
            for run in runs:
                self._rows.pre_open.write(out, run)
            flush.done.append(lambda told, block=block: self._wrote(block, told))  # type: ignore[misc]
            if monotonic_ns() > end_ns or self._failures:
                break  # a server that failed is tried with little

    def _write(self, flush: Flush, block: Block, runs: list[Run], out: Stores,
               shouts: Stores) -> None:  # fmt: skip
        ms = np.concatenate([run.ticks.recv_ns for run in runs]) // NS_A_MS
        if self.ticks.profile == "packed":
            ms = ms[-1:]
        if block.before is None:
            block.before = self._ids.last
            ids = self._ids.take(ms)
        else:
            ids = StreamIds(block.before).take(ms)
        fresh = not block.shouted and monotonic_ns() - block.at_ns < FRESH_NS
        block.shouted = True
        if fresh:
            flush.messages_ns = min(flush.messages_ns or block.at_ns, block.at_ns)
        self.ticks.write(out["continuous_market"], shouts["ticks"] if fresh else None, runs,
                         block.seq, ids, self._stored)  # fmt: skip

    def _wrote(self, block: Block, flush: Flush) -> None:
        self.backlog.wrote(block)
        self._acked = max(self._acked, block.last)
        for received_ns in block.recv_ns:
            self.latency_ms.add((flush.answered_ns - received_ns) / NS_A_MS)

    def _begin_rows(self) -> None:
        now_ns = monotonic_ns()
        quiet = now_ns - self._connected_ns < FRESH_NS  # bars closed while it was away
        self._rows.begin(now_ns, self._closing, bool(self.ticks.streams), quiet)

    def _add_trims(self, out: Stores) -> None:
        """Once a minute: entries leave that are older than the newest by more than redis.ages_s.

        Not older than the clock says: what is replayed is as old as its day.
        """
        now_ns = monotonic_ns()
        if now_ns - self._trimmed_ns < TRIM_NS:
            return
        self._trimmed_ns = now_ns
        for name, age_s in self._settings.ages_s.items():
            ids = self._queue.logs[name].ids if name in self._queue.logs else self._ids
            oldest_ms = ids.last[0] - age_s * 1000
            if oldest_ms > 0:
                out[KEYS[name].store].one(command(
                    b"XTRIM", self.names.key(name), b"MINID", b"~", b"%d" % oldest_ms))  # fmt: skip

    # ---- what the server says ------------------------------------------------------------

    def _finish(self, answered: list[Flush]) -> None:
        """Flushes were answered.

        Raises:
            ResponseError, AuthenticationError: the server as it is takes no writes.
            AnotherWriter: a stream of ours has ids that are not ours.
        """
        for at, flush in enumerate(answered):
            self._unsure = answered[at:]
            for words, text in flush.refused():
                self.refusals.take(words, text, self._own)
            self._done(flush)
        self._unsure = []
        if answered:
            self._failures = 0
            if self.state != "ok":
                self._became("ok", "")

    @staticmethod
    def _done(flush: Flush) -> None:
        for done in flush.done:
            done(flush)

    async def _connect(self) -> None:
        link = Link(self._url, self._settings.deadline_ms, self._wake.set)
        try:
            await link.open()
            found = await find(link, self.names, self.ticks, self._queue.logs.values(), self._doubt,
                               self._stored, wrote=bool(self._run_id))  # fmt: skip
        except BaseException:
            await link.close()
            raise
        self._resume(found)
        self._link = link
        if self.state == "paused":
            self._became("ok", "")

    def _resume(self, found: Found) -> None:
        """Go on where the server stands; what it has lost is written again."""
        same = found.run_id == self._run_id
        ours = self.ticks.producer.decode()
        if found.holder not in ("", ours) and found.holder != self._told_of:
            self._told_of = found.holder
            self._note("redis", f"another engine wrote here a moment ago: {found.holder}; "
                       "where it still runs, give one of the two another server")  # fmt: skip
        for stream in found.streams:
            held = stream.length > 0 or stream.last > NEVER
            if stream.seq is None and (stream.unknown or (same and held)):
                stream.seq = self._acked  # it was emptied by hand, or we may not look
            begins = self._begins.get(stream.name, -1)
            stream.seq = begins if stream.seq is None else max(stream.seq, begins)
        self._stored = {s.name: -1 if s.seq is None else s.seq for s in found.streams}
        again = self.backlog.resume(min(self._stored.values(), default=-1))
        self._ids.resume(max((s.last for s in found.streams), default=NEVER))
        if self._anew or any(s.foreign or s.mended for s in found.streams):
            self.backlog.renumber()
        self._anew = False
        self._connected_ns = monotonic_ns()
        self._doubt = None
        of_before = 0
        for name, log in found.logs.items():
            lost, unwritten = self._queue.logs[name].resume(log)
            again += lost
            of_before += unwritten if self._run_id else unwritten + lost
        if of_before:
            self._note("redis", f"{of_before:,} entries of before the restart were not in the "
                       "streams: they are written now")  # fmt: skip
        if self._run_id and (again or not same):
            self._rows.forget(monotonic_ns())
            self.refilled += again
            if again:
                self._note("redis", f"the server lost {again:,} entries: they are written again")
        self._run_id, self.server, self.policy = found.run_id, found.server, found.policy

    def _diagnosis(self, text: str) -> tuple[str, float]:
        """The state that an error's text tells of, and how long to wait before another try."""
        if text.startswith(AUTH_WORDS):  # redis-py raises a bare ConnectionError for it
            return "auth", PROBE_S
        if text.startswith("LOADING"):
            return "loading", LOADING_S
        wait_s = 0.1 if self._failures < BREAKER_AFTER else 1.0
        return ("full" if text.startswith("OOM") else "down"), wait_s

    async def _failed(self, state: str, wait_s: float, error: Exception) -> None:
        self._failures += 1
        await self.disconnect()
        if self._failures >= BREAKER_AFTER or state in ("auth", "loading", "full"):
            self._became(state, str(error) or type(error).__name__)
        if not self._closing:
            await sleep(wait_s)

    def _became(self, state: str, reason: str) -> None:
        if state != self.state:
            self._note("redis", f"{state} {reason}".strip()[:200])
        self.state, self.reason = state, reason[:200]
