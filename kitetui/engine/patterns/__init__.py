"""What we detect: plain functions over arrays. Importing the package registers the families."""

from kitetui.engine.patterns import (
    accumulation,
    breakout,
    context,
    displacement,
    liquidity,
    momentum,
    profile,
    volume,
)

__all__ = [
    "accumulation",
    "breakout",
    "context",
    "displacement",
    "liquidity",
    "momentum",
    "profile",
    "volume",
]
