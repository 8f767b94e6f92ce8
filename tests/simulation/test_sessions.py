"""A hundred simulated sessions under faults; `make chaos` lives through a thousand days."""

from __future__ import annotations

import pytest

from tests.simulation.seeds import command, in_a_child
from tests.simulation.world import ONE_HOUR

pytestmark = pytest.mark.e2e
PARTS = 10


@pytest.mark.parametrize("part", range(PARTS))
def test_no_invariant_breaks(part: int) -> None:
    days = [in_a_child(seed, ONE_HOUR) for seed in range(1 + part * 10, 11 + part * 10)]
    broken = [(day.violations[:3], command(day, ONE_HOUR)) for day in days if day.violations]
    assert broken == []
    assert sum(day.ticks for day in days) > 1_500 and sum(day.lives for day in days) > 10
    assert sum(day.alerts for day in days) > 3


def test_a_seed_is_a_session() -> None:
    one, again, other = (in_a_child(seed, ONE_HOUR) for seed in (5, 5, 2))
    assert one.digest == again.digest != "" and one.events == again.events
    assert other.digest not in ("", one.digest)
