"""The end of a session: minute bars to the archive, levels and volatilities to the store."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from datetime import date
from pathlib import Path

import numpy as np

from kitetui.config import Settings
from kitetui.engine.calendar import SEGMENTS, ist_day
from kitetui.engine.clock import ist, sleep, wall_ns
from kitetui.engine.pipeline import Derived, Pipeline
from kitetui.engine.sinks.archive import BarArchive, finish, remove_old
from kitetui.engine.sinks.store import SessionStore

ROWS_AT_ONCE = 16
LOOK_S = 0.5


class Ending:
    """Keeps what must outlive the session; nothing of it holds the loop for long.

    Attributes:
        kept: rows whose levels were stored.
    """

    def __init__(self, settings: Settings, pipeline: Pipeline, folder: Path,
                 store: SessionStore) -> None:  # fmt: skip
        self._settings = settings
        self._pipeline = pipeline
        self._folder = folder
        self._archive = BarArchive(folder)
        self._store = store
        self._ended: deque[int] = deque()
        self._unfinished = False
        self.kept = 0

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
        if self._archive.failed and not failed:
            self._pipeline.note("archive", f"not written: {self._archive.failed}")

    async def run(self) -> None:
        """Keep what ends, a few rows at a time; sort the archive when all sessions are over."""
        await self._finish(before=ist(wall_ns() / 1e9).date())
        while True:
            await sleep(LOOK_S)
            while self._ended:
                self._keep([self._ended.popleft()
                            for _ in range(min(ROWS_AT_ONCE, len(self._ended)))])  # fmt: skip
                await sleep(0)
            if self._unfinished and self._over():
                self._unfinished = False
                self._keep_volatility()
                self._archive.close()
                await self._finish()

    def close(self) -> None:
        """Keep what has ended so far and let the files go."""
        if self._ended:
            self._keep(list(self._ended))
            self._ended.clear()
            self._keep_volatility()
        self._archive.close()
        self._store.close()

    def _keep(self, rows: list[int]) -> None:
        found = [self._pipeline.market.levels_now(row) for row in rows]
        self._store.keep_levels([levels for levels in found if levels.day >= 0])
        self.kept += len(rows)

    def _keep_volatility(self) -> None:
        """At-the-money volatility of every chain, as it stood at the close."""
        market = self._pipeline.market
        day = ist_day(market.session_s)
        for series in market.chains.straddles:
            chain = series.chain
            now = market.chain_now(chain.name, chain.expiry, self._settings.options)
            if now is not None and math.isfinite(now.atm_volatility) and now.years > 0:
                self._store.keep_volatility(
                    day, chain.name, chain.expiry, now.years * 365, now.atm_volatility
                )

    def _over(self) -> bool:
        """Whether the sessions of all rows have ended."""
        market = self._pipeline.market
        day = ist_day(market.session_s)
        hours = np.unique(market.rows.hours[: market.rows.count]).tolist()
        sessions = [market.calendar.session(SEGMENTS[h], day) for h in hours]
        return all(s is None or market.session_s > s.end_s for s in sessions)

    async def _finish(self, before: date | None = None) -> None:
        try:
            made = await asyncio.to_thread(finish, self._folder, before)
            if made:
                remove_old(self._folder, self._settings.archive.sessions)
                self._pipeline.note("archive", f"{made[-1].name} holds the session's minutes")
        except OSError as error:
            self._pipeline.note("archive", f"not finished: {error.strerror or error}")
