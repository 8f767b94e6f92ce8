"""The picture: one consistent message of everything that a view asked for."""

from __future__ import annotations

import msgspec

from kitetui.engine.alerts.alert import Alert
from kitetui.engine.alerts.line import Line as BoardLine
from kitetui.engine.alerts.news_item import NewsItem
from kitetui.engine.snapshot.charts import Bucket, Chart, OptionChain, Volumes
from kitetui.engine.snapshot.engine import Event, Flood, Header, Ingestion, Threshold
from kitetui.engine.snapshot.instrument import Depth, Watch
from kitetui.engine.snapshot.redis import Group, Publication, Server, Stream


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
