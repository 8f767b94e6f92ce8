"""The end of a session: minute bars to the archive, levels and volatilities to the store."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable
from pathlib import Path

import msgspec

from kitetui.engine.calendar import ist_day
from kitetui.engine.clock import sleep
from kitetui.engine.feed.records import PastLevels
from kitetui.engine.flow.derived import Derived
from kitetui.engine.flow.pipeline import Pipeline
from kitetui.engine.sinks.archive import BarArchive, finish, keep_gaps, parts_of, remove_old
from kitetui.engine.sinks.store import SessionStore
from kitetui.settings import Settings

ROWS_AT_ONCE = 16
LOOK_S = 0.5
RETRY_S = 30.0


class Ending:
    """Keeps what must outlive the session; nothing of it holds the loop for long.

    Attributes:
        kept: rows whose levels were stored.
    """

    def __init__(self, settings: Settings, pipeline: Pipeline, folder: Path,
                 store: SessionStore, over: Callable[[int], None]) -> None:  # fmt: skip
        """`over` is told of a day when all its sessions are."""
        self._settings = settings
        self._tell_over = over
        self._pipeline = pipeline
        self._folder = folder
        self._left = parts_of(folder)
        self._archive = BarArchive(folder)
        self._store = store
        self._ended: deque[int] = deque(maxlen=pipeline.market.rows.capacity)
        self._unfinished = False
        self.kept = 0

    @property
    def ended(self) -> deque[int]:
        """Rows whose session ended, and whose levels are not stored yet."""
        return self._ended

    def resume(self) -> None:
        """The day has bars already: its end is still to come."""
        self._unfinished = True

    def settle(self) -> None:
        """Make durable what the archive was given.

        Raises:
            OSError: something of today is lacking there.
        """
        if self._archive.failed:
            raise OSError(f"the archive lacks what could not be written: {self._archive.failed}")
        self._archive.sync()

    def take(self, derived: Derived) -> None:
        """Note what a batch led to."""
        tokens = self._pipeline.market.rows.token
        failed = self._archive.failed
        for name, bars in derived.bars:
            if name == "1m":
                self._archive.take(bars, tokens[bars.rows])
                self._unfinished = True
            elif name == "day":
                self._ended.extend(bars.rows.tolist())
        for bars in derived.mended:  # of a minute told twice the last counts
            self._archive.take(bars, tokens[bars.rows])
        if self._archive.failed and not failed:
            self._pipeline.note("archive", f"waits for room: {self._archive.failed}")
        if failed and not self._archive.failed:
            self._pipeline.note("archive", "what waited for room is written")

    async def run(self) -> None:
        """Keep what ends, a few rows at a time; sort the archive when all sessions are over."""
        try:
            await self._finish(self._left)  # what earlier engines did not come to
        except OSError as error:
            self._pipeline.note("archive", f"not finished: {error.strerror or error}")
        while True:
            await sleep(LOOK_S)
            ends = False
            try:
                await self._keep_ended()
                if self._unfinished and self._over():
                    ends, self._unfinished = True, False  # what comes meanwhile is unfinished again
                    await self._end_session()
            except OSError as error:
                self._unfinished = self._unfinished or ends
                self._pipeline.note("store", f"{error.strerror or error}; trying again")
                await sleep(RETRY_S)

    async def _end_session(self) -> None:
        """Keep what is known at the end; each step may be done twice.

        Raises:
            OSError: something cannot be written.
        """
        self._archive.write()  # what waits for room, if there is some now
        await asyncio.to_thread(self.settle)
        self._archive.close()
        await asyncio.to_thread(self._store.keep_volatility, *await self._volatility())
        await self._finish(parts_of(self._folder))
        day = ist_day(self._pipeline.session_s)
        await asyncio.to_thread(keep_gaps, self._folder, day, self._gaps_of(day))
        self._tell_over(day)

    def close(self) -> None:
        """Keep what has ended so far and let the files go."""
        try:
            self._store.keep_levels(self._levels(list(self._ended)))
        except OSError as error:
            self._pipeline.note("store", error.strerror or str(error))
        self._archive.close()
        self._store.close()

    async def _keep_ended(self) -> None:
        while self._ended:
            rows = list(self._ended)[:ROWS_AT_ONCE]
            await asyncio.to_thread(self._store.keep_levels, self._levels(rows))
            for _ in rows:
                self._ended.popleft()
            self.kept += len(rows)

    def _levels(self, rows: list[int]) -> list[PastLevels]:
        found = [self._pipeline.market.levels_now(row) for row in rows]
        return [levels for levels in found if levels.day >= 0]

    async def _volatility(self) -> tuple[int, list[tuple[str, str, float, float]]]:
        """The day, and at-the-money volatility of every chain as it stood at the close."""
        market = self._pipeline.market
        day = ist_day(market.session_s)
        out = []
        for chain in [series.chain for series in market.chains.straddles]:
            now = market.chain_now(chain.name, chain.expiry)
            if now is not None and math.isfinite(now.atm_volatility) and now.years > 0:
                out.append((chain.name, chain.expiry, now.years * 365, now.atm_volatility))
            await sleep(0)
        return day, out

    def _gaps_of(self, day: int) -> bytes:
        """The day's gaps as JSON, as the status document has them."""
        found = [gap.told() for gap in self._pipeline.gaps.found if ist_day(gap.from_s) == day]
        return msgspec.json.format(msgspec.json.encode(found))

    def _over(self) -> bool:
        """Whether every minute of every row's session is closed."""
        market = self._pipeline.market
        day = ist_day(market.session_s)
        sessions = [market.calendar.session(segment, day) for segment in market.rows.segments]
        return all(s is None or market.minutes.upto * 60 >= s.close_s for s in sessions)

    async def _finish(self, parts: list[Path]) -> None:
        made = await asyncio.to_thread(finish, self._folder, parts)
        if made:
            remove_old(self._folder, self._settings.archive.sessions)
            self._pipeline.note("archive", f"{made[-1].name} holds the session's minutes")
        if lacks := self._archive.left_out:
            self._pipeline.note("archive", f"lacks {lacks} minutes that found no room in time: the "
                                "journal has them")  # fmt: skip
