"""Readings of one instrument: indicators, book, profile and option, as a viewer sees them."""

from __future__ import annotations

import math

import msgspec
import numpy as np

from kitetui.engine import snapshot as view
from kitetui.engine.clock import monotonic_ns
from kitetui.engine.feed.batch import COLUMNS, FULL, I64
from kitetui.engine.flow.pipeline import Pipeline
from kitetui.engine.market import indicators as ind
from kitetui.engine.market.bars import merge
from kitetui.engine.market.black76 import REASONS
from kitetui.engine.market.book import FLOWS, read_book
from kitetui.engine.market.options import ChainNow, VolatilityRank
from kitetui.engine.market.profile import levels
from kitetui.engine.market.timeframe import RATIO_BARS
from kitetui.engine.view.kept import Kept

SHOWN_FRAMES = (1, 5)
SHOWN = (ind.EMA20, ind.RSI, ind.ATR, ind.ADX, ind.VWAP, ind.VWAP_SD)
KEPT_MAX = 1_000
_EXCH = COLUMNS.index("exch_s")


class Reader:
    """Reads the engine's state for one row; changes nothing."""

    def __init__(self, pipeline: Pipeline, share_ns: int = 0) -> None:
        """`share_ns`: for so long what does not change with every tick is read once for all who
        look; 0 reads it each time."""
        self._market = pipeline.market
        self._share_ns = share_ns
        self._slow = Kept[view.Reading](KEPT_MAX)
        self._ratios = Kept[float | None](KEPT_MAX)

    def read(self, row: int) -> view.Reading:
        """Everything that is computed of a row."""
        if not self._share_ns:
            return self._read(row)
        read = self._slow.get(row, monotonic_ns() // self._share_ns, lambda: self._read(row))
        return msgspec.structs.replace(read, book=self.book(row))

    def _read(self, row: int) -> view.Reading:
        return view.Reading(
            book=self.book(row),
            frames=tuple(self.numbers(row, minutes) for minutes in SHOWN_FRAMES),
            profile=self.profile(row),
            chain=self.chain(row),
            option=self.option(row),
        )

    def book(self, row: int) -> view.BookReading | None:
        """What the book says and how it changed; None without depth."""
        market = self._market
        if int(market.packets.length[row]) != FULL:
            return None
        rows = np.array([row])
        now = read_book(market.flow.depth[rows])
        flow = market.flow.recent(rows, int(market.packets.cols[row][_EXCH]))[0]
        divisor = float(market.rows.divisor[row])
        return view.BookReading(
            spread=defined(now.spread[0] / divisor),
            microprice=defined(now.microprice[0] / divisor),
            imbalance=defined(now.imbalance[0]),
            bid_total=int(now.bid[0]),
            ask_total=int(now.ask[0]),
            largest_price=float(now.largest_price[0] / divisor),
            largest_quantity=int(now.largest_quantity[0]),
            flow=dict(zip(FLOWS, flow.tolist(), strict=True)),
        )

    def numbers(self, row: int, minutes: int) -> view.Numbers:
        """Indicators of one timeframe: as if the forming bar closed now, where there is one.

        Of two, the one that waits for late trades: the indicators have not seen it yet.
        """
        market = self._market
        frame, rows = market.frames[minutes], np.array([row])
        bars = int(frame.indicators.bars[row])
        forming = self.forming(row, minutes)
        if not forming:
            found = frame.indicators.values(rows, SHOWN)
        else:
            start, bar = forming[0]
            opened, _ = market.session_minutes(start, rows)
            found = frame.peek(rows, bar[:, None], opened, SHOWN)
        ema20, rsi, atr, adx, vwap, vwap_sd = (defined(value) for value in found[:, 0])
        ratio = self._ratios.get(
            (row, minutes), int(frame.history.count[row]), lambda: self._ratio(row, minutes)
        )
        return view.Numbers(
            timeframe=frame.name, bars=bars, warm=bars >= ind.WARM_BARS, ema20=ema20, rsi=rsi,
            atr=atr, adx=adx, vwap=vwap, vwap_sd=vwap_sd, volume_ratio=ratio,
        )  # fmt: skip

    def _ratio(self, row: int, minutes: int) -> float | None:
        """Volume of the newest closed bar over its usual; None with too few bars."""
        frame, rows = self._market.frames[minutes], np.array([row])
        if int(frame.history.count[row]) <= RATIO_BARS:
            return None
        start = int(frame.history.newest[row])
        opened, _ = self._market.session_minutes(start, rows)
        return defined(frame.volume_ratio(rows, start, opened).ratio[0])

    def forming(self, row: int, minutes: int) -> list[tuple[int, I64]]:
        """The bars that are not closed, oldest first: first minutes and values i64 (fields,).

        Around a bar's end a row has two: the one before waits for late trades.
        """
        market = self._market
        out: list[tuple[int, I64]] = []
        if minutes > 1 and int(market.longer[minutes].start[row]) >= 0:
            grown = market.longer[minutes].values[:, row].copy()
            out.append((int(market.longer[minutes].start[row]), grown))
        for minute, values in market.minutes.open_bars(row):
            opened, _ = market.session_minutes(minute, np.array([row]))
            head = minute - (minute - int(opened[0])) % minutes
            if out and head == out[-1][0]:
                out[-1] = head, merge(out[-1][1][:, None], values[:, None])[:, 0]
            else:
                out.append((head, values))
        return out

    def profile(self, row: int) -> view.ProfileReading | None:
        """The developing profile's levels and VPIN; None without volume."""
        market = self._market
        profile = market.profiles.profile(row)
        found = levels(profile) if profile else None
        if found is None:
            return None
        past = market.past.get(row)
        whole = market.composite(row)
        longer = levels(whole) if whole else None
        return view.ProfileReading(
            poc=found.poc,
            vah=found.vah,
            val=found.val,
            vpin=defined(market.buckets.vpin(np.array([row]))[0]),
            past_poc=defined(past.poc) if past else None,
            past_vah=defined(past.vah) if past else None,
            past_val=defined(past.val) if past else None,
            composite_poc=longer.poc if longer else None,
            average_gap=market.average_gap(row),
        )

    def chain(self, row: int) -> view.ChainReading | None:
        """The chain that a future or an option belongs to; None without one."""
        now = self._chain(row)
        return self.told(now) if now is not None else None

    def told(self, now: ChainNow) -> view.ChainReading:
        """A chain in figures."""
        rank = self.rank(now)
        series = next(s for s in self._market.chains.straddles if s.chain is now.chain)
        premium = series.now()
        return view.ChainReading(
            name=now.chain.name,
            expiry=now.chain.expiry,
            days=now.years * 365,
            forward=defined(now.forward),
            by=now.by,
            strike=float(now.chain.strikes[now.atm]) if now.atm >= 0 else None,
            straddle=defined(now.straddle),
            straddle_vwap=defined(premium.vwap[now.atm]) if now.atm >= 0 else None,
            volatility=defined(now.atm_volatility),
            pcr=defined(now.interest.pcr),
            max_pain=defined(now.interest.max_pain),
            call_wall=defined(now.interest.call_wall),
            put_wall=defined(now.interest.put_wall),
            rank=defined(rank.rank),
            percentile=defined(rank.percentile),
            rank_days=rank.days,
            rank_of=rank.label,
        )

    def rank(self, now: ChainNow) -> VolatilityRank:
        """Where the chain's volatility stands among past days."""
        return self._market.chain_reader.rank(now)

    def option(self, row: int) -> view.OptionReading | None:
        """Volatility and greeks of an option; None for anything else."""
        now = self._chain(row)
        if now is None:
            return None
        for side, rows in ((now.calls, now.chain.call), (now.puts, now.chain.put)):
            at = np.flatnonzero(rows == row)
            if len(at):
                k = int(at[0])
                opened = int(self._market.chains.oi_open[row])
                oi = int(side.oi[k])
                return view.OptionReading(
                    volatility=defined(side.implied.volatility[k]),
                    reason=REASONS[int(side.implied.reason[k])],
                    delta=defined(side.greeks.delta[k]),
                    gamma=defined(side.greeks.gamma[k]),
                    theta=defined(side.greeks.theta[k]),
                    vega=defined(side.greeks.vega[k]),
                    oi_change=oi - opened if opened >= 0 else None,
                )
        return None

    def _chain(self, row: int) -> ChainNow | None:
        listed = self._market.rows.instruments[row]
        if listed.kind not in ("CE", "PE", "FUT"):
            return None
        expiries = [s.chain.expiry for s in self._market.chains.straddles
                    if s.chain.name == listed.name]  # fmt: skip
        if not expiries:
            return None
        expiry = listed.expiry if listed.expiry in expiries else min(expiries)
        return self._market.chain_now(listed.name, expiry)


def defined(value: float) -> float | None:
    """A number, or None where it is undefined."""
    return None if math.isnan(value) else float(value)
