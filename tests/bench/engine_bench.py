"""The engine's stages on prebuilt frames, and its journal."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np

from kitetui.config import load
from kitetui.engine.feed import wire
from kitetui.engine.feed.batch import FULL, TickBatch
from kitetui.engine.feed.records import Kind, RecordBatch, Subscribed
from kitetui.engine.pipeline import Pipeline
from kitetui.engine.sinks.journal import JournalWriter
from kitetui.engine.sinks.redis.encode import Encoder
from tests.bench.measure import Result
from tests.samples import MONDAY_OPEN_S, NS

ROWS, BATCHES, SIZE = 9000, 240, 500


def batches() -> list[RecordBatch]:
    """Ten minutes of 9,000 instruments in batches of 500 ticks, frames of 50."""
    rng = np.random.default_rng(2)
    tokens = np.arange(1, ROWS + 1, dtype=np.int64) << 8 | 1
    ltp = rng.integers(10_000, 400_000, ROWS)
    volume = np.zeros(ROWS, np.int64)
    out = []
    for n in range(BATCHES):
        rows = rng.choice(ROWS, SIZE, replace=False)
        second = MONDAY_OPEN_S + 60 + n * 600 // BATCHES
        ltp[rows] += rng.integers(-10, 11, SIZE) * 5
        ltp = np.maximum(ltp, 500)
        volume[rows] += rng.integers(1, 500, SIZE)
        ticks = TickBatch(SIZE)
        ticks.length[:] = FULL
        ticks.token[:] = tokens[rows]
        ticks.ltp[:], ticks.volume[:] = ltp[rows], volume[rows]
        ticks.high[:], ticks.low[:] = ltp[rows] + 500, ltp[rows] - 400
        ticks.exch_s[:], ticks.ltt_s[:] = second, second - 1
        ticks.depth[:, :5, 1] = ltp[rows][:, None] - np.arange(1, 6) * 5
        ticks.depth[:, 5:, 1] = ltp[rows][:, None] + np.arange(1, 6) * 5
        ticks.depth[:, :, 0] = rng.integers(1, 5000, (SIZE, 10))
        ticks.depth[:, :, 2] = 3
        packets = wire.encode_packets(ticks)
        batch = RecordBatch()
        for at in range(0, SIZE, 50):
            batch.append(Kind.FRAME, second * NS, wire.encode_frame(packets[at : at + 50]))
        out.append(batch)
    return out


def run() -> Iterator[Result]:
    settings = load()
    work = batches()
    asked = RecordBatch()
    tokens = [n << 8 | 1 for n in range(1, ROWS + 1)]
    asked.append(Kind.SUBSCRIBE, 0, msgspec.json.encode(Subscribed(tokens, "full")))
    best, closing = float("inf"), 0.0
    for _ in range(3):
        pipeline = Pipeline(settings, ROWS)
        pipeline.apply(asked)
        began = time.perf_counter()
        longest = 0.0
        runs = []
        for batch in work:
            before = time.perf_counter()
            runs += pipeline.apply(batch).runs
            longest = max(longest, time.perf_counter() - before)
        best = min(best, time.perf_counter() - began)
        closing = longest if not closing else min(closing, longest)
    rate = BATCHES * SIZE / best / 1e3
    yield Result("decode, normalise, bars, 2 detectors; 9,000 rows", "k ticks/s", rate, None, "",
                 None)  # fmt: skip
    yield Result("longest batch, a minute's close included", "ms", closing * 1e3, None, "<=50",
                 closing <= 0.05)  # fmt: skip
    encoder = Encoder(load(overrides=["redis.profile=full"]).redis, pipeline.market.rows, "bench")
    began = time.perf_counter()
    for clean in runs[:40]:
        encoder.ticks(clean)
    encoded = 40 * SIZE / (time.perf_counter() - began) / 1e3
    yield Result("full Redis contract encoded", "k ticks/s", encoded, None, "", None)
    with tempfile.TemporaryDirectory() as folder:
        journal = JournalWriter(Path(folder) / "j.arrows", settings.journal)
        began = time.perf_counter()
        for batch in work:
            journal.write(batch, 1)
        spent = time.perf_counter() - began
        journal.close()
        size = journal.bytes / (BATCHES * SIZE)
    yield Result("journal's share of the engine's time", "%", spent / (best + spent) * 100, None,
                 "", None)  # fmt: skip
    yield Result("journal, bytes a full tick (random books)", "B", size, None, "", None)
