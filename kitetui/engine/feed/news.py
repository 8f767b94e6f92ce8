"""News: headlines as they come in feeds (RSS, Atom) and messages, without I/O."""

from __future__ import annotations

import calendar
import html
import io
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

    try:
        # As a stream: bytes that name a file or an address would be opened.
        told = feedparser.parse(io.BytesIO(data), sanitize_html=False, resolve_relative_uris=False)
    except Exception as error:  # noqa: BLE001 - whatever a parser of anything may raise
        raise NewsError(f"cannot be read: {type(error).__name__}") from None
    entries = told.get("entries") or []
    if not told.get("version") and not entries:
        raise NewsError("is neither RSS nor Atom")
    name = tidy(str(told.get("feed", {}).get("title") or source), SOURCE_MAX)
    out = []
    for entry in entries[:ENTRIES_MAX]:
        title = tidy(str(entry.get("title", "")), TITLE_MAX)
        when = entry.get("published_parsed") or entry.get("updated_parsed")
        if title:
            link = tidy(str(entry.get("link", "")), LINK_MAX)
            out.append(Headline(_published(when), name, title, link))
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
        tidy(_text(told, "link", "url"), LINK_MAX),
        tuple(tidy(str(s), 40).upper() for s in symbols[:SYMBOLS_MAX] if str(s).strip()),
        _sentiment(told.get("sentiment", told.get("sentiment_score"))),
    )


def tidy(text: str, length: int) -> str:
    """One line of plain text: markup and entities resolved, spaces joined, cut.

    Halves of surrogate pairs, which no encoding holds, become question marks.
    """
    plain = html.unescape(_TAGS.sub(" ", text[: 4 * length]))
    plain = plain.encode("utf-8", "replace").decode()
    return " ".join(plain.split())[:length]


def _text(told: Mapping[str, Any], *names: str) -> str:
    found = next((told[name] for name in names if told.get(name)), "")
    return found if isinstance(found, str) else ""


def _published(when: object) -> int:
    """Epoch second of a feed's time; 0 where it is none."""
    try:
        return max(calendar.timegm(when), 0) if isinstance(when, tuple) else 0
    except (ValueError, OverflowError, TypeError):
        return 0


def _number(value: object) -> float | None:
    """A finite number; None for anything else, also for one that no float holds."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def _second(value: object) -> int:
    """Epoch seconds, milliseconds, or an ISO time; 0 where it is none of them."""
    number = _number(value)
    if number is not None:
        second = number / 1000 if number > 1e11 else number
        return int(second) if 0 < second < 1 << 33 else 0
    try:
        at = datetime.fromisoformat(str(value))
        # Times near the calendar's ends leave it on the way to UTC.
        return max(int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()), 0)
    except (ValueError, OverflowError):
        return 0


def _sentiment(value: object) -> float | None:
    if isinstance(value, str):
        return _WORDS.get(value.strip().lower())
    number = _number(value)
    return None if number is None else min(max(number, -1.0), 1.0)
