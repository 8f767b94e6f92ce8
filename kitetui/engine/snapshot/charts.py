"""Bars, volumes and chains: what is drawn over time, by price or by strike."""

from __future__ import annotations

import msgspec

from kitetui.engine.snapshot.instrument import ChainReading


class Candle(msgspec.Struct, frozen=True):
    """One bar; `vwap`: since the session's open; `uncertain`: not every trade of it was seen."""

    start_s: int
    open: float
    high: float
    low: float
    close: float
    volume: int
    vwap: float | None
    uncertain: bool


class Mark(msgspec.Struct, frozen=True, order=True):
    """An alert on a chart: when its bar began, its side, priority and pattern."""

    at_s: int
    side: int
    priority: str
    pattern: str


class Chart(msgspec.Struct, frozen=True):
    """Bars of one instrument, the oldest first; the last one grows where it is `forming`."""

    minutes: int
    candles: tuple[Candle, ...]
    forming: bool
    poc: float | None
    vah: float | None
    val: float | None
    marks: tuple[Mark, ...]


class StrikeSide(msgspec.Struct, frozen=True):
    """A call or a put; None where undefined or not known."""

    token: int
    last: float | None
    volatility: float | None
    delta: float | None
    oi: int
    oi_change: int | None
    volume: int


class Strike(msgspec.Struct, frozen=True):
    """One strike of a chain; None for an option that is not watched."""

    price: float
    call: StrikeSide | None
    put: StrikeSide | None


class OptionChain(msgspec.Struct, frozen=True):
    """The options of one underlying and expiry; `money`: the strike nearest the forward."""

    name: str
    expiry: str
    expiries: tuple[str, ...]
    forward: float | None
    money: float | None
    reading: ChainReading
    strikes: tuple[Strike, ...]


class Bucket(msgspec.Struct, frozen=True):
    """Five minutes of one instrument; `open_now` while it still grows.

    `uncertain`: not every trade in it was seen; `backfilled`: the exchange's history told of some.
    """

    start_s: int
    open: float
    high: float
    low: float
    close: float
    vwap: float
    volume: int
    buy: int
    sell: int
    ticks: int
    uncertain: bool
    open_now: bool
    backfilled: bool = False


class EqualBucket(msgspec.Struct, frozen=True):
    """A bucket of equal volume: its number of the day, its end, and how long it took."""

    number: int
    end_s: int
    seconds: int
    vwap: float
    buy: int
    sell: int


class VolumeAt(msgspec.Struct, frozen=True):
    """Shares traded from a price up to the next one."""

    price: float
    volume: int


class Volumes(msgspec.Struct, frozen=True):
    """A session's volume, not by time: by equal buckets, the newest first, and by price, the
    highest first.

    Attributes:
        size: shares a bucket, 0 where no past session tells the usual volume.
        filled: how full the open bucket is; vpin: None before 50 of them.
    """

    size: int = 0
    filled: float = 0.0
    vpin: float | None = None
    buckets: tuple[EqualBucket, ...] = ()
    prices: tuple[VolumeAt, ...] = ()
