"""A universe's tokens: focus first, options around the money, as many expiries as asked for."""

from __future__ import annotations

from datetime import date

import msgspec
import pytest

from kitetui.config import load
from kitetui.engine.market.instruments import Instrument, choose, read_table
from kitetui.exchange.listing import listing, table

WATCH = load().universes["watch"]
TABLE = read_table(table(listing(date(2025, 12, 16), 0)))


def chosen(**changes: object) -> list[Instrument]:
    universe = msgspec.structs.replace(WATCH, **changes)
    return [TABLE[token] for token in choose(TABLE, universe, 9000)]


def test_focus_comes_first_and_nothing_twice() -> None:
    found = chosen()
    assert [i.symbol for i in found[: len(WATCH.focus)]] == WATCH.focus
    assert len({i.token for i in found}) == len(found)


@pytest.mark.parametrize("expiries", [1, 2, 9])
def test_options_of_the_nearest_expiries_around_the_money(expiries: int) -> None:
    options = [i for i in chosen(expiries=expiries, strikes=3) if i.kind in ("CE", "PE")]
    nifty = [i for i in options if i.name == "NIFTY"]
    assert sorted({i.expiry for i in nifty}) == ["2025-12-16", "2025-12-23"][:expiries]
    for expiry in {i.expiry for i in nifty}:
        of = [i for i in nifty if i.expiry == expiry]
        assert len(of) == 14 and {i.kind for i in of} == {"CE", "PE"}
        future = next(i for i in TABLE.values() if i.kind == "FUT" and i.name == "NIFTY")
        middle = sorted({i.strike for i in of})[3]
        assert abs(middle - future.last_price) <= 50
    assert {i.expiry for i in options if i.name == "BANKNIFTY"} == {"2025-12-30"}


def test_no_more_than_the_limit() -> None:
    assert choose(TABLE, WATCH, 5) == [i.token for i in chosen()][:5]
