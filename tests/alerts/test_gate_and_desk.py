"""The gate counts every exit; the desk changes an alert only as it was seen."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kitetui.engine.alerts.alert import AlertState, alert_id
from kitetui.engine.alerts.desk import Desk
from kitetui.engine.alerts.gate import Exit, Gate
from kitetui.engine.commands import Acknowledge, Undo, decode, encode
from tests.widgets.views import alert

S = 1_000_000_000


def ack(n: int = 0, revision: int = 1, actor: str = "ops") -> Acknowledge:
    return Acknowledge(alert(n).alert_id, 1, revision, actor)


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(0, 1), st.booleans()), max_size=60))
def test_candidates_are_admitted_or_counted_by_reason(
    candidates: list[tuple[int, float, bool]],
) -> None:
    gate = Gate(0.85)
    admitted = set()
    for n, confidence, doubtful in candidates:
        candidate = alert(n, confidence=confidence)
        way = gate.screen(np.array([confidence]), np.array([doubtful]))[0]
        if way == Exit.ADMITTED and gate.admit(candidate).alert is not None:
            assert confidence >= 0.85 and not doubtful
            assert candidate.alert_id not in admitted
            admitted.add(candidate.alert_id)
        counts = gate.counts
        assert counts.candidates == counts.admitted + sum(counts.by_reason.values())


def test_the_same_event_has_the_same_id_anywhere() -> None:
    one = alert_id("RELIANCE", "volume_spike", "1m", 1, 1_765_772_040)
    assert one == "91a49e32742431c9"
    assert one != alert_id("RELIANCE", "volume_spike", "1m", -1, 1_765_772_040)
    assert one != alert_id("RELIANCE", "volume_spike", "5m", 1, 1_765_772_040)


def test_acknowledging_names_id_episode_and_revision() -> None:
    desk = Desk(10, 30)
    desk.raise_alert(alert(0))
    assert not desk.obey(ack(revision=2), 0).done
    assert not desk.obey(Acknowledge("ffff", 1, 1, "ops"), 0).done
    first = desk.obey(ack(), 0)
    assert first.done and first.alert_id == alert(0).alert_id
    again = desk.obey(ack(revision=2, actor="bob"), 0)
    assert not again.done and "acknowledged by ops" in again.text
    assert desk.unacked == 0


def test_undo_takes_back_the_actors_own_last_ack_within_its_time() -> None:
    desk = Desk(10, 30)
    desk.raise_alert(alert(0))
    desk.raise_alert(alert(1))
    desk.obey(ack(0, actor="alice"), 0)
    desk.obey(ack(1, actor="bob"), 0)
    assert not desk.obey(Undo("carol"), S).done
    assert desk.obey(Undo("alice"), 29 * S).done
    assert desk.get(alert(0).alert_id).state is AlertState.UNACKED  # type: ignore[union-attr]
    assert desk.get(alert(0).alert_id).revision == 3  # type: ignore[union-attr]
    assert not desk.obey(Undo("alice"), 29 * S).done
    assert not desk.obey(Undo("bob"), 31 * S).done


def test_a_full_queue_loses_acknowledged_alerts_first() -> None:
    desk = Desk(3, 30)
    for n in range(3):
        desk.raise_alert(alert(n))
    desk.obey(ack(1), 0)
    desk.raise_alert(alert(7))
    assert desk.get(alert(1).alert_id) is None
    assert desk.get(alert(0).alert_id) is not None
    assert (len(desk), desk.dropped) == (3, 1)


def test_unacknowledged_stand_first_and_the_newest_first() -> None:
    desk = Desk(10, 30)
    for n in (3, 2, 1):
        desk.raise_alert(alert(n))
    desk.obey(ack(1), 0)
    assert [a.symbol for a in desk.newest(10)] == ["SYM2", "SYM3", "SYM1"]


def test_commands_survive_the_journal() -> None:
    for command in (ack(), Undo("ops")):
        assert decode(encode(command)) == command
