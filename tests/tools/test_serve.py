"""The simulated exchange's clock: it has a session to show at any hour of any day."""

from __future__ import annotations

from datetime import datetime

import pytest

from kitetui.engine.calendar import IST, Calendar
from kitetui.settings import Settings
from kitetui.tools.serve import PAST_SESSIONS, session_clock


def test_every_hour_of_two_years_has_a_last_session(settings: Settings) -> None:
    calendar = Calendar(settings.calendar)
    first = int(datetime(2025, 2, 1, tzinfo=IST).timestamp())
    for hour in range(0, 24 * 730, 3):
        now_s = first + hour * 3600
        start_s, sessions = session_clock(calendar, None, now_s)
        assert sessions[-1].open_s <= start_s < sessions[-1].close_s - 300
        assert sessions[-1].open_s <= now_s
        assert len(sessions) == PAST_SESSIONS + 1


def test_a_given_clock_is_taken_or_refused(settings: Settings) -> None:
    calendar = Calendar(settings.calendar)
    now_s = int(datetime(2026, 11, 23, 3, tzinfo=IST).timestamp())
    start_s, _ = session_clock(calendar, "2025-12-15T14:05", now_s)
    assert datetime.fromtimestamp(start_s, IST).isoformat() == "2025-12-15T14:05:00+05:30"
    start_s, _ = session_clock(calendar, "15:10", now_s)
    assert datetime.fromtimestamp(start_s, IST).isoformat() == "2026-11-20T15:10:00+05:30"
    for wrong in ("16:00", "08:59", "noon", "2026-11-22T10:00"):
        with pytest.raises(ValueError):
            session_clock(calendar, wrong, now_s)
