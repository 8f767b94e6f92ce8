"""The watch: the engine's own conditions, read off its parts once a second."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec

from kitetui.engine.alerts.conditions import Condition
from kitetui.engine.calendar import day_date, ist_day
from kitetui.engine.clock import monotonic_ns, wall_ns
from kitetui.engine.feed.session import LinkState
from kitetui.engine.flow.pipeline import Pipeline
from kitetui.engine.health.lag import LagState
from kitetui.engine.health.streams import ServerHealth
from kitetui.engine.memory import memory_mb
from kitetui.engine.view.status import Vitals
from kitetui.settings import Settings

NS = 1_000_000_000
BEHIND_S = 5.0
ANOTHER_DAY_S = 12 * 3600
"""Clocks that differ by more tell of a recorded day, not of a wrong clock."""
STALL_SHOWN_NS = 5 * NS
TEXT_MAX = 200
HOLIDAY_AFTER_S = 120
LAST_SESSION_S = 10 * 86_400
"""What is played that is older is a recording, and no morning after a long weekend."""


class Watch:
    """Tells what has changed of the conditions since it was last asked. Changes nothing itself."""

    def __init__(
        self, settings: Settings, pipeline: Pipeline, vitals: Vitals, folder: Path
    ) -> None:
        """`folder`: the state folder, whose disk is watched."""
        self._settings = settings
        self._limits = settings.alerts.watch
        self._pipeline = pipeline
        self._vitals = vitals
        self._folder = folder
        self._active: dict[tuple[str, str], str] = {}
        self._received = (0, monotonic_ns())
        self._stalled = (0.0, 0)
        self._dropped = 0
        self._lost: dict[str, int] = {}

    def stalled(self, seconds: float) -> None:
        """The engine's loop did nothing for so long."""
        if seconds > self._limits.stall_s:
            self._stalled = seconds, monotonic_ns()

    def look(self) -> list[Condition]:
        """Conditions that came up or are over."""
        now = {(c.name, c.scope): c.text[:TEXT_MAX] for c in self._conditions() if c.active}
        out = [Condition(*place, True, text) for place, text in now.items()
               if place not in self._active]  # fmt: skip
        out += [Condition(*place, False) for place in self._active if place not in now]
        self._active = now
        return out

    def _conditions(self) -> Iterator[Condition]:
        yield from self._feed()
        yield from self._redis()
        yield from self._engine()

    def _in_session(self) -> bool:
        """Whether anything that is watched trades now; yes before anybody knows the time."""
        now_s = self._pipeline.session_s
        return not now_s or self._pipeline.market.trades_at(now_s)

    def _feed(self) -> Iterator[Condition]:
        source = self._vitals.source
        if source is None or not source.connections:
            return
        states = [c.state for c in source.connections]
        expired = LinkState.AUTH_EXPIRED in states
        yield Condition("auth_expired", "feed", expired, "the access token is refused")
        received, since_ns = self._received
        count = self._pipeline.market.normaliser.counts.received
        in_session = self._in_session()
        if count != received or not in_session:
            self._received = count, monotonic_ns()
            since_ns = monotonic_ns()
        if not in_session or expired:
            return
        live = LinkState.LIVE in states
        reason = next((c.reason for c in source.connections if c.reason), "")
        yield Condition("feed_lost", "feed", not live, f"no connection: {reason or states[0]}")
        silent = monotonic_ns() - since_ns > self._limits.stale_s * NS
        waits_s = self._waits_for_trades_s()
        yield Condition("maybe_holiday", "calendar", live and waits_s > HOLIDAY_AFTER_S,
                        "nothing was traded since the open; is today a holiday that "
                        "config/calendar.yaml lacks?")  # fmt: skip
        yield Condition("feed_stale", "feed", live and silent and count > 0 and not waits_s,
                        f"connected, but no tick for over {self._limits.stale_s} s")  # fmt: skip

    def _waits_for_trades_s(self) -> int:
        """For how long the day's session is open without a packet; 0 where one has come."""
        market = self._pipeline.market
        now_s = market.session_s
        if self._settings.feed.speed_factor == 1 and not self._vitals.simulated:
            wall_s = int(wall_ns() // NS)  # on a holiday no packet tells that the day has changed
            if 0 < wall_s - now_s < LAST_SESSION_S:
                now_s = wall_s
        opened = [s.open_s for segment in market.rows.segments
                  if (s := market.calendar.session(segment, ist_day(now_s))) is not None
                  and s.open_s <= now_s < s.close_s]  # fmt: skip
        if not opened or market.normaliser.newest_s >= min(opened):
            return 0
        return now_s - min(opened)

    def _redis(self) -> Iterator[Condition]:
        publisher, health = self._vitals.redis.publisher, self._vitals.redis.health
        for name, state in (("redis_down", "down"), ("redis_full", "full"), ("redis_auth", "auth")):
            yield Condition(name, "redis", publisher.state == state, publisher.reason)
        evicts = publisher.policy not in ("", "noeviction")
        yield Condition("redis_evicts", "redis", evicts,
                        f"maxmemory-policy {publisher.policy}: whole streams may go")  # fmt: skip
        denied = list(publisher.refusals.denied)
        yield Condition("redis_denied", "redis", bool(denied),
                        f"not allowed: {', '.join(denied[:6])}")  # fmt: skip
        behind_s = publisher.behind_s if publisher.state == "ok" else 0.0
        yield Condition("redis_behind", "redis", behind_s > BEHIND_S,
                        f"symbols are written {behind_s:.0f} s late")  # fmt: skip
        dropped, self._dropped = publisher.dropped - self._dropped, publisher.dropped
        yield Condition("redis_dropped", "redis", dropped > 0,
                        f"{publisher.dropped:,} ticks found no room to wait for Redis")  # fmt: skip
        for server in self._vitals.redis.servers:
            yield self._memory(server)
        caps = {(s.server, s.db, s.name): s.cap for s in health.streams}
        for group in health.groups:
            scope = f"{group.stream} {group.name}"
            if group.server != health.server:
                scope += f" {group.server}"
            cap = caps.get((group.server, group.db, group.stream), 0)
            before, self._lost[scope] = self._lost.get(scope, 0), group.lost
            yield Condition("entries_lost", scope, group.lost > before,
                            f"{group.lost} entries went before {group.name} read them")  # fmt: skip
            near = cap > 0 and group.lag is not None and group.lag >= self._limits.trim_share * cap
            yield Condition("trim_near", scope, near,
                            f"{group.name} is {group.lag} entries behind; the stream keeps "
                            f"{cap}")  # fmt: skip
            stalled = group.state in (LagState.STALL, LagState.STOP)
            yield Condition("consumer_stalled", scope, stalled,
                            f"{group.name} is {group.state}: {group.lag} entries wait")  # fmt: skip

    def _memory(self, server: ServerHealth) -> Condition:
        """Whether a server's memory is nearly full, or soon will be."""
        stats, limits = server.stats, self._limits
        share = stats.used_mb / stats.limit_mb if stats.limit_mb else 0.0
        soon = bool(stats.limit_mb) and stats.full_in_s is not None
        soon = soon and (stats.full_in_s or 0.0) < limits.redis_full_s
        words = f"{share:.0%} of {stats.limit_mb:,.0f} MB are used"
        if soon:
            words += f", full in {(stats.full_in_s or 0.0) / 60:.0f} min"
        return Condition("redis_memory", server.server or "redis",
                         share > limits.redis_memory_share or soon, words)  # fmt: skip

    def _engine(self) -> Iterator[Condition]:
        vitals, limits = self._vitals, self._limits
        failed = vitals.journal.failed if vitals.journal is not None else ""
        yield Condition("journal_not_durable", "journal", bool(failed), failed)
        free_mb = shutil.disk_usage(self._folder).free >> 20
        yield Condition("disk_low", "disk", free_mb < limits.disk_low_mb,
                        f"{free_mb} MB left where {self._folder} is")  # fmt: skip
        used_mb = memory_mb()
        yield Condition("memory_high", "engine", used_mb > limits.memory_high_mb,
                        f"the engine holds {used_mb:.0f} MB")  # fmt: skip
        seconds, at_ns = self._stalled
        recent = at_ns > 0 and monotonic_ns() - at_ns < STALL_SHOWN_NS
        yield Condition(
            "loop_stall", "engine", recent, f"the engine did nothing for {seconds:.0f} s"
        )
        given_up = vitals.supervisor.given_up if vitals.supervisor is not None else {}
        for part, words in given_up.items():
            yield Condition("part_failed", part, True, f"the engine goes on without it: {words}")
        yield from self._clock()

    def _clock(self) -> Iterator[Condition]:
        now_s, speed = self._pipeline.session_s, self._settings.feed.speed_factor
        if now_s and speed == 1 and not self._vitals.simulated and self._vitals.source is not None:
            skew_s = wall_ns() / NS - now_s
            live = any(c.state is LinkState.LIVE for c in self._vitals.source.connections)
            wrong = live and self._limits.skew_s < abs(skew_s) < ANOTHER_DAY_S
            yield Condition("clock_skew", "clock", wrong and self._in_session(),
                            f"our clock and the exchange's differ by {skew_s:+.1f} s")  # fmt: skip
        today = ist_day(now_s or int(wall_ns() // NS))
        left = self._pipeline.market.calendar.last_day - today
        yield Condition("calendar_ends", "calendar", left < self._limits.calendar_days,
                        f"config/calendar.yaml ends on {day_date(today + left)}")  # fmt: skip


def encode(conditions: list[Condition]) -> bytes:
    """Conditions as a journal record's payload."""
    return msgspec.json.encode(conditions)
