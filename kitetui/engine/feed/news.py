"""News: headlines as they come in feeds (RSS, Atom) and messages, without I/O."""

from __future__ import annotations

import calendar
import html
import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

TITLE_MAX, LINK_MAX, SOURCE_MAX = 300, 500, 60
SYMBOLS_MAX = 8
ENTRIES_MAX = 200
_TAGS = re.compile(r"<[^>]{0,200}>")
_WORDS = {"positive": 0.5, "bullish": 0.5, "negative": -0.5, "bearish": -0.5, "neutral": 0.0}


class Headline(msgspec.Struct, frozen=True):
    """One headline.

    Attributes:
        at_s: epoch second it was published; 0 where it does not say.
        symbols: trading symbols that it names itself; sentiment: -1 to 1, as it says itself.
    """

    at_s: int
    source: str
    title: str
    link: str = ""
    symbols: tuple[str, ...] = ()
    sentiment: float | None = None


class NewsError(Exception):
    """What cannot be read as news; says why."""


def read_feed(data: bytes, source: str) -> list[Headline]:
    """The entries of an RSS or Atom document, oldest first.

    Args:
        source: named where the document has no title.

    Raises:
        NewsError: it is neither.
    """
    import feedparser

    told = feedparser.parse(data, sanitize_html=False, resolve_relative_uris=False)
    entries = told.get("entries") or []
    if not told.get("version") and not entries:
        raise NewsError("is neither RSS nor Atom")
    name = tidy(str(told.get("feed", {}).get("title") or source), SOURCE_MAX)
    out = []
    for entry in entries[:ENTRIES_MAX]:
        title = tidy(str(entry.get("title", "")), TITLE_MAX)
        when = entry.get("published_parsed") or entry.get("updated_parsed")
        if title:
            at_s = calendar.timegm(when) if when else 0
            out.append(Headline(at_s, name, title, str(entry.get("link", ""))[:LINK_MAX]))
    return sorted(out, key=lambda headline: headline.at_s)


def read_message(data: bytes) -> Headline:
    """A headline from the JSON of the channel `market_data.news`.

    Raises:
        NewsError: it is no object with a title.
    """
    try:
        told = json.loads(data)
    except (ValueError, RecursionError):
        raise NewsError("a message is not JSON") from None
    if not isinstance(told, dict):
        raise NewsError("a message is no JSON object")
    title = tidy(_text(told, "title", "headline", "text"), TITLE_MAX)
    if not title:
        raise NewsError("a message has no title")
    named = told.get("symbols", told.get("symbol", ()))
    symbols = named if isinstance(named, list) else [named] if isinstance(named, str) else []
    return Headline(
        _second(told.get("time", told.get("timestamp", told.get("published")))),
        tidy(_text(told, "source", "publisher"), SOURCE_MAX) or "redis",
        title,
        _text(told, "link", "url")[:LINK_MAX],
        tuple(tidy(str(s), 40).upper() for s in symbols[:SYMBOLS_MAX] if str(s).strip()),
        _sentiment(told.get("sentiment", told.get("sentiment_score"))),
    )


def tidy(text: str, length: int) -> str:
    """One line of plain text: markup and entities resolved, spaces joined, cut."""
    plain = html.unescape(_TAGS.sub(" ", text[: 4 * length]))
    return " ".join(plain.split())[:length]


def _text(told: Mapping[str, Any], *names: str) -> str:
    found = next((told[name] for name in names if told.get(name)), "")
    return found if isinstance(found, str) else ""


def _second(value: object) -> int:
    """Epoch seconds, milliseconds, or an ISO time; 0 where it is none of them."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        second = float(value) / 1000 if value > 1e11 else float(value)
        return int(second) if 0 < second < 1 << 33 else 0
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        return 0
    return max(int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()), 0)


def _sentiment(value: object) -> float | None:
    if isinstance(value, str):
        return _WORDS.get(value.strip().lower())
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        return min(max(float(value), -1.0), 1.0)
    return None
