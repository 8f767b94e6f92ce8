"""Intervals of rates."""

from __future__ import annotations

import math

Z95 = 1.959963984540054


def wilson(hits: float, n: float) -> tuple[float, float]:
    """Wilson's 95 % interval of a rate; (0, 1) where there is none.

    E. B. Wilson, Probable inference, the law of succession, and statistical inference (1927).
    """
    if n <= 0:
        return 0.0, 1.0
    rate, square = hits / n, Z95 * Z95
    middle = (rate + square / (2 * n)) / (1 + square / n)
    half = Z95 / (1 + square / n) * math.sqrt(rate * (1 - rate) / n + square / (4 * n * n))
    return max(middle - half, 0.0), min(middle + half, 1.0)
