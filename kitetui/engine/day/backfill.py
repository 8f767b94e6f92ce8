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
from kitetui.engine.flow.pipeline import Pipeline
from kitetui.engine.market.warmup import pack_candles
from kitetui.settings import FeedSettings

LOOK_S = 1.0
SETTLED_S = 10
"""After a minute's end, until the exchange's history is taken to have it."""
SESSIONS = 12
"""Sessions that are asked for: their quarters of an hour are as many as settle an indicator."""
TRIES = 3

Wanted = tuple[int, tuple[int, int]]
"""A row, and the first and last minute that it misses."""


class Backfill:
    """Asks for what gaps hid, and puts each answer into the inbox; the market does the rest."""

    def __init__(self, settings: FeedSettings, pipeline: Pipeline, inbox: Inbox,
                 credentials: Callable[[], Credentials]) -> None:  # fmt: skip
        self._settings = settings
        self._pipeline = pipeline
        self._inbox = inbox
        self._credentials = credentials
        self._failed: Counter[Wanted] = Counter()
        self._asked: set[Wanted] = set()
        """Answered, perhaps not applied yet."""

    async def run(self) -> None:
        """For ever."""
        rest = KiteRest(self._settings, self._credentials)
        try:
            while True:
                await sleep(LOOK_S)
                await self._tell(rest, self._due())
        finally:
            await rest.close()

    def _due(self) -> list[Wanted]:
        """Stretches whose minutes are over, focus list first."""
        now_s = self._pipeline.session_s
        wanted = {(row, span) for row, spans in self._pipeline.gaps.wanted.items()
                  for span in spans if row < self._settings.backfill_instruments}  # fmt: skip
        self._asked &= wanted
        return sorted(one for one in wanted - self._asked if self._failed[one] < TRIES
                      and now_s >= (one[1][1] + 1) * 60 + SETTLED_S)  # fmt: skip

    async def _tell(self, rest: KiteRest, due: list[Wanted]) -> None:
        """Ask for them, one after the other."""
        failed = 0
        for one in due:
            try:
                await self._ask(rest, *one)
                self._asked.add(one)
            except (RestError, ValueError) as error:
                self._failed[one] += 1
                failed += 1
                if failed == 1:
                    self._pipeline.note("rest", f"backfill: {error}")
        if due:
            words = f"; {failed} without an answer" if failed else ""
            self._pipeline.note(
                "feed", f"gap: history asked for {len(due) - failed} instruments{words}"
            )

    async def _ask(self, rest: KiteRest, row: int, gap: tuple[int, int]) -> None:
        market = self._pipeline.market
        now_s, token = market.session_s, int(market.rows.token[row])
        days = market.calendar.last_sessions(now_s, SESSIONS)
        if not days:
            raise ValueError("the calendar knows no session before now")
        answer = await rest.candles(token, "minute", days[0] * DAY_S - IST_OFFSET_S, now_s)
        told = await asyncio.to_thread(pack_candles, token, answer, market.rows.divisors)
        told = msgspec.structs.replace(told, gap=gap)
        self._inbox.put(Kind.HISTORY, msgspec.msgpack.encode(told))
