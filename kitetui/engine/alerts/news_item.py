"""A headline, as viewers get it."""

from __future__ import annotations

import msgspec


class NewsItem(msgspec.Struct, frozen=True):
    """A headline as the newsroom knows it: its symbols and how it sounds, -1 to 1."""

    at_s: int
    source: str
    title: str
    link: str
    symbols: tuple[str, ...]
    sentiment: float
