"""What we detect: plain functions over arrays. Importing the package registers the families."""

from kitetui.engine.patterns import (
    accumulation,
    breakout,
    context,
    displacement,
    kow,
    liquidity,
    momentum,
    options,
    profile,
    traps,
    volume,
)

__all__ = [
    "accumulation",
    "breakout",
    "context",
    "displacement",
    "kow",
    "liquidity",
    "momentum",
    "options",
    "profile",
    "traps",
    "volume",
]
