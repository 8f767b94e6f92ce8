"""What the soak calls growth: a leak shows, an outage does not."""

from __future__ import annotations

import random

import pytest

from tests.chaos.soak import GROWTH_MB, PART, Look, growth_mb


def looks(leak_mb: float, seed: int) -> list[Look]:
    """Two hours at 5,600 ticks/s, with an outage every few minutes that holds a hundred MB."""
    rng = random.Random(seed)
    out, held_until_s = [], 0.0
    for n in range(480):
        at_s = n * 15.0
        if rng.random() < 0.06:
            held_until_s = at_s + rng.uniform(30, 300)
        ticks = int(at_s * 5_600)
        held = rng.uniform(60, 120) if at_s < held_until_s else rng.uniform(0, 12)
        own_mb = 175 + held + leak_mb * ticks / PART
        out.append(Look(at_s, ticks, own_mb + 60, own_mb, 28, "LIVE"))
    return out


@pytest.mark.parametrize("seed", range(6))
def test_a_leak_is_growth_and_an_outage_is_none(seed: int) -> None:
    assert abs(growth_mb(looks(0.0, seed))) < GROWTH_MB * 2
    for leak_mb in (5.0, 20.0):
        assert growth_mb(looks(leak_mb, seed)) == pytest.approx(leak_mb, abs=2 * GROWTH_MB)
