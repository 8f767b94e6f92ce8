"""Frozen at any record and filled into another engine: every later value as if it had gone on."""

from __future__ import annotations

from collections import deque
from functools import cache
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from kitetui.engine.feed.records import RecordBatch
from kitetui.engine.flow.pipeline import Pipeline
from kitetui.engine.state import Frozen, StateError, freeze, thaw
from tests.property.test_partition import EASY, operated, same, state_of
from tests.samples import market_day, split

CAPACITY = 200


def frozen(thing: Any) -> Frozen:
    """A state as it comes from a file."""
    out = Frozen()
    deque(freeze(thing, out), maxlen=0)
    return msgspec.msgpack.decode(msgspec.msgpack.encode(out), type=Frozen)


@cache
def day() -> RecordBatch:
    """A stretch of a session, with what an operator asked in between."""
    return operated(market_day())


@cache
def whole_day() -> dict[str, Any]:
    """The state after the day in one batch."""
    pipeline = Pipeline(EASY, CAPACITY)
    pipeline.apply(day())
    return state_of(pipeline)


@given(st.lists(st.integers(1, 1 << 30), min_size=1, max_size=3))
@examples(
    max_examples=6,
    deadline=None,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)
def test_a_pipeline_goes_on_where_it_was_frozen(cuts: list[int]) -> None:
    pipeline = Pipeline(EASY, CAPACITY)
    parts = split(day(), [cut % len(day()) for cut in cuts])
    for part in parts:
        pipeline.apply(part)
        state = frozen(pipeline)
        pipeline = Pipeline(EASY, CAPACITY)
        assert thaw(pipeline, state) is pipeline
    same(whole_day(), state_of(pipeline))


def test_what_is_frozen_does_not_change_with_what_follows() -> None:
    pipeline = Pipeline(EASY, CAPACITY)
    first, second = split(day(), [len(day()) // 2])
    pipeline.newsroom.prepare()  # as the engine does: a tool, not a state
    pipeline.apply(first)
    state, before = frozen(pipeline), repr(state_of(pipeline))
    pipeline.apply(second)
    again = Pipeline(EASY, CAPACITY)
    thaw(again, state)
    assert repr(state_of(again)) == before


def test_one_object_in_two_places_is_one_again() -> None:
    array = np.arange(3)
    shared = [1, array]
    thing = {"a": shared, "b": (shared, array), "c": deque([array], maxlen=2), 5: {1, 2}}
    out: Any = thaw(None, frozen(thing))
    assert out["a"] is out["b"][0] and out["a"][1] is out["b"][1] is out["c"][0]
    assert out["c"].maxlen == 2 and out[5] == {1, 2} and out["a"][1].tolist() == [0, 1, 2]


@pytest.mark.parametrize("thing", [object(), np.array([None]), Exception()])
def test_what_cannot_be_told_is_named(thing: Any) -> None:
    with pytest.raises(StateError, match=r"a(n array of object| builtins)"):
        frozen([thing])


@pytest.mark.parametrize("tree", [
    ["o", 0, "os:system", [], []], ["o", 0, "kitetui.engine.state:import_module", [], []],
    ["o", 0, "kitetui.cli.main:cli", [], []], ["q"], ["r", 7], ["a", 0, 3], ["__init__", []],
    ["e", "kitetui.engine.alerts.alert:Priority", 99], ["g", "load", "/etc/passwd"],
    ["e", "kitetui.engine.alerts.desk:Desk", 1], ["n", "kitetui.engine.alerts.desk:Desk", []],
    ["g", "uint8", 300], ["items", 1],
])  # fmt: skip
def test_what_does_not_fit_is_refused(tree: Any) -> None:
    with pytest.raises(StateError):
        thaw(None, Frozen(tree))
