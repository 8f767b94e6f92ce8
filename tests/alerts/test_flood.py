"""The flood governor: at most ten annunciations in any ten minutes, and P1 always."""

from __future__ import annotations

from collections import deque
from itertools import pairwise

import msgspec
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from kitetui.engine.alerts.alert import Alert, Priority
from kitetui.engine.alerts.flood import Flood, Form, Notice
from tests.alerts.candidates import NOON_S, SETTINGS, candidate, condition_alert


def p2(n: int, at_s: int = NOON_S, r: float = 0.0) -> Alert:
    return candidate(f"SYM{n}", at_s, priority=Priority.P2, expected_r=r)


def run(arrivals: dict[int, list[Alert]], seconds: int) -> list[Notice]:
    flood, out = Flood(SETTINGS.budget), []
    for second in range(seconds):
        at_s = NOON_S + second
        out += flood.spend(arrivals.get(second, []), at_s)
        out += flood.tick(at_s)
    return out


def test_the_eleventh_opens_a_flood_and_joins_the_digest() -> None:
    told = run({0: [p2(n, r=n / 100) for n in range(14)]}, 130)
    alone = [notice for notice in told if notice.form is Form.ALERT]
    assert [a.symbol for n in alone for a in n.alerts] == [f"SYM{n}" for n in range(13, 3, -1)], (
        "the most expected first, whatever the order of symbols"
    )
    (banner,) = [notice for notice in told if notice.form is Form.FLOOD]
    (digest,) = [notice for notice in told if notice.form is Form.DIGEST]
    assert "FLOOD" in banner.text and banner.at_s == NOON_S
    assert digest.at_s == NOON_S + 60 and len(digest.alert_ids) == 4
    assert digest.text.startswith("4 alerts: SYM0 volume_spike")


def test_a_flood_ends_when_few_arrive_and_says_so() -> None:
    arrivals = {n * 20: [p2(n, NOON_S + n * 20)] for n in range(12)}
    arrivals |= {220 + n * 150: [p2(100 + n, NOON_S + 220 + n * 150)] for n in range(12)}
    told = run(arrivals, 2400)
    forms = [notice.form for notice in told]
    assert forms.index(Form.FLOOD) == 10
    calm = forms.index(Form.CALM)
    assert Form.ALERT in forms[calm:], "afterwards alerts are told again"
    (over,) = [notice for notice in told if notice.form is Form.CALM]
    assert over.text.startswith("The flood is over")


def test_p1_is_told_at_once_and_the_rest_of_a_second_together_in_the_next() -> None:
    many = [condition_alert(f"c{n}") for n in range(5)]
    told = run({0: many, 30: [condition_alert("later", NOON_S + 30)]}, 40)
    assert [(n.form, n.at_s - NOON_S, len(n.alert_ids)) for n in told] == [
        (Form.ALERT, 0, 1), (Form.TOGETHER, 1, 4), (Form.ALERT, 30, 1)]  # fmt: skip
    assert {i for n in told for i in n.alert_ids} == {a.alert_id for a in many} | {
        condition_alert("later", NOON_S + 30).alert_id}  # fmt: skip


def test_p3_is_never_an_interruption() -> None:
    assert run({0: [candidate(f"S{n}") for n in range(500)]}, 100) == []


def test_a_notice_of_the_same_event_has_the_same_id_anywhere() -> None:
    one, other = run({0: [p2(1)]}, 1), run({0: [p2(1)]}, 1)
    assert one[0].notice_id == other[0].notice_id
    assert len({n.notice_id for n in run({n: [p2(n, NOON_S + n)] for n in range(9)}, 10)}) == 9


@examples(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 120), st.integers(0, 40), st.booleans()), max_size=120))
def test_the_budget_holds_in_any_window_and_nobody_is_lost(
    bursts: list[tuple[int, int, bool]],
) -> None:
    flood = Flood(SETTINGS.budget)
    second, serial = 0, 0
    told_s: deque[int] = deque()
    digests_s: list[int] = []
    arrived, seen = [], []
    for gap, count, urgent in [*bursts, (700, 0, False), (700, 0, False)]:
        for _ in range(gap):
            second += 1
            notices = flood.tick(NOON_S + second)
            seen += notices
        alerts = []
        for _ in range(count):
            serial += 1
            alerts.append(p2(serial, NOON_S + second))
        if urgent:
            serial += 1
            alerts.append(condition_alert(f"c{serial}", NOON_S + second))
        arrived += alerts
        seen += flood.spend(alerts, NOON_S + second)
    for notice in seen:
        if notice.form is Form.ALERT and notice.priority is Priority.P2:
            told_s.append(notice.at_s)
            while notice.at_s - told_s[0] >= 600:
                told_s.popleft()
            assert len(told_s) <= SETTINGS.budget.told
        if notice.form is Form.DIGEST:
            digests_s.append(notice.at_s)
    assert all(b - a >= 60 for a, b in pairwise(digests_s))
    ids = [i for notice in seen for i in notice.alert_ids]
    assert sorted(ids) == sorted(alert.alert_id for alert in arrived), "each exactly once"
    assert flood.pending == 0
    assert all(msgspec.json.decode(msgspec.json.encode(n), type=Notice) == n for n in seen[:5])
