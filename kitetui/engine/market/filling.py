"""Filling: bars of a row as the exchange tells them: before its day, and where a gap was."""

from __future__ import annotations

import numpy as np

from kitetui.engine.feed.batch import I64, Bool
from kitetui.engine.market.bars import FLAGS, VOLUME, BarFlag
from kitetui.engine.market.indicators import learn
from kitetui.engine.market.timeframe import LEARNED_BARS, Timeframe
from kitetui.engine.market.warmup import PastBars


def warm_up(frames: dict[int, Timeframe], row: int, past: dict[int, PastBars],
            divisor: I64) -> None:  # fmt: skip
    """Give a row the bars of its history before its first live one; of the live ones history
    tells those whose volume is uncertain.

    Args:
        past: past bars by timeframe, whole bars only.
    """
    for minutes, bars in past.items():
        frame, earlier = frames[minutes], slice(0, bars.past)
        frame.usual_volume.learn(row, bars.slots[earlier], bars.values[VOLUME, earlier])
        joined = _joined(frame, row, bars, None)
        if joined is not None:
            starts, values, opened = joined
            frame.history.replace(row, starts, values)
            frame.indicators.put(row, learn(frame.closed(values, divisor[row], opened)))


def mend(frames: dict[int, Timeframe], row: int, past: dict[int, PastBars], divisor: I64,
         gap: tuple[int, int]) -> None:  # fmt: skip
    """Give a row what its history tells of a gap: bars that it touches, as it tells them.

    Bars keep their numbers, and later ones get higher ones by as many as were missing: what
    remembers a bar by its number still means it, or one before. Indicators are worked out anew
    where that goes over as many bars as they had seen, or as settle them.

    Args:
        past: bars by timeframe, whole bars only; gap: its first and its last minute.
    """
    for minutes, bars in past.items():
        touched = bars.starts[_touches(bars.starts, minutes, gap)]
        frame = frames[minutes]
        joined = _joined(frame, row, bars, gap) if len(touched) else None
        if joined is None:
            continue
        starts, values, opened = joined
        held = int(frame.history.count[row])
        known, _ = frame.history.last(row, frame.history.depth)
        count = max(held + int((~np.isin(touched, known)).sum()), len(starts))
        frame.history.replace(row, starts, values, count)
        if len(starts) >= min(held, LEARNED_BARS):
            learned = learn(frame.closed(values, divisor[row], opened))
            learned.bars = count
            frame.indicators.put(row, learned)


def _joined(frame: Timeframe, row: int, past: PastBars,
            gap: tuple[int, int] | None) -> tuple[I64, I64, I64] | None:  # fmt: skip
    """Past and live bars of a row: starts, values, open minutes; None where there is none.

    History tells what was before the first live bar, and what lies in the gap; without one, live
    bars whose volume is uncertain. Whatever else it would fill in or set right is of another gap,
    which is told of, and marked, by its own answer.
    """
    live_starts, live = frame.history.last(row, frame.history.depth)
    if gap is None:
        sure = (live[FLAGS] & BarFlag.VOLUME_UNCERTAIN) == 0
        asked = np.isin(past.starts, live_starts[~sure])
    else:
        sure = ~_touches(live_starts, frame.minutes, gap)
        asked = _touches(past.starts, frame.minutes, gap)
    before = past.starts < live_starts[0] if len(live_starts) else True
    told = (before | asked) & (np.arange(len(past.starts)) >= len(past.starts) - LEARNED_BARS)
    bars: dict[int, I64] = dict(
        zip(past.starts[told].tolist(), past.values[:, told].T, strict=True)
    )
    opened = dict(zip(past.starts.tolist(), past.opens.tolist(), strict=True))
    for start, bar, whole in zip(live_starts.tolist(), live.T, sure.tolist(), strict=True):
        if whole or start not in bars:
            bars[start] = bar
    if not bars:
        return None
    starts = np.array(sorted(bars), np.int64)
    values = np.stack([bars[start] for start in starts.tolist()], axis=1)
    days = np.array([opened.get(start, past.today_open) for start in starts.tolist()], np.int64)
    return starts, values, days


def uncertain(frame: Timeframe, row: int) -> I64:
    """Starts of a row's bars whose volume is uncertain."""
    starts, values = frame.history.last(row, frame.history.depth)
    found: I64 = starts[(values[FLAGS] & BarFlag.VOLUME_UNCERTAIN) != 0]
    return found


def _touches(starts: I64, minutes: int, gap: tuple[int, int]) -> Bool:
    """Which bars of a length share a minute with a gap."""
    return (starts + minutes > gap[0]) & (starts <= gap[1])
