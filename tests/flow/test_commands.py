"""Commands in a batch: each has one result, in their order, whatever stands in them."""

from __future__ import annotations

from unittest.mock import patch

from kitetui.engine.alerts.alerting import Alerting
from kitetui.engine.commands import AddRule, RemoveRule, encode
from kitetui.engine.feed.records import Kind, RecordBatch
from kitetui.engine.flow.pipeline import Pipeline
from tests.property.test_partition import EASY


def batch_of(*payloads: bytes) -> RecordBatch:
    out = RecordBatch()
    for payload in payloads:
        out.append(Kind.COMMAND, 1_765_773_900_000_000_000, payload)
    return out


def test_what_cannot_be_read_is_refused_in_its_place() -> None:
    rule = AddRule("A > 5 until 9999-12-31", "ops")
    batch = batch_of(b"\xff", encode(rule), b"[" * 100_000, encode(RemoveRule("r1", "ops")))
    results = Pipeline(EASY, 200).apply(batch).results
    told = ["cannot be read", "a year at most", "cannot be read", "no rule r1"]
    assert len(results) == 4 and not any(result.done for result in results)
    assert all(words in result.text for words, result in zip(told, results, strict=True))


def test_a_command_that_overflows_somewhere_is_refused_as_well() -> None:
    with patch.object(Alerting, "add_rule", side_effect=OverflowError("date value out of range")):
        batch = batch_of(encode(AddRule("A > 5", "ops")), encode(RemoveRule("r1", "ops")))
        results = Pipeline(EASY, 200).apply(batch).results
    assert ["out of range" in results[0].text, "no rule" in results[1].text] == [True, True]
