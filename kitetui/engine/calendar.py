"""Sessions: which hours each segment trades on each date. Holds no clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone

import msgspec

from kitetui.settings import CalendarSettings, HoursSettings

IST_OFFSET_S = 19_800
IST = timezone(timedelta(seconds=IST_OFFSET_S), "IST")
"""India has one time zone and no daylight saving."""

DAY_S = 86_400
SEGMENTS = ("equity", "equity_fno", "index", "equity_derivatives", "currency", "commodity")
"""Hour classes; an instrument row carries the position of its class in this tuple."""

_EPOCH = date(1970, 1, 1)


def ist(seconds: float) -> datetime:
    """The Indian time of an epoch second, for people."""
    return datetime.fromtimestamp(seconds, UTC).astimezone(IST)


def ist_day(epoch_s: int) -> int:
    """Days since the epoch of the Indian date that holds a second."""
    return (epoch_s + IST_OFFSET_S) // DAY_S


def day_date(day: int) -> date:
    """The date of a day number."""
    return _EPOCH + timedelta(days=day)


def date_day(on: date) -> int:
    """The day number of a date."""
    return (on - _EPOCH).days


@dataclass(frozen=True, slots=True)
class Session:
    """One continuous session, epoch seconds, half open: [open_s, close_s)."""

    pre_open_s: int
    open_s: int
    close_s: int
    end_s: int
    """The end of the closing auction, or the close where there is none."""


class Calendar:
    """Answers by segment and day; a date with no session answers None.

    Attributes:
        last_day: the last day number that it was made for.
        unscheduled: segments and days that it has closed, and that trade all the same.
    """

    def __init__(self, settings: CalendarSettings) -> None:
        self._settings = settings
        self._holidays = {date_day(date.fromisoformat(d)) for d in settings.holidays}
        self._special: dict[int, list[HoursSettings]] = {}
        for text, hours in settings.special.items():
            listed = hours if isinstance(hours, list) else [hours]
            for one in listed:
                _check_segments(text, one)
            self._special[date_day(date.fromisoformat(text))] = listed
        self._events = [(_event_s(event.at), event) for event in settings.events]
        self._cache: dict[tuple[str, int], Session | None] = {}
        self.unscheduled: frozenset[tuple[str, int]] = frozenset()
        self.last_day = date_day(date.fromisoformat(settings.covers[1]))

    def session(self, segment: str, day: int) -> Session | None:
        """The session of a segment on a day (see `ist_day`), or None when it is closed."""
        key = (segment, day)
        if key not in self._cache:
            self._cache[key] = self._find(segment, day)
        return self._cache[key]

    def admit(self, unscheduled: frozenset[tuple[str, int]]) -> None:
        """Take these segments and days, and no others, as sessions with their usual hours."""
        if unscheduled != self.unscheduled:
            self.unscheduled = unscheduled
            self._cache.clear()

    def is_open(self, segment: str, at_s: float) -> bool:
        """Whether a segment trades at a second."""
        session = self.session(segment, ist_day(int(at_s)))
        return session is not None and session.open_s <= at_s < session.close_s

    def session_minutes(self, day: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """First minutes of each class of `SEGMENTS` on a day, and the ones after their last.

        0 where it is closed.
        """
        sessions = [self.session(segment, day) for segment in SEGMENTS]
        return (
            tuple(s.open_s // 60 if s else 0 for s in sessions),
            tuple(s.close_s // 60 if s else 0 for s in sessions),
        )

    def last_sessions(self, before_s: int, count: int, segment: str = "equity") -> list[int]:
        """The newest `count` day numbers whose session had opened by a second, oldest first."""
        day = ist_day(before_s)
        found: list[int] = []
        for _ in range(count * 3 + 30):
            session = self.session(segment, day)
            if session is not None and session.open_s <= before_s:
                found.append(day)
                if len(found) == count:
                    break
            day -= 1
        return found[::-1]

    def pending(self, name: str, from_s: int, upto_s: int) -> str:
        """What lies ahead for an underlying between two seconds; '' for nothing."""
        for at_s, event in self._events:
            if from_s < at_s <= upto_s and (name in event.names or "*" in event.names):
                return event.what
        return ""

    def _find(self, segment: str, day: int) -> Session | None:
        for special in self._special.get(day, ()):
            if not special.segments or segment in special.segments:
                return _at(day, special)
        closed = day in self._holidays or day_date(day).weekday() >= 5
        if closed and (segment, day) not in self.unscheduled:
            return None
        return self.usual(segment, day)

    def usual(self, segment: str, day: int) -> Session:
        """The hours that a segment keeps on an ordinary day of that time, be it closed or not."""
        iso = day_date(day).isoformat()
        begun = [h for h in self._settings.hours[segment] if h.from_ <= iso]
        hours = begun[-1] if begun else self._settings.hours[segment][0]
        return _at(day, hours)


def _check_segments(text: str, hours: HoursSettings) -> None:
    for segment in hours.segments:
        if segment not in SEGMENTS:
            raise msgspec.ValidationError(
                f"calendar.special.{text}: segments: expected some of {', '.join(SEGMENTS)}, "
                f"got {segment!r}"
            )


def _event_s(text: str) -> int:
    try:
        day, time = text.split(" ")
        return date_day(date.fromisoformat(day)) * DAY_S - IST_OFFSET_S + _seconds(time)
    except ValueError:
        raise msgspec.ValidationError(
            f"calendar.events: expected a time such as 2026-02-01 11:00, got {text!r}"
        ) from None


def _at(day: int, hours: HoursSettings) -> Session:
    midnight_s = day * DAY_S - IST_OFFSET_S
    open_s = midnight_s + _seconds(hours.open)
    close_s = midnight_s + _seconds(hours.close)
    pre_open_s = midnight_s + _seconds(hours.pre_open) if hours.pre_open else open_s
    end_s = midnight_s + _seconds(hours.auction_end) if hours.auction_end else close_s
    return Session(pre_open_s, open_s, close_s, end_s)


def _seconds(text: str) -> int:
    try:
        hour, minute = text.split(":")
        return int(hour) * 3600 + int(minute) * 60
    except ValueError:
        raise msgspec.ValidationError(f"expected a time such as 09:15, got {text!r}") from None
