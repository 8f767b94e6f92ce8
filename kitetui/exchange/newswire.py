"""The newswire: an RSS feed that says why the simulated market's bursts happened."""

from __future__ import annotations

from collections.abc import Sequence
from email.utils import formatdate
from xml.sax.saxutils import escape

from kitetui.exchange.listing import Listed
from kitetui.exchange.market import Burst

ITEMS_MAX = 40
_GOOD = ("shares surge as quarterly profit beats estimates", "rallies on a record order win",
         "gains after a broker's upgrade", "jumps on a surprise buyback")  # fmt: skip
_BAD = ("shares slump as margins miss estimates", "falls after a broker's downgrade",
        "drops on a regulator's probe", "slips as a large block changes hands")  # fmt: skip
_ITEM = '<item><title>{}</title><pubDate>{}</pubDate><guid isPermaLink="false">{}</guid></item>'
_INITIALS = {"HDFC", "ICICI", "ITC", "NTPC"}
"""Words that a paper writes in capitals, by which the companies are known."""


def newswire(bursts: Sequence[Burst], listed: Sequence[Listed], now_s: float) -> bytes:
    """RSS 2.0 of the bursts that have begun, newest first."""
    items: list[str] = []
    for burst in reversed(bursts):
        if burst.from_s > now_s or len(items) == ITEMS_MAX:
            continue
        texts = _GOOD if burst.side > 0 else _BAD
        number = int(burst.from_s) + burst.at
        title = f"{_written(listed[burst.at])} {texts[number % len(texts)]}"
        items.append(_ITEM.format(escape(title), formatdate(burst.from_s), number))
    return (
        '<?xml version="1.0" encoding="utf-8"?><rss version="2.0"><channel>'
        f"<title>Simulated Wire</title>{''.join(items)}</channel></rss>"
    ).encode()


def _written(company: Listed) -> str:
    words = company.name.split()
    return " ".join(word if word in _INITIALS else word.title() for word in words)
