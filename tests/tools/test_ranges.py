"""Movement after a bar beside what is usual at its time of day."""

from __future__ import annotations

import numpy as np

from kitetui.tools.ranges import Ranges

BARS = 40


def series(sessions: int, wild: tuple[int, int]) -> Ranges:
    """Sessions of bars a rupee high; in one of them the bars after a place go up by one each."""
    n = sessions * BARS
    close = np.full(n, 100.0)
    session, place = wild
    first = session * BARS + place + 1
    close[first : first + 15] += np.arange(1, 16)
    prices = np.array([close, close + 0.5, close - 0.5, close])
    minute = np.tile(np.arange(BARS) * 5, sessions)
    last = np.repeat(np.arange(sessions) * BARS + BARS - 1, BARS)
    return Ranges(prices, minute, last)


def test_a_move_beyond_the_usual_of_its_time_of_day_is_told_and_no_other() -> None:
    found = series(10, (8, 10))
    assert found.moved(8 * BARS + 10) is True
    assert found.moved(8 * BARS + 35) is False
    assert found.moved(7 * BARS + 10) is False and found.moved(9 * BARS + 10) is False


def test_with_fewer_than_five_past_sessions_nothing_is_usual() -> None:
    found = series(10, (8, 10))
    assert found.moved(4 * BARS + 10) is None and found.moved(5 * BARS + 10) is False
    assert found.moved(BARS * 10 - 1) is None, "no bar follows the session's last"


def test_the_null_counts_every_bar_of_the_same_half_hour() -> None:
    found = series(10, (8, 10))
    at = 8 * BARS + 10
    half_hour = [s * BARS + p for s in range(10) for p in range(6, 12)]
    known = [bar for bar in half_hour if found.moved(bar) is not None]
    assert found.null(at) == sum(found.moved(bar) is True for bar in known) / len(known) > 0


def test_the_past_alone_makes_the_usual() -> None:
    one, other = series(10, (8, 10)), series(10, (9, 10))
    for bar in range(8 * BARS):
        assert one.moved(bar) == other.moved(bar)
