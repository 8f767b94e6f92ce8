"""One instrument: its line, its book, and what is computed of it."""

from __future__ import annotations

import msgspec


class Watch(msgspec.Struct, frozen=True):
    """One line of the watchlist. Prices in rupees; `change_pct` None without a close."""

    token: int
    symbol: str
    ltp: float
    change_pct: float | None
    volume: int
    age_s: float
    stale: bool
    trend: tuple[float, ...]
    decimals: int
    oi: int = 0


class Level(msgspec.Struct, frozen=True):
    """One price of the book."""

    price: float
    quantity: int
    orders: int


class BookReading(msgspec.Struct, frozen=True):
    """What a book says: rupees and shares, None where undefined; `flow` by `book.FLOWS`."""

    spread: float | None
    microprice: float | None
    imbalance: float | None
    bid_total: int
    ask_total: int
    largest_price: float
    largest_quantity: int
    flow: dict[str, int]


class Numbers(msgspec.Struct, frozen=True):
    """Indicators of one timeframe, None where undefined; warm once Wilder's have settled."""

    timeframe: str
    bars: int
    warm: bool
    ema20: float | None
    rsi: float | None
    atr: float | None
    adx: float | None
    vwap: float | None
    vwap_sd: float | None
    volume_ratio: float | None


class ProfileReading(msgspec.Struct, frozen=True):
    """Levels of the developing profile, of the last session's and of the composite, rupees.

    `average_gap`: our VWAP over the exchange's average price, less one; None unless both tell of
    the same trades.
    """

    poc: float
    vah: float
    val: float
    vpin: float | None
    past_poc: float | None
    past_vah: float | None
    past_val: float | None
    composite_poc: float | None = None
    average_gap: float | None = None


class ChainReading(msgspec.Struct, frozen=True):
    """One chain: rupees, volatility a year's share; `by`: what told the forward."""

    name: str
    expiry: str
    days: float
    forward: float | None
    by: str
    strike: float | None
    straddle: float | None
    straddle_vwap: float | None
    volatility: float | None
    pcr: float | None
    max_pain: float | None
    call_wall: float | None
    put_wall: float | None
    rank: float | None
    percentile: float | None
    rank_days: int
    rank_of: str


class OptionReading(msgspec.Struct, frozen=True):
    """One option: theta a day, vega a volatility point; `reason` why it has no volatility."""

    volatility: float | None
    reason: str
    delta: float | None
    gamma: float | None
    theta: float | None
    vega: float | None
    oi_change: int | None


class Reading(msgspec.Struct, frozen=True):
    """Everything that is computed of one instrument."""

    book: BookReading | None
    frames: tuple[Numbers, ...]
    profile: ProfileReading | None
    chain: ChainReading | None
    option: OptionReading | None


class Depth(msgspec.Struct, frozen=True, kw_only=True):
    """The book of one instrument. `mode` is the last packet's: depth exists only in full."""

    token: int
    symbol: str
    mode: str
    is_index: bool
    decimals: int
    tick_size: float
    lot_size: int
    ltp: float
    last_quantity: int
    last_trade_s: int
    change_pct: float | None
    direction: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    open: float
    high: float
    low: float
    close: float
    average: float
    volume: int
    oi: int
    total_buy: int
    total_sell: int
    age_s: float
    stale: bool
    reading: Reading | None = None
