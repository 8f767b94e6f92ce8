"""Which options join as the money moves."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from kitetui.config import load
from kitetui.engine.day.universe import Universe
from kitetui.engine.market.instruments import Instrument

RULES = msgspec.structs.replace(load().universes["watch"], options_of=["NIFTY"], strikes=3,
                                expiries=2)  # fmt: skip
NAMES = load().options.index_names
INDEX, FUTURE = 256265, 40_001 << 8 | 2
STRIKES = [25_000.0 + 50 * n for n in range(41)]
EXPIRIES = ("2026-12-01", "2026-12-08", "2026-12-15")


def table(future: bool = True) -> dict[int, Instrument]:
    out = [Instrument(token=INDEX, tradingsymbol="NIFTY 50", exchange="NSE", name="NIFTY 50")]
    if future:
        out.append(Instrument(token=FUTURE, tradingsymbol="NIFTY26DECFUT", exchange="NFO",
                              name="NIFTY", kind="FUT", expiry="2026-12-29"))  # fmt: skip
    number = 50_000
    for expiry in EXPIRIES:
        for strike in STRIKES:
            for kind in ("CE", "PE"):
                number += 1
                out.append(Instrument(
                    token=number << 8 | 2, tradingsymbol=f"NIFTY{expiry}{strike:.0f}{kind}",
                    exchange="NFO", name="NIFTY", kind=kind, strike=strike, expiry=expiry,
                ))  # fmt: skip
    return {i.token: i for i in out}


@given(st.lists(st.floats(24_000, 28_000), min_size=1, max_size=20))
def test_all_that_was_near_the_money_is_watched_and_nothing_joins_twice(
    prices: list[float],
) -> None:
    universe, known = Universe(table(), RULES, NAMES), set()
    for price in prices:
        fresh = universe.joining(lambda token, p=price: p if token == FUTURE else 1.0, known)
        assert not known & {i.token for i in fresh}
        known |= {i.token for i in fresh}
        at = min(range(len(STRIKES)), key=lambda n: (abs(STRIKES[n] - price), n))
        near = set(STRIKES[max(at - 3, 0) : at + 4])
        wanted = {i.token for i in table().values()
                  if i.strike in near and i.expiry in EXPIRIES[:2]}  # fmt: skip
        assert wanted <= known
        assert not universe.joining(lambda token, p=price: p, known)


def test_without_a_future_the_index_tells_the_money_and_without_a_price_nobody_joins() -> None:
    universe = Universe(table(future=False), RULES, NAMES)
    assert universe.joining(lambda token: 0.0, set()) == []
    found = universe.joining(lambda token: 25_510.0 if token == INDEX else 0.0, set())
    assert {i.strike for i in found} == {25_350.0 + 50 * n for n in range(7)}
    assert len(found) == 7 * 2 * 2


def test_a_universe_of_all_strikes_has_nothing_to_join() -> None:
    every = msgspec.structs.replace(RULES, strikes=0)
    assert Universe(table(), every, NAMES).joining(lambda token: 25_500.0, set()) == []
