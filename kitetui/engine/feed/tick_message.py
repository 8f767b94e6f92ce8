"""Tick messages: ticks that other programs publish as JSON, as true Kite packets."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import orjson

from kitetui.engine.feed import wire
from kitetui.engine.feed.batch import FULL, INDEX_FULL, INDEX_QUOTE, LTP, QUOTE

ORDERS_BUG = 1 << 16
"""Order counts once were read as 32 bits: the count stood in the upper half."""
U32 = 1 << 32
TICKS_MAX = 9_000
LEVELS = 5
_IST = timezone(timedelta(seconds=19_800))
_UNITS = ((1e11, 1), (1e14, 1_000), (1e17, 1_000_000), (math.inf, 1_000_000_000))
"""Epoch numbers below a limit, and how many of their units make a second."""
_PRICES = {"last_price": "ltp", "average_traded_price": "atp", "open": "open", "high": "high",
           "low": "low", "close": "close"}  # fmt: skip
_COUNTS = {
    "last_traded_quantity": "ltq", "volume_traded": "volume", "total_buy_quantity": "tbq",
    "total_sell_quantity": "tsq", "oi": "oi", "oi_day_high": "oi_day_high",
    "oi_day_low": "oi_day_low",
}  # fmt: skip
_PACKETS = {length: struct.Struct(f">{len(words)}I") for length, words in wire.WORDS.items()}
_LEVEL = struct.Struct(">IIHxx")
_EMPTY_LEVEL = bytes(_LEVEL.size)
_EMPTY_BOOK = _EMPTY_LEVEL * 2 * LEVELS


class TickError(Exception):
    """A message that is no tick; says what is wrong with it."""


class Named(msgspec.Struct, frozen=True):
    """An instrument, as far as ticks name it."""

    token: int
    symbol: str = ""
    exchange: str = ""


class TickMessage(msgspec.Struct, frozen=True):
    """One tick of a message: its packet, and what it says of its instrument."""

    token: int
    packet: bytes
    symbol: str
    exchange: str


def read_ticks(data: bytes, fields: Mapping[str, Sequence[str]], divisors: Mapping[int, int],
               token_of: Callable[[str, str], int | None]) -> list[TickMessage]:  # fmt: skip
    """The ticks of a message: one object, or a list of them.

    Args:
        fields: the names of fields.yaml; the official nested `ohlc` and `depth` are known too.
        token_of: the token of an exchange and a symbol, for ticks that carry none.

    Raises:
        TickError: not JSON, or without instrument or price, or numbers that no packet can hold.
    """
    try:
        told = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise TickError(f"not JSON: {str(error)[:80]}") from None
    ticks = told if isinstance(told, list) else [told]
    if len(ticks) > TICKS_MAX or not all(isinstance(tick, dict) for tick in ticks):
        raise TickError("expected an object, or a list of them")
    return [_read(tick, fields, divisors, token_of) for tick in ticks]


def _read(tick: dict[str, Any], fields: Mapping[str, Sequence[str]],
          divisors: Mapping[int, int],
          token_of: Callable[[str, str], int | None]) -> TickMessage:  # fmt: skip
    symbol = str(_find(tick, fields, "tradingsymbol") or "")[:64]
    exchange = str(tick.get("exchange") or "")[:16]
    token = _count(tick, fields, "instrument_token")
    if not token:
        token = (token_of(exchange, symbol) if symbol else None) or 0
    if not token:
        raise TickError(f"no instrument_token, and no known symbol: {symbol or 'none'}")
    ohlc = tick.get("ohlc")
    if isinstance(ohlc, dict):
        tick = {**tick, **{name: ohlc[name] for name in ("open", "high", "low") if name in ohlc}}
        tick["previous_close"] = ohlc.get("close", 0)
    divisor = divisors.get(token & 0xFF, wire.DEFAULT_DIVISOR)
    words = {"token": token, "change": 0}
    if _find(tick, fields, "last_price") is None:
        raise TickError(f"no price: expected one of {', '.join(fields['last_price'])}")
    for name, word in _PRICES.items():
        words[word] = _u32(_number(_find(tick, fields, name), name) * divisor, name)
    for name, word in _COUNTS.items():
        words[word] = _count(tick, fields, name)
    words["ltt_s"] = _time(_find(tick, fields, "last_trade_time"))
    words["exch_s"] = _time(_find(tick, fields, "exchange_timestamp"))
    book = _book(tick, fields, divisor)
    length = _length(words, book is not None)
    packet = _PACKETS[length].pack(*[words[word] for word in wire.WORDS[length]])
    if length == FULL:
        packet += book or _EMPTY_BOOK
    return TickMessage(token, packet, symbol, exchange)


def _length(words: Mapping[str, int], deep: bool) -> int:
    """The packet that can say all this."""
    if words["token"] & 0xFF == wire.INDEX_SEGMENT:
        return INDEX_FULL if words["exch_s"] else INDEX_QUOTE
    if deep or words["exch_s"]:
        return FULL
    return QUOTE if words["volume"] or words["atp"] or words["close"] else LTP


def _book(tick: dict[str, Any], fields: Mapping[str, Sequence[str]],
          divisor: int) -> bytes | None:  # fmt: skip
    """The book's bytes, from the official shape or flat; None where there is none."""
    depth = tick.get("depth")
    out = []
    found = False
    for side, official in (("bid", "buy"), ("ask", "sell")):
        levels = depth.get(official) if isinstance(depth, dict) else None
        for level in range(LEVELS):
            values: list[Any] = [None, None, None]
            if isinstance(levels, list):
                told = levels[level] if level < len(levels) else {}
                if not isinstance(told, dict):
                    raise TickError(f"depth.{official}: expected objects")
                values = [told.get("quantity"), told.get("price"), told.get("orders")]
            elif not isinstance(depth, dict):
                values = [_find(tick, fields, f"{side}_{name}", level + 1)
                          for name in ("quantity", "price", "orders")]  # fmt: skip
            if values[0] is None and values[1] is None:
                out.append(_EMPTY_LEVEL)
                continue
            found = True
            orders = _u32(_number(values[2], "orders"), "orders")
            if orders >= ORDERS_BUG and orders % ORDERS_BUG == 0:
                orders >>= 16
            out.append(_LEVEL.pack(
                _u32(_number(values[0], "quantity"), "quantity"),
                _u32(_number(values[1], "price") * divisor, "price"),
                min(orders, ORDERS_BUG - 1),
            ))  # fmt: skip
    return b"".join(out) if found else None


def _find(tick: Mapping[str, Any], fields: Mapping[str, Sequence[str]], name: str,
          level: int = 0) -> Any:  # fmt: skip
    for alias in fields.get(name, ()):
        value = tick.get(alias.format(n=level))
        if value is not None:
            return value
    return None


def _number(value: Any, name: str) -> float:
    """A number, also one written as text; 0 where there is none."""
    if value is None or value == "":
        return 0.0
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise TickError(f"{name}: expected a number, got {str(value)[:40]!r}") from None
    return number if math.isfinite(number) else 0.0


def _count(tick: Mapping[str, Any], fields: Mapping[str, Sequence[str]], name: str) -> int:
    number = _number(_find(tick, fields, name), name)
    return _u32(max(number, 0.0), name)  # feeds write -1 for a quantity that they do not know


def _u32(number: float, name: str) -> int:
    whole = round(number) if 0 <= number < U32 else -1
    if not 0 <= whole < U32:
        raise TickError(f"{name}: {number:g} does not fit 32 bits without a sign")
    return whole


def _time(value: Any) -> int:
    """Epoch seconds of a number in s, ms, us or ns, or of a text; bare texts are Indian time."""
    if value is None or value == "":
        return 0
    if isinstance(value, str) and not value.replace(".", "", 1).isdigit():
        try:
            told = datetime.fromisoformat(value.replace("Z", "+00:00"))
            told = told if told.tzinfo is not None else told.replace(tzinfo=_IST)
            return _u32(max(told.astimezone(UTC).timestamp(), 0), "time")
        except (ValueError, OverflowError):
            raise TickError(f"not a time: {value[:40]!r}") from None
    number = _number(value, "time")
    unit = next(unit for limit, unit in _UNITS if number < limit)
    return _u32(number // unit, "time")
