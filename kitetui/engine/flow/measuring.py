"""Measuring: what a user's rule looks at, read off the market."""

from __future__ import annotations

import math

import numpy as np

from kitetui.engine.alerts.rule_text import Rule
from kitetui.engine.alerts.rules import Measured
from kitetui.engine.feed.batch import COLUMNS
from kitetui.engine.market import indicators as ind
from kitetui.engine.market.instruments import Instrument
from kitetui.engine.market.market import Market
from kitetui.engine.market.normalise import Run
from kitetui.engine.market.timeframe import RATIO_BARS

_AT = {name: place for place, name in enumerate(COLUMNS)}
_INDICATORS = {"rsi": ind.RSI, "adx": ind.ADX, "atr": ind.ATR, "ema20": ind.EMA20, "vwap": ind.VWAP}
_MINUTES = {"1m": 1, "3m": 3, "5m": 5, "15m": 15}


class Measuring:
    """Values by rule, and how far the prices of watched rows went between two looks."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._rows: dict[str, int] = {}
        self._known = -1
        self._watched: set[int] = set()
        self._reach: dict[int, tuple[float, float]] = {}
        self._first_oi: dict[int, tuple[int, int]] = {}

    def watch(self, symbols: set[str]) -> None:
        """Whose prices are followed tick by tick."""
        rows = (self.row(symbol) for symbol in symbols)
        self._watched = {row for row in rows if row >= 0}
        self._reach = {row: r for row, r in self._reach.items() if row in self._watched}

    def row(self, symbol: str) -> int:
        """The row of a symbol, -1 where it is not watched."""
        rows = self._market.rows
        if self._known != rows.count:
            self._rows = {i.symbol: at for at, i in enumerate(rows.instruments)}
            for at, i in enumerate(rows.instruments):
                self._rows.setdefault(i.tradingsymbol, at)
            self._known = rows.count
        return self._rows.get(symbol, -1)

    def see(self, run: Run) -> None:
        """Ticks came: how far watched prices went."""
        if not self._watched:
            return
        rows = run.ticks.row
        for row in self._watched.intersection(rows.tolist()):
            mine = run.ticks.ltp[rows == row]
            low, high = (self._market.rows.price(row, int(x)) for x in (mine.min(), mine.max()))
            was = self._reach.get(row, (low, high))
            self._reach[row] = min(low, was[0]), max(high, was[1])

    def looked(self) -> None:
        """All rules have looked: reaches begin again."""
        self._reach.clear()

    def measure(self, rule: Rule) -> Measured | None:
        """What a rule looks at now; None where nobody knows."""
        market = self._market
        row = self.row(rule.symbol)
        if rule.field == "straddle" and (row < 0 or self._chain(rule.symbol)):
            return self._straddle(rule.symbol)
        if row < 0 or not market.packets.length[row]:
            return None
        cols, price = market.packets.cols[row], market.rows.price
        last = price(row, cols[_AT["ltp"]])
        instrument = market.rows.instruments[row]
        if rule.field == "price":
            low, high = self._reach.get(row, (last, last))
            return self._told(instrument, last, min(low, last), max(high, last), last)
        value = self._value(rule, row, last)
        if not math.isfinite(value):
            return None
        return self._told(instrument, value, value, value, last)

    def _value(self, rule: Rule, row: int, last: float) -> float:
        market, cols = self._market, self._market.packets.cols[row]
        if rule.field == "change":
            close = market.rows.price(row, cols[_AT["close"]])
            return (last / close - 1) * 100 if close > 0 else math.nan
        if rule.field == "spread":
            bid, ask = market.quote(row)
            return (ask - bid) / last * 1e4 if ask > bid > 0 and last > 0 else math.nan
        if rule.field in ("oi", "oi_change"):
            return self._open_interest(rule.field, row)
        frame, rows = market.frames[_MINUTES[rule.timeframe]], np.array([row])
        if rule.field == "volume_ratio":
            if int(frame.history.count[row]) <= RATIO_BARS:
                return math.nan
            start = int(frame.history.newest[row])
            opened, _ = market.session_minutes(start, rows)
            return float(frame.volume_ratio(rows, start, opened).ratio[0])
        return float(frame.indicators.value(_INDICATORS[rule.field], rows)[0])

    def _open_interest(self, field: str, row: int) -> float:
        now = int(self._market.packets.cols[row][_AT["oi"]])
        day = int(self._market.normaliser.volumes.epoch_day[row])
        if field == "oi":
            return float(now)
        first = self._first_oi.get(row)
        if first is None or first[0] != day:
            self._first_oi[row] = (day, now)
            return math.nan
        return (now / first[1] - 1) * 100 if first[1] else math.nan

    def _chain(self, name: str) -> bool:
        return any(s.chain.name == name for s in self._market.chains.straddles)

    def _straddle(self, name: str) -> Measured | None:
        """The premium at the money of the name's nearest chain."""
        found = [s.chain for s in self._market.chains.straddles if s.chain.name == name]
        for chain in sorted(found, key=lambda chain: chain.expiry):
            now = self._market.chain_reader.now(chain, self._market.session_s)
            if math.isfinite(now.straddle):
                token = int(self._market.rows.token[chain.first])
                return Measured(now.straddle, now.straddle, now.straddle, token, now.straddle, name)
        return None

    def _told(self, of: Instrument, last: float, low: float, high: float,
              price: float) -> Measured:  # fmt: skip
        return Measured(last, low, high, of.token, price, of.name)
