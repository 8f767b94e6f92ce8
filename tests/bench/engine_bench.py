"""The engine's stages on prebuilt frames, beside their peers, and its journal."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import orjson

from kitetui.config import load
from kitetui.engine.feed.wire import to_dicts
from kitetui.engine.flow.derived import Derived
from kitetui.engine.flow.intake import HOLD_NS
from kitetui.engine.flow.pipeline import Pipeline
from kitetui.engine.market.bars import CLOSE, FIELDS, HIGH, LOW, OPEN, VOLUME, ClosedBars
from kitetui.engine.market.black76 import greeks, implied_volatility, price
from kitetui.engine.market.indicators import Closed, Indicators
from kitetui.engine.runtime import GC_THRESHOLDS
from kitetui.engine.sinks.redis.documents import Documents
from tests.bench.load import ROWS, SIZE, announced, batches
from tests.bench.measure import Result, best_s
from tests.bench.wire_bench import frames, official_parser
from tests.samples import MONDAY_OPEN_S

OFFICIAL_K_S = 73.0
"""Full packets a second of the official parser, in thousands, where the targets were set."""
WARM_BARS = 375
LIVE_BATCHES = 7000
"""97 seconds at 36,000 packets each: a one-minute close, then a five-minute close."""
BEFORE_CLOSE_S = 210


def warmed_pipeline(*overrides: str) -> Pipeline:
    """9,000 instruments with enough bars for every detector to look."""
    pipeline = Pipeline(load(overrides=overrides), ROWS)
    pipeline.apply(announced())
    rng = np.random.default_rng(3)
    rows = np.arange(ROWS)
    close = rng.integers(10_000, 400_000, ROWS) // 5 * 5
    first = MONDAY_OPEN_S // 60 - 1440 * 3  # a Friday
    for n in range(WARM_BARS):
        values = np.zeros((len(FIELDS), ROWS), np.int64)
        values[OPEN] = close
        close = np.maximum(close + rng.integers(-9, 10, ROWS) * 5, 500)
        values[CLOSE] = close
        values[HIGH] = np.maximum(close, values[OPEN]) + 5
        values[LOW] = np.minimum(close, values[OPEN]) - 5
        values[VOLUME] = rng.integers(15_000, 35_000, ROWS)
        pipeline.take_bars(1, ClosedBars(first + n, rows, values))
    return pipeline


def paced(steps: Iterable[None]) -> list[float]:
    """Seconds of each turn on the loop, as the intake takes them."""
    turns = []
    began = time.perf_counter()
    for _ in steps:
        now = time.perf_counter()
        if now - began > HOLD_NS / 1e9:
            turns.append(now - began)
            began = now
    return [*turns, time.perf_counter() - began]


class DetectorTime:
    """Counts the seconds that a pipeline spends on detectors, alerts and outcomes."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.seconds = 0.0
        steps, raising = pipeline.detectors.steps, pipeline.raising
        pipeline.detectors.steps = lambda *of: self._counted(steps(*of))  # type: ignore[method-assign]
        raising.settle = self._of(raising.settle)  # type: ignore[method-assign]
        raising.raise_from = self._of(raising.raise_from)  # type: ignore[method-assign]

    def _counted(self, steps: Any) -> Any:
        while True:
            began = time.perf_counter()
            try:
                next(steps)
            except StopIteration as ended:
                return ended.value
            finally:
                self.seconds += time.perf_counter() - began
            yield

    def _of(self, function: Any) -> Any:
        def counted(*of: Any) -> None:
            began = time.perf_counter()
            function(*of)
            self.seconds += time.perf_counter() - began

        return counted


def run() -> Iterator[Result]:
    parse = official_parser()
    tens = frames(10, (184,))
    official = SIZE / best_s(lambda: [parse(f) for f in tens]) / 1e3 if parse else None
    scale = min(official / OFFICIAL_K_S, 1.0) if official else 1.0

    pipeline = warmed_pipeline()
    detectors = DetectorTime(pipeline)
    spent, closes, holds, officials = [], [], [], []
    work = list(batches(LIVE_BATCHES, start_s=MONDAY_OPEN_S + BEFORE_CLOSE_S))
    sample = []
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)  # as the engine's own thread does
    for at, batch in enumerate(work):
        closed = pipeline.bars_closed
        derived = Derived()
        held = paced(pipeline.steps(batch, derived))
        took = sum(held)
        spent.append(took)
        holds.append(max(held))
        if pipeline.bars_closed > closed:
            closes.append(took)
        if at < 40:
            sample += derived.runs
        if parse and at % 100 == 0:  # in turns: the machine's pace changes by the second
            began = time.perf_counter()
            for frame in tens:
                parse(frame)
            officials.append(time.perf_counter() - began)
    rate = len(spent) * SIZE / sum(spent) / 1e3
    if officials:
        official = len(officials) * SIZE / sum(officials) / 1e3
        scale = min(official / OFFICIAL_K_S, 1.0)
    yield Result("frames to bars, indicators, profile, book; 9,000 rows", "k ticks/s", rate,
                 official, f">={500 * scale:.0f}", rate >= 500 * scale)  # fmt: skip
    share = detectors.seconds / (sum(spent) - detectors.seconds) * 100
    yield Result("detectors, alerts and outcomes, on top of the market stage", "%", share, None,
                 "<=40", share <= 40)  # fmt: skip
    yield Result("five-minute close, 21 detectors on 9,000 rows, in all", "ms",
                 max(closes) * 1e3, None, "", None)  # fmt: skip
    yield Result("longest time that its steps hold the loop", "ms",
                 max(holds) * 1e3, None, "<=50", max(holds) <= 0.05)  # fmt: skip
    yield from _indicators(scale)
    yield from _chain(scale)
    yield from _memory()
    documents = Documents(pipeline.market.rows)
    began = time.perf_counter()
    for run_ in sample:
        documents.of(run_)
    ours = len(sample) * SIZE / (time.perf_counter() - began) / 1e3
    began = time.perf_counter()
    for run_ in sample[:10]:
        for tick in to_dicts(run_.ticks):
            orjson.dumps(tick)
    peer = 10 * SIZE / (time.perf_counter() - began) / 1e3
    yield Result("ticks as JSON documents, beside dicts and orjson", "k ticks/s", ours, peer,
                 "", None)  # fmt: skip


def _indicators(scale: float) -> Iterator[Result]:
    """One minute's commit of all indicators, beside talipp and TA-Lib for some of them."""
    rng = np.random.default_rng(5)
    close = 100 + np.cumsum(rng.normal(0, 1, (60, ROWS)), axis=0)
    day = np.ones(ROWS, np.int64)
    volume = rng.uniform(1, 9, (60, ROWS))
    found = Indicators(ROWS)
    rows = slice(0, ROWS)
    for n in range(59):
        found.advance(rows, Closed(close[n] + 1, close[n] - 1, close[n], volume[n], day))
    last = Closed(close[59] + 1, close[59] - 1, close[59], volume[59], day)
    ours = best_s(lambda: found.advance(rows, last)) * 1e3
    peer = None
    try:
        from talipp.indicators import ATR, EMA, RSI
        from talipp.ohlcv import OHLCV

        some = 100
        sets = [(EMA(20), RSI(14), ATR(14)) for _ in range(some)]
        bars = [[OHLCV(c, c + 1, c - 1, c, 5.0) for c in close[:, k].tolist()] for k in range(some)]

        def add(n: int) -> None:
            for (ema, rsi, atr), series in zip(sets, bars, strict=True):
                ema.add(series[n].close)
                rsi.add(series[n].close)
                atr.add(series[n])

        for n in range(59):
            add(n)
        began = time.perf_counter()
        add(59)
        peer = (time.perf_counter() - began) * 1e3 * ROWS / some
    except ImportError:
        pass
    yield Result("minute commit, EMA x4 RSI ATR ADX VWAP (talipp: EMA RSI ATR)", "ms", ours, peer,
                 f"<={5 / scale:.0f}", ours <= 5 / scale)  # fmt: skip
    try:
        import talib

        series = np.ascontiguousarray(np.tile(close, (2, 1)).T)
        batch = best_s(lambda: [talib.RSI(series[k], 14) for k in range(0, ROWS, 10)]) * 1e4
        yield Result("the same beside TA-Lib's RSI over 120 bars", "ms", ours, batch, "", None)
    except ImportError:
        pass


def _chain(scale: float) -> Iterator[Result]:
    """Volatilities and greeks of 200 strikes, calls and puts."""
    ladder = np.linspace(22_000, 27_000, 200)
    strike = np.concatenate([ladder, ladder])
    call = np.arange(400) < 200
    forward, years = np.full(400, 24_512.3), np.full(400, 20 / 365)
    quoted = price(forward, strike, years, 0.065, np.full(400, 0.14), call)

    def ours() -> None:
        found = implied_volatility(forward, strike, years, 0.065, quoted, call, tick=0.05)
        greeks(forward, strike, years, 0.065, found.volatility, call)

    spent = best_s(ours) * 1e3
    peer = None
    try:
        from vollib.black.implied_volatility import implied_volatility as oracle

        flags = ["c" if c else "p" for c in call.tolist()]
        lines = list(zip(quoted.tolist(), strike.tolist(), flags, strict=True))
        began = time.perf_counter()
        for value, k, flag in lines:
            oracle(value, 24_512.3, k, 0.065, 20 / 365, flag)
        peer = (time.perf_counter() - began) * 1e3
    except ImportError:
        pass
    yield Result("IV and greeks of a chain of 200 strikes (vollib: IV)", "ms", spent, peer,
                 f"<={2 / scale:.1f}", spent <= 2 / scale)  # fmt: skip


def _memory() -> Iterator[Result]:
    """Resident memory in a process of its own."""
    done = subprocess.run([sys.executable, "-m", "tests.bench.memory_child"], check=True,
                          capture_output=True, text=True)  # fmt: skip
    told = json.loads(done.stdout)
    yield Result("resident memory, 9,000 instruments", "MB", told["mb"], None, "<=400",
                 told["mb"] <= 400)  # fmt: skip
    yield Result("its growth over 10 M ticks", "MB", told["growth_mb"], None, "<1",
                 told["growth_mb"] < 1)  # fmt: skip
