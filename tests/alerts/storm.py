"""A storm of candidates, as a market in turmoil sends them: thousands a minute, P1 among them."""

from __future__ import annotations

import random
from collections.abc import Iterator

from kitetui.engine.alerts.alert import Alert, Priority
from tests.alerts.candidates import NOON_S, candidate, condition_alert

PATTERNS = ("volume_spike", "breakout", "reversal", "volume_breakout", "upside_momentum",
            "ict_momentum", "ict_fair_value_gaps")  # fmt: skip


def storm(per_minute: int, minutes: int, seed: int = 1, symbols: int = 400) -> (
        Iterator[tuple[int, list[Alert]]]):  # fmt: skip
    """Second by second: the session second, and what comes in it."""
    rng = random.Random(seed)
    for second in range(minutes * 60):
        at_s = NOON_S + second
        count = per_minute * (second + 1) // 60 - per_minute * second // 60
        out = [
            candidate(
                f"S{rng.randrange(symbols)}", at_s, pattern=rng.choice(PATTERNS),
                side=rng.choice((-1, 1)), confidence=round(rng.uniform(0.85, 1), 3),
                priority=Priority.P2 if rng.random() < 0.15 else Priority.P3,
                expected_r=round(rng.uniform(-0.3, 0.6), 3),
            )
            for _ in range(count)
        ]  # fmt: skip
        if rng.random() < 0.02:
            out.append(condition_alert(f"condition{rng.randrange(40)}", at_s))
        yield at_s, out
