"""The desk: states, what operators may do, and what time does."""

from __future__ import annotations

from kitetui.engine.alerts.alert import Alert, AlertState, Priority
from kitetui.engine.alerts.desk import Desk
from kitetui.engine.alerts.operators import Operators
from kitetui.engine.commands import (
    Acknowledge,
    AcknowledgeMany,
    Command,
    Mute,
    Result,
    Shelve,
    Undo,
    Unmute,
    Unshelve,
    decode,
    encode,
)
from tests.alerts.candidates import NOON_S, SETTINGS, candidate, condition_alert, settings

S = 1_000_000_000


class Bench:
    """A desk, its operators, and a clock that tests move."""

    def __init__(self, **changes: object) -> None:
        self.desk = Desk(settings(**changes))
        self.operators = Operators(settings(**changes), self.desk)
        self.at_s = NOON_S

    def up(self, symbol: str = "RELIANCE", **changes: object) -> Alert:
        return self.desk.raise_alert(candidate(symbol, self.at_s, **changes))  # type: ignore[arg-type]

    def obey(self, command: Command) -> Result:
        return self.operators.obey(command, self.at_s * S, self.at_s)

    def ack(self, alert: Alert, actor: str = "ops") -> Result:
        return self.obey(Acknowledge(*alert.seen, actor))

    def shelve(self, alert: Alert, minutes: int = 15) -> Result:
        return self.obey(Shelve(*alert.seen, minutes, "ops", "why"))

    def now(self, alert: Alert) -> Alert:
        found = self.desk.get(alert.alert_id)
        assert found is not None
        return found

    def after(self, seconds: int) -> list[Alert]:
        self.at_s += seconds
        return self.desk.tick(self.at_s)


def test_acknowledging_names_id_episode_and_revision_and_the_first_wins() -> None:
    bench = Bench()
    alert = bench.up()
    assert "changed since" in bench.obey(Acknowledge(alert.alert_id, 1, 2, "ops")).text
    assert "changed since" in bench.obey(Acknowledge(alert.alert_id, 2, 1, "ops")).text
    assert "no alert ffff" in bench.obey(Acknowledge("ffff", 1, 1, "ops")).text
    first = bench.ack(alert, "alice")
    assert first.done and first.alert_id == alert.alert_id and bench.desk.unacked == 0
    again = bench.ack(alert, "bob")
    assert not again.done and "acknowledged by alice at 12:" in again.text
    bench.desk.over(alert.alert_id, "target", bench.at_s)
    assert bench.ack(alert, "bob").text == again.text, "also when it has left meanwhile"
    assert "has left the queue" in bench.shelve(alert).text


def test_undo_takes_back_ones_own_last_acknowledgement_within_its_time() -> None:
    bench = Bench()
    one, other = bench.up("A"), bench.up("B")
    bench.ack(one, "alice")
    bench.ack(other, "bob")
    assert bench.obey(Undo("carol")).text == "nothing to undo"
    bench.at_s += 29
    assert bench.obey(Undo("alice")).done
    assert (bench.now(one).state, bench.now(one).revision) == (AlertState.UNACKED, 3)
    assert not bench.obey(Undo("alice")).done
    bench.at_s += 2
    assert "too late" in bench.obey(Undo("bob")).text


def test_many_are_acknowledged_as_they_were_seen_and_taken_back_together() -> None:
    bench = Bench()
    alerts = [bench.up(f"S{n}") for n in range(4)]
    bench.desk.mark(alerts[2].alert_id, ("contested",))
    seen = tuple(a.seen for a in alerts)
    told = bench.obey(AcknowledgeMany(seen, "ops"))
    assert told.done and told.text == "acknowledged 3 alerts; 1 changed since you saw them"
    assert bench.desk.unacked == 1
    assert bench.obey(Undo("ops")).text == "3 are unacknowledged again"
    assert bench.desk.unacked == 4
    assert not bench.obey(AcknowledgeMany((), "ops")).done


def test_an_alert_whose_condition_is_over_waits_for_somebody_but_not_for_ever() -> None:
    bench = Bench()
    seen, unseen, acked = bench.up("A"), bench.up("B"), bench.up("C")
    bench.ack(acked)
    for alert in (seen, unseen, acked):
        bench.desk.over(alert.alert_id, "target", bench.at_s)
    assert bench.desk.get(acked.alert_id) is None, "acknowledged and over: gone"
    assert bench.now(seen).state is AlertState.RETURNED and bench.now(seen).reason == "target"
    assert bench.ack(bench.now(seen)).done and bench.desk.get(seen.alert_id) is None
    bench.after(1799)
    assert bench.now(unseen).state is AlertState.RETURNED
    bench.after(1)
    assert bench.desk.get(unseen.alert_id) is None
    assert bench.desk.closed[-1].reason == "expired"


def test_undo_brings_back_what_left_by_the_acknowledgement() -> None:
    bench = Bench()
    alert = bench.up()
    bench.desk.over(alert.alert_id, "stop", bench.at_s)
    bench.ack(bench.now(alert))
    assert bench.obey(Undo("ops")).done
    assert bench.now(alert).state is AlertState.RETURNED
    bench.ack(bench.now(alert))
    bench.up()  # another episode of its key
    assert "has changed or left" in bench.obey(Undo("ops")).text


def test_time_ends_validity_and_the_session_ends_everything() -> None:
    bench = Bench()
    alert, urgent = bench.up(), bench.desk.raise_alert(condition_alert())
    bench.after(599)
    assert bench.now(alert).state is AlertState.UNACKED
    bench.after(1)
    assert bench.now(alert).state is AlertState.RETURNED
    acked = bench.up("B", valid_until_s=NOON_S + 30_000)
    bench.ack(acked)
    bench.after(4 * 3600)
    assert [a.alert_id for a in bench.desk] == [urgent.alert_id]
    assert {a.reason for a in bench.desk.closed} == {"session_end"}


def test_what_nobody_acknowledges_is_told_again_three_times() -> None:
    bench = Bench()
    urgent = bench.desk.raise_alert(condition_alert())
    bench.desk.raise_alert(candidate("QUIET", priority=Priority.P3))
    bench.desk.told(urgent.alert_id, bench.at_s)
    told = []
    for second in range(1, 1000):
        for again in bench.after(1):
            told.append(second)
            bench.desk.told(again.alert_id, bench.at_s)
    assert told == [120, 240, 360]


def test_a_shelf_hides_an_alert_until_its_time_is_over() -> None:
    bench = Bench()
    alert = bench.up(valid_until_s=NOON_S + 3600)
    told = bench.shelve(alert)
    assert told.done and "shelved until" in told.text
    assert bench.now(alert).state is AlertState.SHELVED and bench.desk.unacked == 0
    assert not bench.ack(bench.now(alert)).done
    bench.after(899)
    assert bench.now(alert).state is AlertState.SHELVED
    bench.after(1)
    assert bench.now(alert).state is AlertState.UNACKED
    short = bench.up("B", valid_until_s=bench.at_s + 60)
    bench.shelve(short)
    bench.after(900)
    assert bench.desk.get(short.alert_id) is None, "it was over meanwhile"


def test_a_shelf_for_the_session_ends_with_it_and_can_be_taken_down() -> None:
    bench = Bench()
    alert = bench.up(valid_until_s=NOON_S + 4 * 3600)
    bench.shelve(alert, 0)
    assert bench.now(alert).shelved_until_s == alert.session_end_s
    assert bench.obey(Unshelve(alert.alert_id, "bob")).done
    assert bench.now(alert).state is AlertState.UNACKED and not len(bench.desk.shelves)
    assert not bench.obey(Unshelve(alert.alert_id, "bob")).done


def test_a_mute_covers_a_symbol_or_a_pattern_and_ends() -> None:
    bench = Bench()
    assert not bench.obey(Mute("", "", 15, "ops")).done
    assert "RELIANCE any pattern is muted" in bench.obey(Mute("RELIANCE", "", 15, "ops")).text
    key = candidate().key
    assert bench.desk.shelves.covering(key, NOON_S + 899) is not None
    assert bench.desk.shelves.covering(key, NOON_S + 900) is None
    assert bench.obey(Unmute("RELIANCE", "", "ops")).done
    assert bench.desk.shelves.covering(key, NOON_S) is None


def test_a_full_queue_loses_what_needs_nobody_then_the_least_urgent_oldest_first() -> None:
    bench = Bench(rows=3)
    low, high = bench.up("LOW"), bench.up("HIGH", priority=Priority.P2)
    done = bench.up("DONE")
    bench.ack(done)
    bench.up("X")
    assert bench.desk.get(done.alert_id) is None
    bench.up("Y", priority=Priority.P2)
    assert bench.desk.get(low.alert_id) is None
    for n in range(20):
        bench.desk.raise_alert(condition_alert(f"c{n}"))
    assert bench.desk.get(high.alert_id) is not None
    assert len(bench.desk) == 23 and bench.desk.overflowed == 2
    assert {a.reason for a in bench.desk.closed} == {"overflow"}


def test_what_waits_stands_first_the_urgent_before_the_rest_and_the_newest_first() -> None:
    bench = Bench()
    for symbol in ("A", "B", "C"):
        bench.up(symbol)
        bench.at_s += 60
    bench.ack(bench.desk.newest(1)[0])
    bench.desk.raise_alert(condition_alert())
    assert [a.symbol for a in bench.desk.newest(10)] == ["feed", "B", "A", "C"]
    assert bench.desk.unacked_by_priority() == (1, 0, 2)


def test_every_change_is_a_transition_with_who_and_why() -> None:
    bench = Bench()
    alert = bench.up()
    bench.ack(alert, "alice")
    bench.obey(Undo("alice"))
    bench.shelve(bench.now(alert))
    transitions, changed = bench.desk.drain()
    assert [(t.before, t.after, t.actor, t.revision) for t in transitions] == [
        ("", "unacked", "engine", 1), ("unacked", "acked", "alice", 2),
        ("acked", "unacked", "alice", 3), ("unacked", "shelved", "ops", 4),
    ]  # fmt: skip
    assert transitions[-1].reason == "why" and list(changed) == [alert.alert_id]
    assert bench.desk.drain() == ([], {})


def test_commands_survive_the_journal() -> None:
    for command in (
        Acknowledge("ab", 1, 2, "ops"), AcknowledgeMany((("ab", 1, 2),), "ops"), Undo("ops"),
        Shelve("ab", 1, 2, 15, "ops", "why"), Unshelve("ab", "ops"), Mute("TCS", "", 0, "ops"),
        Unmute("TCS", "", "ops"),
    ):  # fmt: skip
        assert decode(encode(command)) == command
    assert SETTINGS.rows == 50
