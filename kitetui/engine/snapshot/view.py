"""What a screen shows now, and so asks for."""

from __future__ import annotations

import msgspec

COUNT_MAX = 10_000
"""No screen shows more of anything: all instruments that Kite carries, and some."""
WORDS_MAX = 512
SORTS = ("", "symbol", "price", "change", "volume", "oi", "age")
"""What a watchlist is sorted by; '' is as subscribed."""


class Watching(msgspec.Struct, frozen=True):
    """How somebody looks at the watchlist.

    Attributes:
        sort: one of `SORTS`, the most first; reverse: the least first.
        text: words that symbol or name must hold, with `!` those that they must not.
        group: an asset class, `focus`, or '' for all.
    """

    sort: str = ""
    reverse: bool = False
    text: str = ""
    group: str = ""

    def __post_init__(self) -> None:
        if len(self.sort) + len(self.text) + len(self.group) > WORDS_MAX:
            raise ValueError(f"a watchlist is looked at by at most {WORDS_MAX} characters")


class View(msgspec.Struct, frozen=True):
    """What a screen shows now.

    Attributes:
        focus: token of the instrument in the depth and bucket panes; 0 for the first row.
        watch_from, watch_count: rows of the watchlist on screen; watching: how it is ordered.
        buckets, alerts, events, news: how many of each fit; board: whether the scoreboard is shown.
        volumes: whether its volume is shown by equal buckets and by price.
        chart: bars of `chart_minutes`; chain: whether the option chain is shown, and its
            `expiry`, counted from the focus's own or the nearest;
        ingestion: whether feed and latencies are shown.
        find: a symbol that is looked for.
        explain: id of an alert to put into words; silence: whether to say why patterns are silent.
        history: whether to list the alerts of the day; actors: what raises the most;
            rules: the user's own; thresholds: those that can be changed.
    """

    focus: int = 0
    watch_from: int = 0
    watch_count: int = 0
    watching: Watching = Watching()
    buckets: int = 0
    alerts: int = 0
    events: int = 0
    news: int = 0
    board: bool = False
    volumes: bool = False
    chart: int = 0
    chart_minutes: int = 1
    chain: bool = False
    expiry: int = 0
    ingestion: bool = False
    find: str = ""
    explain: str = ""
    silence: bool = False
    history: bool = False
    actors: bool = False
    rules: bool = False
    thresholds: bool = False

    def __post_init__(self) -> None:
        for name in _COUNTED:
            if not 0 <= getattr(self, name) <= COUNT_MAX:
                raise ValueError(f"a view's {name} is from 0 to {COUNT_MAX}")
        if not 0 <= self.focus < 1 << 32 or not 1 <= self.chart_minutes <= 1_440:
            raise ValueError("a view's focus is a token, its bars are of 1 to 1,440 minutes")
        if len(self.find) + len(self.explain) > WORDS_MAX or abs(self.expiry) > COUNT_MAX:
            raise ValueError(f"a view asks by at most {WORDS_MAX} characters")


_COUNTED = ("watch_from", "watch_count", "buckets", "alerts", "events", "news", "chart")
