"""The start of a day: the instrument table, the universe, and warm-up from history."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np

from kitetui.engine.calendar import DAY_S, IST_OFFSET_S, ist, ist_day
from kitetui.engine.clock import sleep, wall_ns
from kitetui.engine.day.universe import Universe
from kitetui.engine.feed.batch import I64
from kitetui.engine.feed.credentials import Credentials
from kitetui.engine.feed.records import HistoryAnswer, Kind, PastFirings, PastLevels, Remembered
from kitetui.engine.feed.rest import KiteRest, RestError
from kitetui.engine.feed.sources import Inbox, KiteSource
from kitetui.engine.feed.wire import DEFAULT_DIVISOR
from kitetui.engine.flow.pipeline import Pipeline
from kitetui.engine.flow.track_record import SESSIONS, past_firings
from kitetui.engine.market.instruments import (
    Instrument,
    InstrumentError,
    by_symbol,
    choose,
    read_table,
    unlisted,
    write_table,
)
from kitetui.engine.market.timeframe import SAME_MINUTE_SESSIONS
from kitetui.engine.market.warmup import pack_candles
from kitetui.engine.sinks.archive import read_bars
from kitetui.engine.sinks.instrument_files import InstrumentFiles
from kitetui.engine.sinks.ledger import Ledger
from kitetui.engine.sinks.store import VIX, SessionStore
from kitetui.settings import Settings, UniverseSettings

CALENDAR_DAYS_A_SESSION = 1.6
"""Weekends and holidays included, rounded up."""
RETRY_MAX_S = 30.0


class Past(msgspec.Struct, frozen=True):
    """Where earlier sessions lie; `hashes`: of the parameters whose firings count."""

    archive: Path
    store: SessionStore
    ledger: Ledger | None = None
    hashes: Callable[[], list[str]] = list


class Opening:
    """Gets the engine from a login to a warm market; each answer is a record of the inbox.

    Attributes:
        reason: what it waits for, in words.
        warm_wanted: instruments that are asked for their history.
        universe: what joins as prices move; None before the table, or where a list is watched.
        left: what was taken out this day, and what found no room: it does not come back by itself.
    """

    def __init__(self, settings: Settings, pipeline: Pipeline, inbox: Inbox,
                 past: Past | None = None,
                 files: InstrumentFiles | None = None) -> None:  # fmt: skip
        """
        Args:
            past: what earlier sessions left; files: where instrument tables are kept. None keeps
                nothing: a simulated session.
        """
        self._settings = settings
        self._pipeline = pipeline
        self._inbox = inbox
        self._past = past
        self._files = files
        self.universe: Universe | None = None
        self.left: set[int] = set()
        self.reason = "instruments"
        self.warm_wanted = 0

    async def run(self, source: KiteSource, credentials: Callable[[], Credentials]) -> None:
        """Table, subscription, history; ends when everything is warm."""
        rest = KiteRest(self._settings.feed, credentials)
        try:
            table = await self._table(rest)
            # What was taken out before a restart stays out until the day is over.
            if self._pipeline.subscribed:
                self.left = set(self._pipeline.announced) - set(self._pipeline.subscribed)
            tokens = [token for token in self._tokens(table) if token not in self.left]
            tokens = self._with_joined(tokens, table)
            chosen = [table.get(token) or unlisted(token) for token in tokens]
            self._inbox.put(Kind.INSTRUMENTS, await asyncio.to_thread(write_table, chosen))
            modes, usual = self._pipeline.modes, self._settings.feed.mode
            source.subscribe({token: modes.get(token, usual) for token in tokens})
            asked = self._settings.feed.instruments
            if isinstance(asked, str):
                self.universe = Universe(table, self._settings.universes[asked],
                                         self._settings.options.index_names)  # fmt: skip
            await self._remember(rest, tokens, table)
            await self._warm_up(rest, tokens)
        finally:
            await rest.close()

    async def _table(self, rest: KiteRest) -> dict[int, Instrument]:
        wait_s = 1.0
        while True:
            try:
                dump = await rest.instruments()
                return await asyncio.to_thread(self._read, dump)
            except (RestError, InstrumentError) as error:
                self.reason = f"instruments: {error}"
                self._pipeline.note("rest", str(error))
                if (kept := await asyncio.to_thread(self._kept)) is not None:
                    return kept
                asked = self._settings.feed.instruments
                if not isinstance(asked, str) and all(isinstance(i, int) for i in asked):
                    return {}
            await sleep(wait_s)
            wait_s = min(wait_s * 2, RETRY_MAX_S)

    def _read(self, dump: bytes) -> dict[int, Instrument]:
        """A dump as it came, kept for a day on which none comes.

        Raises:
            InstrumentError: it is none, or much of the last one is lacking.
        """
        table = read_table(dump)
        if self._files is None:
            return table
        if why := self._files.whole(len(table), lines_of):
            raise InstrumentError(why)
        try:
            packed = dump if dump[:2] == b"\x1f\x8b" else gzip.compress(dump, mtime=0)
            self._files.keep(f"{ist(wall_ns() / 1e9):%Y-%m-%d}", packed)
        except OSError as error:
            self._pipeline.note("rest", f"the instrument dump is not kept: {error.strerror}")
        return table

    def _kept(self) -> dict[int, Instrument] | None:
        """The newest table of before; None where there is none."""
        known = self._files.newest() if self._files is not None else None
        if known is None:
            return None
        try:
            table = read_table(known[1])
        except InstrumentError:
            return None
        self._pipeline.note("rest", f"the instrument table of {known[0]} is used: contracts that "
                                    "were listed since are not known")  # fmt: skip
        return table

    def _with_joined(self, tokens: list[int], table: dict[int, Instrument]) -> list[int]:
        """With what joined earlier this day, before a restart: it stays until the day is over."""
        today = f"{ist(wall_ns() / 1e9):%Y-%m-%d}"
        earlier = [t for t in self._pipeline.subscribed
                   if t in table and not ("" < table[t].expiry < today)]  # fmt: skip
        feed = self._settings.feed
        return list(dict.fromkeys([*tokens, *earlier]))[
            : feed.max_connections * feed.max_per_connection
        ]

    def _tokens(self, table: dict[int, Instrument]) -> list[int]:
        feed = self._settings.feed
        limit = feed.max_connections * feed.max_per_connection
        asked = feed.instruments
        if isinstance(asked, str):
            return self._universe(table, self._settings.universes[asked], limit)
        known = by_symbol(table)
        tokens = []
        for item in asked:
            found = known.get(item) if isinstance(item, str) else None
            if isinstance(item, int):
                tokens.append(item)
            elif found is None:
                self._pipeline.note("feed", f"no instrument is called {item}")
            else:
                tokens.append(found.token)
        return list(dict.fromkeys(tokens))[:limit]

    def _universe(
        self, table: dict[int, Instrument], universe: UniverseSettings, limit: int
    ) -> list[int]:
        tokens = choose(table, universe, limit)
        if not tokens:
            self._pipeline.note("feed", "the universe matches nothing; taking the whole table")
            tokens = list(table)[:limit]
        return tokens

    async def _remember(self, rest: KiteRest, tokens: list[int],
                        table: dict[int, Instrument]) -> None:  # fmt: skip
        """What the store knows of past sessions, and India VIX's days, as one record."""
        days = self._settings.options.rank_days
        now_s = await self._session_time()
        today = ist_day(now_s)
        volatility: dict[str, list[float]] = {}
        levels: list[PastLevels] = []
        if self._past is not None:
            store = self._past.store
            try:
                levels = await asyncio.to_thread(store.levels_before, today, tokens)
                for name in await asyncio.to_thread(store.names):
                    known = await asyncio.to_thread(store.volatility_before, today, name, days)
                    volatility[name] = known.tolist()
            except OSError as error:
                self._pipeline.note("store", error.strerror or str(error))
        vix = next((i.token for i in table.values() if i.symbol == VIX), None)
        if vix is not None:
            try:
                from_s = now_s - days * CALENDAR_DAYS_A_SESSION * DAY_S
                answer = await rest.candles(vix, "day", from_s, now_s)
                closes = pack_candles(vix, answer, self._pipeline.market.rows.divisors)
                columns = np.frombuffer(closes.columns, np.int64).reshape(7, -1)
                past = (columns[0] * 60 + IST_OFFSET_S) // DAY_S < today
                volatility[VIX] = (columns[4, past] / DEFAULT_DIVISOR / 100).tolist()
            except (RestError, ValueError) as error:
                self._pipeline.note("rest", f"India VIX has no history: {error}")
        told = Remembered(levels, volatility, await self._firings(today))
        self._inbox.put(Kind.REMEMBERED, msgspec.msgpack.encode(told))

    async def _firings(self, today: int) -> list[PastFirings]:
        """What the patterns did in past sessions: calibrations stay as they are for the day."""
        if self._past is None or self._past.ledger is None:
            return []
        try:
            hashes = set(self._past.hashes())
            kept = await asyncio.to_thread(self._past.ledger.kept, today, SESSIONS, hashes)
            for words in self._past.ledger.unreadable.values():
                self._pipeline.note("ledger", f"{words}; its firings are left out")
            return await asyncio.to_thread(past_firings, kept)
        except OSError as error:
            self._pipeline.note("ledger", error.strerror or str(error))
            return []

    async def _warm_up(self, rest: KiteRest, tokens: list[int]) -> None:
        """Minute history, focus first: from the archive, and from REST what it does not hold."""
        feed = self._settings.feed
        wanted = tokens[: feed.warmup_instruments] if feed.warmup_sessions else []
        market = self._pipeline.market
        rows = market.rows.find(np.array(wanted, np.int64)).tolist()
        wanted = [t for t, row in zip(wanted, rows, strict=True) if row not in market.warmed]
        self.warm_wanted = len(wanted)
        failures = 0
        archived = await self._archived(wanted)
        for token in wanted:
            now_s = await self._session_time()
            days = market.calendar.last_sessions(now_s, feed.warmup_sessions + 1)
            if not days:
                return
            held = archived.get(token)
            first_day = days[0]
            if held is not None:
                first_day = (int(held[0, -1]) * 60 + IST_OFFSET_S) // DAY_S + 1
            parts = [] if held is None else [held]
            if first_day <= days[-1]:
                try:
                    answer = await rest.candles(
                        token, "minute", first_day * DAY_S - IST_OFFSET_S, now_s
                    )
                    told = await asyncio.to_thread(
                        pack_candles, token, answer, market.rows.divisors
                    )
                    parts.append(np.frombuffer(told.columns, np.int64).reshape(7, -1))
                except (RestError, ValueError) as error:
                    failures += 1
                    if failures == 1:
                        self._pipeline.note("rest", f"warm-up: {error}")
            if parts:
                columns = np.ascontiguousarray(np.concatenate(parts, axis=1)).tobytes()
                packed = HistoryAnswer(token, columns)
                self._inbox.put(Kind.HISTORY, msgspec.msgpack.encode(packed))
                await sleep(0.01)  # the loop is others' too
        if failures:
            self._pipeline.note(
                "rest", f"warm-up: {failures} of {len(wanted)} instruments have no history"
            )

    async def _archived(self, tokens: list[int]) -> dict[int, I64]:
        """Minutes of earlier sessions from the archive, where it reaches back far enough.

        A token that the archive knows of fewer than five sessions is asked of REST in full.
        """
        if self._past is None or not tokens:
            return {}
        now_s = await self._session_time()
        sessions = self._settings.feed.warmup_sessions + 1
        days = self._pipeline.market.calendar.last_sessions(now_s, sessions)
        earlier = [day for day in days if day < ist_day(now_s)]
        found = await asyncio.to_thread(read_bars, self._past.archive, tokens, earlier)
        out = {}
        for token, columns in found.items():
            known = np.unique((columns[0] * 60 + IST_OFFSET_S) // DAY_S)
            if len(known) >= min(SAME_MINUTE_SESSIONS, len(earlier)) and _unbroken(known, earlier):
                out[token] = columns
        return out

    async def _session_time(self) -> int:
        """Session second now; waits for the first packet that tells it."""
        while not (now_s := self._pipeline.session_s):
            await sleep(0.05)
        return now_s


def lines_of(dump: bytes) -> int:
    """How many instruments a dump has; 0 where it is none."""
    try:
        return len(read_table(dump))
    except InstrumentError:
        return 0


def _unbroken(known: I64, sessions: list[int]) -> bool:
    """Whether days are successive sessions: a hole in the middle would bend the indicators."""
    places = [at for at, day in enumerate(sessions) if day in set(known.tolist())]
    return bool(places) and places[-1] - places[0] == len(places) - 1
