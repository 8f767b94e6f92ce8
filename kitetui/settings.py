"""The tree of settings: every key of the files with its type and its limits."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

Positive = Annotated[float, msgspec.Meta(gt=0)]
Count = Annotated[int, msgspec.Meta(ge=0)]
AtLeastOne = Annotated[int, msgspec.Meta(ge=1)]
BarCount = Annotated[int, msgspec.Meta(ge=1, le=10_000)]
NotNegative = Annotated[float, msgspec.Meta(ge=0)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A mapping of the files; unknown keys are errors."""


class FeedSettings(_Section, frozen=True):
    source: Literal["kite", "redis"]
    redis_ticks: Literal["auto", "stream", "channel"]
    table: str
    url: str
    rest_url: str
    instruments: str | list[str | int]
    mode: Literal["full", "quote", "ltp"]
    speed: str | float
    connect_timeout_s: Positive
    stale_after_s: Positive
    backoff_min_s: Positive
    backoff_max_s: Positive
    refused_wait_s: Positive
    max_connections: Annotated[int, msgspec.Meta(ge=1, le=3)]
    max_per_connection: Annotated[int, msgspec.Meta(ge=1, le=3000)]
    max_frame_bytes: Annotated[int, msgspec.Meta(ge=1024)]
    gap_after_s: Positive
    warmup_sessions: Count
    warmup_instruments: Count
    history_per_s: Positive
    backfill_instruments: Count
    divisors: dict[Annotated[int, msgspec.Meta(ge=0, le=255)], AtLeastOne]
    spare_rows: Count
    new_day: str

    @property
    def new_day_s(self) -> int:
        """Second of the Indian day at which a running engine begins a day."""
        hour, minute = self.new_day.split(":")
        return int(hour) * 3600 + int(minute) * 60

    @property
    def speed_factor(self) -> float | None:
        """Seconds of market per second of ours; None for `max`: time moves by packets alone."""
        return None if self.speed == "max" else float(self.speed)


class LoginSettings(_Section, frozen=True):
    url: str
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)]


class NormaliseSettings(_Section, frozen=True):
    ahead_s: Positive
    confirmations: AtLeastOne
    jump: dict[str, Annotated[float, msgspec.Meta(gt=1)]]
    jump_slack: NotNegative


class OptionSettings(_Section, frozen=True):
    rate: Annotated[float, msgspec.Meta(ge=0, le=1)]
    spread_ticks: Positive
    spread_share: Share
    last_age_s: Positive
    max_points_a_tick: Positive
    own_days: AtLeastOne
    rank_days: AtLeastOne
    index_names: dict[str, str]


class FeedOfNews(_Section, frozen=True):
    url: str
    every_s: Annotated[float, msgspec.Meta(ge=5)]


class NewsSettings(_Section, frozen=True):
    feeds: list[FeedOfNews]
    channel: bool
    tag_minutes: Count
    kept: AtLeastOne
    words: dict[str, Annotated[float, msgspec.Meta(ge=-4, le=4)]]


class LedgerSettings(_Section, frozen=True):
    enabled: bool
    sessions: AtLeastOne


class BatchSettings(_Section, frozen=True):
    min_ticks: AtLeastOne
    max_ticks: AtLeastOne
    max_wait_ms: Positive


class JournalSettings(_Section, frozen=True):
    enabled: bool
    sync: Literal["always", "10ms", "1s"]
    compression: Literal["zstd", "lz4", "none"]
    segment_mb: AtLeastOne
    held_mb: AtLeastOne
    restore: bool
    checkpoint_s: Positive
    keyframe_min: AtLeastOne
    black_box_mb: Count
    retention_days: AtLeastOne


class ArchiveSettings(_Section, frozen=True):
    enabled: bool
    sessions: AtLeastOne
    ticks: bool
    tick_days: AtLeastOne
    journals: Literal["pack", "keep"]


PriorityName = Literal["P1", "P2", "P3"]


class BudgetSettings(_Section, frozen=True):
    told: AtLeastOne
    minutes: AtLeastOne
    flood_ends_below: AtLeastOne
    digest_s: AtLeastOne


class PrioritySettings(_Section, frozen=True):
    lift: PriorityName
    top_decile: PriorityName
    other: PriorityName


class SystemAlertSettings(_Section, frozen=True):
    priority: PriorityName
    on_delay_s: Count
    off_delay_s: Count
    inhibits: bool = False


class WatchSettings(_Section, frozen=True):
    stale_s: AtLeastOne
    redis_memory_share: Share
    redis_full_s: Count
    trim_share: Share
    disk_low_mb: Count
    memory_high_mb: AtLeastOne
    memory_max_mb: AtLeastOne
    stall_s: Positive
    skew_s: Positive
    calendar_days: Count


class AlertSettings(_Section, frozen=True):
    min_confidence: Share
    rows: AtLeastOne
    undo_s: Positive
    returned_minutes: AtLeastOne
    escalate_minutes: dict[str, AtLeastOne]
    escalations: Count
    session_shelf_minutes: AtLeastOne
    cooldown_minutes: Count
    pierce_confidence: Share
    symbol_burst: AtLeastOne
    symbol_per_hour: Positive
    flap_start: Share
    flap_stop: Share
    budget: BudgetSettings
    priorities: PrioritySettings
    rules: list[str]
    system: dict[str, SystemAlertSettings]
    watch: WatchSettings


class TelegramSettings(_Section, frozen=True):
    base_url: str
    chat_id: str | int


class WebhookSettings(_Section, frozen=True):
    url: str


class MetricsSettings(_Section, frozen=True):
    listen: str


class AttachSettings(_Section, frozen=True):
    view_group: str
    operate_group: str

    @property
    def groups(self) -> dict[str, str]:
        """The system's group of each role; '' is the engine's user alone."""
        return {"ro": self.view_group, "rw": self.operate_group}


class ScreenSettings(_Section, frozen=True):
    hz: Annotated[float, msgspec.Meta(ge=1, le=10)]
    theme: Literal["kite-cb", "classic", "light", "high-contrast", "mono", "ansi-16"]
    ascii: bool
    mouse: bool
    flash: bool
    lite: Literal["auto", "always", "never"]
    on_hangup: Literal["stop", "detach"]
    bell: bool
    desktop: Literal["off", "osc9", "osc777"]
    keys: dict[str, str]


class StoreSettings(_Section, frozen=True):
    db: Annotated[int, msgspec.Meta(ge=0, le=15)]
    prefix: str


class CapSettings(_Section, frozen=True):
    ticks: AtLeastOne
    packed: AtLeastOne
    symbol_ticks: AtLeastOne
    five_seconds: AtLeastOne
    ohlc: AtLeastOne
    flow: AtLeastOne
    premarket: AtLeastOne
    alerts: AtLeastOne
    patterns: AtLeastOne
    news: AtLeastOne
    metrics: AtLeastOne
    bytes: AtLeastOne
    seconds: Positive


class RedisSettings(_Section, frozen=True):
    """`keys` and `channels` are templates by the names of `redis_contract`."""

    url: str
    profile: Literal["auto", "full", "lean", "packed", "alerts"]
    compress: Literal["zstd", "none"]
    legacy_keys: bool
    commands: bool
    deadline_ms: Positive
    flush_commands: AtLeastOne
    conflate_ms: Positive
    focus_rows: Count
    ttl_s: AtLeastOne
    keep_s: AtLeastOne
    health_s: AtLeastOne
    lease_s: AtLeastOne
    poll_s: Positive
    watch: list[str]
    spool_bytes: AtLeastOne
    stores: dict[str, StoreSettings]
    keys: dict[str, str]
    channels: dict[str, str]
    caps: CapSettings
    ages_s: dict[str, AtLeastOne]

    @property
    def effective_profile(self) -> Literal["full", "lean", "packed", "alerts"]:
        """`auto` is lean for the embedded server and full for a server that others read."""
        if self.profile == "auto":
            return "lean" if self.url == "embedded" else "full"
        return self.profile


class PatternSettings(_Section, frozen=True):
    enabled: bool
    timeframes: list[Literal["1m", "5m", "15m"]]
    cooldown_bars: BarCount
    horizon_bars: BarCount
    min_bars: BarCount
    target_atr: Positive
    stop_atr: Positive
    params: dict[str, float]
    ramps: dict[str, Annotated[list[float], msgspec.Meta(min_length=2, max_length=3)]]


class UniverseSettings(_Section, frozen=True):
    focus: list[str]
    indices: list[str]
    futures_of: list[str]
    options_of: list[str]
    expiries: AtLeastOne
    strikes: Count
    stocks: list[str]


class HoursSettings(_Section, frozen=True, rename={"from_": "from"}):
    open: str
    close: str
    from_: str = ""
    pre_open: str = ""
    auction_end: str = ""
    segments: list[str] = []


class RiskSettings(_Section, frozen=True):
    capital: Positive
    risk_per_trade_pct: Positive
    max_position_pct: Positive
    max_lots: AtLeastOne
    max_symbol_risk_pct: Positive
    max_underlying_risk_pct: Positive
    max_direction_risk_pct: Positive
    max_open_risk_pct: Positive
    max_plans_a_day: AtLeastOne
    daily_drawdown_pct: Positive
    rolling_drawdown_pct: Positive
    rolling_days: AtLeastOne


class OutcomeSettings(_Section, frozen=True):
    force_close_min: Count
    costs_pct: dict[str, NotNegative]


class ZoneSettings(_Section, frozen=True):
    minutes: AtLeastOne
    after_open: Count | None = None
    before_close: Count | None = None


class EventSettings(_Section, frozen=True):
    at: str
    what: str
    names: list[str]


class CalendarSettings(_Section, frozen=True):
    covers: tuple[str, str]
    hours: dict[str, list[HoursSettings]]
    holidays: list[str]
    special: dict[str, HoursSettings | list[HoursSettings]]
    events: list[EventSettings]


class Settings(_Section, frozen=True):
    """The whole tree. `patterns` and `reference` come from thresholds.yaml."""

    feed: FeedSettings
    login: LoginSettings
    normalise: NormaliseSettings
    options: OptionSettings
    batch: BatchSettings
    journal: JournalSettings
    archive: ArchiveSettings
    ledger: LedgerSettings
    news: NewsSettings
    alerts: AlertSettings
    telegram: TelegramSettings
    webhook: WebhookSettings
    notify: dict[Literal["P1", "P2", "P3", "digest"], Literal["on", "silent", "off"]]
    outcomes: OutcomeSettings
    risk: RiskSettings
    zones: dict[str, ZoneSettings]
    attach: AttachSettings
    metrics: MetricsSettings
    screen: ScreenSettings
    redis: RedisSettings
    fields: dict[str, list[str]]
    universes: dict[str, UniverseSettings]
    calendar: CalendarSettings
    patterns: dict[str, PatternSettings]
    reference: dict[str, dict[str, list[float]]]

    @property
    def focus(self) -> list[str]:
        """Symbols that come first wherever not all can be served."""
        asked = self.feed.instruments
        if isinstance(asked, str):
            return self.universes[asked].focus
        return [item for item in asked if isinstance(item, str)]
