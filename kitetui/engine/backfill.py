"""Backfill: the minutes that a gap hid, asked of Kite's history once they are over."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

import msgspec

from kitetui.engine.calendar import DAY_S, IST_OFFSET_S
from kitetui.engine.clock import sleep
from kitetui.engine.feed.credentials import Credentials
from kitetui.engine.feed.records import Kind
from kitetui.engine.feed.rest import KiteRest, RestError
from kitetui.engine.feed.sources import Inbox
from kitetui.engine.market.warmup import pack_candles
from kitetui.engine.pipeline import Pipeline
from kitetui.settings import FeedSettings

LOOK_S = 1.0
SETTLED_S = 10
"""After a minute's end, until the exchange's history is taken to have it."""
SESSIONS = 2
"""Sessions that are asked for: indicators settle over more than one morning's bars."""
TRIES = 3


class Backfill:
    """Asks for what gaps hid, and puts each answer into the inbox; the market does the rest."""

    def __init__(self, settings: FeedSettings, pipeline: Pipeline, inbox: Inbox,
                 credentials: Callable[[], Credentials]) -> None:  # fmt: skip
        self._settings = settings
        self._pipeline = pipeline
        self._inbox = inbox
        self._credentials = credentials
        self._failed: Counter[tuple[int, int]] = Counter()

    async def run(self) -> None:
        """For ever."""
        rest = KiteRest(self._settings, self._credentials)
        try:
            while True:
                await sleep(LOOK_S)
                await self._tell(rest, self._due())
        finally:
            await rest.close()

    def _due(self) -> list[int]:
        """Rows whose missed minutes are over, focus list first."""
        now_s = self._pipeline.session_s
        return [
            row for row, (_, last) in sorted(self._pipeline.gaps.wanted.items())
            if row < self._settings.backfill_instruments and self._failed[row, last] < TRIES
            and now_s >= (last + 1) * 60 + SETTLED_S
        ]  # fmt: skip

    async def _tell(self, rest: KiteRest, rows: list[int]) -> None:
        """Ask for rows, one after the other."""
        told = failed = 0
        for row in rows:
            try:
                await self._ask(rest, row)
                told += 1
            except (RestError, ValueError) as error:
                self._failed[row, self._pipeline.gaps.wanted[row][1]] += 1
                failed += 1
                if failed == 1:
                    self._pipeline.note("rest", f"backfill: {error}")
        if rows:
            words = f"; {failed} without an answer" if failed else ""
            self._pipeline.note("feed", f"gap: history asked for {told} instruments{words}")

    async def _ask(self, rest: KiteRest, row: int) -> None:
        market = self._pipeline.market
        now_s = market.session_s
        token, gap = int(market.rows.token[row]), self._pipeline.gaps.wanted[row]
        days = market.calendar.last_sessions(now_s, SESSIONS)
        answer = await rest.candles(token, "minute", days[0] * DAY_S - IST_OFFSET_S, now_s)
        told = await asyncio.to_thread(pack_candles, token, answer, market.rows.divisors)
        told = msgspec.structs.replace(told, gap=gap)
        self._inbox.put(Kind.HISTORY, msgspec.msgpack.encode(told))
