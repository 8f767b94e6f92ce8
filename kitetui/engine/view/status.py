"""How the engine's parts do, and the status document: one shape everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from kitetui.engine import snapshot as view
from kitetui.engine.alerts.alert import Priority
from kitetui.engine.calendar import ist
from kitetui.engine.clock import monotonic_ns, wall_ns
from kitetui.engine.day.opening import Opening
from kitetui.engine.day.restart import Restart
from kitetui.engine.door.sockets import Sockets
from kitetui.engine.feed.credentials import age, good_until_s
from kitetui.engine.feed.redis_source import RedisLink, RedisSource
from kitetui.engine.feed.replay import ReplaySource
from kitetui.engine.feed.session import Connection, LinkState
from kitetui.engine.feed.sources import KiteSource
from kitetui.engine.flow.pipeline import Pipeline
from kitetui.engine.flow.track_record import TrackRecord
from kitetui.engine.health.counters import Rate, Reservoir
from kitetui.engine.health.watchdog import Watchdog
from kitetui.engine.memory import memory_mb
from kitetui.engine.outlets.redis import RedisOutlet
from kitetui.engine.sinks.journal import JournalWriter
from kitetui.engine.sinks.notify.notifier import Notifier
from kitetui.engine.supervisor import Supervisor
from kitetui.secret import redacted_url

NS = 1_000_000_000


class Vitals(msgspec.Struct, kw_only=True):
    """How the engine's parts do, for viewers; the core keeps it up to date."""

    started_ns: int
    simulated: bool
    latency_ms: Reservoir
    loop_lag_ms: Reservoir
    rate: Rate
    redis: RedisOutlet
    source: KiteSource | RedisSource | None = None
    replay: ReplaySource | None = None
    opening: Opening | None = None
    restart: Restart | None = None
    restoring: bool = False
    journal: JournalWriter | None = None
    track_record: TrackRecord | None = None
    notifier: Notifier | None = None
    watchdog: Watchdog | None = None
    supervisor: Supervisor | None = None
    sockets: Sockets | None = None

    @property
    def source_name(self) -> str:
        """Where ticks come from: kite, redis or replay."""
        if self.replay is not None:
            return "replay"
        return "redis" if isinstance(self.source, RedisSource) else "kite"

    @property
    def warm_wanted(self) -> int:
        """Instruments that are asked for their history."""
        return self.opening.warm_wanted if self.opening else 0

    def journal_status(self, now_ns: int) -> dict[str, Any]:
        """What is written, or what is played."""
        if self.replay is not None:
            files = self.replay.files
            return {"path": str(files.paths[0]), "bytes": files.bytes, "synced_age_s": None,
                    "unread_bytes": files.unread_bytes,
                    "lost_batches": files.lost_batches}  # fmt: skip
        if self.journal is None:
            return {"path": None, "bytes": 0, "synced_age_s": None}
        age_s = round((now_ns - self.journal.synced_ns) / NS, 3)
        return {"path": str(self.journal.path), "bytes": self.journal.bytes,
                "synced_age_s": age_s, "failed": self.journal.failed,
                "held_bytes": self.journal.held_bytes,
                "lost_batches": self.journal.lost_batches}  # fmt: skip

    def login(self) -> str:
        """What is to be said of the access token's age; '' for nothing."""
        if self.simulated or not isinstance(self.source, KiteSource):
            return ""
        return age(self.source.credentials, wall_ns() / NS)

    def links(self) -> tuple[view.Link, ...]:
        """The connections to the ticker."""
        if self.source is None:
            return ()
        kept: Sequence[Connection | RedisLink] = self.source.connections
        return tuple(view.Link(n, c.state, c.reason) for n, c in enumerate(kept))

    def state(self) -> tuple[str, str]:
        """The feed's state in one word, the worst connection's, and why."""
        if self.replay is not None:
            return self.replay.state()
        links = self.links()
        if self.restoring and self.restart is not None:
            return str(LinkState.CONNECTING), f"taking today in, {self.restart.files.share:.0%}"
        if not links:
            return str(LinkState.CONNECTING), self.opening.reason if self.opening else "starting"
        worst = min(links, key=lambda link: _WORST_FIRST.index(LinkState(link.state)))
        return worst.state, worst.reason


_WORST_FIRST = [
    LinkState.AUTH_EXPIRED, LinkState.REFUSED, LinkState.STALE, LinkState.RECONNECTING,
    LinkState.CONNECTING, LinkState.CLOSED, LinkState.LIVE,
]  # fmt: skip


def status_document(p: Pipeline, vitals: Vitals) -> dict[str, Any]:
    """The status document, one shape everywhere."""
    state, reason = vitals.state()
    source, publisher = vitals.source, vitals.redis.publisher
    frame_ns = source.last_frame_ns if source is not None else 0
    now_ns = monotonic_ns()
    return {
        "source": vitals.source_name,
        "simulated": vitals.simulated,
        "state": state,
        "reason": reason,
        "uptime_s": round((now_ns - vitals.started_ns) / NS, 3),
        "session_time": ist(p.session_s).isoformat() if p.session_s else None,
        "feed": {
            "connections": [
                {"state": link.state, "reason": link.reason} for link in vitals.links()
            ],
            "reconnects": source.reconnects if source else 0,
            "closes": {str(int(code)): n for code, n in source.closes.items()}
            if isinstance(source, KiteSource)
            else {},
            "frames": p.counts.frames,
            "bad_frames": p.counts.bad_frames,
            "trailing_bytes": p.counts.trailing_bytes,
            "text_frames": dict(p.counts.text_types),
            "unreadable_records": p.counts.unreadable_records,
            "last_frame_age_s": round((now_ns - frame_ns) / NS, 3) if frame_ns else None,
            "gaps": [gap.told() for gap in p.gaps.found],
        },
        "login": _login(vitals),
        "replay": _replay(vitals.replay),
        "ticks": {**_ticks(p), "per_s": round(vitals.rate.per_s, 1)},
        "bars": {"closed": p.bars_closed},
        "latency_ms": {
            "p50": round(vitals.latency_ms.quantile(0.5), 3),
            "p99": round(vitals.latency_ms.quantile(0.99), 3),
            "max": round(vitals.latency_ms.max, 3),
        },
        "loop_lag_ms": {
            "p99": round(vitals.loop_lag_ms.quantile(0.99), 3),
            "max": round(vitals.loop_lag_ms.max, 3),
            "stalls": vitals.watchdog.stalls if vitals.watchdog else 0,
        },
        "redis": {
            "url": redacted_url(vitals.redis.address),
            "server": publisher.server,
            "version": publisher.server.partition(" ")[2],
            "state": publisher.state,
            "published": publisher.published,
            "spooled": publisher.spooled,
            "dropped": publisher.dropped,
            "refilled": publisher.refilled,
            "refused": publisher.refusals.had,
            "passed_over": publisher.backlog.passed_over,
            "rows_behind_s": round(publisher.behind_s, 3),
            "latency_ms": {
                "p50": round(publisher.latency_ms.quantile(0.5), 3),
                "p99": round(publisher.latency_ms.quantile(0.99), 3),
                "max": round(publisher.latency_ms.max, 3),
            },
            "errors": dict(publisher.refusals.errors),
            "denied": dict(publisher.refusals.denied),
        },
        "streams": [msgspec.to_builtins(s) for s in vitals.redis.health.streams],
        "groups": [msgspec.to_builtins(g) for g in vitals.redis.health.groups],
        "alerts": {
            "candidates": p.gate.counts.candidates,
            "admitted": p.gate.counts.admitted,
            "unacked": p.desk.unacked,
            "by_reason": dict(p.gate.counts.by_reason),
            "by_priority": {one.name: p.gate.counts.of(one) for one in Priority},
            "told": p.alerting.flood.told,
            "urgent": p.alerting.flood.urgent,
            "digests": p.alerting.flood.digests,
            "flood": p.alerting.flood.active,
            "overflowed": p.desk.overflowed,
        },
        "silent_because": {
            f"{pattern} {timeframe}": reasons
            for (pattern, timeframe), reasons in silent_because(p).items()
        },
        "notify": vitals.notifier.status() if vitals.notifier else {},
        "alert_hash": p.desk.alert_hash,
        "journal": vitals.journal_status(now_ns),
        "warm_up": {
            "done": len(p.market.warmed),
            "wanted": vitals.opening.warm_wanted if vitals.opening else 0,
        },
        "restored": {
            "journals": vitals.restart.files.files if vitals.restart else 0,
            "records": vitals.restart.files.records if vitals.restart else 0,
            "unread_bytes": vitals.restart.files.unread_bytes if vitals.restart else 0,
            "lost_batches": vitals.restart.files.lost_batches if vitals.restart else 0,
            "from_checkpoint": vitals.restart.resumed if vitals.restart else False,
        },
        "viewers": vitals.sockets.told(now_ns) if vitals.sockets else [],
        "memory_mb": round(memory_mb(), 1),
    }


def metrics(p: Pipeline, vitals: Vitals) -> dict[str, dict[str, float]]:
    """What the engine measures of itself, by name, as Redis keeps it."""
    publisher, groups = vitals.redis.publisher, vitals.redis.health.groups
    lags = [group.lag for group in groups if group.lag is not None]
    return {
        "throughput": {
            "ticks_per_s": round(vitals.rate.per_s, 1),
            "ticks": p.market.normaliser.counts.received, "frames": p.counts.frames,
            "published": publisher.published,
        },
        "latency": {
            "p50_ms": round(vitals.latency_ms.quantile(0.5), 3),
            "p99_ms": round(vitals.latency_ms.quantile(0.99), 3),
            "loop_lag_p99_ms": round(vitals.loop_lag_ms.quantile(0.99), 3),
            "redis_ms": round(publisher.round_trip_ms, 3),
        },
        "lag": {"spooled": publisher.spooled, "rows_behind_s": round(publisher.behind_s, 3),
                "groups": len(groups), "max_entries": max(lags, default=0)},
        "alerts": {"candidates": p.gate.counts.candidates, "admitted": p.gate.counts.admitted,
                   "unacked": p.desk.unacked},
        "memory": {"resident_mb": round(memory_mb(), 1),
                   "redis_mb": round(vitals.redis.health.stats.used_mb, 1)},
    }  # fmt: skip


def health(p: Pipeline, vitals: Vitals) -> dict[str, tuple[str, str]]:
    """State and reason of the engine's parts, as Redis keeps them."""
    publisher, journal = vitals.redis.publisher, vitals.journal
    return {
        "feed": vitals.state(),
        "redis": (publisher.state, publisher.reason),
        "journal": ("off", "") if journal is None else
                   ("failed" if journal.failed else "ok", journal.failed),
        "notify": (vitals.notifier.words() if vitals.notifier else "off", ""),
        "alerts": ("flood" if p.alerting.flood.active else "ok", ""),
    }  # fmt: skip


def unready(p: Pipeline, vitals: Vitals) -> dict[str, str]:
    """What keeps the engine from being ready, by part: empty where its work gets done.

    A feed may be silent while nothing trades; Redis may be away while there is room to wait in.
    """
    out: dict[str, str] = {}
    state, reason = vitals.state()
    trades = not p.session_s or p.market.trades_at(p.session_s)
    waits = state in (LinkState.AUTH_EXPIRED, LinkState.REFUSED)
    if vitals.restoring or (vitals.replay is None and state != LinkState.LIVE
                            and (trades or waits)):  # fmt: skip
        out["feed"] = f"{state} {reason}".strip()
    publisher = vitals.redis.publisher
    if publisher.dropped and publisher.state != "ok":
        out["redis"] = f"{publisher.state} {publisher.reason}".strip()
    if vitals.journal is not None and vitals.journal.failed:
        out["journal"] = vitals.journal.failed
    return out


def silent_because(p: Pipeline) -> dict[tuple[str, str], dict[str, int]]:
    """What kept instruments or chains from firing at each pattern's last look."""
    return {
        key: {reason: count for reason, count in silence.counts.items() if count}
        for key, silence in sorted(p.detectors.silence.items())
    }


def _login(vitals: Vitals) -> dict[str, Any] | None:
    """The `login` part: how old the access token is; None where nobody logs in."""
    if vitals.simulated or not isinstance(vitals.source, KiteSource):
        return None
    minted_s = vitals.source.credentials.minted_s
    return {"minted_at": ist(minted_s).isoformat() if minted_s else None,
            "good_until": ist(good_until_s(minted_s)).isoformat() if minted_s else None,
            "note": vitals.login()}  # fmt: skip


def _replay(replay: ReplaySource | None) -> dict[str, Any] | None:
    """The `replay` part: how much was played, and from where; None where nothing is."""
    if replay is None:
        return None
    files = replay.files
    return {"records": files.records, "share": round(files.share, 4), "lost": files.lost(),
            "opened_at": replay.opened_at}  # fmt: skip


def _ticks(p: Pipeline) -> dict[str, Any]:
    """The `ticks` part of the status document."""
    counts = p.market.normaliser.counts
    late = counts.late + p.market.minutes.late_ticks
    received = counts.received + p.counts.rejected_packets
    rejected = counts.rejected + p.counts.rejected_packets
    reasons = {**counts.reasons, **p.counts.rejected}
    return {
        "received": received,
        "used": received - rejected - counts.duplicates - late,
        "duplicates": counts.duplicates,
        "late": late,
        "rejected": rejected,
        "rejected_by_reason": reasons,
    }
