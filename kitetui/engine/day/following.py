"""The feed's hands: takes instruments in and out while it runs, by rule and by command."""

from __future__ import annotations

import asyncio

import numpy as np

from kitetui.engine import commands
from kitetui.engine.clock import sleep
from kitetui.engine.day.opening import Opening
from kitetui.engine.feed.batch import COLUMNS
from kitetui.engine.feed.records import Kind
from kitetui.engine.feed.sources import Inbox, KiteSource
from kitetui.engine.flow.pipeline import Pipeline
from kitetui.engine.market.instruments import (
    Instrument,
    InstrumentError,
    by_symbol,
    read_table,
    write_table,
)
from kitetui.engine.sinks.instrument_files import InstrumentFiles

FOLLOW_S = 5.0
_LTP = COLUMNS.index("ltp")


class Following:
    """Changes what a running feed is subscribed to."""

    def __init__(self, pipeline: Pipeline, inbox: Inbox, source: KiteSource, opening: Opening,
                 files: InstrumentFiles | None, mode: str) -> None:  # fmt: skip
        self._p = pipeline
        self._inbox = inbox
        self._source = source
        self._opening = opening
        self._files = files
        self._mode = mode
        self._full = False

    async def run(self) -> None:
        """Have options join that come near the money."""
        while True:
            await sleep(FOLLOW_S)
            universe = self._opening.universe
            if universe is not None:
                known = set(self._source.modes) | self._opening.left
                self._join(universe.joining(self._price, known), self._mode)

    async def obey(self, command: commands.FeedCommand) -> commands.Result:
        """Carry out what an operator asks of the feed."""
        if not self._source.connections:
            return commands.Result(False, "the feed is not open yet; try again")
        if isinstance(command, commands.Reconnect):
            self._source.reconnect()
            return commands.Result(True, f"{len(self._source.connections)} connections dial anew")
        if isinstance(command, commands.SetMode):
            return self._set_mode(command)
        if not command.symbols:
            return commands.Result(False, "name the symbols")
        if not command.on:
            return self._leave(command.symbols)
        table = await asyncio.to_thread(self._table)
        found = [table[symbol] for symbol in command.symbols if symbol in table]
        missing = [symbol for symbol in command.symbols if symbol not in table]
        if missing:
            known = "" if table else " (there is no instrument table)"
            return commands.Result(False, f"not listed: {' '.join(missing)[:200]}{known}")
        self._opening.left -= {one.token for one in found}
        refused = self._join([i for i in found if i.token not in self._source.modes], self._mode)
        if refused:
            return commands.Result(False, f"no room for {refused} of {len(found)} instruments")
        return commands.Result(True, f"{len(found)} watched; {len(self._source.modes):,} in all")

    def _join(self, wanted: list[Instrument], mode: str) -> int:
        """Take instruments in; how many found no room, which is told once."""
        rows = self._p.market.rows
        known = set(rows.token[: rows.count].tolist())
        room = rows.capacity - rows.count
        taken: list[Instrument] = []
        for one in wanted:
            if one.token in known:
                taken.append(one)
            elif room:
                room -= 1
                taken.append(one)
        refused = len(wanted) - len(taken)
        if taken:
            self._inbox.put(Kind.INSTRUMENTS, write_table(taken))
            outside = self._source.change({one.token: mode for one in taken})
            self._opening.left |= set(outside)
            refused += len(outside)
        self._opening.left |= {one.token for one in wanted if one not in taken}
        if refused and not self._full:
            self._full = True
            self._p.note("feed", f"{refused} instruments find no room; raise feed.spare_rows, or "
                                 "watch fewer")  # fmt: skip
        return refused

    def _leave(self, symbols: tuple[str, ...]) -> commands.Result:
        tokens = self._tokens(symbols)
        missing = [symbol for symbol in symbols if symbol not in tokens]
        if missing:
            return commands.Result(False, f"not watched: {' '.join(missing)[:200]}")
        self._source.change({}, tokens.values())
        self._opening.left |= set(tokens.values())
        return commands.Result(
            True, f"{len(tokens)} no longer watched; what is known of them stays"
        )

    def _set_mode(self, command: commands.SetMode) -> commands.Result:
        modes = self._source.modes
        tokens = self._tokens(command.symbols) if command.symbols else {str(t): t for t in modes}
        missing = [symbol for symbol in command.symbols if symbol not in tokens]
        if missing:
            return commands.Result(False, f"not watched: {' '.join(missing)[:200]}")
        self._source.change(dict.fromkeys(tokens.values(), command.mode))
        return commands.Result(True, f"{len(tokens)} in mode {command.mode}")

    def _tokens(self, symbols: tuple[str, ...]) -> dict[str, int]:
        """Those of the symbols that are subscribed, with their tokens."""
        modes, wanted = self._source.modes, set(symbols)
        return {i.symbol: i.token for i in self._p.market.rows.instruments
                if i.symbol in wanted and i.token in modes}  # fmt: skip

    def _table(self) -> dict[str, Instrument]:
        """The day's table by symbol, and what is known of the market where there is none."""
        known = {i.symbol: i for i in self._p.market.rows.instruments}
        newest = self._files.newest() if self._files is not None else None
        if newest is None:
            return known
        try:
            return {**by_symbol(read_table(newest[1])), **known}
        except InstrumentError:
            return known

    def _price(self, token: int) -> float:
        """A token's last price in rupees; 0 before its first."""
        market = self._p.market
        row = int(market.rows.find(np.array([token], np.int64))[0])
        if row < 0 or not int(market.packets.length[row]):
            return 0.0
        return market.rows.price(row, market.packets.cols[row][_LTP])
