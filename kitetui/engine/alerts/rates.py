"""Rates: a token bucket for each symbol, so that no instrument takes the whole page."""

from __future__ import annotations

from collections import OrderedDict

SYMBOLS_MAX = 20_000


class Rates:
    """Tokens by symbol; refilled by session time."""

    def __init__(self, burst: int, per_hour: float) -> None:
        """`burst`: tokens a full bucket has; `per_hour`: tokens that come back."""
        self._burst = float(burst)
        self._per_s = per_hour / 3600
        self._left: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def take(self, symbol: str, at_s: int) -> bool:
        """Take a token; False where there is none."""
        left, since_s = self._left.get(symbol, (self._burst, at_s))
        left = min(left + max(at_s - since_s, 0) * self._per_s, self._burst)
        taken = left >= 1
        self._left[symbol] = (left - taken, max(at_s, since_s))
        if len(self._left) > SYMBOLS_MAX:
            self._left.popitem(last=False)
        return taken
