"""Flapping: Nagios' weighted share of changes in 21 states."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kitetui.engine.alerts.flap import STATES, Flaps, changed_share


def by_the_book(states: list[bool]) -> float:
    """As Nagios' documentation has it: 20 changes weigh 0.75 (oldest) to 1.25 (newest)."""
    total = 0.0
    for at in range(1, STATES):
        if states[at] != states[at - 1]:
            total += 0.75 + 0.5 * (at - 1) / (STATES - 2)
    return total / (STATES - 1)


@given(st.lists(st.booleans(), min_size=STATES, max_size=STATES))
def test_the_share_is_nagios_own(states: list[bool]) -> None:
    word = sum(state << (STATES - 1 - at) for at, state in enumerate(states))
    assert changed_share(word) == pytest.approx(by_the_book(states))


@given(st.lists(st.integers(1, 30), min_size=1, max_size=40), st.integers(1, 8))
def test_gaps_are_filled_as_if_every_step_had_been_looked_at(gaps: list[int], lasts: int) -> None:
    quick, slow = Flaps(0.2, 0.05), Flaps(0.2, 0.05)
    at, until = 0, -1
    for gap in gaps:
        for step in range(at + 1, at + gap):
            slow.sample(("k",), step, step < until)
        at += gap
        until = at + lasts
        told = slow.sample(("k",), at, True)
        quick_told = quick.fired(("k",), at, lasts)
        assert told == quick_told
        assert quick._keys["k",].states == slow._keys["k",].states


def test_flapping_starts_at_a_fifth_and_ends_at_a_twentieth() -> None:
    flaps = Flaps(0.2, 0.05)
    told = [flaps.sample(("k",), n, bool(n % 2)) for n in range(8)]
    assert told.index(True) in (4, 5)
    calm = [flaps.sample(("k",), 8 + n, True) for n in range(30)]
    assert calm[0] and not calm[-1]
    assert calm.index(False) > 15
