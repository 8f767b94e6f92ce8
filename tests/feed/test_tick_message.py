"""Ticks of other programs as JSON: whatever they call things, the packet says the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kitetui.config import load
from kitetui.engine.feed import wire
from kitetui.engine.feed.tick_message import TickError, read_ticks
from tests.samples import full_tick

FIELDS = load().fields
OFFICIAL: dict[str, Any] = wire.to_dicts(full_tick(oi=7, tbq=5, tsq=6, oi_day_high=9))[0]


def packet(tick: Any) -> bytes:
    (found,) = read_ticks(json.dumps(tick).encode(), FIELDS, wire.DIVISORS, lambda *_: 738561)
    return found.packet


def test_the_official_shape_is_the_packet_itself() -> None:
    assert packet(OFFICIAL) == wire.encode_packets(full_tick(oi=7, tbq=5, tsq=6, oi_day_high=9))[0]


@pytest.mark.parametrize("changes", [
    {"last_price": None, "ltp": 1412.0}, {"volume_traded": None, "volume": 1000},
    {"volume_traded": None, "zerodha_cumulative_volume": "1000"},
    {"exchange_timestamp": "2025-12-15T09:15:00+05:30"},
    {"exchange_timestamp": "2025-12-15 09:15:00"},
    {"exchange_timestamp": OFFICIAL["exchange_timestamp"] * 1000},
    {"instrument_token": None, "tradingsymbol": "RELIANCE", "exchange": "NSE"},
    {"oi_day_low": -1},
])  # fmt: skip
def test_other_names_and_units_say_the_same(changes: dict[str, Any]) -> None:
    changed = {k: v for k, v in {**OFFICIAL, **changes}.items() if v is not None}
    assert packet(changed) == packet(OFFICIAL)


def test_orders_that_were_read_as_32_bits_are_repaired() -> None:
    changed = json.loads(json.dumps(OFFICIAL))
    for side in changed["depth"].values():
        for level in side:
            level["orders"] <<= 16
    assert packet(changed) == packet(OFFICIAL)


def test_a_flat_book_is_a_book() -> None:
    flat = {k: v for k, v in OFFICIAL.items() if k != "depth"}
    for side, official in (("b", "buy"), ("a", "sell")):
        for n, level in enumerate(OFFICIAL["depth"][official], 1):
            flat |= {f"{side}p{n}": level["price"], f"{side}q{n}": level["quantity"],
                     f"{side}o{n}": level["orders"]}  # fmt: skip
    assert packet(flat) == packet(OFFICIAL)


@pytest.mark.parametrize(("data", "words"), [
    (b"{", "not JSON"), (b"7", "expected an object"), (b"[[]]", "expected an object"),
    (b'{"ltp": 5}', "no instrument_token"), (b'{"token": 5}', "no price"),
    (b'{"token": 5, "ltp": "x"}', "last_price: expected a number"),
    (b'{"token": 5, "ltp": 1e12}', "does not fit"),
    (b'{"token": 5, "ltp": 1e308}', "does not fit"),
    (b'{"token": 5, "ltp": 1, "ltt": "0001-01-01T00:00:00"}', "not a time"),
    (b'{"token": 5, "ltp": 1, "ltt": "noon"}', "not a time"),
    (b'{"token": 5, "ltp": 1, "depth": {"buy": [3]}}', "expected objects"),
])  # fmt: skip
def test_what_is_no_tick_is_said(data: bytes, words: str) -> None:
    with pytest.raises(TickError, match=words):
        read_ticks(data, FIELDS, wire.DIVISORS, lambda *_: None)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["token", "ltp", "depth", "buy", "ohlc", "open", "ltt", "volume", "bp1", "quantity"]),
        inner, max_size=6), max_leaves=20)  # fmt: skip


@given(JSON | st.binary(max_size=60))
def test_anything_is_a_tick_or_a_sentence(value: Any) -> None:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    try:
        for tick in read_ticks(data, FIELDS, wire.DIVISORS, lambda *_: 5):
            decoded = wire.decode([wire.encode_frame([tick.packet])])
            assert len(decoded.batch) == 1
    except TickError as error:
        assert str(error)
