"""Row flow: what is due of rows and bars, made into commands beside the loop, sent in portions.

Commands for many rows at once cost a third of what they cost for few, so they are made for many,
by a thread: most of the work needs no interpreter. What they tell was read on the loop before, at
one moment. Ticks go out between the portions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from functools import partial

import msgspec

from kitetui.engine.clock import monotonic_ns
from kitetui.engine.market.instruments import Rows
from kitetui.engine.market.normalise import Run
from kitetui.engine.sinks.redis.documents import Documents
from kitetui.engine.sinks.redis.keys import Names
from kitetui.engine.sinks.redis.link import Flush
from kitetui.engine.sinks.redis.outgoing import Portions, Stores
from kitetui.engine.sinks.redis.resp import number
from kitetui.engine.sinks.redis.rows.bar_text import BarText
from kitetui.engine.sinks.redis.rows.columns import RowSource
from kitetui.engine.sinks.redis.rows.due_bars import DueBars
from kitetui.engine.sinks.redis.rows.due_rows import DueRows
from kitetui.engine.sinks.redis.rows.five_second_text import FiveSecondText
from kitetui.engine.sinks.redis.rows.pre_open import PreOpenText
from kitetui.engine.sinks.redis.rows.profile_text import ProfileText
from kitetui.engine.sinks.redis.rows.row_text import RowText
from kitetui.engine.sinks.redis.rows.symbol_keys import SymbolKeys
from kitetui.settings import RedisSettings

ROWS_AT_ONCE = 1_000
BARS_AT_ONCE = 500
PROFILES_AT_ONCE = 2
GATHER_NS = 100_000_000
"""Rows are due so much before their time, if there are enough of them."""
LATE_NS = 100_000_000
FRESH_NS = 900_000_000
"""Messages older than this are not sent: they would soon look live and be late."""
HURRY = 3
"""Where rows are late, so many times the commands go out at once."""
LOOK_NS = 10_000_000
"""How often it is looked what is due."""


class _Made(msgspec.Struct):
    """Commands for some rows: being made, waiting, or on their way.

    Attributes:
        oldest_ns: since when the row waits that waits longest; at_ns: when they were read.
        dropped: they are not to be sent any more.
    """

    oldest_ns: int
    at_ns: int
    undo: Callable[[], None]
    out: Portions = msgspec.field(default_factory=Portions)
    shouts: Portions = msgspec.field(default_factory=Portions)
    dropped: bool = False

    def drop(self) -> None:
        """They were not written."""
        self.dropped = True
        self.undo()


class RowFlow:
    """Marks what ticks and bars changed, and tells it.

    Attributes:
        pre_open: what packets before the open lead to; goes out with their ticks.
    """

    def __init__(self, settings: RedisSettings, rows: Rows, names: Names, documents: Documents,
                 source: RowSource, focus: Iterable[str],
                 ready: Callable[[], None]) -> None:  # fmt: skip
        """
        Args:
            focus: symbols with streams of their own.
            ready: is called when there is more to send.
        """
        caps = settings.caps
        self._conflate_ns = int(settings.conflate_ms * 1e6)
        self._portion = settings.flush_commands
        self._ready = ready
        self._due = DueRows(rows, source, focus, settings.focus_rows)
        self._bars = DueBars(source, rows.capacity)
        keys = SymbolKeys(rows, names, settings.ttl_s)
        self.pre_open = PreOpenText(rows, keys, number(caps.premarket))
        self._seconds = FiveSecondText(rows, keys, number(caps.five_seconds))
        self._profiles = ProfileText(rows, keys, source)
        self._keys = keys
        thread_keys = SymbolKeys(rows, names, settings.ttl_s)
        self._row_text = RowText(settings, rows, thread_keys, documents)
        self._bar_text = BarText(settings, rows, thread_keys)
        self._thread_keys = thread_keys
        self._forgotten = False
        self._making: tuple[_Made, asyncio.Future[None]] | None = None
        self._sending: _Made | None = None
        self._looked_ns = 0
        self._bars_turn = False

    def __bool__(self) -> bool:
        """Whether rows wait, or are on their way out."""
        return bool(self.oldest_ns())

    def oldest_ns(self) -> int:
        """Since when the row waits that waits longest, monotonic; 0 for none."""
        made = [self._sending, self._making[0] if self._making is not None else None]
        since = [self._due.oldest_ns(), *(one.oldest_ns for one in made if one is not None)]
        return min((at for at in since if at), default=0)

    def late(self, now_ns: int) -> bool:
        """Whether rows wait longer than is meant."""
        return 0 < self.oldest_ns() < now_ns - self._conflate_ns - LATE_NS

    # ---- what happened -------------------------------------------------------------------

    def take(self, runs: Sequence[Run], now_ns: int) -> None:
        """Ticks came: their rows are due."""
        for run in runs:
            self._due.take(run, now_ns)
            self._seconds.take(run, self._due.focus)

    def forget(self, now_ns: int) -> None:
        """The server may hold nothing any more: everything of today is due."""
        self._due.forget(now_ns)
        self._bars.forget()
        self._profiles.forget()
        self._keys.forget()
        self._forgotten = True

    def drop(self) -> None:
        """What was made does not go out: the same is due again, its keys' lives too."""
        self._keys.forget()
        self._forgotten = True
        if self._making is not None and not self._making[0].dropped:
            self._making[0].drop()  # the later one first: a row may be in both
        if self._sending is not None:
            self._sending.drop()
            self._sending = None

    # ---- making --------------------------------------------------------------------------

    def begin(self, now_ns: int, everything: bool, bars: bool, quiet: bool) -> None:
        """Have the next commands made, where any are due.

        Args:
            everything: rows too whose time has not come.
            bars: tell bars as well; quiet: but on no channel.

        Raises:
            Exception: a command could not be made.
        """
        if self._making is not None:
            made, future = self._making
            if not future.done():
                return
            if self._sending is not None and not made.dropped:
                return
            self._making = None
            future.result()
            if not made.dropped:
                self._sending = made
        if now_ns - self._looked_ns < LOOK_NS and not everything:
            return
        self._looked_ns = now_ns
        if self._forgotten:
            self._thread_keys.forget()
            self._forgotten = False
        self._bars_turn = bars and not self._bars_turn
        if not (self._bars_turn and self._begin_bars(now_ns, quiet)):
            self._begin_rows(now_ns, everything)

    def _begin_bars(self, now_ns: int, quiet: bool) -> bool:
        told = self._bars.read(BARS_AT_ONCE, quiet)
        if told is not None:
            made = _Made(now_ns, now_ns, partial(self._bars.undo, told))
            self._make(made, partial(self._bar_text.write, made.out, made.shouts, told))
        return told is not None

    def _begin_rows(self, now_ns: int, everything: bool) -> None:
        late_ns = now_ns - self._conflate_ns
        rows = self._due.before(now_ns if everything else late_ns + GATHER_NS, ROWS_AT_ONCE)
        if not len(rows):
            return
        oldest_ns = self._due.oldest_ns()
        if len(rows) < ROWS_AT_ONCE and not everything and oldest_ns > late_ns:
            return
        told = self._due.read(rows)
        made = _Made(oldest_ns, now_ns, partial(self._due.undo, rows, self._due.clear(rows)))
        self._make(made, partial(self._row_text.write, made.out, told))

    def _make(self, made: _Made, work: Callable[[], None]) -> None:
        future = asyncio.get_running_loop().run_in_executor(None, work)
        future.add_done_callback(lambda _: self._ready())
        self._making = made, future

    # ---- sending -------------------------------------------------------------------------

    def add(self, flush: Flush, out: Stores, shouts: Stores, late: bool) -> None:
        """Some of what was made, as much as a flush may hold, and what is made on the spot."""
        made = self._sending
        most = self._portion * (HURRY if late else 1)
        if made is not None:
            flush.undo.append(made.undo)
            _pour(made.out, out, most)
            if monotonic_ns() - made.at_ns > FRESH_NS:
                made.shouts.waiting.clear()  # stale ones would take the fresh of others along
            if made.shouts.waiting:
                _pour(made.shouts, shouts, most)
                flush.messages_ns = min(flush.messages_ns or made.at_ns, made.at_ns)
            if not made.out.waiting and not made.shouts.waiting:
                self._sending = None
        seconds = self._seconds.write(out)
        if seconds:
            flush.undo.append(partial(self._seconds.undo, seconds))
        profiles = self._profiles.write(out, PROFILES_AT_ONCE)
        if profiles:
            flush.undo.append(partial(self._profiles.undo, profiles))


def _pour(portions: Portions, out: Stores, most: int) -> None:
    """Portions of about so many commands."""
    count = 0
    while portions.waiting and count < most:
        portion = portions.waiting.popleft()
        out[portion.store].one(portion.data, portion.count)
        count += portion.count
