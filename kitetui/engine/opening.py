"""The start of a day: the instrument table, the universe, and warm-up from history."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
import numpy as np

from kitetui.config import Settings, UniverseSettings
from kitetui.engine.clock import sleep
from kitetui.engine.feed.credentials import Credentials
from kitetui.engine.feed.records import Kind
from kitetui.engine.feed.rest import KiteRest, RestError
from kitetui.engine.feed.sources import Inbox, KiteSource
from kitetui.engine.market.instruments import (
    Instrument,
    InstrumentError,
    choose,
    read_table,
    unlisted,
    write_table,
)
from kitetui.engine.market.warmup import pack_candles
from kitetui.engine.pipeline import Pipeline

DAY_S = 86_400
IST_OFFSET_S = 19_800
RETRY_MAX_S = 30.0


class Opening:
    """Gets the engine from a login to a warm market; each answer is a record of the inbox.

    Attributes:
        reason: what it waits for, in words.
        warm_wanted: instruments that are asked for their history.
    """

    def __init__(self, settings: Settings, pipeline: Pipeline, inbox: Inbox) -> None:
        self._settings = settings
        self._pipeline = pipeline
        self._inbox = inbox
        self.reason = "instruments"
        self.warm_wanted = 0

    async def run(self, source: KiteSource, credentials: Callable[[], Credentials]) -> None:
        """Table, subscription, history; ends when everything is warm."""
        rest = KiteRest(self._settings.feed, credentials)
        try:
            table = await self._table(rest)
            tokens = self._tokens(table)
            chosen = [table.get(token) or unlisted(token) for token in tokens]
            self._inbox.put(Kind.INSTRUMENTS, write_table(chosen))
            source.subscribe(tokens)
            await self._warm_up(rest, tokens)
        finally:
            await rest.close()

    async def _table(self, rest: KiteRest) -> dict[int, Instrument]:
        wait_s = 1.0
        while True:
            try:
                return await asyncio.to_thread(read_table, await rest.instruments())
            except (RestError, InstrumentError) as error:
                self.reason = f"instruments: {error}"
                self._pipeline.note("rest", str(error))
                asked = self._settings.feed.instruments
                if not isinstance(asked, str) and all(isinstance(i, int) for i in asked):
                    return {}
            await sleep(wait_s)
            wait_s = min(wait_s * 2, RETRY_MAX_S)

    def _tokens(self, table: dict[int, Instrument]) -> list[int]:
        feed = self._settings.feed
        limit = feed.max_connections * feed.max_per_connection
        asked = feed.instruments
        if isinstance(asked, str):
            return self._universe(table, self._settings.universes[asked], limit)
        by_symbol = {i.symbol: token for token, i in table.items()}
        tokens = []
        for item in asked:
            token = item if isinstance(item, int) else by_symbol.get(item)
            if token is None:
                self._pipeline.note("feed", f"no instrument is called {item}")
            else:
                tokens.append(token)
        return list(dict.fromkeys(tokens))[:limit]

    def _universe(
        self, table: dict[int, Instrument], universe: UniverseSettings, limit: int
    ) -> list[int]:
        tokens = choose(table, universe, limit)
        if not tokens:
            self._pipeline.note("feed", "the universe matches nothing; taking the whole table")
            tokens = list(table)[:limit]
        return tokens

    async def _warm_up(self, rest: KiteRest, tokens: list[int]) -> None:
        """Minute history, focus first, within Kite's rate."""
        feed = self._settings.feed
        wanted = tokens[: feed.warmup_instruments] if feed.warmup_sessions else []
        market = self._pipeline.market
        rows = market.rows.find(np.array(wanted, np.int64)).tolist()
        wanted = [t for t, row in zip(wanted, rows, strict=True) if row not in market.warmed]
        self.warm_wanted = len(wanted)
        failures = 0
        for token in wanted:
            now_s = await self._session_time()
            days = self._pipeline.market.calendar.last_sessions(now_s, feed.warmup_sessions + 1)
            if not days:
                return
            try:
                answer = await rest.minutes(token, days[0] * DAY_S - IST_OFFSET_S, now_s)
                divisors = self._pipeline.market.rows.divisors
                packed = await asyncio.to_thread(pack_candles, token, answer, divisors)
            except (RestError, ValueError) as error:
                failures += 1
                if failures == 1:
                    self._pipeline.note("rest", f"warm-up: {error}")
                continue
            self._inbox.put(Kind.HISTORY, msgspec.msgpack.encode(packed))
        if failures:
            self._pipeline.note(
                "rest", f"warm-up: {failures} of {len(wanted)} instruments have no history"
            )

    async def _session_time(self) -> int:
        """Session second now; waits for the first packet that tells it."""
        while not (now_s := self._pipeline.session_s):
            await sleep(0.05)
        return now_s
