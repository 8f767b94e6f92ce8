"""5,000 candidates a minute, and 5,000 in a second: few interruptions, nothing urgent lost."""

from __future__ import annotations

from collections import Counter, deque
from itertools import pairwise
from pathlib import Path

import pytest

from kitetui.engine.alerts.alert import Alert, Priority
from kitetui.engine.alerts.alerting import Alerting, Told
from kitetui.engine.alerts.flood import Form
from kitetui.engine.alerts.gate import Exit
from kitetui.engine.calendar import ist_day
from kitetui.engine.sinks.desk_log import DeskLog
from tests.alerts.candidates import NOON_S, SETTINGS, candidate, condition_alert
from tests.alerts.storm import storm


class Run:
    """A storm through the alert stage into the desk's log."""

    def __init__(self, seconds: list[tuple[int, list[Alert]]], folder: Path) -> None:
        self.alerting = Alerting(SETTINGS)
        self.log = DeskLog(folder, 2)
        self.told: list[Told] = []
        self.ways: Counter[tuple[Priority, Exit]] = Counter()
        self.rows = 0
        for at_s, alerts in seconds:
            for one in alerts:
                self.ways[one.priority, self.alerting.offer(one)] += 1
            self.alerting.tell(at_s)
            self.alerting.tick(at_s)
            told = self.alerting.drain()
            self.log.write(told.raised, told.transitions, told.departures, at_s * 1000)
            self.told.append(told)
            urgent = sum(a.priority is Priority.P1 for a in self.alerting.desk)
            self.rows = max(self.rows, len(self.alerting.desk) - urgent)


CALM = [(NOON_S + 600 + n, []) for n in range(900)]
BURST = [(NOON_S, [*(candidate(f"S{n % 700}", pattern=f"p{n // 700}", priority=Priority.P2,
                               expected_r=n / 5000) for n in range(5000)),
                   *(condition_alert(f"c{n}") for n in range(20))])]  # fmt: skip


@pytest.fixture(scope="module", params=["5,000 a minute for ten", "5,000 in a second"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    seconds = [*storm(5000, 10)] if "minute" in request.param else BURST
    return Run([*seconds, *CALM], tmp_path_factory.mktemp("desk"))


def test_people_are_told_little_and_told_that_there_is_more(run: Run) -> None:
    notices = [notice for told in run.told for notice in told.notices]
    alone = [n.at_s for n in notices if n.priority is Priority.P2 and n.form is Form.ALERT]
    window: deque[int] = deque()
    for at_s in alone:
        window.append(at_s)
        while at_s - window[0] >= 600:
            window.popleft()
        assert len(window) <= 10
    assert alone
    digests = [n.at_s for n in notices if n.form is Form.DIGEST]
    assert digests and all(b - a >= 60 for a, b in pairwise(digests))
    assert [n.form for n in notices].count(Form.FLOOD) >= 1
    assert run.rows <= SETTINGS.rows == 50


def test_every_candidate_is_in_the_log_as_an_alert_or_with_how_it_left(run: Run) -> None:
    counts = run.alerting.gate.counts
    assert counts.candidates == sum(run.ways.values()) > 4_900
    for priority in Priority:
        told = {way: n for (p, way), n in run.ways.items() if p is priority}
        assert counts.of(priority) == {way.name.lower(): n for way, n in told.items()}
    day = ist_day(NOON_S)
    kept = {alert.alert_id for alert in run.log.alerts(day)}
    assert len(kept) == counts.admitted == sum(len(told.raised) for told in run.told)
    left = run.log.departures(day)
    assert len(kept) + len(left) == counts.candidates
    raised = Counter((a.priority, Exit.ADMITTED) for a in run.log.alerts(day))
    others = Counter((Priority(d.priority), Exit[d.exit.upper()]) for d in left)
    assert raised + others == run.ways
    last = {t.alert_id: t.after for t in run.log.transitions(day)}
    assert set(last) == kept
    now = {alert.alert_id: alert.state for alert in run.alerting.desk}
    assert now == {i: after for i, after in last.items() if after != "closed"}


def test_no_urgent_alert_is_lost(run: Run) -> None:
    urgent = {a.alert_id: a for told in run.told for a in told.raised if a.priority is Priority.P1}
    heard = {i for told in run.told for n in told.notices for i in n.alert_ids}
    assert urgent and set(urgent) <= heard
    ways = {way for (priority, way) in run.ways if priority is Priority.P1}
    assert ways <= {Exit.ADMITTED, Exit.MERGED, Exit.DUPLICATE}
    in_queue = {a.alert_id for a in run.alerting.desk}
    assert set(urgent) <= in_queue, "nobody acknowledged them"
    counted = sum(a.count for a in run.alerting.desk if a.priority is Priority.P1)
    assert counted == sum(n for (p, way), n in run.ways.items()
                          if p is Priority.P1 and way is not Exit.DUPLICATE)  # fmt: skip


def test_the_same_storm_gives_the_same_log(tmp_path: Path) -> None:
    day = ist_day(NOON_S)
    one, other = (Run([*storm(2000, 3, seed=4)], folder) for folder in
                  (_made(tmp_path / "a"), _made(tmp_path / "b")))  # fmt: skip
    assert one.log.transitions(day) == other.log.transitions(day)
    assert one.log.alerts(day) == other.log.alerts(day)
    assert one.log.departures(day) == other.log.departures(day)
    ids = [[n.notice_id for told in run.told for n in told.notices] for run in (one, other)]
    assert ids[0] == ids[1] and len(set(ids[0])) == len(ids[0])


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
