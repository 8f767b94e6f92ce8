"""The live simulated market: one correlated price process, books that move, trades in lots."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from kitetui.engine.feed.batch import FULL, INDEX_FULL, TickBatch
from kitetui.exchange import habits
from kitetui.exchange.listing import Listed
from kitetui.exchange.paths import (
    MARKET_VOL,
    YEAR_MINUTES,
    Paths,
    busyness,
    open_interest,
    option_price,
    smile,
    years_to,
)

I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]
LEVELS = 5
LASTING_SHARE = 0.4
"""Of the bursts that arise at random: smaller ones that go on for ten minutes."""
HEAT = 0.2
"""What clustering adds to the volatility, as a logarithm: it is taken off again."""


class Burst(msgspec.Struct, frozen=True):
    """Seconds of one-sided, heavy trading in one underlying."""

    at: int
    from_s: float
    to_s: float
    side: int
    strength: float = 1.0


class Market:
    """Prices, books and totals of every listed instrument, stepped in session time.

    The same seed, listing and steps give the same market.

    Attributes:
        now_s: session time, epoch seconds with fractions.
        told: the newest bursts, planted or arisen.
    """

    def __init__(self, listed: Sequence[Listed], paths: Paths, seed: int,
                 bursts_per_hour: float = 6.0) -> None:  # fmt: skip
        n = len(listed)
        self.listed = listed
        self.now_s = float(paths.start_s)
        self.day = paths.days[-1]
        self._rng = np.random.default_rng([seed, 2 << 20])
        self._bursts: list[Burst] = []
        self.told: deque[Burst] = deque(maxlen=100)
        self._bursts_per_hour = bursts_per_hour
        kind = np.array([i.kind for i in listed])
        self.is_index: Bool = kind == "INDEX"
        self._spot_like: Bool = self.is_index | (kind == "EQ")
        self._vix = next(at for at, i in enumerate(listed) if i.symbol == "INDIA VIX")
        self._future: Bool = kind == "FUT"
        self._options = np.flatnonzero((kind == "CE") | (kind == "PE"))
        self._calls = kind[self._options] == "CE"
        self._base = np.array([i.underlying for i in listed], np.int64)
        self._strike = np.array([i.strike for i in listed])[self._options]
        self._expiry = [i.expiry for i in listed]
        self._strikes_of = np.array([i.strike for i in listed])
        today = str(np.datetime64(self.day.open_s, "s").astype("datetime64[D]"))
        expiring = self._options[[self._expiry[int(at)] == today for at in self._options]]
        self._expiring = {base: expiring[self._base[expiring] == base]
                          for base in np.unique(self._base[expiring]).tolist()}  # fmt: skip
        listed_for: dict[int, set[str]] = {}
        for at in self._options.tolist():
            listed_for.setdefault(int(self._base[at]), set()).add(self._expiry[at])
        front = {base: min(of) for base, of in listed_for.items() if len(of) > 1}
        self._front = np.array([self._expiry[at] == front.get(int(self._base[at]))
                                for at in self._options.tolist()])  # fmt: skip
        self._tick = np.array([1 if i.kind == "INDEX" else i.tick for i in listed], np.int64)
        self._lot = np.array([i.lot for i in listed], np.int64)
        self._beta = np.array([i.beta for i in listed])
        self._own = np.array([i.own_vol for i in listed])
        self._per_second = np.array([i.day_volume for i in listed]) / (self.day.minutes * 60)
        self._start = np.array([i.price for i in listed])
        self._log: F64 = np.zeros(n)
        self._before_calm: F64 = self._log.copy()
        self._market_heat = 0.0
        self.fair: F64 = self._start.copy()
        self._reprice()

        self.best_bid: I64 = self._quantise(self.fair) - self._tick
        self.qty: I64 = self._fresh_qty(np.arange(n), 2 * LEVELS)
        self.orders: I64 = self._fresh_orders(self.qty)
        self.ltp: I64 = self._quantise(self.fair)
        self.ltq: I64 = np.zeros(n, np.int64)
        self.ltt_s: I64 = np.full(n, int(self.now_s) - 1, np.int64)
        self.volume: I64 = np.zeros(n, np.int64)
        self.turnover: I64 = np.zeros(n, np.int64)
        derivative = np.isin(kind, ("FUT", "CE", "PE"))
        self.oi: I64 = np.where(derivative, [open_interest(i) for i in listed], 0)
        self.oi_high, self.oi_low = self.oi.copy(), self.oi.copy()
        self.total_buy: I64 = np.rint(self._per_second * 900).astype(np.int64) + self._lot * 20
        self.total_sell = self.total_buy.copy()
        self.open, self.high, self.low, self.close = (self.ltp.copy() for _ in range(4))
        self.minutes: I64 = np.zeros((n, 6, self.day.minutes), np.int64)
        self._morning(paths)

    def _morning(self, paths: Paths) -> None:
        """The day so far, from the same paths that REST history tells."""
        done = int((self.now_s - self.day.open_s) // 60)
        for at in range(len(self.listed)):
            if done <= 0:
                break
            if at > 400:
                # Small stocks share their shape: volume and range only, to start at once.
                self.volume[at] = int(self._per_second[at] * done * 60)
                self.turnover[at] = self.volume[at] * self.ltp[at]
                continue
            bars = paths.candles(at, len(paths.days) - 1)[:, :done]
            self.open[at], self.high[at], self.low[at] = bars[1, 0], bars[2].max(), bars[3].min()
            self.volume[at] = bars[5].sum()
            self.turnover[at] = (bars[5] * bars[4]).sum()
            if len(paths.days) > 1:
                self.close[at] = paths.candles(at, len(paths.days) - 2)[4, -1]
        self.high = np.maximum(self.high, self.ltp)
        self.low = np.minimum(self.low, self.ltp)

    def plant(self, burst: Burst) -> None:
        """Schedule a burst."""
        self._bursts.append(burst)
        self.told.append(burst)

    def find(self, symbol: str) -> int:
        """Position of a symbol in the listing.

        Raises:
            KeyError: not listed.
        """
        for at, item in enumerate(self.listed):
            if item.symbol == symbol:
                return at
        raise KeyError(symbol)

    def step(self, dt_s: float, share: float) -> I64:
        """Move on by `dt_s` seconds; positions of instruments that have something to tell.

        Args:
            share: part of the instruments, 0 to 1, that may change in this step.
        """
        rng = self._rng
        n = len(self.listed)
        self.now_s += dt_s
        minute = self._minute
        of_day = np.clip(np.array([minute]), 0, self.day.minutes - 1)
        busy = float(busyness(of_day, self.day.minutes)[0])
        self._market_heat = 0.995 * self._market_heat + rng.normal(0, 0.05)
        scale = np.sqrt(dt_s / 60 / YEAR_MINUTES * busy) * np.exp(
            np.clip(self._market_heat, -1, 1) - HEAT
        )
        scale *= habits.liveliness(minute)
        push, louder = self._push(dt_s, busy)
        common = rng.normal(0, MARKET_VOL) * scale
        own = rng.normal(0, 1, n) * self._own * scale
        self._log += np.where(self._spot_like, self._beta * common + own, 0) + push
        back = habits.comes_back(minute, dt_s / 60)
        if not back:
            self._before_calm = self._log.copy()
        self._log += back * (self._before_calm - self._log)
        self._log[self._vix] = np.log(habits.vix_share(minute)) + np.clip(
            -4.5 * self._log[0], -0.6, 0.9
        )
        self._pin_down(minute, dt_s / 60)
        self._reprice()

        active = rng.random(n) < share
        active |= louder > 1
        self._move_books(active)
        self._trade(active, dt_s * busy / max(share, 1e-9), louder)
        changed: I64 = np.flatnonzero(active)
        return changed

    def _push(self, dt_s: float, busy: float) -> tuple[F64, F64]:
        """Drift and volume factor of the bursts in force; new ones arise at random."""
        if self._rng.random() < self._bursts_per_hour * dt_s / 3600:
            stocks = np.flatnonzero(self._spot_like & (self._per_second > 0))
            at = int(self._rng.choice(stocks[: min(len(stocks), 20)]))
            side = 1 if self._rng.random() < 0.5 else -1
            lasting = self._rng.random() < LASTING_SHARE
            seconds, strength = (600, (0.12, 0.2)) if lasting else (45, (0.5, 1.3))
            self.plant(Burst(at, self.now_s, self.now_s + seconds, side,
                             float(self._rng.uniform(*strength))))  # fmt: skip
        push = np.zeros(len(self.listed))
        louder = np.ones(len(self.listed))
        for burst in self._bursts:
            if burst.from_s <= self.now_s < burst.to_s:
                push[burst.at] += burst.side * burst.strength * 0.004 * dt_s / 45
                louder[burst.at] = 14 * burst.strength
        self._bursts = [b for b in self._bursts if b.to_s > self.now_s]
        return push, louder

    @property
    def _minute(self) -> float:
        """Minutes since the open."""
        return (self.now_s - self.day.open_s) / 60

    def _pin_down(self, minute: float, minutes: float) -> None:
        """On its day of expiry an index is pulled to the strike where most is written."""
        share = habits.pull(minute, minutes)
        if not share:
            return
        for base, places in self._expiring.items():
            at = places[np.argmax(self.oi[places])]
            strike = float(self.listed[int(at)].strike)
            off = np.log(strike / self._start[base]) - self._log[base]
            self._log[base] += share * off
            both = places[self._strikes_of[places] == strike]
            grown = self.oi[both] * habits.written(minute, minutes) / self._lot[both]
            self.oi[both] += self._rng.poisson(grown) * self._lot[both]

    def _reprice(self) -> None:
        own = self._spot_like
        self.fair[own] = (self._start * np.exp(self._log))[own]
        future = self._future
        self.fair[future] = self.fair[self._base[future]] * 1.003
        at = self._options
        if len(at):
            spot = self.fair[self._base[at]]
            expiries = [self._expiry[int(i)] for i in at]
            years = np.empty(len(at))
            for expiry in dict.fromkeys(expiries):
                chosen = np.array([e == expiry for e in expiries])
                years[chosen] = years_to(expiry, self.now_s)
            vol = smile(spot, self._strike, float(self.fair[self._vix]))
            vol = vol * np.where(self._front, habits.hump(self._minute), 1.0)
            self.fair[at] = option_price(spot, self._strike, years, vol, self._calls)

    def _quantise(self, rupees: F64) -> I64:
        return np.maximum(np.rint(rupees * 100 / self._tick).astype(np.int64), 2) * self._tick

    def _fresh_qty(self, at: I64, columns: int) -> I64:
        typical = np.maximum(self._per_second[at] * 12 / self._lot[at], 1.5)
        lots = self._rng.lognormal(0, 0.8, (len(at), columns)) * typical[:, None]
        return np.maximum(np.rint(lots), 1).astype(np.int64) * self._lot[at][:, None]

    def _fresh_orders(self, qty: I64) -> I64:
        return np.maximum(1, np.rint(np.sqrt(qty) / self._rng.uniform(2, 7, qty.shape))).astype(
            np.int64
        )

    def _move_books(self, active: Bool) -> None:
        """Follow the fair price; levels that stay keep their queue, the others are drawn."""
        at = np.flatnonzero(active & ~self.is_index)
        if not len(at):
            return
        tick = self._tick[at]
        half = np.where(self._rng.random(len(at)) < 0.5, tick, 0)
        target = self._quantise(self.fair)[at] - half
        target = np.maximum(target, tick)
        shift = (target - self.best_bid[at]) // tick
        self.best_bid[at] = target
        place = np.arange(LEVELS)
        fresh = self._fresh_qty(at, 2 * LEVELS)
        fresh_orders = self._fresh_orders(fresh)
        for side, sign in ((0, -1), (1, 1)):
            part = slice(side * LEVELS, (side + 1) * LEVELS)
            source = place[None, :] + sign * shift[:, None]
            kept = (source >= 0) & (source < LEVELS)
            source = np.clip(source, 0, LEVELS - 1)
            stirred = kept & (self._rng.random(kept.shape) > 0.25)
            self.qty[at, part] = np.where(
                stirred, np.take_along_axis(self.qty[at, part], source, 1), fresh[:, part]
            )
            self.orders[at, part] = np.where(
                stirred, np.take_along_axis(self.orders[at, part], source, 1),
                fresh_orders[:, part],
            )  # fmt: skip
        drift = self._rng.normal(0, 0.01, (2, len(at)))
        self.total_buy[at] = np.maximum(self.total_buy[at] * (1 + drift[0]), self._lot[at])
        self.total_sell[at] = np.maximum(self.total_sell[at] * (1 + drift[1]), self._lot[at])

    def _trade(self, active: Bool, seconds: float, louder: F64) -> None:
        at = np.flatnonzero(active)
        if not len(at):
            return
        index = at[self.is_index[at]]
        self.ltp[index] = self._quantise(self.fair)[index]
        at = at[~self.is_index[at]]
        lots = self._rng.poisson(
            np.minimum(self._per_second[at] * seconds * louder[at] / self._lot[at], 1e6)
        )
        at, lots = at[lots > 0], lots[lots > 0]
        ask = self.best_bid[at] + self._tick[at]
        self.ltp[at] = np.where(self._rng.random(len(at)) < 0.5, ask, self.best_bid[at])
        shares = lots * self._lot[at]
        self.volume[at] += shares
        self.turnover[at] += shares * self.ltp[at]
        largest = np.maximum(1, lots // self._rng.integers(1, 5, len(at)))
        self.ltq[at] = largest * self._lot[at]
        self.ltt_s[at] = int(self.now_s)
        deriv = at[self.oi[at] > 0]
        moved = self._rng.integers(-3, 4, len(deriv)) * self._lot[deriv]
        self.oi[deriv] = np.maximum(self.oi[deriv] + moved, self._lot[deriv])
        self.oi_high = np.maximum(self.oi_high, self.oi)
        self.oi_low = np.minimum(self.oi_low, self.oi)
        traded = np.append(index, at)
        self.high[traded] = np.maximum(self.high[traded], self.ltp[traded])
        self.low[traded] = np.minimum(self.low[traded], self.ltp[traded])
        self._note_minute(traded, np.append(np.zeros(len(index), np.int64), shares))

    def _note_minute(self, at: I64, shares: I64) -> None:
        minute = int((self.now_s - self.day.open_s) // 60)
        if not 0 <= minute < self.day.minutes:
            return
        bars = self.minutes[at, :, minute]
        price = self.ltp[at]
        new = bars[:, 5] == 0
        bars[new, 0] = price[new]
        bars[:, 1] = np.maximum(bars[:, 1], price)
        bars[:, 2] = np.where(new, price, np.minimum(bars[:, 2], price))
        bars[:, 3] = price
        bars[:, 4] += shares
        bars[:, 5] = 1
        self.minutes[at, :, minute] = bars

    def packets(self, at: I64) -> TickBatch:
        """The present state of instruments as full-mode ticks."""
        out = TickBatch(len(at))
        index = self.is_index[at]
        out.length[:] = np.where(index, INDEX_FULL, FULL)
        out.token[:] = np.array([i.token for i in self.listed], np.int64)[at]
        out.ltp[:] = self.ltp[at]
        for column, values in (
            (out.ltq, self.ltq), (out.volume, self.volume), (out.tbq, self.total_buy),
            (out.tsq, self.total_sell), (out.open, self.open), (out.high, self.high),
            (out.low, self.low), (out.close, self.close), (out.ltt_s, self.ltt_s),
            (out.oi, self.oi), (out.oi_day_high, self.oi_high), (out.oi_day_low, self.oi_low),
        ):  # fmt: skip
            column[:] = values[at]
        out.atp[:] = self.turnover[at] // np.maximum(self.volume[at], 1)
        out.exch_s[:] = int(self.now_s)
        out.change[index] = (out.ltp - out.close)[index]
        tick = self._tick[at][:, None]
        steps = np.arange(LEVELS)[None, :] * tick
        out.depth[:, :LEVELS, 1] = np.maximum(self.best_bid[at][:, None] - steps, 0)
        out.depth[:, LEVELS:, 1] = self.best_bid[at][:, None] + tick + steps
        out.depth[:, :, 0] = self.qty[at]
        out.depth[:, :, 2] = self.orders[at]
        out.depth[out.depth[:, :, 1] == 0] = 0
        out.depth[index] = 0
        return out
