"""In a simulated session with its past as history every pattern fires, is followed, explained."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator

import pytest

from kitetui.config import load
from kitetui.engine.alerts.alert import Alert, Thresholds
from kitetui.engine.alerts.explain import WIDTH, explain
from kitetui.engine.feed.records import RecordBatch
from kitetui.engine.flow.pipeline import Pipeline
from kitetui.engine.patterns.registry import registry
from tests.patterns.simulated_day import simulated_day

SEED = 1
SETTINGS = load()
UPTO_S = 12 * 3600 + 900 - 19_800
"""The prefix ends at a quarter past twelve."""

Event = tuple[str, str, int, int, int, float, float]
"""Label, timeframe, row, side, first minute of the bar, score, confidence."""
OF_CHAINS = [name for name, known in registry().items() if "chains" in known.needs]


class Run:
    """What a pipeline made of records: every firing, and a first alert of each pattern."""

    def __init__(self, batches: Iterator[RecordBatch]) -> None:
        self.pipeline = Pipeline(SETTINGS, 400)
        candidates = self.pipeline.candidates
        self.events: list[Event] = []
        self.first: dict[str, Alert] = {}
        self.followed = self.settled = 0
        for batch in batches:
            derived = self.pipeline.apply(batch)
            self.settled += sum(len(resolved.number) for resolved in derived.resolved)
            for told in derived.fired:
                fired = told.fired
                self.followed += sum(number >= 0 for number in told.number.tolist())
                for at, (row, side) in enumerate(
                    zip(fired.hits.rows.tolist(), fired.hits.side.tolist(), strict=True)
                ):
                    label, rank = fired.label(at), float(told.rank[at])
                    self.events.append((label, fired.timeframe, row, side, fired.start,
                                        float(fired.score[at]), rank))  # fmt: skip
                    if fired.detector.name not in self.first:
                        self.first[fired.detector.name] = candidates.alert(fired, at, 5, rank)


@pytest.fixture(scope="module")
def day() -> Run:
    return Run(simulated_day(SEED))


def test_every_pattern_fires(day: Run) -> None:
    fired = Counter(label.split(".")[0] for label, *_ in day.events)
    assert not [name for name in registry() if not fired[name]]


@pytest.mark.parametrize("name", OF_CHAINS)
def test_a_chains_pattern_mostly_stays_silent_and_its_numbers_lie_between_0_and_1(
    name: str, day: Run
) -> None:
    """Bars' patterns have the same law in tests/patterns/test_every_pattern.py."""
    mine = [event for event in day.events if event[0].split(".")[0] == name]
    looks = len(day.pipeline.market.chains.straddles) * 75
    assert 0 < len(mine) < looks * 0.15
    assert all(0 <= number <= 1 for event in mine for number in event[5:])


def test_every_pattern_is_explained_in_words_with_all_its_evidence(day: Run) -> None:
    for name, alert in day.first.items():
        text = explain(alert, registry()[name], Thresholds.of(SETTINGS.patterns[name]))
        assert max(map(len, text)) <= WIDTH
        whole = "\n".join(text)
        assert alert.symbol in whole and "confidence" in whole
        for evidence, value in alert.evidence.items():
            assert evidence in whole and math.isfinite(value)


def test_what_is_followed_is_settled_by_the_end_of_the_session(day: Run) -> None:
    assert day.followed == day.settled > 1000
    assert len(day.pipeline.outcomes) == 0


def test_the_gate_accounts_for_every_firing(day: Run) -> None:
    counts = day.pipeline.gate.counts
    assert counts.candidates == len(day.events)
    assert counts.candidates == counts.admitted + sum(counts.by_reason.values())
    assert counts.by_reason["conflict"] > 0


def test_a_prefix_in_other_batches_fires_as_the_whole_did(day: Run) -> None:
    """Causality, the partition law and that the same input gives the same numbers, for every
    pattern, those of chains and books included."""

    def prefix() -> Iterator[RecordBatch]:
        held = RecordBatch()
        for number, batch in enumerate(simulated_day(SEED)):
            if batch.recv_ns[0] // 1_000_000_000 % 86_400 >= UPTO_S:
                break
            held.extend(batch)
            if number % 7 == 0:
                yield held
                held = RecordBatch()
        yield held

    part = Run(prefix())
    last = max(event[4] for event in part.events)
    by_minutes: dict[str, int] = defaultdict(lambda: 1, {"5m": 5, "15m": 15})
    until = last + 1

    def closed(run: Run) -> list[Event]:
        return [e for e in run.events if e[4] + by_minutes[e[1]] <= until]

    assert closed(part) == closed(day) and len(closed(part)) > 1000
    assert {label.split(".")[0] for label, *_ in closed(part)} >= {
        "iv_crush_play_straddle", "kow_signal_straddle", "hidden_accumulation",
    }  # fmt: skip
