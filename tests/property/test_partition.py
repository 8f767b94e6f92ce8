"""The partition law: how records are batched changes nothing that follows from them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from kitetui.config import load
from kitetui.engine.alerts.alert import Priority
from kitetui.engine.alerts.conditions import Condition
from kitetui.engine.alerts.desk import Transition
from kitetui.engine.alerts.flood import Notice
from kitetui.engine.commands import AddRule, Mute, Tune, Untune, encode
from kitetui.engine.feed.journal_reader import JournalReader
from kitetui.engine.feed.records import Kind, RecordBatch
from kitetui.engine.flow.pipeline import Pipeline
from kitetui.settings import Settings
from kitetui.tools.importer import import_ticks
from tests.samples import market_day, split

EASY = load(overrides=["alerts.min_confidence=0.0", "thresholds.volume_spike.min_bars=5",
                       "thresholds.breakout.min_bars=5"])  # fmt: skip


def outcome(batches: list[RecordBatch], settings: Settings = EASY) -> dict[str, Any]:
    """Everything that must not depend on the batching."""
    pipeline = Pipeline(settings, 200)
    bars: list[tuple[Any, ...]] = []
    alerts: list[Any] = []
    ticks: list[tuple[int, ...]] = []
    resolved: list[Any] = []
    told: list[Any] = []
    for batch in batches:
        derived = pipeline.apply(batch)
        for name, closed in derived.bars:
            for at, row in enumerate(closed.rows.tolist()):
                bars.append((name, closed.start, row, *closed.values[:, at].tolist()))
        alerts += derived.alerts
        resolved += derived.resolved
        told += [*derived.transitions, *derived.notices]
        for run in derived.runs:
            ticks += list(zip(run.ticks.row.tolist(), run.increment.tolist(),
                              run.ticks.flags.tolist(), strict=True))  # fmt: skip
    return {"bars": bars, "alerts": alerts, "ticks": ticks, "resolved": resolved,
            "transitions": [t for t in told if isinstance(t, Transition)],
            "notices": [t for t in told if isinstance(t, Notice)],
            **state_of(pipeline)}  # fmt: skip


def state_of(pipeline: Pipeline) -> dict[str, Any]:
    """Everything a pipeline knows after its records."""
    market = pipeline.market
    minutes, normaliser = market.minutes, market.normaliser
    straddles = [series.now() for series in market.chains.straddles]
    return {
        "hash": pipeline.desk.alert_hash,
        "desk": list(pipeline.desk),
        "closed": list(pipeline.desk.closed),
        "counts": normaliser.counts,
        "gate": {p.name: pipeline.gate.counts.of(p) for p in Priority},
        "gaps": list(pipeline.gaps.found),
        "late": minutes.late_ticks,
        "indicators": [f.indicators.values(slice(0, 90)).tolist() for f in market.frames.values()],
        "history": [f.history.last(row, 400) for f in market.frames.values() for row in range(90)],
        "profiles": [market.profiles.profile(row) for row in range(90)],
        "composites": [market.composite(row) for row in range(90)],
        "vpin": market.buckets.vpin(np.arange(90)).tolist(),
        "buckets": [market.buckets.last(row, 50) for row in range(90)],
        "flow": market.flow.flow[:90].tolist(),
        "books": market.flow.depth[:90].tolist(),
        "straddles": [(s.premium.tolist(), s.vwap.tolist(), s.below.tolist()) for s in straddles],
        "packets": market.packets.cols[:90].tolist(),
        "swings": [m.swings.last(row, 16) for m in market.landmarks.values() for row in range(90)],
        "gap zones": [m.gaps.last(row, 16) for m in market.landmarks.values() for row in range(90)],
        "swept": [m.swept[:90].tolist() for m in market.landmarks.values()],
        "zones": market.zones.usual[:90].tolist(),
        "shapes": market.profiles.shapes(np.arange(90)),
        "book shares": market.book_shares.total[:90].tolist(),
        "value areas": market.day_levels.value_area[:, :90].tolist(),
        "outcomes": [pipeline.outcomes.followed, pipeline.outcomes.settled],
        "silence": pipeline.detectors.silence,
        "thresholds": [pipeline.tuning.values, list(pipeline.tuning.changes)],
        "failed": pipeline.detectors.failed,
        "open": minutes.minute.tolist(),
        "session": minutes.session.tolist(),
    }


def operated(day: RecordBatch) -> RecordBatch:
    """The day with what operators do and how the engine is: rules, thresholds, conditions."""
    said: dict[int, list[tuple[int, bytes]]] = {
        5: [(Kind.COMMAND, encode(AddRule(text, "ops"))) for text in (
            "RELIANCE crosses above 1400 minute", "RELIANCE volume_ratio 1m > 0.01 bar",
            "HDFCBANK spread > 0 minute P1", "HDFCBANK change > -50 close", "TCS > 1")],
        len(day) // 4: [(Kind.COMMAND, encode(Tune(f"thresholds.volume_spike.{key}", value, "ops")))
                        for key, value in (("params.min_ratio", "1.1"), ("cooldown_bars", "1"),
                                           ("params.min_robust_z", "-1"), ("horizon_bars", "3"))],
        len(day) // 3: [(Kind.CONDITION, msgspec.json.encode(
            [Condition("feed_lost", "feed", True, "x"), Condition("redis_down", "redis", True)]))],
        len(day) // 2: [
            (Kind.CONDITION, msgspec.json.encode([Condition("feed_lost", "feed", False)])),
            (Kind.COMMAND, encode(Mute("", "volume_spike", 15, "ops"))),
            (Kind.COMMAND, encode(Tune("alerts.min_confidence", "0.3", "ops"))),
            (Kind.COMMAND, encode(Untune("ops"))),
            (Kind.COMMAND, b"garbage")],
    }  # fmt: skip
    out = RecordBatch()
    for at in range(len(day)):
        for kind, payload in said.get(at, ()):
            out.append(kind, day.recv_ns[at], payload)
        out.append(day.kind[at], day.recv_ns[at], day.payload[at], day.connection[at])
    return out


def same(left: dict[str, Any], right: dict[str, Any]) -> None:
    for key, value in left.items():
        assert repr(value) == repr(right[key]), key


@cache
def whole_day() -> tuple[RecordBatch, dict[str, Any]]:
    """A simulated day, and what follows from it in one batch."""
    day = operated(market_day())
    return day, outcome([day])


@given(st.lists(st.integers(1, 100_000), max_size=60))
@examples(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
def test_simulated_market_in_any_batches(cuts: list[int]) -> None:
    day, whole = whole_day()
    assert len(whole["bars"]) > 900 and not whole["failed"]
    assert {"user", "system", "pattern"} <= {alert.origin for alert in whole["alerts"]}
    assert {notice.form for notice in whole["notices"]} >= {"alert"}
    assert whole["alerts"]
    assert whole["counts"].duplicates > 50
    same(whole, outcome(split(day, [cut % len(day) for cut in cuts])))


def test_simulated_market_record_by_record() -> None:
    day = operated(market_day(minutes=4))
    same(outcome([day]), outcome(split(day, range(len(day)))))


@pytest.mark.parametrize("size", [1, 7, 113])
def test_real_ticks_in_batches_of(size: int, shared: Path, tmp_path: Path) -> None:
    source = tmp_path / "part"
    source.mkdir()
    data = shared / "data" / "upstox_depth_20251215"
    (source / "instruments.csv").write_bytes((data / "instruments.csv").read_bytes())
    name = next(p.name for p in data.glob("*MAXHEALTH.parquet"))
    (source / name).write_bytes((data / name).read_bytes())
    journal = tmp_path / "part.arrows"
    import_ticks(source, journal, None, load())
    day = RecordBatch()
    for batch in JournalReader(journal):
        day.extend(batch)
    whole = outcome([day])
    assert len(whole["gaps"]) >= 4
    same(whole, outcome(split(day, range(0, len(day), size))))
