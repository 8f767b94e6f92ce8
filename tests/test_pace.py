"""When a frame is due: a terminal that is behind, frames that took long, and slow links."""

from __future__ import annotations

import pytest

from kitetui.pace import CALM_S, LITE_HZ, Pace

HZ = 4.0


def frames(pace: Pace, queue: int, seconds: float, begin_s: float = 0.0) -> list[float]:
    """Times at which frames were made, asked `HZ` times a second."""
    made = []
    for tick in range(int(seconds * HZ)):
        now_s = begin_s + tick / HZ
        if pace.due(queue, now_s):
            made.append(now_s)
            pace.painted(now_s, now_s + 0.01)
    return made


def test_a_frame_is_made_as_often_as_is_asked() -> None:
    pace = Pace(HZ, "auto")
    assert len(frames(pace, 0, 10)) == 40 and pace.hz == HZ and not pace.lite


def test_a_terminal_that_is_behind_gets_none_not_even_at_once() -> None:
    pace = Pace(HZ, "never")
    assert frames(pace, 2, 10) == [] and not pace.due(2, 10.0, at_once=True)
    assert len(frames(pace, 1, 1, 11)) == 4, "one may wait"
    assert not pace.lite, "never is never"


def test_a_frame_that_took_long_is_followed_by_a_pause_but_keys_do_not_wait() -> None:
    pace = Pace(HZ, "auto")
    pace.painted(0.0, 0.05)
    assert pace.hz == HZ / 2
    assert pace.due(0, 0.1, at_once=True)
    assert not pace.due(0, 0.25) and pace.due(0, 0.5)


def test_a_link_that_is_behind_for_seconds_is_slow_until_it_was_calm_for_a_minute() -> None:
    pace = Pace(HZ, "auto")
    frames(pace, 2, 2)
    assert not pace.lite, "a moment is no slow link"
    frames(pace, 2, 2, 2)
    assert pace.lite and pace.hz == LITE_HZ
    assert len(frames(pace, 0, 10, 4)) == 10
    frames(pace, 0, CALM_S, 14)
    assert not pace.lite and len(frames(pace, 0, 1, 80)) == 4


@pytest.mark.parametrize("jitter", [-0.02, 0.0, 0.02])
def test_lite_is_a_frame_a_second_whatever_the_timer_does(jitter: float) -> None:
    pace = Pace(HZ, "always")
    made = 0
    for tick in range(40):
        now_s = tick / HZ + (jitter if tick % 2 else 0.0)
        if pace.due(0, now_s):
            made += 1
            pace.painted(now_s, now_s)
    assert made == 10
