"""Which hours each segment keeps on which date."""

from __future__ import annotations

from datetime import date

import msgspec
import pytest

from kitetui.config import load
from kitetui.engine.calendar import Calendar, date_day, ist
from kitetui.settings import HoursSettings


def hours(calendar: Calendar, segment: str, on: str) -> str:
    session = calendar.session(segment, date_day(date.fromisoformat(on)))
    return f"{ist(session.open_s):%H:%M}-{ist(session.close_s):%H:%M}" if session else "closed"


@pytest.mark.parametrize(("segment", "on", "told"), [
    ("equity", "2026-11-27", "09:15-15:30"),
    ("equity_fno", "2026-07-31", "09:15-15:30"),
    ("equity_fno", "2026-08-03", "09:15-15:15"),
    ("equity_derivatives", "2026-08-03", "09:15-15:40"),
    ("currency", "2026-11-27", "09:00-17:00"),
    ("commodity", "2026-06-15", "09:00-23:30"),
    ("commodity", "2026-11-27", "09:00-23:55"),
    ("equity", "2026-11-28", "closed"),
    ("equity", "2026-12-25", "closed"),
    ("equity", "2026-11-08", "18:00-19:00"),
    ("equity", "2024-03-02", "09:15-12:30"),
])  # fmt: skip
def test_hours_by_segment_and_date(segment: str, on: str, told: str) -> None:
    assert hours(Calendar(load().calendar), segment, on) == told


def test_an_evening_session_is_of_those_that_it_names() -> None:
    evening = HoursSettings(open="17:00", close="23:30", segments=["commodity"])
    morning = HoursSettings(open="10:00", close="11:00", segments=["currency"])
    settings = msgspec.structs.replace(
        load().calendar, special={"2026-03-03": [evening, morning], "2026-03-07": evening}
    )
    calendar = Calendar(settings)
    assert hours(calendar, "commodity", "2026-03-03") == "17:00-23:30"
    assert hours(calendar, "currency", "2026-03-03") == "10:00-11:00"
    assert hours(calendar, "equity", "2026-03-03") == "closed", "a holiday stays one for the rest"
    assert hours(calendar, "commodity", "2026-03-07") == "17:00-23:30", "on a Saturday as well"
    assert hours(calendar, "equity", "2026-03-07") == "closed"


def test_a_segment_that_there_is_not_is_told() -> None:
    wrong = HoursSettings(open="17:00", close="23:30", segments=["comodity"])
    settings = msgspec.structs.replace(load().calendar, special={"2026-03-03": wrong})
    with pytest.raises(msgspec.ValidationError, match=r"2026-03-03: segments.*comodity"):
        Calendar(settings)


def test_files_say_it_as_well() -> None:
    settings = load(overrides=[
        'calendar.special={"2026-03-03": {open: "17:00", close: "23:30", segments: [commodity]}}',
    ])  # fmt: skip
    assert hours(Calendar(settings.calendar), "commodity", "2026-03-03") == "17:00-23:30"
