"""The gate: every candidate is admitted or leaves by one counted reason."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kitetui.engine.alerts.alert import Alert, AlertState, Priority, alert_id
from kitetui.engine.alerts.desk import Desk
from kitetui.engine.alerts.gate import Exit, Gate
from kitetui.engine.alerts.shelves import Shelf
from tests.alerts.candidates import NOON_S, candidate, condition_alert, settings


def gate(**changes: object) -> tuple[Gate, Desk]:
    desk = Desk(settings(**changes))
    return Gate(settings(**changes), desk), desk


def ways(of: Gate, *candidates: Alert) -> list[Exit]:
    return [of.admit(one)[0] for one in candidates]


def test_many_are_screened_at_once() -> None:
    of, _ = gate()
    exits = of.screen(np.array([0.9, 0.5, np.nan, 0.99]), np.array([False, False, False, True]))
    assert exits.tolist() == [Exit.ADMITTED, Exit.LOW_CONFIDENCE, Exit.LOW_CONFIDENCE,
                              Exit.DATA_QUALITY]  # fmt: skip
    assert of.counts.of(Priority.EVENT) == {"low_confidence": 2, "data_quality": 1}


def test_the_same_event_has_the_same_id_anywhere() -> None:
    one = alert_id("RELIANCE", "volume_spike", "1m", 1, 1_765_772_040)
    assert one == "91a49e32742431c9"
    assert one != alert_id("RELIANCE", "volume_spike", "1m", -1, 1_765_772_040)
    assert one != alert_id("RELIANCE", "volume_spike", "5m", 1, 1_765_772_040)


def test_what_has_no_numbers_is_invalid() -> None:
    of, _ = gate()
    bad = [candidate(price=math.nan), candidate(target=math.inf), candidate(symbol=""),
           candidate(stop=math.nan)]  # fmt: skip
    assert ways(of, *bad) == [Exit.INVALID] * 4


def test_a_key_is_one_episode_that_counts_what_comes_to_it() -> None:
    of, desk = gate()
    first = candidate()
    assert ways(of, first, first) == [Exit.ADMITTED, Exit.DUPLICATE]
    later = [candidate(at_s=NOON_S + 60 * n) for n in (1, 2, 3)]
    assert ways(of, *later) == [Exit.MERGED] * 3
    (alert,) = desk
    assert (alert.count, alert.last_s, alert.revision) == (4, NOON_S + 180, 1)
    assert alert.alert_id == first.alert_id


def test_a_stronger_one_takes_the_acknowledgement_back_and_is_told() -> None:
    of, desk = gate()
    of.admit(candidate())
    (alert,) = desk
    desk.move(alert, AlertState.ACKED, "ops", "acknowledged", NOON_S, acked_by="ops")
    way, told = of.admit(candidate(at_s=NOON_S + 60, confidence=0.91))
    assert (way, told) == (Exit.MERGED, None)
    way, told = of.admit(candidate(at_s=NOON_S + 120, confidence=0.96))
    assert way is Exit.MERGED and told is not None
    assert (told.state, told.acked_by, told.count) == (AlertState.UNACKED, "", 3)
    way, told = of.admit(candidate(at_s=NOON_S + 180, priority=Priority.P2))
    assert told is not None and told.priority is Priority.P2


def test_what_was_raised_rests_unless_it_is_more_urgent_or_stronger() -> None:
    of, desk = gate(flap_start=1.0)
    of.admit(candidate())
    desk.over(candidate().alert_id, "stop", NOON_S + 60)
    desk.close(desk.open_episode(candidate().key), "acknowledged", NOON_S + 60)
    assert ways(of, candidate(at_s=NOON_S + 840)) == [Exit.COOLDOWN]
    assert ways(of, candidate(at_s=NOON_S + 840, confidence=0.96)) == [Exit.ADMITTED]
    (alert,) = desk
    assert alert.episode == 2
    desk.close(alert, "acknowledged", NOON_S + 850)
    assert ways(of, candidate(at_s=NOON_S + 860, confidence=0.96)) == [Exit.COOLDOWN]
    urgent = candidate(at_s=NOON_S + 870, confidence=0.96, priority=Priority.P2)
    assert ways(of, urgent) == [Exit.ADMITTED]


def test_one_symbol_does_not_take_the_page() -> None:
    of, _ = gate()
    patterns = [f"pattern{n}" for n in range(9)]
    found = ways(of, *(candidate(pattern=name) for name in patterns))
    assert found == [Exit.ADMITTED] * 6 + [Exit.RATE] * 3
    assert ways(of, candidate("TCS")) == [Exit.ADMITTED]
    again = ways(of, *(candidate(pattern=f"late{n}", at_s=NOON_S + 3600) for n in range(7)))
    assert again == [Exit.ADMITTED] * 6 + [Exit.RATE], "twelve an hour come back, six at most"


def test_a_key_that_comes_and_goes_is_flapping_and_its_calm_ends_that() -> None:
    of, desk = gate(cooldown_minutes=0, symbol_burst=1000)
    found = []
    for n in range(30):
        one = candidate(at_s=NOON_S + 180 * n, horizon_bars=1)
        found.append(of.admit(one)[0])
        if (alert := desk.open_episode(one.key)) is not None:
            desk.close(alert, "timeout", one.at_s)
    assert found[0] is Exit.ADMITTED and found[-1] is Exit.FLAPPING
    assert found.count(Exit.FLAPPING) > 20
    assert ways(of, candidate(at_s=NOON_S + 180 * 30 + 3600, horizon_bars=1)) == [Exit.ADMITTED]


def test_what_is_shelved_is_counted_on_its_shelf() -> None:
    of, desk = gate()
    desk.shelves.put(Shelf("RELIANCE", "", "", None, NOON_S + 900, "ops"))
    desk.shelves.put(Shelf("", "breakout", "", None, NOON_S + 900, "ops"))
    assert ways(of, candidate(), candidate("TCS", pattern="breakout"),
                candidate("TCS")) == [Exit.SHELVED, Exit.SHELVED, Exit.ADMITTED]  # fmt: skip
    assert ways(of, candidate(at_s=NOON_S + 900)) == [Exit.ADMITTED], "every shelf ends"


@pytest.mark.parametrize("n", [3, 40])
def test_p1_leaves_by_a_merge_alone(n: int) -> None:
    of, desk = gate()
    found = []
    for k in range(n):
        urgent = condition_alert(at_s=NOON_S + k)
        found.append(of.admit(urgent)[0])
        if k % 2 and (alert := desk.open_episode(urgent.key)) is not None:
            desk.close(alert, "the condition is over", urgent.at_s)
    assert set(found) == {Exit.ADMITTED, Exit.MERGED}
    counts = of.counts.of(Priority.P1)
    assert counts["admitted"] + counts["merged"] == n


def test_while_prices_are_doubtful_patterns_are_raised_suppressed() -> None:
    of, desk = gate()
    of.inhibited = True
    assert ways(of, candidate(), condition_alert()) == [Exit.ADMITTED] * 2
    assert [alert.state for alert in desk] == [AlertState.UNACKED, AlertState.SUPPRESSED]
