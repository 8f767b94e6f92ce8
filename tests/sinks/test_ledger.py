"""The ledger is only added to; days leave whole; what it holds can be found and counted."""

from __future__ import annotations

import math
import sqlite3
from pathlib import Path

import msgspec
import pytest

from kitetui.engine.alerts.alert import Alert
from kitetui.engine.flow.track_record import past_firings
from kitetui.engine.sinks.ledger import Entry, Ledger, Settlement
from tests.samples import MONDAY_OPEN_S
from tests.widgets.views import alert

DAY_S = 86_400


def entry(n: int, day: int = 0, way: str = "low_confidence") -> Entry:
    at_s = MONDAY_OPEN_S + day * DAY_S + n * 60
    fired = msgspec.structs.replace(
        alert(n), alert_id=f"{day:04x}{n:012x}", at_s=at_s, bar_s=at_s - 60, score=n / 100,
        null_rate=0.4, p_hit=0.41,
    )  # fmt: skip
    return Entry(fired, "equity", way, True, 1.5, 0.1, "abcd")


def settlement(of: Entry, outcome: str = "target") -> Settlement:
    return Settlement(
        of.alert.at_s,
        of.alert.alert_id,
        outcome,
        3,
        of.alert.at_s + 180,
        101.5,
        1.5,
        1.5,
        3,
        0.2,
        1,
    )


def test_what_was_written_is_found_by_the_first_digits_of_its_id(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, 60)
    one, other = entry(1, way="admitted"), entry(2)
    ledger.write([one, other], [])
    ledger.write([], [settlement(one)])
    assert ledger.find(one.alert.alert_id) == [
        (one.alert, "admitted", one.parameters, settlement(one))
    ]
    assert ledger.find("000000000000002") == []
    assert len(ledger.find("0000")) == 2
    assert ledger.find("' OR 1=1 --") == ledger.find("1") == []
    (file,) = tmp_path.glob("*.sqlite")
    assert file.name == "2025-12-15.sqlite" and file.stat().st_mode & 0o777 == 0o600


def test_the_same_again_adds_nothing_and_nothing_is_changed(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, 60)
    one = entry(1)
    ledger.write([one], [settlement(one)])
    louder = msgspec.structs.replace(one, exit="admitted")
    ledger.write([louder, one], [settlement(one, "stop")])
    assert ledger.find(one.alert.alert_id) == [
        (one.alert, "low_confidence", one.parameters, settlement(one))
    ]
    ledger.close()
    db = sqlite3.connect(tmp_path / "2025-12-15.sqlite")
    for wrong in ("UPDATE firing SET exit = 'admitted'", "DELETE FROM firing",
                  "UPDATE outcome SET r = 9", "DELETE FROM outcome"):  # fmt: skip
        with pytest.raises(sqlite3.IntegrityError, match="only added to"):
            db.execute(wrong)
    db.close()


def test_days_beyond_those_kept_leave_whole(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, 2)
    for day in range(4):
        ledger.write([entry(1, day)], [])
    names = sorted(path.name for path in tmp_path.glob("*.sqlite"))
    assert names == ["2025-12-17.sqlite", "2025-12-18.sqlite"]
    assert not list(tmp_path.glob("2025-12-15*"))


def test_calibrations_are_made_of_past_days_in_order(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, 60)
    for day in (0, 1, 2):
        fired = [entry(3, day), entry(1, day), entry(2, day, "data_quality")]
        ledger.write(fired, [settlement(fired[0]), settlement(fired[1], "timeout"),
                             settlement(fired[2], "unresolvable")])  # fmt: skip
    today = (MONDAY_OPEN_S + 2 * DAY_S + 19_800) // DAY_S
    (past,) = past_firings(ledger.kept(today, 60, {"abcd"}))
    assert (past.pattern, past.timeframe, past.asset_class) == ("volume_spike", "1m", "equity")
    assert past.scores == [0.01, 0.03] * 2
    assert past.resolved == [0.01, 0.03] * 2 and past.hit == [False, True] * 2
    assert len(ledger.kept(today, 1, {"abcd"})) == 3


def test_what_is_undefined_stays_so(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, 60)
    bare = entry(1)
    fired: Alert = msgspec.structs.replace(bare.alert, target=None, null_rate=None, p_hit=None)
    ledger.write([msgspec.structs.replace(bare, alert=fired, barrier=math.nan)], [])
    assert ledger.find(fired.alert_id)[0][0].target is None
    (kept,) = ledger.kept(1 << 15, 60, {"abcd"})
    assert math.isnan(kept.null_rate) and math.isnan(kept.barrier) and kept.outcome == ""


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "2025-12-15.sqlite").write_bytes(b"garbage" * 1000)
    with pytest.raises(OSError, match="no usable database") as told:
        Ledger(tmp_path, 60).write([entry(1)], [])
    assert told.value.filename.endswith("2025-12-15.sqlite")


def test_what_fired_under_other_parameters_is_another_patterns_past(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, 60)
    ledger.write([entry(1), msgspec.structs.replace(entry(2), parameters="ef01")], [])
    assert [kept.score for kept in ledger.kept(1 << 15, 60, {"ef01"})] == [0.02]
    assert len(ledger.kept(1 << 15, 60, {"abcd", "ef01"})) == 2


def test_only_as_many_firings_are_kept_in_mind_as_anybody_looks_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kitetui.engine.sinks.ledger.KEPT_MAX", 5)
    ledger = Ledger(tmp_path, 60)
    for day in (0, 1):
        ledger.write([entry(n, day) for n in (1, 2, 3)], [])
    kept = ledger.kept(1 << 15, 60, {"abcd"})
    assert [(line.at_s - MONDAY_OPEN_S) // 60 for line in kept] == [2, 3, 1441, 1442, 1443]


def test_an_outcome_that_is_known_the_day_after_stays_with_its_firing(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, 60)
    one = entry(1)
    ledger.write([one], [])
    late = msgspec.structs.replace(settlement(one), at_s=one.alert.at_s + DAY_S)
    ledger.write([], [late])
    assert ledger.find(one.alert.alert_id)[0].settled == late
    assert [kept.outcome for kept in ledger.kept(1 << 15, 60, {"abcd"})] == ["target"]


def test_a_day_that_cannot_be_read_is_named_and_keeps_no_other_from_being_read(
    tmp_path: Path,
) -> None:
    ledger = Ledger(tmp_path, 60)
    ledger.write([entry(1, 1)], [])
    (tmp_path / "2025-12-15.sqlite").touch()  # as a crash between the file and its tables leaves it
    assert len(ledger.kept(1 << 15, 60, {"abcd"})) == 1
    assert "2025-12-15" in ledger.unreadable["2025-12-15.sqlite"]
    assert len(ledger.find(entry(1, 1).alert.alert_id)) == 1
