"""The universe as prices move: options that come near the money join, and nothing leaves.

Strikes that were near the money once stay until the day is over: straddles and alerts are made of
them. Which contracts have expired, and which is the nearest, the next day's start tells.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping

import msgspec

from kitetui.engine.market.instruments import Instrument
from kitetui.settings import UniverseSettings


class Chain(msgspec.Struct, frozen=True):
    """The options of one underlying and expiry, and the token whose price is its money."""

    money: int
    strikes: list[float]
    options: dict[float, list[Instrument]]

    def near(self, price: float, count: int) -> Iterable[Instrument]:
        """Options within so many strikes of a price."""
        at = bisect_left(self.strikes, price)
        if at and (at == len(self.strikes)
                   or price - self.strikes[at - 1] <= self.strikes[at] - price):  # fmt: skip
            at -= 1
        for strike in self.strikes[max(at - count, 0) : at + count + 1]:
            yield from self.options[strike]


class Universe:
    """What a universe's rules ask for beside what was chosen in the morning."""

    def __init__(self, table: Mapping[int, Instrument], rules: UniverseSettings,
                 index_names: Mapping[str, str]) -> None:  # fmt: skip
        self._strikes = rules.strikes
        self._chains: list[Chain] = []
        if rules.strikes and rules.options_of:
            self._chains = _chains(table, rules, index_names)

    def joining(self, price: Callable[[int], float], known: set[int]) -> list[Instrument]:
        """Options that are near the money now and not known yet.

        Args:
            price: of a token in rupees, 0 where nothing is known.
        """
        out: dict[int, Instrument] = {}
        for chain in self._chains:
            money = price(chain.money)
            if money > 0:
                out.update((option.token, option) for option in chain.near(money, self._strikes)
                           if option.token not in known)  # fmt: skip
        return list(out.values())


def _chains(table: Mapping[int, Instrument], rules: UniverseSettings,
            index_names: Mapping[str, str]) -> list[Chain]:  # fmt: skip
    listed: dict[str, list[Instrument]] = {}
    futures: dict[str, list[Instrument]] = {}
    indices = {index_names.get(i.tradingsymbol, i.name): i.token
               for i in table.values() if i.is_index}  # fmt: skip
    for i in table.values():
        if i.exchange in ("NFO", "BFO") and i.kind in ("CE", "PE"):
            listed.setdefault(i.name, []).append(i)
        elif i.exchange in ("NFO", "BFO") and i.kind == "FUT":
            futures.setdefault(i.name, []).append(i)
    names = sorted(listed) if rules.options_of == ["*"] else rules.options_of
    out = []
    for name in names:
        options = listed.get(name, [])
        near = sorted(futures.get(name, []), key=lambda i: i.expiry)
        money = near[0].token if near else indices.get(name, 0)
        for expiry in sorted({i.expiry for i in options})[: rules.expiries]:
            by_strike: dict[float, list[Instrument]] = {}
            for option in options:
                if option.expiry == expiry:
                    by_strike.setdefault(option.strike, []).append(option)
            out.append(Chain(money, sorted(by_strike), by_strike))
    return out
