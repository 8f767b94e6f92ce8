"""The newsroom: which instruments a headline is about, how it sounds, and which alerts it tags."""

from __future__ import annotations

import re
from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from kitetui.engine.alerts.news_item import NewsItem
from kitetui.engine.feed.news import SYMBOLS_MAX, Headline
from kitetui.engine.market.instruments import Instrument, Rows
from kitetui.settings import NewsSettings

REMEMBERED = 5000
"""Headlines known, to tell a repetition."""
SHORTEST_SYMBOL, SHORTEST_NAME = 3, 4
LOUD = 0.2
"""Sentiment from which on a headline counts as good or bad."""
_WORD = re.compile(r"[A-Z0-9&-]+")
_FORMS = {"LIMITED", "LTD", "CORP", "CORPORATION", "CO", "COMPANY", "INC"}
"""Words of a company's name that people leave out."""
_TAILS = {"INDUSTRIES", "SERVICES", "SERV", "INDIA", "ENTERPRISES"}
"""Last words of a name that people often leave out."""
_COMMON = {"BANK", "COAL", "STATE", "OIL", "POWER", "STEEL", "GAS", "INDIAN", "INDIA", "NATIONAL",
           "UNITED", "GENERAL", "LIFE", "ASIAN", "CENTRAL", "UNION", "CANARA", "OF", "AND", "THE",
           "CEMENT", "MOTORS", "FINANCE", "CAPITAL", "ENERGY", "GREEN", "GLOBAL", "FUTURE",
           "INFRA", "MEDIA", "SUGAR", "PAPER", "GOLD", "SILVER", "HOTEL", "HOTELS"}  # fmt: skip
"""Words that alone name nobody."""


class Newsroom:
    """Headlines, newest last. A pure function of the headlines and instruments it was told.

    Attributes:
        items: the newest ones; repeated: how many came again.
    """

    NOT_STATE = ("_tone",)

    def __init__(self, settings: NewsSettings, rows: Rows) -> None:
        self._settings = settings
        self._rows = rows
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._names: dict[str, list[tuple[tuple[str, ...], str]]] = {}
        self._symbols: set[str] = set()
        self._learned = 0
        self._tone: Tone | None = None
        self.items: deque[NewsItem] = deque(maxlen=settings.kept)
        self.repeated = 0

    def take(self, headlines: Iterable[Headline], now_s: int) -> list[NewsItem]:
        """Take headlines in; those that are not known yet, with what they are about.

        Args:
            now_s: the session second, for those that do not say when they were published.
        """
        self._learn()
        out = []
        for headline in headlines:
            key = (headline.source, headline.title)
            if key in self._known:
                self.repeated += 1
                continue
            self._known[key] = None
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
            sentiment = headline.sentiment
            item = NewsItem(
                headline.at_s or now_s, headline.source, headline.title, headline.link,
                headline.symbols or self._about(headline.title),
                self._sound(headline.title) if sentiment is None else sentiment,
            )  # fmt: skip
            self.items.append(item)
            out.append(item)
        return out

    def tags(self, instrument: Instrument, now_s: int) -> tuple[str, ...]:
        """Words for an alert on an instrument: how the newest headline about it sounds."""
        self._learn()
        since = now_s - self._settings.tag_minutes * 60
        about = [
            item for item in self.items
            if since <= item.at_s <= now_s
            and (instrument.tradingsymbol in item.symbols or instrument.name in item.symbols)
        ]  # fmt: skip
        if not about:
            return ()
        newest = max(about, key=lambda item: item.at_s)
        return (f"news {newest.sentiment:+.1f}",)

    def prepare(self) -> None:
        """Read the lexicon, which takes a while; else the first headline waits for it."""
        if self._tone is None:
            self._tone = Tone(self._settings.words)

    def _sound(self, title: str) -> float:
        self.prepare()
        assert self._tone is not None
        return self._tone.of(title)

    def _learn(self) -> None:
        """Instruments were added: their symbols and companies' names, and what was about them."""
        if self._learned == len(self._rows.instruments):
            return
        for instrument in self._rows.instruments[self._learned :]:
            if instrument.kind != "EQ" or instrument.is_index:
                continue
            symbol = instrument.tradingsymbol
            if len(symbol) >= SHORTEST_SYMBOL:
                self._symbols.add(symbol)
            for words in _names(instrument.name):
                self._names.setdefault(words[0], []).append((words, symbol))
                self._names[words[0]].sort(key=lambda name: -len(name[0]))
        self._learned = len(self._rows.instruments)
        for at, item in enumerate(self.items):
            if not item.symbols and (about := self._about(item.title)):
                self.items[at] = msgspec.structs.replace(item, symbols=about)

    def _about(self, title: str) -> tuple[str, ...]:
        """Symbols written out in capitals, and companies by name, the longest that fits."""
        found = [word for word in _WORD.findall(title) if word in self._symbols]
        words = _WORD.findall(title.upper())
        for at, word in enumerate(words):
            fits = [(name, symbol) for name, symbol in self._names.get(word, ())
                    if tuple(words[at : at + len(name)]) == name]  # fmt: skip
            found += [symbol for name, symbol in fits if len(name) == len(fits[0][0])]
        return tuple(dict.fromkeys(found))[:SYMBOLS_MAX]


def _names(name: str) -> list[tuple[str, ...]]:
    """What people call a company: its words, and without the last where that still names it."""
    whole = tuple(word for word in _WORD.findall(name.upper()) if word not in _FORMS)
    short = whole[:-1] if whole and whole[-1] in _TAILS else whole
    return [
        words
        for words in dict.fromkeys((whole, short))
        if len(" ".join(words)) >= SHORTEST_NAME
        and not (len(words) == 1 and words[0] in _COMMON)
        and words[-1] not in ("OF", "AND", "THE")
    ]


class Tone:
    """How a headline sounds, by VADER's lexicon (Hutto and Gilbert 2014) and words of the market.

    VADER knows people's talk: in a market `shares` are neither good nor bad, and a cut is bad.
    """

    def __init__(self, words: Mapping[str, float]) -> None:
        from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

        self._analyzer: Any = SentimentIntensityAnalyzer()
        self._analyzer.lexicon.update(words)

    def of(self, title: str) -> float:
        """-1 to 1."""
        return float(self._analyzer.polarity_scores(title)["compound"])
