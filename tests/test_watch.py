"""The engine's own conditions: what each part must be like for one to be met, and for how long."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from kitetui.config import load
from kitetui.engine import watch
from kitetui.engine.alerts.conditions import Condition
from kitetui.engine.feed.credentials import Credentials
from kitetui.engine.feed.records import Kind
from kitetui.engine.feed.session import Connection, LinkState
from kitetui.engine.feed.sources import KiteSource
from kitetui.engine.flow.pipeline import NS, Pipeline, timer_payload
from kitetui.engine.health.counters import Rate, Reservoir
from kitetui.engine.health.group_lag import GroupHealth
from kitetui.engine.health.lag import LagState
from kitetui.engine.health.server import ServerStats
from kitetui.engine.health.streams import ServerHealth, StreamHealth
from kitetui.engine.outlets.redis import RedisOutlet
from kitetui.engine.sinks.journal import JournalWriter
from kitetui.engine.supervisor import Supervisor
from kitetui.engine.view.status import Vitals
from kitetui.engine.watch import Watch
from kitetui.secret import Secret
from kitetui.settings import Settings
from tests.samples import MONDAY_OPEN_S, frame, full_tick, market_day, records

SETTINGS = load()


class Bench:
    """The parts of an engine that does not run, for a watch to look at."""

    def __init__(self, folder: Path, settings: Settings = SETTINGS) -> None:
        self.pipeline = Pipeline(settings, 200)
        redis = RedisOutlet(settings.redis, folder, self.pipeline.market, [], lambda *_: None)
        self.vitals = Vitals(
            started_ns=0, simulated=False, latency_ms=Reservoir(), loop_lag_ms=Reservoir(),
            rate=Rate(), redis=redis,
        )  # fmt: skip
        found = Credentials("key", Secret("token"))
        source = KiteSource(settings.feed, lambda: found, None, lambda _: None)  # type: ignore[arg-type]
        source.connections.append(Connection(settings.feed, [1]))
        source.connections[0].state = LinkState.LIVE
        self.vitals.source = source
        self.watch = Watch(settings, self.pipeline, self.vitals, folder)

    def met(self) -> dict[str, str]:
        """What came up since the last look, with its words; `calendar_ends` is of no interest."""
        return {c.name: c.text for c in self.watch.look() if c.active and c.name != "calendar_ends"}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_sound_engine_meets_no_condition_and_says_each_once(bench: Bench) -> None:
    assert bench.met() == {}
    bench.vitals.redis.publisher.state, bench.vitals.redis.publisher.reason = "down", "refused"
    assert bench.watch.look() == [Condition("redis_down", "redis", True, "refused")]
    assert bench.watch.look() == []
    bench.vitals.redis.publisher.state = "ok"
    assert bench.watch.look() == [Condition("redis_down", "redis", False)]


@pytest.mark.parametrize(
    ("state", "reason", "expected"),
    [(LinkState.RECONNECTING, "close 1006", {"feed_lost": "no connection: close 1006"}),
     (LinkState.AUTH_EXPIRED, "", {"auth_expired": "the access token is refused"}),
     (LinkState.LIVE, "", {})],
)  # fmt: skip
def test_the_feeds_state_tells(
    bench: Bench, state: LinkState, reason: str, expected: dict[str, str]
) -> None:
    bench.vitals.source.connections[0].state = state  # type: ignore[union-attr]
    bench.vitals.source.connections[0].reason = reason  # type: ignore[union-attr]
    assert bench.met() == expected


def test_silence_counts_only_in_session_while_connected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alerts = msgspec.structs.replace(
        SETTINGS.alerts, watch=msgspec.structs.replace(SETTINGS.alerts.watch, stale_s=10)
    )
    bench = Bench(tmp_path, msgspec.structs.replace(SETTINGS, alerts=alerts))
    now = [1_000_000_000_000]
    monkeypatch.setattr("kitetui.engine.watch.monotonic_ns", lambda: now[0])
    bench.pipeline.apply(market_day(minutes=2))
    assert bench.met() == {}
    now[0] += 11_000_000_000
    assert bench.met() == {"feed_stale": "connected, but no tick for over 10 s"}
    after_close = bench.pipeline.market.calendar
    monkeypatch.setattr(after_close, "session", lambda *_: None)
    assert [c for c in bench.watch.look() if c.name == "feed_stale"] == [
        Condition("feed_stale", "feed", False)]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "name"),
    [({"state": "full"}, "redis_full"), ({"state": "auth"}, "redis_auth"),
     ({"policy": "allkeys-lru"}, "redis_evicts")],
)  # fmt: skip
def test_what_the_server_is_like(bench: Bench, changes: dict[str, str], name: str) -> None:
    for attribute, value in changes.items():
        setattr(bench.vitals.redis.publisher, attribute, value)
    assert list(bench.met()) == [name]


@pytest.mark.parametrize(
    ("changes", "name", "words"),
    [({"lost": 7}, "entries_lost", "7 entries went before g read them"),
     ({"lag": 950}, "trim_near", "g is 950 entries behind; the stream keeps 1000"),
     ({"state": LagState.STALL, "lag": 5}, "consumer_stalled", "g is STALL: 5 entries wait")],
)  # fmt: skip
def test_what_readers_are_like(
    bench: Bench, changes: dict[str, Any], name: str, words: str
) -> None:
    group = msgspec.structs.replace(
        GroupHealth("r", "s", 4, "g", 0, False, 0.0, 0, 0.0, 0.0, 1, 1.0, 0, LagState.OK), **changes
    )
    bench.vitals.redis.health = ServerHealth(
        [StreamHealth("r", "s", 4, 1000, 1000, 1.0, 1), StreamHealth("b", "s", 4, 9, 0, 1.0, 0)],
        [group],
        server="r",
    )
    assert bench.met() == {name: words}


@pytest.mark.parametrize(
    ("used_mb", "full_in_s", "words"),
    [(450.0, None, "90% of 500 MB are used"),
     (300.0, 600.0, "60% of 500 MB are used, full in 10 min"),
     (300.0, 9_000.0, None)],
)  # fmt: skip
def test_a_servers_memory_is_watched_by_level_and_trend(
    bench: Bench, used_mb: float, full_in_s: float | None, words: str | None
) -> None:
    stats = ServerStats(used_mb=used_mb, limit_mb=500.0, full_in_s=full_in_s)
    bench.vitals.redis.servers = [ServerHealth([], [], stats, server="desk")]
    assert bench.met() == ({} if words is None else {"redis_memory": words})
    unlimited = ServerStats(used_mb=used_mb, full_in_s=full_in_s)
    bench.vitals.redis.servers = [ServerHealth([], [], unlimited, server="desk")]
    assert "redis_memory" not in bench.met()


def test_what_is_not_allowed_and_what_is_dropped(bench: Bench) -> None:
    publisher = bench.vitals.redis.publisher
    publisher.refusals.denied["HSET depth"] = "NOPERM"
    publisher.backlog.lost = 12
    assert bench.met() == {"redis_denied": "not allowed: HSET depth",
                           "redis_dropped": "12 ticks found no room to wait for Redis"}  # fmt: skip
    assert bench.met() == {}


def test_the_disk_the_memory_and_the_loop(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": 100 << 20})
    monkeypatch.setattr("kitetui.engine.watch.shutil.disk_usage", lambda _: usage)
    monkeypatch.setattr("kitetui.engine.watch.memory_mb", lambda: 2000.0)
    bench.watch.stalled(3.0)
    assert bench.met() == {"disk_low": f"100 MB left where {tmp_path} is",
                           "memory_high": "the engine holds 2000 MB"}  # fmt: skip
    bench.watch.stalled(12.4)
    assert bench.met() == {"loop_stall": "the engine did nothing for 12 s"}


def test_a_journal_that_cannot_be_written_is_not_durable(bench: Bench, tmp_path: Path) -> None:
    journal = JournalWriter(tmp_path / "day.arrows", SETTINGS.journal)
    bench.vitals.journal = journal
    assert bench.met() == {}
    journal.failed = "No space left on device"
    assert bench.met() == {"journal_not_durable": "No space left on device"}
    journal.close()


def test_every_condition_that_is_told_has_its_settings(bench: Bench) -> None:
    told = {condition.name for condition in bench.watch._conditions()}
    assert told | {"drawdown", "feed_lost", "feed_stale", "entries_lost", "trim_near",
                   "consumer_stalled", "clock_skew", "part_failed", "maybe_holiday",
                   "redis_memory"} == set(SETTINGS.alerts.system)  # fmt: skip


async def test_a_part_that_was_given_up_is_said(bench: Bench) -> None:
    bench.vitals.supervisor = Supervisor(lambda: None, lambda *_: None)
    assert "part_failed" not in bench.met()
    bench.vitals.supervisor.given_up["news"] = "ValueError in run (news_source.py:1)"
    assert "goes on without it: ValueError" in bench.met()["part_failed"]


@pytest.mark.parametrize(
    ("off_s", "said"),
    [(0, None), (1.5, None), (3, "-3.0 s"), (-3, "+3.0 s"), (-600, "+600.0 s"), (50_000, None)],
)
def test_a_wrong_clock_is_said_in_session(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, off_s: float, said: str | None
) -> None:
    """Seconds that the exchange is ahead of us; half a day and more tell of a recorded day."""
    bench.pipeline.apply(market_day(minutes=1))
    now_s = bench.pipeline.session_s
    monkeypatch.setattr(watch, "wall_ns", lambda: int((now_s - off_s) * 1e9))
    words = bench.met().get("clock_skew")
    assert words is None if said is None else said in (words or "")


def test_a_day_on_which_nothing_trades_is_perhaps_a_holiday(bench: Bench) -> None:
    """An engine that ran overnight, and a day that the calendar believes is a session."""
    bench.pipeline.apply(market_day(minutes=1))
    open_s = MONDAY_OPEN_S + 86_400

    def at(second: int) -> dict[str, str]:
        bench.pipeline.apply(records((Kind.TIMER, timer_payload((open_s + second) * NS))))
        bench.watch._received = (bench.watch._received[0], 1)  # long ago
        return bench.met()

    assert "maybe_holiday" not in at(-600) and "maybe_holiday" not in at(60)
    told = at(130)
    assert "is today a holiday" in told["maybe_holiday"] and "feed_stale" not in told
    bench.pipeline.apply(records((Kind.FRAME, frame(full_tick(ltt_s=open_s + 131)))))
    over = {c.name: c.active for c in bench.watch.look()}
    assert over["maybe_holiday"] is False
    bench.watch._received = (bench.watch._received[0], 1)
    assert "feed_stale" in bench.met(), "now a silence is one"


def test_a_wrong_clock_is_nobodys_business_after_the_close(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.pipeline.apply(market_day(minutes=1))
    evening_s = bench.pipeline.session_s + 8 * 3600
    bench.pipeline.apply(records((Kind.TIMER, timer_payload(evening_s * NS))))
    monkeypatch.setattr(watch, "wall_ns", lambda: (evening_s + 300) * NS)
    assert "clock_skew" not in bench.met()


def test_a_calendar_that_ends_soon_is_said(tmp_path: Path) -> None:
    calendar = msgspec.structs.replace(SETTINGS.calendar, covers=("2024-01-01", "2025-12-31"))
    bench = Bench(tmp_path, msgspec.structs.replace(SETTINGS, calendar=calendar))
    bench.pipeline.apply(market_day(minutes=1))
    told = {c.name: c.text for c in bench.watch.look()}
    assert told["calendar_ends"] == "config/calendar.yaml ends on 2025-12-31"
