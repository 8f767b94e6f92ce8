"""Everything a viewer may see, as one immutable message; a view asks for what it shows."""

from __future__ import annotations

import msgspec

from kitetui.engine.alerts.alert import WAITING, Alert, AlertState, Origin, Priority
from kitetui.engine.alerts.line import Line as BoardLine
from kitetui.engine.alerts.news_item import NewsItem
from kitetui.engine.health.server import ServerStats

__all__ = ["Alert", "AlertState", "BoardLine", "BookReading", "Bucket", "ChainReading", "Depth",
           "Event", "Flood", "Group", "Header", "Level", "Link", "NewsItem", "Numbers",
           "OptionReading", "Origin", "Priority", "ProfileReading", "Reading", "Snapshot",
           "SORTS", "Stream", "View", "WAITING", "Watch", "Watching"]  # fmt: skip


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


class Link(msgspec.Struct, frozen=True):
    """One connection to the ticker."""

    connection: int
    state: str
    reason: str


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The one line that is always visible. Times in seconds, latencies in ms.

    `login`: what is to be said of the access token's age, '' for nothing;
    `urgent`: unacknowledged alerts of P1; `bells`: how often people were told something so far;
    `notify`: what the channels to people elsewhere wait for, '' for nothing.
    """

    simulated: bool
    source: str
    state: str
    reason: str
    market: str
    session_s: float
    links: tuple[Link, ...]
    subscribed: int
    ticks_per_s: float
    ticks: int
    gaps: int
    latency_p50_ms: float
    latency_p99_ms: float
    loop_lag_p99_ms: float
    redis_state: str
    redis_reason: str
    redis_ms: float
    spooled: int
    max_lag: int | None
    unacked: int
    urgent: int
    alerts: int
    bells: int
    notify: str
    journal: str
    memory_mb: float
    warmed: int
    warm_wanted: int
    frame_age_s: float
    login: str = ""


class Watch(msgspec.Struct, frozen=True):
    """One line of the watchlist. Prices in rupees; `change_pct` None without a close."""

    token: int
    symbol: str
    ltp: float
    change_pct: float | None
    volume: int
    age_s: float
    stale: bool
    trend: tuple[float, ...]
    decimals: int
    oi: int = 0


class Level(msgspec.Struct, frozen=True):
    """One price of the book."""

    price: float
    quantity: int
    orders: int


class BookReading(msgspec.Struct, frozen=True):
    """What a book says: rupees and shares, None where undefined; `flow` by `book.FLOWS`."""

    spread: float | None
    microprice: float | None
    imbalance: float | None
    bid_total: int
    ask_total: int
    largest_price: float
    largest_quantity: int
    flow: dict[str, int]


class Numbers(msgspec.Struct, frozen=True):
    """Indicators of one timeframe, None where undefined; warm once Wilder's have settled."""

    timeframe: str
    bars: int
    warm: bool
    ema20: float | None
    rsi: float | None
    atr: float | None
    adx: float | None
    vwap: float | None
    vwap_sd: float | None
    volume_ratio: float | None


class ProfileReading(msgspec.Struct, frozen=True):
    """Levels of the developing profile, of the last session's and of the composite, rupees.

    `average_gap`: our VWAP over the exchange's average price, less one; None unless both tell of
    the same trades.
    """

    poc: float
    vah: float
    val: float
    vpin: float | None
    past_poc: float | None
    past_vah: float | None
    past_val: float | None
    composite_poc: float | None = None
    average_gap: float | None = None


class ChainReading(msgspec.Struct, frozen=True):
    """One chain: rupees, volatility a year's share; `by`: what told the forward."""

    name: str
    expiry: str
    days: float
    forward: float | None
    by: str
    strike: float | None
    straddle: float | None
    straddle_vwap: float | None
    volatility: float | None
    pcr: float | None
    max_pain: float | None
    call_wall: float | None
    put_wall: float | None
    rank: float | None
    percentile: float | None
    rank_days: int
    rank_of: str


class OptionReading(msgspec.Struct, frozen=True):
    """One option: theta a day, vega a volatility point; `reason` why it has no volatility."""

    volatility: float | None
    reason: str
    delta: float | None
    gamma: float | None
    theta: float | None
    vega: float | None
    oi_change: int | None


class Reading(msgspec.Struct, frozen=True):
    """Everything that is computed of one instrument."""

    book: BookReading | None
    frames: tuple[Numbers, ...]
    profile: ProfileReading | None
    chain: ChainReading | None
    option: OptionReading | None


class Depth(msgspec.Struct, frozen=True, kw_only=True):
    """The book of one instrument. `mode` is the last packet's: depth exists only in full."""

    token: int
    symbol: str
    mode: str
    is_index: bool
    decimals: int
    tick_size: float
    lot_size: int
    ltp: float
    last_quantity: int
    last_trade_s: int
    change_pct: float | None
    direction: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    open: float
    high: float
    low: float
    close: float
    average: float
    volume: int
    oi: int
    total_buy: int
    total_sell: int
    age_s: float
    stale: bool
    reading: Reading | None = None


class Candle(msgspec.Struct, frozen=True):
    """One bar; `vwap`: since the session's open; `uncertain`: not every trade of it was seen."""

    start_s: int
    open: float
    high: float
    low: float
    close: float
    volume: int
    vwap: float | None
    uncertain: bool


class Mark(msgspec.Struct, frozen=True, order=True):
    """An alert on a chart: when its bar began, its side, priority and pattern."""

    at_s: int
    side: int
    priority: str
    pattern: str


class Chart(msgspec.Struct, frozen=True):
    """Bars of one instrument, the oldest first; the last one grows where it is `forming`."""

    minutes: int
    candles: tuple[Candle, ...]
    forming: bool
    poc: float | None
    vah: float | None
    val: float | None
    marks: tuple[Mark, ...]


class StrikeSide(msgspec.Struct, frozen=True):
    """A call or a put; None where undefined or not known."""

    token: int
    last: float | None
    volatility: float | None
    delta: float | None
    oi: int
    oi_change: int | None
    volume: int


class Strike(msgspec.Struct, frozen=True):
    """One strike of a chain; None for an option that is not watched."""

    price: float
    call: StrikeSide | None
    put: StrikeSide | None


class OptionChain(msgspec.Struct, frozen=True):
    """The options of one underlying and expiry; `money`: the strike nearest the forward."""

    name: str
    expiry: str
    expiries: tuple[str, ...]
    forward: float | None
    money: float | None
    reading: ChainReading
    strikes: tuple[Strike, ...]


class Stage(msgspec.Struct, frozen=True):
    """How long a stage takes, in ms; `counts`: how many of the newest lie in each of
    `LATENCY_MS`."""

    name: str
    p50_ms: float
    p90_ms: float
    p99_ms: float
    most_ms: float
    counts: tuple[int, ...]


LATENCY_MS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0)
"""Upper ends of the classes in which latencies are counted; a last one has what is beyond."""


class Ingestion(msgspec.Struct, frozen=True):
    """What came in, what became of it, and how fast that goes."""

    stages: tuple[Stage, ...] = ()
    counts: tuple[tuple[str, int], ...] = ()
    gaps: tuple[str, ...] = ()


class Bucket(msgspec.Struct, frozen=True):
    """Five minutes of one instrument; `open_now` while it still grows.

    `uncertain`: not every trade in it was seen; `backfilled`: the exchange's history told of some.
    """

    start_s: int
    open: float
    high: float
    low: float
    close: float
    vwap: float
    volume: int
    buy: int
    sell: int
    ticks: int
    uncertain: bool
    open_now: bool
    backfilled: bool = False


class EqualBucket(msgspec.Struct, frozen=True):
    """A bucket of equal volume: its number of the day, its end, and how long it took."""

    number: int
    end_s: int
    seconds: int
    vwap: float
    buy: int
    sell: int


class VolumeAt(msgspec.Struct, frozen=True):
    """Shares traded from a price up to the next one."""

    price: float
    volume: int


class Volumes(msgspec.Struct, frozen=True):
    """A session's volume, not by time: by equal buckets, the newest first, and by price, the
    highest first.

    Attributes:
        size: shares a bucket, 0 where no past session tells the usual volume.
        filled: how full the open bucket is; vpin: None before 50 of them.
    """

    size: int = 0
    filled: float = 0.0
    vpin: float | None = None
    buckets: tuple[EqualBucket, ...] = ()
    prices: tuple[VolumeAt, ...] = ()


class Stream(msgspec.Struct, frozen=True):
    """A Redis stream, or a family of them (`count` of them, summed up by their name).

    Attributes:
        rates: entries a second over the last polls, oldest first.
        capped_in_s: until its cap is reached at this rate; None where it is, or never will be.
        age_s: of its oldest entry; ours: whether the contract knows it; error: what is wrong.
    """

    name: str
    length: int
    cap: int
    in_per_s: float | None
    groups: int
    db: int = 0
    rates: tuple[float, ...] = ()
    capped_in_s: float | None = None
    age_s: float = 0.0
    count: int = 1
    ours: bool = True
    error: str = ""
    server: str = ""
    family: bool = False


class Group(msgspec.Struct, frozen=True):
    """A consumer group and how far it is behind; `oldest_s`: age of its oldest pending entry."""

    stream: str
    name: str
    lag: int | None
    lag_at_least: bool
    lag_s: float
    pending: int
    idle_s: float
    consumers: int
    out_per_s: float | None
    lost: int | None
    state: str
    db: int = 0
    oldest_s: float = 0.0
    server: str = ""


class Server(msgspec.Struct, frozen=True):
    """A Redis server: its own figures, and what could not be asked (`error`)."""

    name: str
    stats: ServerStats
    error: str = ""
    foreign: int = 0


class Publication(msgspec.Struct, frozen=True):
    """What the engine writes to Redis, and how that goes."""

    profile: str = ""
    state: str = ""
    reason: str = ""
    published: int = 0
    spooled: int = 0
    dropped: int = 0
    refilled: int = 0
    refused: int = 0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    behind_s: float = 0.0
    troubles: tuple[str, ...] = ()


class Flood(msgspec.Struct, frozen=True):
    """What people are told, and what is held back.

    Attributes:
        active: whether alerts go into digests, since session second `since_s`.
        pending: alerts that the next digest stands for; held: those of all digests.
        told, urgent, digests: messages so far; overflowed: alerts that left unseen.
        minutes: the last ones: minute, candidates, raised, told.
    """

    active: bool = False
    since_s: int = 0
    pending: int = 0
    held: int = 0
    told: int = 0
    urgent: int = 0
    digests: int = 0
    overflowed: int = 0
    minutes: tuple[tuple[int, ...], ...] = ()


class Event(msgspec.Struct, frozen=True):
    """A line of the log."""

    at_s: int
    source: str
    text: str


class Threshold(msgspec.Struct, frozen=True):
    """A threshold that can be changed: its value and that of the files, in JSON.

    `actor`: who changed it, '' where it is as in the files.
    """

    key: str
    value: str
    of_files: str
    actor: str


class Snapshot(msgspec.Struct, frozen=True):
    """One consistent picture of the engine.

    `found`: symbols and tokens that were looked for.
    `explained`: lines of plain text on the alert that was asked about; none where it is gone.
    `focus`: the token that depth and buckets are of.
    `watch_total`: rows of the watchlist as it is looked at, of `watch_all`; `watch_at`: the place
    of the focus among them, -1 where it is not; `watch_groups`: names and sizes.
    `silences`: a line for each pattern and timeframe; `listed`: what a view asked to be listed.
    """

    header: Header
    watch_total: int
    watch_from: int
    watch: tuple[Watch, ...]
    depth: Depth | None
    buckets: tuple[Bucket, ...]
    streams: tuple[Stream, ...]
    groups: tuple[Group, ...]
    streams_error: str
    streams_age_s: float
    alerts: tuple[Alert, ...]
    events: tuple[Event, ...]
    news: tuple[NewsItem, ...] = ()
    board: tuple[BoardLine, ...] = ()
    explained: tuple[str, ...] = ()
    silences: tuple[str, ...] = ()
    listed: tuple[str, ...] = ()
    thresholds: tuple[Threshold, ...] = ()
    flood: Flood = Flood()
    servers: tuple[Server, ...] = ()
    publication: Publication = Publication()
    volumes: Volumes = Volumes()
    chart: Chart | None = None
    chain: OptionChain | None = None
    ingestion: Ingestion = Ingestion()
    found: tuple[tuple[str, int], ...] = ()
    focus: int = 0
    watch_all: int = 0
    watch_at: int = -1
    watch_groups: tuple[tuple[str, int], ...] = ()
