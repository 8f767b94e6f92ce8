"""Option chains: quotes, forward, volatility, greeks, open interest; and rank among past days."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import msgspec
import numpy as np

from kitetui.engine.feed.batch import F64, I64, Bool
from kitetui.engine.market.black76 import Greeks, Implied, greeks, implied_volatility
from kitetui.engine.market.instruments import Instrument
from kitetui.settings import OptionSettings

SECONDS_A_YEAR = 365 * 86_400
PARITY_STRIKES = 3


class Chain(msgspec.Struct):
    """The listed options of one underlying and expiry, ascending strikes.

    Attributes:
        strikes: f64 (k,), rupees; call, put: i64 (k,), instrument rows, -1 where there is none.
        future: row of the future of the same expiry, -1 where there is none.
        tick: rupees.
    """

    name: str
    expiry: str
    strikes: F64
    call: I64
    put: I64
    future: int
    tick: float

    @property
    def first(self) -> int:
        """The row of its first option, which stands for it."""
        call, put = int(self.call[0]), int(self.put[0])
        return call if call >= 0 else put


class Quotes(msgspec.Struct):
    """What is known of n instruments: f64 (n,), rupees; 0 or NaN for nothing.

    `age_s`: seconds since the last trade; oi, volume: i64 (n,).
    """

    bid: F64
    ask: F64
    last: F64
    age_s: F64
    oi: I64
    volume: I64


class Side(msgspec.Struct):
    """Calls or puts of a chain, f64 or i64 (k,), NaN where undefined.

    Attributes:
        price: what the volatility is taken from; implied.reason says why it is undefined.
    """

    price: F64
    implied: Implied
    greeks: Greeks
    oi: I64
    volume: I64


class OpenInterest(msgspec.Struct, frozen=True):
    """What open interest says; NaN without any.

    Attributes:
        pcr: put over call open interest.
        max_pain: the strike at which writers of all options would pay least.
        call_wall, put_wall: strikes of the largest call and put open interest.
        top_share: the largest strike's part of all; top_strike: which.
    """

    pcr: float
    max_pain: float
    pain: float
    call_wall: float
    put_wall: float
    top_strike: float
    top_share: float


class ChainNow(msgspec.Struct):
    """One chain at one time.

    Attributes:
        years: to expiry, by minutes; 0 once expired.
        forward: rupees, NaN where neither future nor parity tells; `by`: which of them did.
        atm: place of the strike nearest the forward, -1 without a forward.
        straddle: premium of both options there; atm_volatility: mean of both.
    """

    chain: Chain
    years: float
    forward: float
    by: str
    atm: int
    calls: Side
    puts: Side
    interest: OpenInterest
    straddle: float
    atm_volatility: float


def chains_of(instruments: Sequence[Instrument]) -> list[Chain]:
    """The chains that rows of instruments make; their place in the sequence is their row.

    Options without strike, tick or lot are left out: nothing could be computed of them.
    """
    options: dict[tuple[str, str], dict[float, list[int]]] = {}
    futures: dict[tuple[str, str], int] = {}
    ticks: dict[tuple[str, str], float] = {}
    for row, listed in enumerate(instruments):
        key = (listed.name, listed.expiry)
        if not _expiry(listed.expiry):
            continue
        if listed.kind == "FUT":
            futures.setdefault(key, row)
        elif listed.kind in ("CE", "PE") and usable(listed):
            pair = options.setdefault(key, {}).setdefault(listed.strike, [-1, -1])
            pair[listed.kind == "PE"] = row
            ticks[key] = listed.tick_size
    out = []
    for key in sorted(options):
        strikes = sorted(options[key])
        rows = np.array([options[key][strike] for strike in strikes], np.int64)
        out.append(Chain(*key, np.array(strikes), rows[:, 0].copy(), rows[:, 1].copy(),
                         futures.get(key, -1), ticks[key]))  # fmt: skip
    return out


def usable(option: Instrument) -> bool:
    """Whether the table says enough of an option to compute with it."""
    return option.strike > 0 and option.tick_size > 0 and option.lot_size > 0


def _expiry(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def fair_price(quotes: Quotes, tick: float, settings: OptionSettings) -> F64:
    """Middle of bid and ask where close, else the last price where young, else NaN: f64 (n,)."""
    both = (quotes.bid > 0) & (quotes.ask > 0) & (quotes.ask >= quotes.bid)
    middle = (quotes.bid + quotes.ask) / 2
    with np.errstate(invalid="ignore"):
        widest = np.maximum(settings.spread_ticks * tick, settings.spread_share * middle)
        close = both & (quotes.ask - quotes.bid <= widest + 1e-9)
        young = (quotes.last > 0) & (quotes.age_s <= settings.last_age_s)
    return np.where(close, middle, np.where(young, quotes.last, np.nan))


def parity_forward(strikes: F64, call: F64, put: F64, years: float, rate: float) -> float:
    """Forward by put-call parity: median of K + e^(rT) (C - P) where |C - P| is smallest.

    Three strikes; NaN where no strike has both prices.
    """
    gap = call - put
    known = np.flatnonzero(np.isfinite(gap))
    if not len(known):
        return float("nan")
    nearest = known[np.argsort(np.abs(gap[known]), kind="stable")[:PARITY_STRIKES]]
    return float(np.median(strikes[nearest] + np.exp(rate * years) * gap[nearest]))


def open_interest(strikes: F64, call: I64 | F64, put: I64 | F64, spot: float) -> OpenInterest:
    """Read open interest: f64 (k,) strikes, open interest of calls and puts at each.

    Ties of max pain go to the strike nearest `spot`, then to the lower.
    """
    calls, puts = np.asarray(call, np.float64), np.asarray(put, np.float64)
    total = calls.sum() + puts.sum()
    nan = float("nan")
    if not len(strikes) or total <= 0:
        return OpenInterest(nan, nan, nan, nan, nan, nan, nan)
    distance = strikes[:, None] - strikes[None, :]
    pain = (np.maximum(distance, 0) * calls).sum(axis=1)
    pain += (np.maximum(-distance, 0) * puts).sum(axis=1)
    least = np.flatnonzero(pain == pain.min())
    chosen = least[np.argmin(np.abs(strikes[least] - spot))] if np.isfinite(spot) else least[0]
    both = calls + puts
    return OpenInterest(
        pcr=float(puts.sum() / calls.sum()) if calls.sum() > 0 else nan,
        max_pain=float(strikes[chosen]),
        pain=float(pain[chosen]),
        call_wall=float(strikes[calls.argmax()]) if calls.any() else nan,
        put_wall=float(strikes[puts.argmax()]) if puts.any() else nan,
        top_strike=float(strikes[both.argmax()]),
        top_share=float(both.max() / total),
    )


def read_chain(chain: Chain, calls: Quotes, puts: Quotes, future: float, years: float,
               settings: OptionSettings) -> ChainNow:  # fmt: skip
    """Everything a chain says.

    Args:
        future: rupees, price of the same expiry's future; NaN without one.
    """
    strikes, rate = chain.strikes, settings.rate
    call_price = fair_price(calls, chain.tick, settings)
    put_price = fair_price(puts, chain.tick, settings)
    forward, by = future, "future"
    if not np.isfinite(forward) or forward <= 0:
        forward, by = parity_forward(strikes, call_price, put_price, years, rate), "parity"
    if not np.isfinite(forward):
        by = ""
    k = len(strikes)
    both = np.concatenate([strikes, strikes])
    called: Bool = np.arange(2 * k) < k
    forwards, times = np.full(2 * k, forward), np.full(2 * k, years)
    implied = implied_volatility(
        forwards, both, times, rate, np.concatenate([call_price, put_price]), called,
        tick=chain.tick, max_points=settings.max_points_a_tick,
    )  # fmt: skip
    sensitive = greeks(forwards, both, times, rate, implied.volatility, called)
    atm = int(np.argmin(np.abs(strikes - forward))) if np.isfinite(forward) and k else -1
    volatility = implied.volatility
    at_money = volatility[[atm, k + atm]] if atm >= 0 else np.array([np.nan])
    told = at_money[np.isfinite(at_money)]
    return ChainNow(
        chain=chain,
        years=years,
        forward=forward,
        by=by,
        atm=atm,
        calls=_side(call_price, implied, sensitive, slice(0, k), calls),
        puts=_side(put_price, implied, sensitive, slice(k, None), puts),
        interest=open_interest(strikes, calls.oi, puts.oi, forward),
        straddle=float(call_price[atm] + put_price[atm]) if atm >= 0 else float("nan"),
        atm_volatility=float(told.mean()) if len(told) else float("nan"),
    )


def _side(price: F64, implied: Implied, sensitive: Greeks, part: slice, quotes: Quotes) -> Side:
    return Side(
        price=price,
        implied=Implied(implied.volatility[part], implied.reason[part]),
        greeks=Greeks(sensitive.delta[part], sensitive.gamma[part], sensitive.theta[part],
                      sensitive.vega[part]),
        oi=quotes.oi,
        volume=quotes.volume,
    )  # fmt: skip


class VolatilityRank(msgspec.Struct, frozen=True):
    """Where a volatility stands among past days, 0 to 100; NaN without them.

    Attributes:
        rank: (now - lowest) / (highest - lowest); percentile: share of days that were below.
        days: how many; label: whose.
    """

    rank: float
    percentile: float
    days: int
    label: str


def volatility_rank(now: float, own: F64, vix: F64, settings: OptionSettings) -> VolatilityRank:
    """Rank among the underlying's own days where enough are known, else among India VIX's.

    Args:
        own, vix: f64, daily closing values, oldest first, shares of one a year.
    """
    enough = len(own) >= settings.own_days
    history, label = (own, "own") if enough else (vix, "India VIX")
    history = history[-settings.rank_days :]
    nan = float("nan")
    if not len(history) or not np.isfinite(now):
        return VolatilityRank(nan, nan, len(history), label if len(history) else "")
    low, high = float(history.min()), float(history.max())
    rank = (now - low) / (high - low) * 100 if high > low else nan
    return VolatilityRank(rank, float((history < now).mean() * 100), len(history), label)
