"""The board: what may be claimed, what stands out among many, and what a walk forward knows."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kitetui.engine.alerts.barriers import Outcome
from kitetui.engine.alerts.line import Line
from kitetui.engine.alerts.outcomes import Resolved
from kitetui.engine.alerts.scoreboard import Scoreboard, Waiting
from kitetui.engine.alerts.statistics import beats, notable
from kitetui.tools.walk_forward import WalkForward

DAY_S = 86_400
KEY = ("breakout", "5m", "equity")


def board_of(outcomes: list[int], *, null: float = 0.4, barrier: float = 1.0, cost_r: float = 0.0,
             tokens: int = 5) -> Line:  # fmt: skip
    """One outcome a day and instrument, hits worth what the barrier says."""
    board = Scoreboard()
    for at, outcome in enumerate(outcomes):
        waiting = Waiting(KEY, at % tokens, at // tokens * DAY_S, null, 0.5, barrier, cost_r)
        r = barrier if outcome == Outcome.TARGET else -1.0
        board.add(waiting, outcome, r, 3)
    (line,) = board.lines()
    return line


def test_eighty_percent_is_claimed_only_for_many_independent_hits_above_it() -> None:
    nine_in_ten = ([Outcome.TARGET] * 9 + [Outcome.STOP]) * 30
    assert board_of(nine_in_ten).claim
    assert not board_of(nine_in_ten[:50]).claim, "too few"
    assert not board_of(nine_in_ten, barrier=0.5).claim, "targets nearer than stops"
    assert not board_of(nine_in_ten, cost_r=1.0).claim, "costs eat it"
    assert not board_of(nine_in_ten, null=0.95).claim, "chance does better"
    assert not board_of(([Outcome.TARGET] * 4 + [Outcome.STOP]) * 60).claim, "the interval is below"


def test_many_outcomes_of_one_day_and_instrument_are_one() -> None:
    board = Scoreboard()
    for _ in range(300):
        board.add(Waiting(KEY, 1, 0, 0.4, 0.5, 1.0, 0.0), Outcome.TARGET, 1.0, 1)
    (line,) = board.lines()
    assert line.n == 300 and line.independent == 1 and not line.claim


def test_timeouts_are_misses_and_what_a_gap_hid_is_left_out_and_counted() -> None:
    line = board_of([Outcome.TARGET, Outcome.TIMEOUT, Outcome.STOP_AMBIGUOUS, Outcome.UNRESOLVABLE])
    assert (line.n, line.hits, line.unresolvable) == (3, 1, 1)
    assert line.rate == pytest.approx(1 / 3) and line.timeouts == pytest.approx(1 / 3)
    assert line.ambiguous == pytest.approx(1 / 3)


@given(st.integers(1, 60), st.floats(0.05, 0.95), st.data())
def test_the_chance_of_so_many_hits_is_the_binomial_tail(
    n: int, null: float, data: st.DataObject
) -> None:
    hits = data.draw(st.integers(0, n))
    tail = sum(math.comb(n, k) * null**k * (1 - null) ** (n - k) for k in range(hits, n + 1))
    assert beats(hits, n, null) == pytest.approx(min(tail, 1.0), abs=1e-9)


def test_what_stands_out_among_many_by_benjamini_and_hochberg() -> None:
    p = [0.01, 0.5, math.nan, 0.039, 0.028, 0.9]
    assert notable(p, 0.10) == [True, False, False, True, True, False]
    assert notable([0.2] * 5, 0.10) == [False] * 5 and notable([]) == []


def resolved(numbers: list[int], outcome: int) -> Resolved:
    n = len(numbers)
    nothing, none = np.zeros(n), np.zeros(n, np.int64)
    return Resolved(np.array(numbers), np.full(n, outcome), none, 0, nothing, nothing, nothing,
                    none, nothing, none)  # fmt: skip


def test_a_walk_forward_knows_no_outcome_of_its_day_or_of_the_day_before() -> None:
    forward = WalkForward()
    for day in range(6):
        cold = 0.4 * (0.9 + 0.2 * 0.5)
        told = forward.chance(KEY, day * 1440, 0.5, 0.4)
        if day < 5:  # 90 outcomes of days 0 to 2 are known on day 4: too few
            assert told == pytest.approx(cold)
        else:
            assert told > 0.7
        numbers = list(range(day * 30, day * 30 + 30))
        for number in numbers:
            forward.expect(number, KEY, day * 1440, 0.5)
        forward.take(resolved(numbers, Outcome.TARGET))
