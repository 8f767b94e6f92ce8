"""Past minutes: price paths that end where the live market begins, and their volumes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from kitetui.exchange.listing import Listed

F64 = npt.NDArray[np.float64]
STEPS_A_MINUTE = 4
MARKET_VOL = 0.12
"""The market's volatility, a year's share."""
YEAR_MINUTES = 252 * 375
RATE = 0.065
OI_LOTS = 18_000


class Day(msgspec.Struct, frozen=True):
    """One session, epoch seconds."""

    open_s: int
    close_s: int

    @property
    def minutes(self) -> int:
        return (self.close_s - self.open_s) // 60


def busyness(minute: F64, minutes: int) -> F64:
    """How busy a minute of the session is: U-shaped, mean about 1."""
    x = minute / max(minutes - 1, 1)
    shape: F64 = (
        0.62 + 2.4 * np.exp(-x * 18) + 0.9 * np.exp(-(1 - x) * 14) + 0.35 * (2 * x - 1) ** 2
    )
    return shape


def normal_cdf(x: F64) -> F64:
    """Standard normal distribution function (Abramowitz and Stegun 26.2.17, error < 7.5e-8)."""
    t = 1 / (1 + 0.2316419 * np.abs(x))
    poly = t * (0.319381530 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978
                + t * 1.330274429))))  # fmt: skip
    upper = poly * np.exp(-x * x / 2) / np.sqrt(2 * np.pi)
    return np.asarray(np.where(x >= 0, 1 - upper, upper))


def option_price(spot: F64, strike: Any, years: Any, vol: Any, is_call: Any) -> F64:
    """Black-Scholes value in rupees, never below a tick."""
    years = np.maximum(years, 1e-6)
    spread = vol * np.sqrt(years)
    d1 = (np.log(spot / strike) + (RATE + vol * vol / 2) * years) / spread
    d2 = d1 - spread
    discounted = strike * np.exp(-RATE * years)
    call = spot * normal_cdf(d1) - discounted * normal_cdf(d2)
    value: F64 = np.where(is_call, call, call - spot + discounted)
    return np.asarray(np.maximum(value, 0.05))


def smile(spot: F64, strike: Any, vix: float) -> F64:
    """Implied volatility of a strike: higher away from the money, more so below it."""
    distance = np.log(strike / spot)
    vol: F64 = vix / 100 * (1 + 6 * distance**2 - 0.9 * distance)
    return vol


class Paths:
    """History of every instrument, a pure function of (seed, instrument).

    Prices are pinned: at `start_s` each equals its listed price, where the live market starts.
    """

    def __init__(self, listed: Sequence[Listed], days: Sequence[Day], start_s: int,
                 seed: int) -> None:  # fmt: skip
        self.listed = listed
        self.days = days
        self.start_s = start_s
        self._seed = seed
        self._lengths = [day.minutes * STEPS_A_MINUTE for day in days]
        today = days[-1]
        self._pin = sum(self._lengths[:-1]) + max(
            0, min((start_s - today.open_s) * STEPS_A_MINUTE // 60, self._lengths[-1] - 1)
        )
        self._market = self._walk(np.random.default_rng([seed, 1 << 20]), MARKET_VOL)
        self._cache: dict[int, F64] = {}

    def _walk(self, rng: np.random.Generator, vol: float) -> F64:
        """A log price path with clustered volatility, zero at the pin."""
        n = sum(self._lengths)
        heat = np.zeros(n)
        shocks = rng.normal(0, 0.12, n)
        for at in range(0, n, 60):
            stop = min(at + 60, n)
            heat[at:stop] = (0.9 * heat[at - 1] if at else 0.0) + shocks[at] * 2
        busy = np.concatenate([
            busyness(np.repeat(np.arange(day.minutes, dtype=np.float64), STEPS_A_MINUTE),
                     day.minutes) for day in self.days
        ])  # fmt: skip
        sigma = vol / np.sqrt(YEAR_MINUTES * STEPS_A_MINUTE)
        steps = rng.normal(0, sigma, n) * np.sqrt(busy) * np.exp(np.clip(heat, -1, 1))
        steps *= sigma * np.sqrt(n) / np.sqrt(np.sum(steps**2))
        edges = np.cumsum(self._lengths)[:-1]
        steps[edges] += rng.normal(0, vol / np.sqrt(252) * 0.4, len(edges))
        path = np.cumsum(steps)
        return np.asarray(path - path[self._pin])

    def spot(self, at: int) -> F64:
        """An instrument's price at every quarter minute, rupees."""
        if at not in self._cache:
            if len(self._cache) > 64:
                self._cache.clear()
            self._cache[at] = self._spot(at)
        return self._cache[at]

    def _spot(self, at: int) -> F64:
        item = self.listed[at]
        if item.symbol == "INDIA VIX":
            return np.asarray(item.price * np.exp(-4.5 * self._market))
        if item.kind in ("INDEX", "EQ"):
            own = self._walk(np.random.default_rng([self._seed, item.token]), item.own_vol)
            return np.asarray(item.price * np.exp(item.beta * self._market + own))
        base = self.spot(item.underlying)
        if item.kind == "FUT":
            return np.asarray(base * 1.003)
        vix = float(self.listed[2].price)
        seconds = np.concatenate([
            day.open_s + np.arange(length) * 60 / STEPS_A_MINUTE
            for day, length in zip(self.days, self._lengths, strict=True)
        ])  # fmt: skip
        years = years_to(item.expiry, seconds)
        return option_price(base, item.strike, years, smile(base, item.strike, vix),
                            item.kind == "CE")  # fmt: skip

    def volumes(self, at: int, day: int) -> npt.NDArray[np.int64]:
        """Shares traded in each minute of a day, whole lots: i64 (minutes,)."""
        item = self.listed[at]
        minutes = self.days[day].minutes
        if not item.day_volume:
            return np.zeros(minutes, np.int64)
        rng = np.random.default_rng([self._seed, item.token, self.days[day].open_s])
        busy = busyness(np.arange(minutes, dtype=np.float64), minutes)
        mean = item.day_volume / minutes * busy * np.exp(rng.normal(0, 0.45, minutes) - 0.1)
        lots = np.rint(mean * np.exp(rng.normal(0, 0.25)) / item.lot).astype(np.int64)
        return np.asarray(lots * item.lot)

    def candles(self, at: int, day: int) -> npt.NDArray[np.int64]:
        """A day's minute bars: i64 (7, minutes): start second, o, h, l, c in paise, volume, OI."""
        item = self.listed[at]
        first = sum(self._lengths[:day])
        path = self.spot(at)[first : first + self._lengths[day]]
        step = 1 if item.kind == "INDEX" else item.tick
        paise = np.rint(path * 100 / step).astype(np.int64).reshape(-1, STEPS_A_MINUTE) * step
        paise = np.maximum(paise, step)
        out = np.zeros((7, self.days[day].minutes), np.int64)
        out[0] = self.days[day].open_s + 60 * np.arange(self.days[day].minutes)
        out[1], out[4] = paise[:, 0], paise[:, -1]
        out[2], out[3] = paise.max(axis=1), paise.min(axis=1)
        out[5] = self.volumes(at, day)
        if item.kind in ("FUT", "CE", "PE"):
            out[6] = open_interest(item)
        return out


def open_interest(item: Listed) -> int:
    """Open interest in the morning, whole lots."""
    return max(round(OI_LOTS * item.oi_share), 1) * item.lot


def years_to(expiry: str, seconds: Any) -> F64:
    """Years from epoch seconds to 15:30 IST of a date."""
    end = np.datetime64(f"{expiry}T10:00:00", "s").astype(np.int64)
    return np.asarray(np.maximum((end - np.asarray(seconds)) / (365 * 86_400), 1e-6))
