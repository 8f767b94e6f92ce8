"""The alert stage: candidates a second, and the time of one."""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter

import numpy as np

from kitetui.config import load
from kitetui.engine.alerts.alerting import Alerting
from tests.alerts.storm import storm
from tests.bench.measure import Result

TARGET_PER_S = 50_000
MINUTES = 4


def run() -> Iterator[Result]:
    """A storm of 30,000 candidates a minute, with the peer that only dedupes and cools down."""
    seconds = list(storm(30_000, MINUTES))
    total = sum(len(alerts) for _, alerts in seconds)
    best, decided = 1e9, np.zeros(0)
    for _ in range(3):
        alerting = Alerting(load().alerts)
        took = []
        began = perf_counter()
        for at_s, alerts in seconds:
            for one in alerts:
                before = perf_counter()
                alerting.offer(one)
                took.append(perf_counter() - before)
            alerting.tell(at_s)
            alerting.tick(at_s)
            alerting.drain()
        best, decided = min(best, perf_counter() - began), np.array(took)
    peer = _dictionary(seconds)
    rate, late_ms = total / best, float(np.quantile(decided, 0.99)) * 1e3
    yield Result("gate, desk and flood governor (a dictionary's cooldown)", "k candidates/s",
                 rate / 1e3, total / peer / 1e3, f">={TARGET_PER_S / 1e3:.0f}",
                 rate >= TARGET_PER_S)  # fmt: skip
    yield Result("p99 of one candidate's decision", "ms", late_ms, None, "<=1", late_ms <= 1)


def _dictionary(seconds: list) -> float:  # type: ignore[type-arg]
    """Seconds for a dictionary of last times alone: what a cooldown costs at the least."""
    began, last = perf_counter(), {}
    for at_s, alerts in seconds:
        for one in alerts:
            key = one.symbol, one.pattern, one.timeframe, one.side
            if at_s - last.get(key, 0) >= 900:
                last[key] = at_s
    return perf_counter() - began
