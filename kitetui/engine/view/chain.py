"""The option chain of one instrument's underlying, strike by strike."""

from __future__ import annotations

from kitetui.engine import snapshot as view
from kitetui.engine.feed.batch import COLUMNS
from kitetui.engine.flow.pipeline import Pipeline
from kitetui.engine.market.options import Chain, ChainNow, Side
from kitetui.engine.view.reading import Reader, defined

STRIKES_MAX = 121
"""More than are looked at; those nearest to the money come first."""
_LTP = COLUMNS.index("ltp")


class Chains:
    """Reads the engine's state; changes nothing."""

    def __init__(self, pipeline: Pipeline, reader: Reader) -> None:
        self._market = pipeline.market
        self._reader = reader
        self._names = pipeline.settings.options.index_names

    def of(self, row: int, expiry: int) -> view.OptionChain | None:
        """The chain of a row's underlying; None where nothing of it is watched.

        Args:
            expiry: which of its expiries, 0 for the nearest, or for the row's own where it has one.
        """
        name, own = self._underlying(row)
        chains = sorted((s.chain for s in self._market.chains.straddles if s.chain.name == name),
                        key=lambda chain: chain.expiry)  # fmt: skip
        if not chains:
            return None
        expiries = tuple(chain.expiry for chain in chains)
        nearest = expiries.index(own) if own in expiries else 0
        at = (nearest + expiry) % len(chains)
        chain = chains[at]
        now = self._market.chain_reader.now(chain, self._market.session_s)
        money = now.atm if now.atm >= 0 else len(chain.strikes) // 2
        first = max(min(money - STRIKES_MAX // 2, len(chain.strikes) - STRIKES_MAX), 0)
        strikes = range(first, min(first + STRIKES_MAX, len(chain.strikes)))
        return view.OptionChain(
            name=chain.name,
            expiry=chain.expiry,
            expiries=expiries,
            forward=defined(now.forward),
            money=float(chain.strikes[now.atm]) if now.atm >= 0 else None,
            reading=self._reader.told(now),
            strikes=tuple(self._strike(chain, now, k) for k in strikes),
        )

    def _underlying(self, row: int) -> tuple[str, str]:
        """What a row's derivatives are called, and its own expiry, '' without one."""
        listed = self._market.rows.instruments[row]
        if listed.kind in ("CE", "PE", "FUT"):
            return listed.name, listed.expiry
        return self._names.get(listed.tradingsymbol, listed.tradingsymbol), ""

    def _strike(self, chain: Chain, now: ChainNow, k: int) -> view.Strike:
        return view.Strike(
            float(chain.strikes[k]),
            self._side(int(chain.call[k]), now.calls, k),
            self._side(int(chain.put[k]), now.puts, k),
        )

    def _side(self, row: int, side: Side, k: int) -> view.StrikeSide | None:
        market = self._market
        if row < 0:
            return None
        seen = int(market.packets.length[row]) > 0
        opened = int(market.chains.oi_open[row])
        interest = int(side.oi[k])
        return view.StrikeSide(
            token=int(market.rows.token[row]),
            last=market.rows.price(row, market.packets.cols[row][_LTP]) if seen else None,
            volatility=defined(side.implied.volatility[k]),
            delta=defined(side.greeks.delta[k]),
            oi=interest,
            oi_change=interest - opened if opened >= 0 else None,
            volume=int(side.volume[k]),
        )
