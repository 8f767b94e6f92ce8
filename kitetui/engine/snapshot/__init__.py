"""Everything a viewer may see, as one immutable message; a view asks for what it shows."""

from kitetui.engine.alerts.alert import WAITING, Alert, AlertState, Origin, Priority
from kitetui.engine.alerts.line import Line as BoardLine
from kitetui.engine.alerts.news_item import NewsItem
from kitetui.engine.snapshot.charts import (
    Bucket,
    Candle,
    Chart,
    EqualBucket,
    Mark,
    OptionChain,
    Strike,
    StrikeSide,
    VolumeAt,
    Volumes,
)
from kitetui.engine.snapshot.engine import (
    LATENCY_MS,
    Event,
    Flood,
    Header,
    Ingestion,
    Link,
    Stage,
    Threshold,
)
from kitetui.engine.snapshot.instrument import (
    BookReading,
    ChainReading,
    Depth,
    Level,
    Numbers,
    OptionReading,
    ProfileReading,
    Reading,
    Watch,
)
from kitetui.engine.snapshot.picture import Snapshot
from kitetui.engine.snapshot.redis import Group, Publication, Server, Stream
from kitetui.engine.snapshot.view import COUNT_MAX, SORTS, WORDS_MAX, View, Watching

__all__ = ["Alert", "AlertState", "BoardLine", "BookReading", "Bucket", "COUNT_MAX", "Candle",
           "ChainReading", "Chart", "Depth", "EqualBucket", "Event", "Flood", "Group", "Header",
           "Ingestion", "LATENCY_MS", "Level", "Link", "Mark", "NewsItem", "Numbers",
           "OptionChain", "OptionReading", "Origin", "Priority", "ProfileReading",
           "Publication", "Reading", "SORTS", "Server", "Snapshot", "Stage", "Stream", "Strike",
           "StrikeSide", "Threshold", "View", "VolumeAt", "Volumes", "WAITING", "WORDS_MAX",
           "Watch", "Watching"]  # fmt: skip
